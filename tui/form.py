"""The notification form's values: what is typed, and what is sent. Pure."""

import re
from collections.abc import Mapping

from providers.models import NotificationChange, NotificationSettings
from providers.secret import Secret
from vault.inbox.addresses import without_secret

SECRET = "s3_secret_access_key"  # noqa: S105  # a field's name
FIELDS = (
    ("url", "Callback URL", "https://… where the service tells of a recording"),
    ("email", "E-mails", "several with commas"),
    ("s3_arn", "S3 ARN", "arn:aws:s3:::bucket/path: where it puts recordings"),
    ("s3_access_key_id", "S3 key id", ""),
    (SECRET, "S3 secret", ""),
)
KEEP = "set at the service: leave empty to keep"
NONE = "not set; needed with the ARN and the key id"


def filled(settings: NotificationSettings) -> dict[str, str]:
    """The form as it stands at the service. The secret is always empty, and that of a callback address hidden."""
    return {
        "notify": "true" if settings.notify else "false",
        "url": without_secret(settings.url),
        "email": ", ".join(settings.emails),
        "s3_arn": settings.s3_arn,
        "s3_access_key_id": settings.s3_access_key_id,
        SECRET: "",
    }


def whole(values: Mapping[str, str], stored: NotificationSettings | None) -> dict[str, str]:
    """What is typed, with the callback address as it is at the service where it was left as it is shown."""
    if stored is not None and values["url"].strip() == without_secret(stored.url):
        return {**values, "url": stored.url}
    return dict(values)


def change_of(values: Mapping[str, str]) -> NotificationChange:
    """What would be sent. Raises InvalidSecret for a secret that cannot be one."""
    return NotificationChange(
        notify=values["notify"] == "true",
        url=values["url"].strip(),
        emails=tuple(dict.fromkeys(part for part in re.split(r"[,;\s]+", values["email"]) if part)),
        s3_arn=values["s3_arn"].strip(),
        s3_access_key_id=values["s3_access_key_id"].strip(),
        s3_secret_access_key=Secret(values[SECRET]) if values[SECRET].strip() else None,
    )


def told(settings: NotificationSettings) -> list[tuple[str, str]]:
    """What the service says, name to words."""
    if not settings.exists:
        return [("state", "nothing is set there yet: saving creates it (POST)")]
    return [
        ("state", "set there: saving updates it (PUT)"),
        ("notify", "yes" if settings.notify else "no"),
        ("URL", without_secret(settings.url) or "none"),
        ("e-mails", ", ".join(settings.emails) or "none"),
        ("S3 ARN", settings.s3_arn or "none"),
        ("S3 key id", settings.s3_access_key_id or "none"),
        ("S3 secret", "set (never shown)" if settings.has_s3_secret else "none"),
        ("user", settings.username),
    ]

"""What is wrong with recording notifications as they are typed: pure, and without the client.

Used as one types, before a command saves, and once more by the client before it sends.
"""

import re
from collections.abc import Iterable, Mapping

from providers.models import NotificationChange, NotificationSettings
from providers.origin import Origin

FIELDS = ("url", "email", "s3_arn", "s3_access_key_id", "s3_secret_access_key")
TRIO = FIELDS[2:]

_SEPARATORS = re.compile(r"[,;\s]+")
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;.]+(\.[^@\s,;.]+)+")
# Loosely: the page's own two examples differ, and real S3 ARNs leave region and account empty.
_ARN = re.compile(r"arn:[^:\s]+:s3:[^:\s]*:[^:\s]*:\S+")
_TRIO_WORDS = {
    "s3_arn": "ARN",
    "s3_access_key_id": "access key id",
    "s3_secret_access_key": "secret access key",
}


def parse_emails(text: str) -> tuple[str, ...]:
    """The addresses in a text, separated by comma, semicolon or space (page, "email"); each once, in order."""
    return tuple(dict.fromkeys(part for part in _SEPARATORS.split(text) if part))


def fields_of(change: NotificationChange) -> dict[str, str]:
    """A change as the form's texts. The secret is not among them, only a mark that there is one."""
    return {
        "url": change.url,
        "email": ",".join(change.emails),
        "s3_arn": change.s3_arn,
        "s3_access_key_id": change.s3_access_key_id,
        "s3_secret_access_key": "given" if change.s3_secret_access_key else "",
    }


def problems(fields: Mapping[str, str], stored: NotificationSettings | None = None) -> dict[str, str]:
    """What is wrong, field to words; empty when it can be saved.

    `fields`: the texts of `FIELDS` as typed; one that is absent counts as empty. `stored`: what the service has, so
    that an S3 secret which it has already for the same access key id need not be typed again.
    """
    typed = {name: fields.get(name, "").strip() for name in FIELDS}
    found = {
        "url": _url_problem(typed["url"]),
        "email": _email_problem(parse_emails(typed["email"])),
        "s3_arn": _arn_problem(typed["s3_arn"]),
        "s3_secret_access_key": _secret_problem(typed["s3_secret_access_key"]),
    }
    for name, words in _trio_problems(typed, stored).items():
        found[name] = found.get(name) or words
    return {name: words for name, words in found.items() if words}


def _url_problem(url: str) -> str:
    if "…" in url:
        return "has … where a part of it is hidden: type the whole address"
    if not url or Origin.of(url):
        return ""
    if not url.lower().startswith(("http://", "https://")):
        return "must begin with http:// or https://"
    return "is no address that can be called"


def _email_problem(emails: Iterable[str]) -> str:
    wrong = [email for email in emails if not _EMAIL.fullmatch(email)]
    return f"{wrong[0]} is no e-mail address" if wrong else ""


def _arn_problem(arn: str) -> str:
    if not arn or _ARN.fullmatch(arn):
        return ""
    return "must look like arn:aws:s3:region::bucket/path"


def _secret_problem(secret: str) -> str:
    if secret.isascii() and secret.isprintable() and not any(c.isspace() for c in secret):
        return ""
    return "has characters that a secret access key cannot have"


def _trio_problems(typed: Mapping[str, str], stored: NotificationSettings | None) -> dict[str, str]:
    """The S3 trio is all or none (page, "s3Arn")."""
    if not any(typed[name] for name in TRIO):
        return {}
    missing = [name for name in TRIO if not typed[name]]
    if missing == ["s3_secret_access_key"] and stored is not None and stored.has_s3_secret:
        if typed["s3_access_key_id"] == stored.s3_access_key_id:
            return {}
        return {"s3_secret_access_key": "another access key id needs its own secret access key: type it"}
    return {name: f"the {_TRIO_WORDS[name]} is missing: the three S3 fields go together" for name in missing}

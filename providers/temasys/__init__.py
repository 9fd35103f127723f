"""Temasys (Skylink) recording notifications: a form to edit, and a callback for every recording that is mixed."""

from providers.base import AccountSettings, Option, Provider, ProviderInfo, SecretField, SecretSource
from providers.models import AssetKind, Capability

INFO = ProviderInfo(
    name="temasys",
    label="Temasys",
    meeting_word="room",
    capabilities=frozenset({Capability.FETCH, Capability.NOTIFICATIONS, Capability.WEBHOOK}),
    kinds=(AssetKind.VIDEO,),
    options=(
        Option("base_url", "address of the service; none is published", kind="url", required=True),
        Option("auth", "how to sign in", kind="choice", default="login", choices=("login", "cookie", "header", "none")),
        Option("login_path", 'path of the login, for auth = "login" (an assumption)', default="/rest/login"),
        Option("username", 'user name, for auth = "login"', default=""),
        Option("header", 'header that carries the token, for auth = "header"', default="Authorization"),
        Option(
            "download_hosts",
            "where the links to recordings may lead: host, host:port or *.suffix",
            kind="texts",
            default=(),
        ),
    ),
    secrets=(
        SecretField("password", "password of the user", when=("auth", "login")),
        SecretField("cookie", "session cookie, as name=value", when=("auth", "cookie")),
        SecretField("token", "the header's whole value", when=("auth", "header")),
        SecretField("api_key", "app key that callbacks must name; without it any is taken", required=False),
        SecretField("hook_secret", "unguessable part of the callback's address", required=False),
    ),
    found_by=(
        "Temasys lists no recordings: each is announced by a callback; "
        "`reeldesk ingest` or the account's `spool` folder takes it in"
    ),
    fetch_at_once=True,
)


def connect(settings: AccountSettings, secrets: SecretSource) -> Provider:
    """The client of an account. Nothing is sent yet."""
    from providers.temasys.client import TemasysProvider

    return TemasysProvider(settings, secrets)

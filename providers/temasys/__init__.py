"""Temasys (Skylink) recording notifications: a form to edit, and a callback for every recording that is mixed."""

from providers import checks
from providers.base import AccountSettings, Provider, SecretSource
from providers.declaring import Option, ProviderInfo, SecretField
from providers.models import AssetKind, Capability

INFO = ProviderInfo(
    name="temasys",
    label="Temasys",
    meeting_word="room",
    capabilities=frozenset({Capability.FETCH, Capability.NOTIFICATIONS, Capability.WEBHOOK}),
    kinds=(AssetKind.VIDEO,),
    options=(
        Option(
            "base_url",
            "address of the service; none is published",
            kind="url",
            required=True,
            label="Address",
            example="https://api.example.com",
            check=checks.bare_address,
        ),
        Option(
            "auth",
            "how to sign in",
            kind="choice",
            default="login",
            choices=("login", "cookie", "header", "none"),
            label="Sign-in",
            example="header",
        ),
        Option(
            "login_path",
            'path of the login, for auth = "login" (an assumption)',
            default="/rest/login",
            example="/rest/login",
            when=("auth", "login"),
            check=checks.path,
            advanced=True,
        ),
        Option(
            "username",
            'user name, for auth = "login"',
            default="",
            label="User name",
            example="temasys",
            when=("auth", "login"),
        ),
        Option(
            "header",
            'header that carries the token, for auth = "header"',
            default="Authorization",
            example="X-Api-Key",
            when=("auth", "header"),
            check=checks.header_name,
        ),
        Option(
            "download_hosts",
            "where the links to recordings may lead: host, host:port or *.suffix",
            kind="texts",
            default=(),
            example="*.amazonaws.com, files.example.com",
            check=checks.host_pattern,
        ),
    ),
    secrets=(
        SecretField("password", "password of the user", when=("auth", "login")),
        SecretField("cookie", "session cookie, as name=value", when=("auth", "cookie"), label="Session cookie"),
        SecretField("token", "the header's whole value", when=("auth", "header"), label="Header's value"),
        SecretField(
            "api_key", "app key that callbacks must name; without it any is taken", required=False, label="App key"
        ),
        SecretField(
            "hook_secret",
            "unguessable part of the callback's address",
            required=False,
            label="Webhook secret",
            advanced=True,
        ),
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

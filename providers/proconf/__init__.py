"""ProCONF call catch-up: what was said in a running call, for those who join late."""

from providers import checks
from providers.base import AccountSettings, Provider, Refused, SecretSource
from providers.catchup_page import check_room
from providers.declaring import Option, ProviderInfo, SecretField
from providers.models import AssetKind, Capability


def _room(name: str) -> str:
    try:
        check_room(name)
    except Refused as error:
        return f"must name rooms: {error.words}"
    return ""


INFO = ProviderInfo(
    name="proconf",
    label="ProCONF",
    meeting_word="room",
    capabilities=frozenset({Capability.LIST, Capability.FETCH, Capability.CATCHUP}),
    kinds=(AssetKind.CATCHUP,),
    options=(
        Option(
            "base_url",
            "address of the admin backend or of the application server",
            kind="url",
            required=True,
            label="Address",
            example="https://admin.example.com/api",
            check=checks.bare_address,
        ),
        Option(
            "endpoint",
            "admin: /call-catchup/ROOM, app: /callCatchUp/ROOM, app-query: /callCatchUp?roomName=ROOM",
            kind="choice",
            default="admin",
            choices=("admin", "app", "app-query"),
            example="app",
        ),
        Option(
            "auth",
            "how to sign in",
            kind="choice",
            default="none",
            choices=("none", "bearer", "header"),
            label="Sign-in",
            example="bearer",
        ),
        Option(
            "header",
            'header that carries the token, unless auth = "none"',
            default="Authorization",
            example="X-Api-Key",
            when=("auth", "bearer", "header"),
            check=checks.header_name,
        ),
        Option(
            "rooms",
            "rooms to look at; the service lists none",
            kind="texts",
            default=(),
            example="town-hall, stand-up",
            check=_room,
        ),
    ),
    secrets=(
        SecretField("token", "token, sent as `Bearer TOKEN`", when=("auth", "bearer")),
        SecretField("token", "the header's whole value", when=("auth", "header"), label="Header's value"),
        SecretField(
            "hook_secret",
            "bearer token that late joiners' apps send to this machine's /callCatchUp",
            required=False,
            label="Webhook secret",
            advanced=True,
        ),
    ),
    found_by="ProCONF lists no rooms: name them in `rooms`, or ask for one with `reeldesk catchup ROOM`",
)


def connect(settings: AccountSettings, secrets: SecretSource) -> Provider:
    """The client of an account. Nothing is sent yet."""
    from providers.proconf.client import ProconfProvider

    return ProconfProvider(settings, secrets)

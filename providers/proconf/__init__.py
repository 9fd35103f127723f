"""ProCONF call catch-up: what was said in a running call, for those who join late."""

from providers.base import AccountSettings, Option, Provider, ProviderInfo, SecretField, SecretSource
from providers.models import AssetKind, Capability

INFO = ProviderInfo(
    name="proconf",
    label="ProCONF",
    meeting_word="room",
    capabilities=frozenset({Capability.LIST, Capability.FETCH, Capability.CATCHUP}),
    kinds=(AssetKind.CATCHUP,),
    options=(
        Option("base_url", "address of the admin backend or of the application server", kind="url", required=True),
        Option(
            "endpoint",
            "admin: /call-catchup/ROOM, app: /callCatchUp/ROOM, app-query: /callCatchUp?roomName=ROOM",
            kind="choice",
            default="admin",
            choices=("admin", "app", "app-query"),
        ),
        Option("auth", "how to sign in", kind="choice", default="none", choices=("none", "bearer", "header")),
        Option("header", 'header that carries the token, unless auth = "none"', default="Authorization"),
        Option("rooms", "rooms to look at; the service lists none", kind="texts", default=()),
    ),
    secrets=(
        SecretField("token", "token, sent as `Bearer TOKEN`", when=("auth", "bearer")),
        SecretField("token", "the header's whole value", when=("auth", "header")),
        SecretField(
            "hook_secret", "bearer token that late joiners' apps send to this machine's /callCatchUp", required=False
        ),
    ),
    found_by="ProCONF lists no rooms: name them in `rooms`, or ask for one with `reeldesk catchup ROOM`",
)


def connect(settings: AccountSettings, secrets: SecretSource) -> Provider:
    """The client of an account. Nothing is sent yet."""
    from providers.proconf.client import ProconfProvider

    return ProconfProvider(settings, secrets)

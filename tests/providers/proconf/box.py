"""A ProCONF account over its emulator: three rooms, one of them without a running call."""

from providers.base import Provider
from providers.emulation import Loopback
from providers.models import Asset, Listing
from providers.proconf import INFO
from providers.proconf.emulator import ProconfEmulator
from tests.providers.box import ProviderBox, settings_for

TOKEN = "catch-up-token"


def box(net: Loopback) -> ProviderBox:
    emulator = ProconfEmulator()
    net.serve(emulator)
    emulator.token = TOKEN
    emulator.script("town-hall", [(0, "Ada opened [bold]the call[/].\x1b[2J"), (3600, "Never told here.")])
    emulator.script("größer / öfter?", [(0, "Nichts Neues.")])
    settings = settings_for(
        INFO,
        "standup",
        base_url=f"{emulator.base_url}/api",
        auth="bearer",
        rooms=("town-hall", "größer / öfter?", "empty-room"),
    )

    async def learn(provider: Provider) -> Listing:
        listing = Listing()
        async for page in provider.listing():
            listing += page
        return listing

    def content(asset: Asset) -> bytes:
        return emulator.body_of(asset.meeting_id)

    return ProviderBox(settings=settings, secrets={"token": TOKEN}, emulator=emulator, learn=learn, content=content)

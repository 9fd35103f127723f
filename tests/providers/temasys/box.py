"""A Temasys account over its emulator: two recordings, one called back as JSON and one as a form."""

from providers.base import Provider
from providers.emulation import Loopback
from providers.models import Asset, Delivery, Listing
from providers.temasys import INFO
from providers.temasys.emulator import TemasysEmulator
from tests.providers.box import ProviderBox, settings_for


def box(net: Loopback) -> ProviderBox:
    emulator = TemasysEmulator()
    net.serve(emulator)
    net.serve(emulator.store)
    emulator.record("town-hall")
    emulator.record("Besprechung [bold]größer[/] \x1b[2J")
    settings = settings_for(INFO, "rooms", base_url=emulator.base_url, username=emulator.username)

    def deliveries() -> list[Delivery]:
        first, second = emulator.recordings[:2]
        as_json = emulator.delivery(first)
        emulator.delivery_encoding = "form"
        as_form = emulator.delivery(second)
        emulator.delivery_encoding = "json"
        return [as_json, as_form]

    def forged() -> list[Delivery]:
        first = emulator.recordings[0]
        return [emulator.delivery(first, apiKey=other) for other in ("another-app-key", "", None, ["x"], "\udcff")]

    async def learn(provider: Provider) -> Listing:
        listings = [provider.read_delivery(delivery).listing for delivery in deliveries()]
        return listings[0] + listings[1]

    def content(asset: Asset) -> bytes:
        [blob] = [recording.blob for recording in emulator.recordings if recording.meeting_id == asset.meeting_id]
        return blob.read(0, blob.size)

    return ProviderBox(
        settings=settings,
        secrets={"password": emulator.password, "api_key": emulator.app_key},
        emulator=emulator,
        learn=learn,
        stores=[emulator.store],
        deliveries=deliveries,
        forged=forged,
        content=content,
    )

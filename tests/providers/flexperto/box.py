"""A flexperto tenant with archives in every state."""

from providers.base import Provider
from providers.emulation import Loopback
from providers.flexperto import INFO
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import Asset, Delivery, Listing
from tests.providers.box import ProviderBox, settings_for

STATUSES = ("PROCESSING", "ARTIFACT_GATHERING_COMPLETE", "PACKING", "AVAILABLE", "FAILED", "ABANDONED", "EXPIRED")


def box(net: Loopback) -> ProviderBox:
    """An account `advice`; archive `a-STATUS` of conference `c-STATUS` for every status."""
    emulator = FlexpertoEmulator()
    for status in STATUSES:
        emulator.add_archive(
            f"a-{status.lower()}",
            f"c-{status.lower()}",
            status,
            title=f"Advice {status}",
            error="no tracks were recorded" if status == "FAILED" else None,
        )
    settings = settings_for(INFO, "advice", base_url=net.serve(emulator))
    return ProviderBox(
        settings=settings,
        secrets={"api_key": emulator.api_key},
        emulator=emulator,
        learn=learn,
        deliveries=lambda: genuine(emulator),
        content=lambda asset: content(emulator, asset),
    )


async def learn(provider: Provider) -> Listing:
    """Everything the tenant lists."""
    known = Listing()
    async for page in provider.listing():
        known += page
    return known


def genuine(emulator: FlexpertoEmulator) -> list[Delivery]:
    """A delivery for every archive that became available."""
    return [delivery for archive_id in emulator.archives for delivery in emulator.deliveries_for(archive_id)]


def content(emulator: FlexpertoEmulator, asset: Asset) -> bytes:
    """The zip's bytes."""
    blob = emulator.archives[asset.locator["archive_id"]].blob
    return blob.read(0, blob.size)

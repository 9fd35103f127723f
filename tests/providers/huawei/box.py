"""A Huawei account over its emulator, with a past call in it."""

import time

from providers.base import Provider
from providers.emulation import Blob, Loopback, mp4_blob
from providers.huawei import INFO
from providers.huawei.emulated_calls import Call
from providers.huawei.emulator import HuaweiEmulator
from providers.models import Asset, Listing
from tests.providers.box import ProviderBox, settings_for

AGENT = "1001"
PASSWORD = "Kennwort-7!"
CONFERENCE = "7a008307-34ad-435b-bccd-222be5ac5385"
RECORD = "0a08082d-df1e-4c06-9a97-c7c6f7a4724e"
PHONE = "40038"


def emulator(poll_wait: float = 0.2) -> HuaweiEmulator:
    """A gateway with one agent, quick to answer an empty poll."""
    made = HuaweiEmulator()
    made.poll_wait = poll_wait
    made.add_agent(AGENT, PASSWORD)
    return made


def past_call(blobs: dict[tuple[str, str], Blob] | None = None, ago_s: float = 600.0) -> Call:
    """A video call of a minute that ended, recorded by the MCU: an HD and an SD file."""
    files = blobs or {(RECORD, "0"): mp4_blob(300_000, 1), (RECORD, "1"): mp4_blob(90_000, 2)}
    return Call(AGENT, "25002", "22061", time.time() - ago_s, 60.0, files, conference=CONFERENCE)


async def collect(provider: Provider) -> Listing:
    """All that the waiting events tell, as one listing."""
    found = Listing()
    async for listing in provider.listing():
        found += listing
    return found


def box(net: Loopback) -> ProviderBox:
    """One account over its emulator; its recordings come to be known by draining the waiting events."""
    gateway = emulator()
    call = gateway.add_call(past_call())
    settings = settings_for(INFO, "calls", base_url=net.serve(gateway), agent_id=AGENT, phone=PHONE)

    def content(asset: Asset) -> bytes:
        blob = call.files.get((asset.locator.get("recordId", ""), asset.locator.get("fileType", "")))
        return blob.read(0, blob.size) if blob else b""

    return ProviderBox(settings, {"password": PASSWORD}, gateway, collect, content=content)

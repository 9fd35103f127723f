"""Cronofy with its emulator, for the contract suite."""

from providers.base import Provider
from providers.cronofy import INFO
from providers.cronofy.emulator import API_KEY, COMPLETE, CronofyEmulator, object_key
from providers.cronofy.record import PAIRS
from providers.emulation import Loopback, ObjectStore
from providers.models import Asset, Delivery, Listing
from tests.providers.box import ProviderBox, settings_for


def box(net: Loopback) -> ProviderBox:
    """One complete agent, and one that failed."""
    store = ObjectStore()
    net.serve(store)
    emulator = CronofyEmulator(store)
    base = net.serve(emulator)
    done = emulator.add_agent("Advisory board")
    emulator.complete(done)
    failed = emulator.add_agent()
    emulator.fail(failed)
    sent = [*emulator.deliveries(done, COMPLETE), *emulator.deliveries(failed, "meeting_agent_failed")]

    async def learn(provider: Provider) -> Listing:
        return sum((provider.read_delivery(delivery).listing for delivery in sent), Listing())

    def forged() -> list[Delivery]:
        genuine = sent[0]
        unsigned = {name: value for name, value in genuine.headers.items() if name != "cronofy-hmac-sha256"}
        return [
            Delivery(genuine.headers, genuine.body + b" "),
            Delivery(unsigned, genuine.body),
            Delivery({**unsigned, "cronofy-hmac-sha256": ""}, genuine.body),
            Delivery({**unsigned, "cronofy-hmac-sha256": "ümlaut="}, genuine.body),
        ]

    def content(asset: Asset) -> bytes:
        pair = next(pair for pair, kind in PAIRS.items() if kind is asset.kind)
        blob = emulator.agents[asset.meeting_id].files[pair]
        assert object_key(asset.meeting_id, *pair) in store._blobs
        return blob.read(0, blob.size)

    return ProviderBox(
        settings_for(INFO, "agents", base_url=base),
        {"api_key": API_KEY},
        emulator,
        learn,
        [store],
        lambda: list(sent),
        forged,
        content,
    )

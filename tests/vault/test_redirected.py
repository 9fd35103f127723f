"""A credential goes to its own origin and nowhere else, wherever a service leads: R8 of the security requirements.

Every provider, every redirect, another port, host, name and scheme; calls of the API, and files with their second leg.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from msgspec.structs import replace

from providers import registry
from providers.base import Provider, ProviderError
from providers.emulation import zip_blob
from providers.models import Asset, AssetKind, Capability
from providers.origin import Origin
from tests.providers.box import ProviderBox
from tests.providers.test_contract import VERBS, downloadable, outcome
from tests.vault.trap import COOKIE, Authority, Away, Misleading, Sent, trap
from tests.vault.world import noise
from vault.proof import Proof
from vault.transfers.fetch import Work, fetch
from vault.transfers.part import Part
from vault.transfers.pouring import Meter

CONTENTS = {
    "flexperto": zip_blob({"track.txt": noise(20_000)}).head,
    "proconf": b'{"error": null, "data": "all is told"}',
}
"""What the second servers give, where it must look like what was asked for."""
STATUSES = (301, 302, 303, 307, 308)
PLACES = ("another port", "another host", "another name", "https")
TOPIC = "communication.archives.archive.available"
CALLS: dict[str, Callable[[Provider], Any]] = {
    "check": lambda p: p.check(),
    "look_up": lambda p: p.look_up("arc-1"),
    **{name: call for name, (_, call) in VERBS.items() if name not in ("watch", "read_delivery")},
    "subscribe": lambda p: p.subscribe(TOPIC, "https://hooks.example/1"),
}
"""Every call that asks the service something. `watch` goes on for ever, and asks what `listing` does."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@dataclass
class Stage:
    """A provider over services that lead astray, and servers to be led to, by how they differ."""

    box: ProviderBox
    content: bytes
    away: Away
    places: dict[str, str]
    seen: list[list[Sent]]

    def arrived(self) -> list[Sent]:
        return [sent for each in self.seen for sent in each]

    def assert_nothing_leaked(self) -> None:
        """Whatever came to the second servers names nobody."""
        secrets = {*self.box.secrets.values(), *self.away.secrets(), COOKIE}
        for sent in self.arrived():
            assert sent.identifying == {}, sent
            assert not [secret for secret in secrets if secret in sent.whole], sent
            assert sent.body == b""


def staged(name: str, own: str, authority: Authority) -> Iterator[Stage]:
    away, content = Away(), CONTENTS.get(name) or noise(20_000)
    tls = {"ssl_certfile": str(authority.cert_file), "ssl_keyfile": str(authority.key_file)} if own == "https" else {}
    with ExitStack() as stack:
        net = stack.enter_context(Misleading(away, **tls))
        box: ProviderBox = import_module(f"tests.providers.{name}.box").box(net)
        box.settings = replace(box.settings, ca_file=str(authority.ca_file))
        base = Origin.of(box.emulator.base_url)
        assert base is not None
        plain, plain_seen = stack.enter_context(trap("127.0.0.1", 0, content))
        _, same_port_seen = stack.enter_context(trap("127.0.0.2", base.port, content))
        secure, secure_seen = stack.enter_context(trap("127.0.0.1", 0, content, authority.context()))
        places = {
            "another port": f"http://127.0.0.1:{plain}",
            "another host": f"http://127.0.0.2:{base.port}",
            "another name": f"http://localhost:{plain}",
            "https": f"https://127.0.0.1:{secure}",
        }
        yield Stage(box, content, away, places, [plain_seen, same_port_seen, secure_seen])


@pytest.fixture(params=registry.names())
def stage(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Stage]:
    """Each provider's services over http."""
    yield from staged(request.param, "http", authority)


@pytest.fixture(params=registry.names())
def secure_stage(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Stage]:
    """The same over https."""
    yield from staged(request.param, "https", authority)


async def attempt(call: Callable[[Provider], Any], provider: Provider) -> None:
    """Call; what comes of it is a value or words."""
    patience_s = 0.3 if Capability.WATCH in provider.info.capabilities else 10  # it asks again and again by itself
    with suppress(ProviderError, ValueError, TimeoutError):
        async with asyncio.timeout(patience_s):
            await outcome(lambda: call(provider))


async def ready(stage: Stage, stack: AsyncExitStack) -> tuple[Provider, list[Asset]]:
    """A client that knows its recordings and has whatever session there is; the last of these was used just now."""
    provider = await stack.enter_async_context(aclosing(stage.box.connect()))
    assets = downloadable(await stage.box.learn(provider))
    await provider.check()
    return provider, assets


async def call_everything(stage: Stage, provider: Provider, assets: list[Asset]) -> None:
    """Each call with each redirect to each place in turn: what a place is, is nothing to a client that follows none."""
    can = provider.info.capabilities
    calls = [call for name, call in CALLS.items() if name not in VERBS or VERBS[name][0] & can]
    calls += [lambda p, asset=asset: p.release(asset) for asset in assets if Capability.RELEASE in can]  # type: ignore[misc]  # bound early
    turns = [(status, place) for status in STATUSES for place in stage.places.values()]
    for number, call in enumerate(calls * 2):
        for stage.away.status, stage.away.to in turns[number % 4 :: 4]:
            await attempt(call, provider)
    stage.away.to = ""


async def test_no_call_of_the_api_follows_a_redirect(stage: Stage) -> None:
    async with AsyncExitStack() as stack:
        provider, assets = await ready(stage, stack)
        before = len(stage.away.sent)
        await call_everything(stage, provider, assets)
        assert len(stage.away.sent) > before + 10
        assert stage.away.secrets()
    assert stage.arrived() == []


async def test_no_sign_in_follows_a_redirect(stage: Stage) -> None:
    """From the very first request on: a password in a body, a key in a header."""
    provider = stage.box.connect()
    away = stage.away
    for away.status in STATUSES:
        for away.to in stage.places.values():
            await attempt(CALLS["check"], provider)
    assert len(stage.away.sent) >= len(STATUSES) * len(PLACES)
    await provider.aclose()
    assert stage.arrived() == []


async def test_no_call_goes_from_https_to_http(secure_stage: Stage) -> None:
    async with AsyncExitStack() as stack:
        provider, assets = await ready(secure_stage, stack)
        await call_everything(secure_stage, provider, assets)
        assert secure_stage.away.secrets()
    assert secure_stage.arrived() == []


async def fetched(provider: Provider, asset: Asset, folder: Path, number: int) -> Proof:
    """Fetch as the queue does, without a container to check: the second server gives what it likes."""
    part = await asyncio.to_thread(Part, folder, PurePosixPath(f"{number}.bin"))

    def done(proof: Proof) -> None:
        pass

    work = Work(lambda: provider.locate(asset), provider.opener, "bin", done, done, lambda: datetime.now(UTC))
    try:
        async with asyncio.timeout(20):
            return await fetch(work, part, Meter())
    finally:
        await asyncio.to_thread(part.close)


async def test_the_second_leg_of_a_file_goes_without_a_credential(stage: Stage, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        provider, assets = await ready(stage, stack)
        asset = next(asset for asset in assets if asset.kind is not AssetKind.TRANSCRIPT)
        asset = replace(asset, checksum=None, size=None)
        places = stage.places
        wanted = [(status, place) for status in STATUSES for place in PLACES]
        for number, (status, place) in enumerate(wanted):
            stage.away.status, stage.away.to = status, places[place]
            await fetched(provider, asset, tmp_path, number)
            assert (tmp_path / f"{number}.bin").read_bytes() == stage.content, place
            stage.away.to = ""
        assert len(stage.arrived()) >= len(wanted)
        stage.assert_nothing_leaked()
        # And at home it still has one: nothing was merely forgotten.
        known = stage.away.secrets()
        await provider.check()
        assert known & stage.away.secrets()


async def test_no_file_is_led_from_https_to_http(secure_stage: Stage, tmp_path: Path) -> None:
    stage = secure_stage
    async with AsyncExitStack() as stack:
        provider, assets = await ready(stage, stack)
        asset = next(asset for asset in assets if asset.kind is not AssetKind.TRANSCRIPT)
        asset = replace(asset, checksum=None, size=None)
        number = 0
        away = stage.away
        for away.status in STATUSES:
            for place in PLACES:
                number += 1
                stage.away.to = stage.places[place]
                if place == "https" or (await provider.locate(asset)).url.startswith(stage.places[place]):
                    # Or a link, told by the service in its answer: http is for this machine alone, see providers.http.
                    await fetched(provider, asset, tmp_path, number)
                else:
                    with pytest.raises(ProviderError, match="without encryption"):
                        await fetched(provider, asset, tmp_path, number)
            stage.away.to = ""
        assert stage.arrived()
        stage.assert_nothing_leaked()

"""What the tests of the client and its session share."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from providers import base
from providers.huawei import INFO
from providers.huawei.client import Huawei
from providers.huawei.emulator import HuaweiEmulator
from providers.huawei.session import Rhythm
from providers.models import Asset, AssetId, Listing
from providers.secret import Secret
from tests.providers.box import settings_for
from tests.providers.huawei.box import (
    AGENT,
    CONFERENCE,
    PASSWORD,
    PHONE,
    RECORD,
)

QUICK = Rhythm(pause_s=0.02, retry_s=0.02, patience_s=0.3)
STILL = Rhythm(pause_s=30.0)
"""One poll, and none for the rest of the test."""


def settings(gateway: HuaweiEmulator, **options: object) -> base.AccountSettings:
    given = {"base_url": gateway.base_url, "agent_id": AGENT, "phone": PHONE} | options
    return settings_for(INFO, "calls", **given)


@asynccontextmanager
async def client(
    gateway: HuaweiEmulator,
    rhythm: Rhythm = QUICK,
    *,
    secrets: dict[str, str] | None = None,
    account: base.AccountSettings | None = None,
) -> AsyncIterator[Huawei]:
    held = {"password": PASSWORD} if secrets is None else secrets
    made = Huawei(account or settings(gateway), lambda name: Secret(held[name]) if name in held else None, rhythm)
    try:
        yield made
    finally:
        await made.aclose()


async def download(provider: base.Provider, asset: Asset) -> bytes:
    source = await provider.locate(asset)
    async with provider.opener.open(source.url, source.headers) as body:
        content = b"".join([chunk async for chunk in body.chunks()])
        source.judge(base.Head(body.status, body.headers, content[:65536], complete=len(content) <= 65536))
    return content


async def until(happened: Callable[[], bool], what: str) -> None:
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + 5
    while not happened():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        await asyncio.sleep(0.01)


def by_hand(tail: str = f"video.{RECORD}-0", meeting: str = CONFERENCE) -> AssetId:
    return AssetId.parse(f"calls/{meeting}/{tail}")


async def next_of(watching: AsyncIterator[Listing]) -> Listing:
    async with asyncio.timeout(5):
        return await anext(watching)


async def drain(watching: AsyncIterator[Listing]) -> None:
    async with asyncio.timeout(5):
        async for _ in watching:
            pass

"""A body in pieces, poured into a part."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from providers.base import Head, Source
from tests.vault.transfers.bench import CONTENT
from vault.transfers.part import Part
from vault.transfers.pouring import Arrival, Flow, Meter, pour
from vault.transfers.ranges import Validator

KNOWN = Validator('"one"', "", len(CONTENT))


class Told:
    """A body in exactly these pieces, after each of which so many seconds pass."""

    def __init__(self, pieces: list[bytes], status: int = 206, pause_s: float = 0.0) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {}
        self._pieces = pieces
        self._pause_s = pause_s

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if self._pause_s:
                await asyncio.sleep(self._pause_s)
            yield piece


def source() -> Source:
    def judge(head: Head) -> None:
        assert head.prefix

    return Source("http://127.0.0.1/", judge)


async def poured(part: Part, body: Told, overlap: bytes = b"", flow: Flow | None = None) -> bytes:
    """What is in the part in the end."""
    last = await pour(Arrival(body, source(), KNOWN, overlap), part, Meter(), flow or Flow())
    part.write(last)
    with part.reader() as file:
        file.seek(0)
        return file.read()

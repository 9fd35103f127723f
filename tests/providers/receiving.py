"""A receiver of webhooks over real HTTP, which notes what arrives and answers as it is told."""

import asyncio
import itertools
import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from providers.emulation import Emulator
from providers.models import Delivery


@dataclass(frozen=True)
class Got:
    """A request that came in, at a moment of the monotonic clock."""

    path: str
    delivery: Delivery
    at: float


class Receiver(Emulator):
    """Answers with the next of `statuses` of a path, after the next of `delays_s`; else at once with 204."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.first = asyncio.Event()
        """Something has come in."""
        self.statuses: dict[str, list[int]] = {}
        self.delays_s: dict[str, list[float]] = {}
        super().__init__()

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", self._take, methods=["POST", "GET"])]

    async def _take(self, request: Request) -> Response:
        path, body = request.url.path, await request.body()
        self.got.append(Got(path, Delivery(dict(request.headers), body), time.monotonic()))
        self.first.set()
        delays, statuses = self.delays_s.get(path), self.statuses.get(path)
        if delays:
            await asyncio.sleep(delays.pop(0))
        status = statuses.pop(0) if statuses else 204
        return Response(status_code=status, headers={"location": f"{self.base_url}/elsewhere"})

    def bodies(self, path: str = "") -> list[bytes]:
        """What was sent to a path, in the order in which it arrived."""
        return [one.delivery.body for one in self.got if path in ("", one.path)]

    def pauses(self, path: str) -> list[float]:
        """Seconds between the requests to a path."""
        times = [one.at for one in self.got if one.path == path]
        return [later - earlier for earlier, later in itertools.pairwise(times)]


class Now:
    """A clock that a test moves; unix seconds."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at

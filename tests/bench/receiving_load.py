"""Who sends webhooks: signed before the clock starts, from a process of its own, over connections that are kept.

python -m tests.bench.receiving_load PLAN   sends what the plan (JSON) says and prints what came of it as JSON.

Not wrk, whose scripts cannot sign; and every answer is counted, so that it can be compared with the ledger's rows.
"""

import asyncio
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from providers.cronofy.webhook import sign
from tests.bench.results import percentile

BODY_BYTES = 2048
WARM = 200
"""Deliveries before the clock starts: what a receiver loads at the first one is loaded then."""
_FIRST_AT = 1_790_000_000
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. `per_s` 0: each connection sends as soon as it was answered; else so many a second, no faster."""

    host: str
    port: int
    path: str
    api_key: str
    base: str
    """Where the recordings are said to be."""
    first: int
    """The number of the first delivery; every number is another agent's."""
    count: int
    connections: int
    per_s: float = 0.0
    warm: int = WARM
    step_s: int = 1
    """Between the meetings' starts; below 0: each is older than the one before."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it. Times of single requests from its first byte sent to its answer's last."""

    wall_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_s: float
    """Of the process that sends, whole."""
    whole_s: float
    """From its start to its end."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """How often each, warming up included."""

    @classmethod
    def read(cls, text: str) -> "Sent":
        """From what the process printed."""
        return cls(**json.loads(text))


def body(number: int, base: str, step_s: int = 1) -> bytes:
    """A notification of 2 KiB: agent `number` completed, with its three files."""
    sub = f"agt_{number:024d}"
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_FIRST_AT + number * step_s))
    files = (("transcript", "cronofy"), ("audio", "voice"), ("video", "conference"))
    payload: dict[str, Any] = {
        "notification": {
            "type": "event_subscription",
            "interactions": [{"type": "meeting_agent_complete"}],
        },
        "event": {"event_id": sub, "summary": f"Meeting {number}", "start": start, "end": start, "description": ""},
        "meeting_agent": {
            "sub": sub,
            "state": "complete",
            "resources": [
                {"category": kind, "type": what, "url": f"{base}/v1/meeting_agents/{sub}/resources/{kind}/{what}"}
                for kind, what in files
            ],
        },
    }
    missing = BODY_BYTES - len(json.dumps(payload))
    payload["event"]["description"] = "words of the invitation " * (missing // 24) + "x" * (missing % 24)
    return json.dumps(payload).encode()


def requests(plan: Plan) -> list[bytes]:
    """Whole requests, signed."""
    head = (
        f"POST {plan.path} HTTP/1.1\r\nhost: {plan.host}:{plan.port}\r\ncontent-type: application/json\r\n"
        f"content-length: {BODY_BYTES}\r\ncronofy-hmac-sha256: "
    ).encode()
    made = []
    for number in range(plan.first, plan.first + plan.warm + plan.count):
        content = body(number, plan.base, plan.step_s)
        assert len(content) == BODY_BYTES
        made.append(head + sign(content, plan.api_key).encode() + _HEAD_END + content)
    return made


class Line(asyncio.Protocol):
    """A connection that has one request under way at a time."""

    def __init__(self) -> None:
        self._got = bytearray()
        self._answered: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionError("closed without an answer"))

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, rest = bytes(self._got).partition(_HEAD_END)
        if not end or self._answered is None:
            return
        length = 0
        for field_line in head.split(b"\r\n")[1:]:
            name, _, value = field_line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) >= length:
            self._got.clear()
            self._answered.set_result(int(head.split(b" ", 2)[1]))

    async def ask(self, request: bytes) -> int:
        """Send, and give the answer's status. Raises ConnectionError."""
        if self._transport is None:
            raise ConnectionError("closed")
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@dataclass
class Sender:
    """Sends requests, oldest first, over so many lines."""

    plan: Plan
    statuses: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)

    async def send(self, batch: list[bytes], per_s: float) -> float:
        """Send all of them; the seconds that took. A line that was closed between two requests is opened anew."""
        left = iter(enumerate(batch))
        loop = asyncio.get_running_loop()
        lines = [await self._line() for _ in range(self.plan.connections)]
        began = loop.time()

        async def one(line: Line) -> None:
            for number, request in left:
                if per_s and (wait := began + number / per_s - loop.time()) > 0:
                    await asyncio.sleep(wait)
                at = time.perf_counter()
                try:
                    status = str(await line.ask(request))
                except ConnectionError:
                    status = "closed"
                    line = await self._line()
                self.took_s.append(time.perf_counter() - at)
                self.statuses[status] += 1
            line.close()

        await asyncio.gather(*map(one, lines))
        return loop.time() - began

    async def _line(self) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(Line, self.plan.host, self.plan.port)
        return line


async def run(plan: Plan) -> Sent:
    """Warm up, send, and say how it was."""
    began = time.perf_counter()
    made = requests(plan)
    sender = Sender(plan)
    gc.disable()  # the clock is about the receiver
    if plan.warm:
        await sender.send(made[: plan.warm], 0.0)
    sender.took_s.clear()
    wall_s = await sender.send(made[plan.warm :], plan.per_s)
    ms = [1000 * took for took in sender.took_s]
    whole_s = time.perf_counter() - began
    percentiles = (percentile(ms, 0.5), percentile(ms, 0.99), max(ms))
    return Sent(wall_s, *percentiles, time.process_time(), whole_s, dict(sender.statuses))


def main() -> None:
    """Do what the plan says."""
    sent = asyncio.run(run(Plan(**json.loads(sys.argv[1]))))
    figures = {name: getattr(sent, name) for name in Sent.__slots__}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

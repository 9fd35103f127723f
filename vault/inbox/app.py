"""The ASGI application: three kinds of address and one answer for everything else.

Plain ASGI and no router: one would decode the path before its secret part is compared, and answer a wrong method by
itself. What is unknown, and what is secret and not known to the caller, gets the same 404.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import parse_qs, unquote

from starlette.types import Receive, Scope, Send

from providers import catchup_page
from providers.base import MissingSecret, NotAuthentic, NotFound, ProviderError, Refused
from providers.models import Delivery
from vault.connections import Connections
from vault.errors import VaultError
from vault.inbox.gate import Door, Gate
from vault.inbox.heads import MAX_BODY, BadBody, read_body, refusal
from vault.inbox.intake import Intake, receipt
from vault.inbox.rates import Rates
from vault.inbox.tally import Entry, Tally
from vault.inbox.writer import Writer

BODY_S = 5.0
"""How long a body may take to arrive."""
WRITE_S = 2.0
"""How long the ledger may take: flexperto waits 3 s for an answer, and counts a later one as none."""
_MAX_TOKEN = 512
_CATCHUP = catchup_page.PATH.strip("/").encode()


class Turned(Exception):
    """A request is answered without having been taken: the status, and why, for the log."""

    def __init__(self, status: int, words: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.retry_after_s = retry_after_s


class ReceiverApp:
    """Receives. `full` turns every delivery away with 503 while the ledger has no room for more."""

    def __init__(
        self,
        gate: Gate,
        connections: Connections,
        intake: Intake,
        writer: Writer,
        catchup: Callable[[str, str], Awaitable[str]],
        rates: Rates,
        tally: Tally,
        now: Callable[[], datetime],
    ) -> None:
        self._gate = gate
        self._connections = connections
        self._intake = intake
        self._writer = writer
        self._catchup = catchup
        self._rates = rates
        self._tally = tally
        self._now = now
        self._asked: dict[tuple[str, str], asyncio.Task[str]] = {}
        """Rooms that are being asked about: those who come meanwhile get the same answer."""
        self.full = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        began = time.monotonic()
        source = scope["client"][0] if scope["client"] else ""
        entry = Entry(source=source)
        try:
            status, body = await self._answer(scope, receive, source, entry)
            words, retry_after_s = "", None
        except Turned as turned:
            status, body, words, retry_after_s = turned.status, b"", turned.words, turned.retry_after_s
            if status in (401, 404):
                self._rates.charge(source, time.monotonic())
        if status in catchup_page.MESSAGES:  # one body for each, whoever asked for what
            body = catchup_page.failure(status)
        self._tally.note(entry.ended(status, words, time.monotonic() - began))
        await _respond(send, status, body, retry_after_s)

    async def _answer(self, scope: Scope, receive: Receive, source: str, entry: Entry) -> tuple[int, bytes]:
        wait_s = self._rates.allow(source, time.monotonic())
        if wait_s is not None:
            raise Turned(429, "too many requests", retry_after_s=wait_s)
        segments = scope["raw_path"].partition(b"?")[0].split(b"/")[1:]
        method = scope["method"]
        if segments == [b"healthz"] and method == "GET":
            return (503, b'{"status":"full"}') if self.full else (200, b'{"status":"ok"}')
        if segments[:1] == [_CATCHUP] and len(segments) <= 2:
            return await self._tell_catchup(scope, method, segments, entry)
        if segments[:1] == [b"hooks"] and len(segments) in (2, 3) and method == "POST":
            account, token = _text(segments[1]), _text(segments[2]) if len(segments) == 3 else None
            door = await self._gate.of_hook(account, token)
            if door is None:
                raise Turned(404, "no such address, or a wrong secret in it")
            entry.account = door.account
            return await self._take_in(door, scope, receive, source, entry)
        raise Turned(404, "no such address")

    # Webhooks

    async def _take_in(
        self, door: Door, scope: Scope, receive: Receive, source: str, entry: Entry
    ) -> tuple[int, bytes]:
        body = await _body(scope, receive)
        if self.full:
            raise Turned(503, "too many deliveries wait to be processed", retry_after_s=30)
        try:
            provider = await self._connections.connect(door.account)
            one, said = receipt(provider, Delivery(_headers(scope), body), source, self._now().timestamp())
        except NotAuthentic as error:
            raise Turned(401, error.words) from None
        except (MissingSecret, VaultError) as error:
            raise Turned(503, error.words, retry_after_s=60) from None
        entry.topic = one.topic
        if said is not None:
            self._intake.remember(one, said)
        try:
            async with asyncio.timeout(WRITE_S):
                kept = await self._writer.keep(one)
        except TimeoutError:
            raise Turned(503, "the ledger takes too long", retry_after_s=5) from None
        except VaultError as error:
            raise Turned(503, error.words, retry_after_s=5) from None
        entry.repeated, entry.unreadable = not kept.is_new, said is None
        return (204 if kept.is_new else 200), b""

    # Catch-ups

    async def _tell_catchup(self, scope: Scope, method: str, segments: list[bytes], entry: Entry) -> tuple[int, bytes]:
        if method != "GET" or not self._gate.tells_catchups:
            raise Turned(404, "no such address")
        doors = await self._gate.of_bearer(_bearer(scope))
        if not doors:
            raise Turned(401, "no bearer token, or a wrong one")
        room = _text(segments[1]) if len(segments) == 2 else _room_in_query(scope)
        if not room:
            raise Turned(400, "no room is named")
        try:
            catchup_page.check_room(room)
        except Refused as error:
            raise Turned(400, error.words) from None
        door = next((door for door in doors if room in door.rooms), doors[0])
        entry.account, entry.topic = door.account, "catch-up"
        return 200, catchup_page.answer(await self._summary(door.account, room))

    async def _summary(self, account: str, room: str) -> str:
        asked = self._asked.get((account, room))
        if asked is None:
            asked = asyncio.ensure_future(self._catchup(account, room))
            self._asked[account, room] = asked
            asked.add_done_callback(lambda _: self._asked.pop((account, room), None))
        try:
            return await asyncio.shield(asked)
        except (NotFound, Refused) as error:
            raise Turned(404, error.words) from None
        except (ProviderError, VaultError) as error:
            raise Turned(500, error.words) from None

    async def aclose(self) -> None:
        """End the questions that nobody waits for any more."""
        asked = list(self._asked.values())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _body(scope: Scope, receive: Receive) -> bytes:
    status = refusal(scope["headers"])
    if status is not None:
        raise Turned(status, "the headers state a length that is too large, or more than one")
    try:
        return await read_body(receive, MAX_BODY, BODY_S)
    except BadBody as error:
        raise Turned(error.status, "the body was too large, too slow, or broke off") from None


async def _respond(send: Send, status: int, body: bytes, retry_after_s: float | None) -> None:
    headers = [(b"cache-control", b"no-store")]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    elif status != 204:
        headers.append((b"content-length", b"0"))
    if retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, round(retry_after_s))).encode()))
    if status in (400, 408, 413):
        headers.append((b"connection", b"close"))  # what is left of the request is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _headers(scope: Scope) -> dict[str, str]:
    """Names lower-case; what was sent twice is one list, as HTTP says (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _text(segment: bytes) -> str:
    """A part of the path, decoded once. What is no UTF-8 is nobody's name."""
    return unquote(segment[:_MAX_TOKEN].decode("latin-1"), errors="replace")


def _bearer(scope: Scope) -> str:
    scheme, _, token = _headers(scope).get("authorization", "").partition(" ")
    return token.strip()[:_MAX_TOKEN] if scheme.lower() == "bearer" else ""


def _room_in_query(scope: Scope) -> str:
    query = parse_qs(scope["query_string"][:4096].decode("latin-1"))
    rooms: list[str] = query.get(catchup_page.QUERY, [""])
    return rooms[0]

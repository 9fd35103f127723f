"""Thousands of generated requests against the real receiver, all doors open, the services behind them emulated.

`HYPOTHESIS_PROFILE=soak` sends 10,000; otherwise it is the same few hundred each time.
"""

import base64
import contextlib
import hmac
import json
import os
import re
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from providers import registry
from providers.base import NotAuthentic, Provider
from providers.cronofy.webhook import sign
from providers.emulation import Loopback
from providers.models import Delivery
from providers.secret import Secret
from tests.providers.box import settings_for
from tests.providers.test_hostile_deliveries import FORM, JSON, PARTS, TEMPLATES, VALUES, filled
from tests.vault.inbox.fuzzing import (
    CANARY,
    EXTRA,
    Asked,
    Fuzzed,
    Process,
    Told,
    Trouble,
    exchange,
    heard,
    receiver,
    services_on,
)
from tests.vault.inbox.house import TOKENS
from tests.vault.world import until_true
from vault.inbox.intake import receipt

SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
REQUESTS = 10_000 if SOAK else 300
GROWTH = 64 << 20
"""Bytes. The most that the receiver may have grown by in the end."""
STATUSES = frozenset({200, 204, 400, 401, 404, 408, 413, 429, 431})
HOOKS = {"advice": "flexperto", "rooms": "temasys", "agents": "cronofy", "signed": "cronofy"}
ALL_TOKENS = TOKENS | EXTRA

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")


# What is sent


def honest(account: str, number: int, key: str) -> bytes:
    """A body as its service sends it."""
    if HOOKS[account] == "flexperto":
        topic = "communication.archives.archive.available"
        return json.dumps({"meta": {"topic": topic}, "data": {"archive_id": f"a-{number}"}}).encode()
    if HOOKS[account] == "temasys":
        link = f"https://store.example/{number}?X-Amz-Signature={CANARY}"
        named = {"meetingId": f"m-{number}", "apiKey": key, "unixTime": 1_790_000_000, "retrievalUrl": link}
        return json.dumps(named | {"roomId": "r", "participants": 2}).encode()
    agent = {"sub": f"agt_{number}", "state": "complete", "resources": []}
    told = {"type": "event_subscription", "interactions": [{"type": "meeting_agent_complete"}]}
    return json.dumps({"notification": told, "meeting_agent": agent}).encode()


def encoded(draw: st.DrawFn, text: str) -> str:
    """A part of a path in one of the ways in which it can be written, not all of them right."""
    way = draw(st.sampled_from(["plain", "%", "%%", "upper", "dot", "more", "less", "null"]))
    everything = "".join(f"%{ord(c):02x}" for c in text if ord(c) < 128)
    return {
        "plain": quote(text, safe=""),
        "%": everything,
        "%%": everything.replace("%", "%25"),
        "upper": text.upper(),
        "dot": f"{text}/.",
        "more": f"{text}%",
        "less": text[:-1],
        "null": f"{text}%00",
    }[way]


TEXTS = st.text(max_size=24)
SEGMENTS = st.one_of(
    TEXTS.map(lambda text: quote(text, safe="")),
    st.sampled_from(["..", ".", "%2e%2e", "%2F", "%ff%fe", "%", "%zz", "hooks", "healthz", "*", "~", "a" * 600]),
)
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "CONNECT", "post", "X"])


def usually(draw: st.DrawFn) -> bool:
    """Mostly true: what is wrong in many places at once is turned away at the first."""
    return draw(st.integers(0, 7)) < 7


@st.composite
def hook_paths(draw: st.DrawFn) -> tuple[str, str]:
    """An account and a path to its door, or beside it."""
    account = draw(st.sampled_from([*HOOKS] if usually(draw) else ["keyless", "keyless", "shut", "standup", "nobody"]))
    token = ALL_TOKENS.get(account, "")
    if not usually(draw):
        token = draw(st.sampled_from(["", ALL_TOKENS["rooms"], "x" * 40, token + "x"]))
    parts = [account, token] if token else [account]
    parts = [quote(part, safe="") if usually(draw) else encoded(draw, part) for part in parts]
    if not usually(draw):
        parts.append(draw(SEGMENTS))
    query = "" if usually(draw) else draw(st.sampled_from(["?", "?a=b", "?" + "q" * 300, "#x"]))
    return account, f"/hooks/{'/'.join(parts)}{query}"


@st.composite
def catchup_paths(draw: st.DrawFn) -> str:
    room = draw(
        st.sampled_from(["town-hall", "daily", "dead", "nowhere", "..", "%2e%2e", "%00", "a/b", "%ff"]) | SEGMENTS
    )
    return draw(
        st.sampled_from([f"/callCatchUp/{room}", f"/callCatchUp?roomName={room}", "/callCatchUp", f"/x/{room}"])
    )


LOOSE = st.one_of(
    st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    st.sampled_from(
        ["*", "/", "//", "/healthz", "/healthz/", "http://x/healthz", "http://x", "x:1", "/hooks", "/hooks/"]
    ),
)


@st.composite
def bodies(draw: st.DrawFn, account: str, key: str) -> tuple[bytes, str]:
    """A body and its media type: as it should be, mutated, or nothing of the kind."""
    account = account if account in HOOKS else "agents"
    number = draw(st.integers(0, 60))
    body, kind = honest(account, number, key), JSON
    how = draw(st.sampled_from(["honest", "filled", "filled", "cut", "flipped", "bytes", "large", "form", "empty"]))
    if how == "filled":
        body = filled(draw(st.sampled_from(TEMPLATES)), draw(st.lists(VALUES, min_size=1, max_size=5)))
        # Just below the interpreter's limit it depends on the caller whether it can be read.
        body = body.replace(b"[" * 750, b"[" * 3000)
    elif how == "cut":
        body = body[: draw(st.integers(0, len(body)))]
    elif how == "flipped":
        at = draw(st.integers(0, len(body) - 1))
        body = body[:at] + draw(st.binary(min_size=1, max_size=3)) + body[at + 1 :]
    elif how == "bytes":
        body = draw(st.binary(max_size=80))
    elif how == "large":
        body += b" " * draw(st.sampled_from([200_000, 262_144 - len(body), 262_145 - len(body), 300_000]))
    elif how == "form":
        kind = draw(st.sampled_from([FORM, PARTS]))
        body = f"meetingId=m-{number}&unixTime=1790000000&apiKey={key}".encode()
    elif how == "empty":
        body = b""
    if usually(draw):
        return body, kind
    return body, draw(st.sampled_from(["", "text/html", "application/json; charset=utf-16", ";" * 200]))


HEADERS = st.lists(
    st.sampled_from(
        [
            b"x-forwarded-for: 203.0.113.9",
            b"x-forwarded-for: unknown, ::1, 999.1.1.1",
            b"x-forwarded-for: \xff\xfe",
            b"x-forwarded-proto: gopher",
            b"authorization: Bearer " + b"z" * 40,
            b"expect: 100-continue",
            b"connection: close",
            b"connection: upgrade\r\nupgrade: websocket",
            b"cookie: " + b"c" * 3000,
            b"x-large: " + b"l" * 15_000,
            b"content-encoding: gzip",
            b"cronofy-hmac-sha256: AAAA",
            b"content-type: application/json",
            b"x: \x80\x9b2J",
            b"host: elsewhere",
            b" folded: x",
            b"nameless",
        ]
    ),
    max_size=2,
)


@st.composite
def framed(draw: st.DrawFn, body: bytes) -> bytes:
    """The rest of the head and the body: its length stated, in chunks, both, wrongly, or not at all."""
    length = b"content-length: %d" % len(body)
    ways = ["length", "length", "chunked"] if usually(draw) else ["both", "twice", "long", "short", "words", "none"]
    way = draw(st.sampled_from(ways))
    if way == "chunked":
        size = draw(st.integers(max(1, len(body) // 500), 4000))  # h11 takes seconds for 256 KiB in chunks of a byte
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        framing = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        return b"transfer-encoding: chunked\r\n\r\n" + framing
    lines = {
        "length": length,
        "both": length + b"\r\ntransfer-encoding: chunked",
        "twice": length + b"\r\ncontent-length: 7",
        "long": b"content-length: %d" % (len(body) + 5),
        "short": b"content-length: %d" % max(0, len(body) - 5),
        "words": b"content-length: " + draw(st.sampled_from([b"-1", b"+5", b"0x10", b"9" * 30, b"9" * 5000, b""])),
        "none": b"x-none: 1",
    }
    return lines[way] + b"\r\n\r\n" + body


@st.composite
def requests(draw: st.DrawFn, keys: dict[str, str]) -> bytes:
    """One request, near a right one or far from it."""
    method = "POST" if usually(draw) else draw(METHODS)
    what = "hook" if usually(draw) else draw(st.sampled_from(["catch-up", "catch-up", "loose"]))
    account, bearer = "agents", ""
    if what == "hook":
        account, path = draw(hook_paths())
    elif what == "catch-up":
        method = "GET" if usually(draw) else draw(METHODS)
        path = draw(catchup_paths())
        bearer = draw(st.sampled_from([TOKENS["standup"], EXTRA["broken"], TOKENS["rooms"], "", "é" * 20]))
    else:
        path = draw(LOOSE)
    key = keys[HOOKS.get(account, "cronofy")]
    body, kind = draw(bodies(account, key if usually(draw) else "wrong-key-of-another-app"))
    signature = sign(body, keys["cronofy"] if usually(draw) else "another-key-altogether")
    lines = [f"{method} {path} HTTP/1.{int(usually(draw))}".encode("latin-1", "replace"), b"host: here"]
    if bearer:
        lines.append(f"authorization: Bearer {bearer}".encode())
    lines += [
        b"content-type: " + kind.encode(),
        b"cronofy-hmac-sha256: " + signature.encode(),
        *([] if usually(draw) else draw(HEADERS)),
    ]
    if method == "GET" and draw(st.booleans()):
        return b"\r\n".join(lines) + b"\r\n\r\n"
    return b"\r\n".join(lines) + b"\r\n" + draw(framed(body))


@st.composite
def conversations(draw: st.DrawFn, keys: dict[str, str]) -> bytes:
    """What goes over one connection."""
    raw = b"".join(draw(st.lists(requests(keys), min_size=1, max_size=2)))
    how = "whole" if usually(draw) else draw(st.sampled_from(["cut", "flipped", "garbage", "noise"]))
    if how == "cut":
        return raw[: draw(st.integers(0, len(raw)))]
    if how == "flipped":
        at = draw(st.integers(0, min(len(raw), 400) - 1))
        return raw[:at] + draw(st.binary(min_size=1, max_size=2)) + raw[at + 1 :]
    if how == "garbage":
        return draw(st.binary(max_size=200)) + b"\r\n\r\n"
    return raw + draw(st.binary(max_size=30)) if how == "noise" else raw


# What must come of it


@dataclass
class Books:
    """What was answered, to be compared with the ledger."""

    clients: dict[str, Provider]
    api_key: str
    """Of the Cronofy accounts."""
    count: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    keys: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By account and the announcement's key: how often it was accepted."""
    unheard: Counter[tuple[str, str]] = field(default_factory=Counter)
    """The same of what may have been accepted: the connection was closed, for something else, before its answer."""

    def enter(self, asked: Asked, told: Told) -> None:
        """One request and its answer. Raises Trouble."""
        self.count += 1
        self.statuses[told.status] += 1
        segments = asked.target.partition(b"?")[0].decode("latin-1").split("/")[1:]
        if told.status == 500 and segments[:1] == ["callCatchUp"] and EXTRA["broken"] in asked.headers["authorization"]:
            return
        if told.status == 503 and segments[:1] == ["hooks"] and unquote(segments[1]) == "keyless":
            return
        if told.status == 503 and told.headers.get("retry-after") == "5" and (named := self._named(asked)):
            self.unheard[named] += 1  # the disk took too long, as on a busy machine it may: it was kept, or not
            return
        if told.status not in STATUSES:
            raise Trouble(f"{told.status} for {asked!r:.600}")
        if told.status in (200, 204) and segments[:1] == ["hooks"]:
            self._accepted(asked, told, segments)
        elif told.status == 204:
            raise Trouble(f"204 for {asked!r:.600}")
        elif told.status == 200 and segments not in (["healthz"],):
            bearer = asked.headers.get("authorization", "")
            if segments[0] != "callCatchUp" or not any(t in bearer for t in (TOKENS["standup"], EXTRA["broken"])):
                raise Trouble(f"200 for {asked!r:.600}")

    def _accepted(self, asked: Asked, told: Told, segments: list[str]) -> None:
        named = self._named(asked)
        if named is None:
            raise Trouble(f"{told.status} for what is nobody's, or not authentic: {asked!r:.600}")
        known = self.keys[named] > 0
        if known != (told.status == 200) and not self.unheard[named]:
            raise Trouble(f"{told.status}, and it came {self.keys[named]} times before: {asked!r:.600}")
        self.keys[named] += 1

    def _named(self, asked: Asked) -> tuple[str, str] | None:
        """The account and key of a webhook that is to be accepted."""
        segments = asked.target.partition(b"?")[0].decode("latin-1").split("/")[1:]
        account, *token = (unquote(part) for part in segments[1:] or [""])
        right = segments[:1] == ["hooks"] and account in HOOKS and "".join(token) == ALL_TOKENS.get(account, "")
        if asked.method != "POST" or not right:
            return None
        if HOOKS[account] == "cronofy":  # by hand: the client is what is being tested
            signature = base64.b64encode(hmac.digest(self.api_key.encode(), asked.body, "sha256")).decode()
            if signature not in asked.headers.get("cronofy-hmac-sha256", "").replace(" ", "").split(","):
                return None
        try:
            one, _ = receipt(self.clients[account], Delivery(asked.headers, asked.body), "", 0.0)
        except NotAuthentic:
            return None
        return account, one.key

    def miss(self, raw: bytes, answered: Sequence[Asked]) -> None:
        """Note what was sent over a connection and may have been taken without its answer being heard."""
        hooks = sum(one.method == "POST" and one.target.startswith(b"/hooks/") for one in answered)
        starts = [match.start() for match in re.finditer(rb"POST /hooks/", raw)]
        for start in starts[hooks:]:
            asked = heard(raw[start:]).asked
            if asked and (named := self._named(asked[0])):
                self.unheard[named] += 1

    def compare(self, ledger: Path) -> None:
        """Every 2xx is in the ledger, and nothing else that was answered."""
        with contextlib.closing(sqlite3.connect(ledger)) as connection:
            rows = connection.execute("SELECT account, key, duplicates + 1, state FROM deliveries").fetchall()
        found = {(account, key): times for account, key, times, _ in rows}
        wrong = [
            (key, times, self.keys[key], self.unheard[key])
            for key in {*found, *self.keys}
            if not self.keys[key] <= (times := found.get(key, 0)) <= self.keys[key] + self.unheard[key]
        ]
        if wrong:
            raise Trouble(f"in the ledger, answered, perhaps answered: {wrong[:5]}, of {len(wrong)}")


@pytest.fixture
def house(net: Loopback, tmp_path: Path) -> Fuzzed:
    return Fuzzed(tmp_path, services_on(net))


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port on which nobody will listen: taken, and not listened on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def books_for(house: Fuzzed, keys: dict[str, str]) -> Books:
    clients = {}
    for account, name in HOOKS.items():
        base = getattr(house.services, name).base_url
        held = {"api_key": keys[name]} if name != "flexperto" else {}
        clients[account] = registry.connect(
            settings_for(registry.info(name), account, base_url=base),
            lambda secret, held=held: Secret(held[secret]) if secret in held else None,
        )
    return Books(clients, keys["cronofy"])


def at_rest(process: Process) -> dict[str, object]:
    """What the receiver says of itself when nothing is under way."""

    def said() -> dict[str, object] | None:
        told: dict[str, object] = process.ask("say")
        tasks = told["tasks"]
        assert isinstance(tasks, list)
        rests = len(tasks) == len(set(tasks)) <= 4 and "Worker._confirm" not in tasks
        return told if rests else None

    return until_true(said, 30.0)  # type: ignore[no-any-return]  # whatever the condition gives


def warm(process: Process, keys: dict[str, str], books: Books) -> None:
    """One of each, so that what is loaded at the first of its kind is loaded before memory is read."""

    def send(head: str, body: bytes, status: int) -> None:
        signature = sign(body, keys["cronofy"])
        lines = f"{head} HTTP/1.1\r\nhost: h\r\ncontent-type: {JSON}\r\ncronofy-hmac-sha256: {signature}\r\n"
        what, (told,) = exchange(process.port, f"{lines}content-length: {len(body)}\r\n\r\n".encode() + body)
        assert told.status == status, head
        books.enter(what.asked[0], told)

    for number in range(5):
        for account in HOOKS:
            path = "/".join(["/hooks", account, *([ALL_TOKENS[account]] if account in ALL_TOKENS else [])])
            send(f"POST {path}", honest(account, 1000 + number, keys[HOOKS[account]]), 204)
        for account, room, status in (("standup", "daily", 200), ("broken", "dead", 500)):
            head = f"GET /callCatchUp/{room} HTTP/1.1\r\nauthorization: Bearer {ALL_TOKENS[account]}\r\nx-end:"
            send(head, b"", status)
    send("POST /hooks/keyless", b"{}", 503)
    send("POST /hooks/agents HTTP/1.1\r\ntransfer-encoding: chunked\r\nx-end:", b"0\r\n\r\n", 400)


def test_whatever_is_sent_is_answered_kept_and_forgotten_as_it_should_be(house: Fuzzed, dead_port: int) -> None:
    services = house.services
    keys = {"cronofy": services.cronofy.api_key, "temasys": services.temasys.app_key, "flexperto": "unused"}
    books = books_for(house, keys)

    @settings(
        max_examples=REQUESTS,
        deadline=None,
        database=None,
        derandomize=not SOAK,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(conversations(keys))
    def send(process: Process, raw: bytes) -> None:
        what, answers = exchange(process.port, raw)
        books.miss(raw, what.asked[: len(answers)])
        for asked, told in zip(what.asked, answers, strict=False):
            books.enter(asked, told)
        for told in answers[len(what.asked) :]:
            assert told.status == 400, f"{told.status} for what is no HTTP: {raw!r:.600}"

    with receiver(house, dead_port) as process:
        warm(process, keys, books)
        before = at_rest(process)
        send(process)
        after = at_rest(process)
        assert after["state"] == "on"
        assert after["tasks"] == before["tasks"], "no task is left"
        assert int(str(after["files"])) <= int(str(before["files"])) + 8, "no connection is left"
        growth = int(str(after["rss"])) - int(str(before["rss"]))
        unheard, accepted = sum(books.unheard.values()), sum(books.keys.values())
        print(
            f"{books.count} requests: {dict(books.statuses)}; {accepted} accepted, {unheard} unheard, +{growth} bytes"
        )
        assert growth <= GROWTH
        assert unheard <= books.count / 10
    assert books.count >= REQUESTS // 2
    assert {200, 204, 400, 401, 404, 413, 500, 503} <= set(books.statuses), "doors of every kind were knocked at"
    books.compare(next((house.folder / "data").glob("ledger*")))
    everything = process.logged().encode() + b"".join(p.read_bytes() for p in (house.folder / "data").glob("ledger*"))
    for name, secret in house.secrets_given().items():
        assert secret.encode() not in everything, f"the secret of {name} is in a log or in the ledger"
    for words in ("Traceback", "never retrieved", "never awaited", "ResourceWarning"):
        assert words not in process.logged(), process.logged()[:3000]

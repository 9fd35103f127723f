import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from providers.address import look_up
from providers.base import NotTrusted
from providers.origin import Origin
from providers.probing import Probe, compared, proxy_in_words
from providers.steps import Outcome, has_failed
from tests.providers.probed import SHORT, now, server_context, serving, settings, way


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Good Authority")


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


# Name and connection


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "the name no.example is not known (DNS: Name",
        ),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "no name server could tell of no.example"),
        (OSError("odd"), "is not known (DNS: odd)"),
    ],
)
async def test_a_name_that_does_not_resolve(fault: OSError, words: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise fault

    [step] = await way(Probe(settings(), Origin("https", "no.example", 443), now, SHORT, resolve))
    assert (step.name, step.outcome) == ("name", Outcome.FAILED)
    assert words in step.words


async def test_a_resolver_that_hangs_or_knows_no_address() -> None:
    async def hang(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def nothing(host: str, port: int) -> list[str]:
        return []

    probe = Probe(settings(), Origin("https", "no.example", 443), now, SHORT, hang)
    async with asyncio.timeout(5):
        [step] = await way(probe)
    assert "no name server told of no.example in 0.3 s" in step.words
    [step] = await way(replace(probe, resolve=nothing))
    assert (step.outcome, step.words) == (Outcome.FAILED, "no.example is known, but has no address")


async def test_the_systems_resolver() -> None:
    assert "127.0.0.1" in await look_up("localhost", 443)
    with pytest.raises(socket.gaierror):
        await look_up("a" * 64 + ".example", 443)
    with pytest.raises(OSError):  # noqa: PT011 - the words are the system's
        await look_up("", -1)


async def test_every_address_is_tried_and_told() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async with serving(None) as said:
        origin = replace(said.origin, host="localhost")
        name, connection, tls = await way(Probe(settings(), origin, now, SHORT, resolve))
    assert name.words.startswith("localhost has 2 addresses: 127.0.0.2, 127.0.0.1 (")
    assert connection.outcome is Outcome.WARNING
    assert f"port {origin.port}: 127.0.0.2 refuses connections; 127.0.0.1 answered in " in connection.words
    assert tls.outcome is Outcome.NOT_CHECKED
    assert f"{origin} is not encrypted" in tls.words


async def test_many_addresses_are_not_all_told() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return [f"127.0.0.{number}" for number in range(1, 21)]

    async with serving(None) as said:
        steps = await way(Probe(settings(), replace(said.origin, host="localhost"), now, SHORT, resolve))
    assert "20 addresses: 127.0.0.1, " in steps[0].words
    assert "127.0.0.8 and more" in steps[0].words
    assert steps[1].words.count("127.0.0.") == 8


async def test_an_address_without_a_way_from_here_is_no_warning_beside_one_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["192.0.2.1", "192.0.2.2", "127.0.0.1"]

    connect = asyncio.open_connection

    async def routed(host: str, port: int) -> Any:
        if host == "192.0.2.1":
            raise OSError(101, "Network is unreachable")
        if host == "192.0.2.2":
            raise OSError(113, "No route to host")
        if host == "192.0.2.3":
            raise OSError(13, "Permission denied")
        return await connect(host, port)

    monkeypatch.setattr(asyncio, "open_connection", routed)
    async with serving(None) as said:
        steps = await way(Probe(settings(), replace(said.origin, host="localhost"), now, SHORT, resolve))
        step, address = await Probe(settings(), said.origin, now, SHORT).connection(["192.0.2.1"])
        odd, answered = await Probe(settings(), said.origin, now, SHORT).connection(["192.0.2.3", "127.0.0.1"])
    assert (odd.outcome, answered) == (Outcome.WARNING, "127.0.0.1")
    assert "192.0.2.3 cannot be connected to (Permission denied); 127.0.0.1 answered" in odd.words
    assert steps[1].outcome is Outcome.PASSED
    assert "192.0.2.1 cannot be reached from here (Network is unreachable); 192.0.2.2 cannot be" in steps[1].words
    assert (step.outcome, address) == (Outcome.FAILED, None)


async def test_a_refused_connection_ends_the_way() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        origin = Origin("https", "127.0.0.1", held.getsockname()[1])
        steps = await way(Probe(settings(), origin, now, SHORT))
    assert [step.name for step in steps] == ["name", "connection"]
    assert has_failed(steps)
    assert not has_failed(steps[:1])
    assert f"port {origin.port}: 127.0.0.1 refuses connections; is the port right" in steps[1].words


@contextmanager
def blackhole(backlog: int) -> Iterator[int]:
    """A listening socket that never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(backlog)
        yield listening.getsockname()[1]


async def test_a_connection_that_nobody_answers() -> None:
    with blackhole(0) as port:
        waiting = []
        for _ in range(3):  # until its queue is full, and the system answers no more
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
            waiting.append(one)
        limits = replace(SHORT, connection_s=0.3)
        steps = await way(Probe(settings(), Origin("https", "127.0.0.1", port), now, limits))
        for one in waiting:
            one.close()
    assert "127.0.0.1 did not answer in 0.3 s; is the port right" in steps[-1].words
    assert (steps[-1].name, steps[-1].outcome) == ("connection", Outcome.FAILED)


async def test_a_server_that_never_greets() -> None:
    with blackhole(8) as port:
        async with asyncio.timeout(5):
            limits = replace(SHORT, tls_s=0.5)
            steps = await way(Probe(settings(), Origin("https", "127.0.0.1", port), now, limits))
    assert (steps[-1].name, steps[-1].outcome) == ("TLS", Outcome.FAILED)
    assert "nothing answered the TLS greeting in 0.5 s" in steps[-1].words


async def test_with_a_proxy_the_way_is_its_business() -> None:
    probe = Probe(settings(proxy="http://me:word@proxy.example:3128"), Origin("https", "a.example", 443), now, SHORT)
    steps = await way(probe)
    assert [step.name for step in steps] == ["name", "connection", "TLS"]
    assert {step.outcome for step in steps} == {Outcome.NOT_CHECKED}
    assert all("the proxy proxy.example:3128 " in step.words and "word" not in step.words for step in steps)
    assert proxy_in_words("http://proxy.example") == "proxy.example"
    for bad in ("proxy", "http://[", "http://a:99999"):
        with pytest.raises(NotTrusted, match="no address"):
            proxy_in_words(bad)


# The clock


async def test_the_clock_is_compared_without_a_credential(authority: trustme.CA, ca_file: str) -> None:
    context = server_context(authority.issue_cert("127.0.0.1"))
    async with serving(context, now()) as said:
        step = await Probe(settings(ca_file=ca_file), said.origin, now, SHORT).clock()
    assert (step.outcome, step.words) == (Outcome.PASSED, "this machine's clock agrees with the service's")
    [request] = said.requests
    assert request.startswith(b"HEAD / HTTP/1.1\r\n")
    lines = {line.partition(b":")[0].lower() for line in request.split(b"\r\n")[1:-2]}
    assert lines <= {b"host", b"accept", b"accept-encoding", b"connection", b"user-agent"}


@pytest.mark.parametrize(
    ("hours", "words"), [(1, "3600 s behind the service's"), (-1, "3600 s ahead of the service's")]
)
async def test_a_clock_that_is_an_hour_off(hours: int, words: str) -> None:
    async with serving(None, now() + timedelta(hours=hours)) as said:
        step = await Probe(settings(), said.origin, now, SHORT).clock()
    assert step.outcome is Outcome.WARNING
    told = int(step.words.partition("clock is ")[2].split()[0])
    assert abs(told - 3600) <= 2
    assert step.words.replace(f"{told} s", "3600 s").startswith(f"this machine's clock is {words}: signed links")


@pytest.mark.parametrize(("date", "words"), [(None, "tells no date"), ("yesterday", "date cannot be read")])
async def test_a_service_without_a_date(date: str | None, words: str) -> None:
    async with serving(None, date) as said:
        step = await Probe(settings(), said.origin, now, SHORT).clock()
    assert step.outcome is Outcome.NOT_CHECKED
    assert words in step.words


async def test_no_answer_means_no_date() -> None:
    with blackhole(8) as port:
        step = await Probe(settings(), Origin("http", "127.0.0.1", port), now, replace(SHORT, clock_s=0.5)).clock()
    assert (step.outcome, step.words) == (Outcome.NOT_CHECKED, "no answer with a date came in 0.5 s")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        step = await Probe(settings(), Origin("http", "127.0.0.1", held.getsockname()[1]), now, SHORT).clock()
    assert "no answer with a date came: http://127.0.0.1" in step.words


NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "outcome", "words"),
    [
        ({"date": "Sun, 01 Mar 2026 12:00:00 GMT"}, Outcome.PASSED, "agrees with"),
        ({"date": "Sun, 01 Mar 2026 12:00:00 -0000"}, Outcome.PASSED, "agrees with"),
        ({"date": "Sun, 01 Mar 2026 11:59:10 GMT"}, Outcome.PASSED, "50 s ahead of"),
        ({"date": "Sun, 01 Mar 2026 11:50:00 GMT", "age": "600"}, Outcome.PASSED, "agrees with"),
        ({"date": "Sun, 01 Mar 2026 12:00:00 GMT", "age": "x"}, Outcome.PASSED, "agrees with"),
        ({"date": "Sun, 01 Mar 2026 12:01:02 GMT"}, Outcome.WARNING, "behind the service's: signed links"),
        ({"date": f"Sun, 01 Mar 2026 12:00:00 +{'9' * 40}"}, Outcome.NOT_CHECKED, "cannot be read"),
        ({"date": "\x1b[2J"}, Outcome.NOT_CHECKED, "cannot be read"),
        ({}, Outcome.NOT_CHECKED, "no date"),
    ],
)
def test_dates(headers: dict[str, str], outcome: Outcome, words: str) -> None:
    step = compared(headers, NOON + timedelta(seconds=0.5))
    assert step.outcome is outcome
    assert words in step.words


@given(st.text(max_size=60), st.text(max_size=12))
def test_any_date_ends_in_words(date: str, age: str) -> None:
    assert compared({"date": date, "age": age}, NOON).words

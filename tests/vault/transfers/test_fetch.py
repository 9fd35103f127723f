"""One file against servers that misbehave: what ends under the final name is whole, everything else is words."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from providers.base import (
    AccountSettings,
    BadAnswer,
    Forbidden,
    Head,
    NotReady,
    ProviderError,
    RateLimited,
    Refused,
    ServiceDown,
    Source,
    Unreachable,
)
from providers.http import Http
from providers.models import Checksum
from providers.origin import Origin
from providers.secret import Secret
from tests.vault.rawserver import Answer, RawServer, Reply, Seen, ranged
from tests.vault.world import noise, until
from vault.errors import VaultError, WrongBytes
from vault.proof import Outcome, Proof
from vault.transfers import fetch as fetching
from vault.transfers.fetch import Meter, Work, fetch
from vault.transfers.part import Part

CONTENT = noise(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = PurePosixPath("advice/a file.bin")


def accept(head: Head) -> None:
    """A judge that takes everything but a web page."""
    if "text/html" in head.headers.get("content-type", "") or head.prefix.lstrip().startswith(b"<html"):
        raise BadAnswer("a web page instead of the file")


class Bench:
    """Fetches one file from a raw server into a folder, as often as a test wants."""

    def __init__(self, root: Path, server: RawServer, http: Http) -> None:
        self.root = root
        self.server = server
        self.http = http
        self.checksum: Checksum | None = None
        self.resumable = True
        self.advised_limit: int | None = None
        self.extension = "bin"
        self.judge: Callable[[Head], None] = accept
        self.meter = Meter()
        self.prepared: list[Proof] = []
        self.resolved = 0
        self.at_prepare: Callable[[], None] = lambda: None

    @property
    def final(self) -> Path:
        return self.root / NAME

    @property
    def part(self) -> Path:
        return self.root / f"{NAME}.part"

    @property
    def side(self) -> Path:
        return self.root / f"{NAME}.part.json"

    async def resolve(self) -> Source:
        self.resolved += 1
        return Source(
            f"{self.server.url}/file",
            self.judge,
            {"X-Harmless": "yes"},
            None,
            self.checksum,
            self.resumable,
            self.advised_limit,
        )

    async def prepare(self, proof: Proof) -> None:
        assert not self.final.exists()
        self.at_prepare()
        self.prepared.append(proof)

    async def fetch(self) -> Proof:
        part = await asyncio.to_thread(Part, self.root, NAME)
        work = Work(self.resolve, self.http, self.extension, self.prepare, lambda: datetime.now(UTC))
        try:
            return await fetch(work, part, self.meter)
        finally:
            await asyncio.to_thread(part.close)

    async def proven(self, content: bytes = CONTENT) -> Proof:
        """Fetch, and see that the very bytes are there, proven, and nothing else is."""
        proof = await self.fetch()
        assert self.final.read_bytes() == content
        assert (proof.size, proof.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert self.prepared[-1] == proof
        assert [path.name for path in self.final.parent.iterdir()] == [NAME.name]
        assert self.final.stat().st_mode & 0o777 == 0o600
        return proof

    async def fails(self, kind: type[Exception], words: str) -> None:
        """Fetch, see it fail with these words, and nothing under the final name."""
        with pytest.raises(kind, match=words):
            await self.fetch()
        assert not self.final.exists()

    async def break_off(self, at: int, etag: str = '"one"', content: bytes = CONTENT) -> None:
        """Leave a part behind of so many bytes, as a connection that broke leaves it."""
        answer = self.server.answer

        def breaks(seen: Seen, number: int) -> Reply:
            if seen.offset:
                return Reply(503)
            return Reply(200, {"ETag": etag}, content, cut=at)

        self.server.answer = breaks
        await self.fails(ProviderError, "503")
        self.server.answer = answer
        self.server.seen.clear()
        self.resolved = 0
        assert self.part.stat().st_size == at


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Callable[[Answer], Bench]]:
    """A bench whose server answers as told; its client has credentials for that server alone."""
    async with RawServer(lambda seen, number: Reply(500)) as server:
        origin = Origin.of(server.url)
        assert origin is not None
        settings = AccountSettings("advice", "flexperto", {}, timeout_s=2.0)
        secrets = {"Authorization": Secret("Bearer hidden"), "api-key": Secret("hidden"), "Guid": Secret("hidden")}
        http = Http(settings, (origin,), lambda: secrets)

        def make(answer: Answer) -> Bench:
            server.answer = answer
            return Bench(tmp_path, server, http)

        yield make
        await http.aclose()


Make = Callable[[Answer], Bench]


# Whole files


async def test_a_whole_file_is_proven(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT))
    it.checksum = Checksum(SHA256, SHA256)
    proof = await it.proven()
    assert [(c.name, c.outcome) for c in proof.checks] == [
        ("length", Outcome.PASSED),
        ("checksum", Outcome.PASSED),
        ("container", Outcome.NOT_STATED),
    ]
    assert proof.source == it.server.url
    assert (it.meter.received, it.meter.total) == (len(CONTENT), len(CONTENT))
    assert it.server.seen[0].headers["accept-encoding"] == "identity"
    assert it.server.seen[0].headers["x-harmless"] == "yes"


@pytest.mark.parametrize(("limit", "warned"), [(len(CONTENT) - 1, True), (len(CONTENT), False)])
async def test_a_file_larger_than_the_service_advises_is_fetched_with_a_warning(
    bench: Make, limit: int, warned: bool
) -> None:
    it = bench(lambda seen, number: Reply(200, {}, CONTENT))
    it.advised_limit = limit
    proof = await it.proven()
    assert ("advises against" in it.meter.words) is warned
    assert any(check.name == "advice" for check in proof.checks) is warned


async def test_chunked_without_a_length_is_not_called_checked(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {}, CONTENT, chunked=True))
    proof = await it.proven()
    assert proof.checks[0].outcome is Outcome.NOT_STATED
    assert it.meter.total is None


async def test_a_body_that_ends_with_the_connection(bench: Make) -> None:
    proof = await bench(lambda seen, number: Reply(200, {}, CONTENT, length=None)).proven()
    assert proof.checks[0].outcome is Outcome.NOT_STATED


async def test_a_file_of_many_blocks(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BLOCK_BYTES", 8_192)
    monkeypatch.setattr(fetching, "CHECKPOINT_BYTES", 32_768)
    await bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT)).proven()


async def test_a_slow_file_is_written_and_noted_as_time_passes(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BLOCK_S", 0.0)
    monkeypatch.setattr(fetching, "CHECKPOINT_S", 0.0)
    hold = asyncio.Event()
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, cut=100_000, hold=hold))
    fetched = asyncio.create_task(it.proven())
    await until(lambda: it.part.exists() and it.part.stat().st_size == 100_000 and it.side.exists())
    assert not it.final.exists()
    hold.set()
    await fetched


async def test_zero_bytes_where_a_zip_should_be(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, b""))
    it.extension = "zip"
    await it.fails(WrongBytes, "zip cannot be read through")


async def test_zero_bytes_of_no_known_form(bench: Make) -> None:
    proof = await bench(lambda seen, number: Reply(200, {}, b"")).proven(b"")
    assert proof.missing == "what is inside the file was not checked"


# Bodies that are not the file


async def test_a_web_page_under_200_is_never_written(bench: Make) -> None:
    page = b"<html><body>Please sign in</body></html>"
    it = bench(lambda seen, number: Reply(200, {"Content-Type": "text/html"}, page))
    await it.fails(BadAnswer, "a web page")
    assert it.part.stat().st_size == 0


async def test_a_long_web_page_under_200_is_never_written(bench: Make) -> None:
    page = b"<html>" + b"x" * 200_000
    it = bench(lambda seen, number: Reply(200, {"Content-Type": "application/zip"}, page))
    await it.fails(BadAnswer, "a web page")
    assert it.part.stat().st_size == 0


async def test_a_web_page_that_breaks_off_is_never_written(bench: Make) -> None:
    head = {"Content-Type": "text/html", "ETag": '"one"'}
    it = bench(lambda seen, number: Reply(200, head, b"<html>" + b"x" * 5_000, cut=4_000))
    await it.fails(Unreachable, "broke off")
    assert it.part.stat().st_size == 0
    assert not it.side.exists()


async def test_a_coding_that_nobody_asked_for(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {"Content-Encoding": "gzip"}, CONTENT))
    await it.fails(BadAnswer, r"another coding \(gzip\)")


async def test_identity_is_no_coding(bench: Make) -> None:
    await bench(lambda seen, number: Reply(200, {"Content-Encoding": "identity"}, CONTENT)).proven()


async def test_a_checksum_that_does_not_fit(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT))
    it.checksum = Checksum("ab" * 32, "abab")
    await it.fails(WrongBytes, "not what the service states")
    assert len(it.server.seen) == 1
    assert it.part.read_bytes() == CONTENT  # for whoever wants to look
    assert not it.side.exists()  # and never continued


async def test_a_206_to_a_plain_request(bench: Make) -> None:
    head = {"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}
    await bench(lambda seen, number: Reply(206, head, CONTENT)).fails(BadAnswer, "a part of the file")


async def test_a_200_that_states_another_range(bench: Make) -> None:
    head = {"Content-Range": f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}"}
    await bench(lambda seen, number: Reply(200, head, CONTENT[5:])).fails(WrongBytes, "bytes arrived")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(403, {}, b"no"), Forbidden),
        (Reply(404, {}, b"no"), ProviderError),
        (Reply(500, {}, b"x" * 200_000), ServiceDown),
        (Reply(418, {}, b""), Refused),
        (Reply(302, {}, b""), Refused),
        (Reply(204, {}, b""), Refused),
    ],
)
async def test_errors_by_status(bench: Make, reply: Reply, kind: type[Exception]) -> None:
    await bench(lambda seen, number: reply).fails(kind, f"HTTP {reply.status}")


async def test_the_wait_that_the_service_wishes(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(429, {"Retry-After": "17"}))
    with pytest.raises(RateLimited) as caught:
        await it.fetch()
    assert caught.value.retry_after_s == 17


async def test_the_providers_own_judgement_of_an_error_comes_first(bench: Make) -> None:
    def judge(head: Head) -> None:
        assert (head.status, head.prefix, head.complete) == (409, b"later", True)
        raise NotReady("still being made")

    it = bench(lambda seen, number: Reply(409, {}, b"later"))
    it.judge = judge
    await it.fails(NotReady, "still being made")


# What breaks off


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("at", [0, 1, 65_535, 65_536, 65_537, 299_999])
async def test_a_broken_connection_is_continued_at_that_byte(bench: Make, at: int, reset: bool) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        if number == 0:
            return Reply(reply.status, reply.headers, reply.body, cut=at, reset=reset)
        return reply

    it = bench(answer)
    if at < fetching.PREFIX_BYTES or reset:  # nothing that was judged arrived, or the kernel threw some away
        with contextlib.suppress(Unreachable):
            await it.fetch()
        if not it.final.exists():
            await it.fetch()
    else:
        await it.fetch()
        assert [seen.headers.get("range") for seen in it.server.seen] == [None, f"bytes={at}-"]
        assert it.server.seen[1].headers["if-range"] == '"one"'
        assert it.resolved == 2
        assert it.meter.words.startswith(f"resumed at {at} bytes: ")
    assert it.final.read_bytes() == CONTENT


async def test_many_breaks_end_with_the_same_bytes(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return Reply(reply.status, reply.headers, reply.body, cut=min(70_000, len(reply.body)))

    it = bench(answer)
    await it.proven()
    assert [seen.offset for seen in it.server.seen] == [0, 70_000, 140_000, 210_000, 280_000]


async def test_a_connection_that_never_brings_more_is_given_up(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, cut=70_000))
    await it.fails(Unreachable, "broke off")
    assert len(it.server.seen) <= 4


async def test_a_transfer_that_crawls_is_given_up_at_last(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_RESUMES", 3)

    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return Reply(reply.status, reply.headers, reply.body, cut=70_000 if number == 0 else 100)

    it = bench(answer)
    await it.fails(Unreachable, "broke off")
    assert [seen.offset for seen in it.server.seen] == [0, 70_000, 70_100, 70_200]


async def test_without_a_validator_nothing_is_continued(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {}, CONTENT, cut=100_000 if number == 0 else None))
    await it.fails(Unreachable, "broke off")
    await it.proven()
    assert [seen.headers.get("range") for seen in it.server.seen] == [None, None]


async def test_a_weak_etag_is_no_validator(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {"ETag": 'W/"one"'}, CONTENT, cut=100_000 if number == 0 else None))
    await it.fails(Unreachable, "broke off")
    await it.proven()
    assert it.server.seen[1].headers.get("range") is None


async def test_last_modified_is_a_validator(bench: Make) -> None:
    date = "Sun, 01 Nov 2026 10:00:00 GMT"

    def answer(seen: Seen, number: int) -> Reply:
        if number == 0:
            return Reply(200, {"Last-Modified": date}, CONTENT, cut=100_000)
        assert seen.headers["if-range"] == date
        rest = f"bytes 100000-{len(CONTENT) - 1}/{len(CONTENT)}"
        return Reply(206, {"Last-Modified": date, "Content-Range": rest}, CONTENT[100_000:])

    await bench(answer).proven()


async def test_a_source_that_cannot_be_continued_starts_over(bench: Make) -> None:
    it = bench(ranged_always)
    await it.break_off(100_000)
    it.resumable = False
    await it.proven()
    assert [seen.offset for seen in it.server.seen] == [0]


def ranged_always(seen: Seen, number: int) -> Reply:
    return ranged(CONTENT, seen)


async def test_a_shorter_body_than_stated(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {}, CONTENT, length=len(CONTENT) + 10))
    await it.fails(Unreachable, "broke off")


async def test_a_longer_body_than_stated_is_cut_there_and_found_out_by_its_checksum(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {}, CONTENT, length=len(CONTENT) - 10))
    it.checksum = Checksum(SHA256, SHA256)
    await it.fails(WrongBytes, "not what the service states")


async def test_a_wrong_file_without_a_length_may_have_broken_off(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {}, CONTENT, length=None, cut=70_000 if number == 0 else None))
    it.checksum = Checksum(SHA256, SHA256)
    with pytest.raises(Unreachable, match="stated no length: perhaps it broke off") as caught:
        await it.fetch()
    assert caught.value.transient
    await it.proven()


async def test_a_length_that_is_none_is_not_believed(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {"Content-Length": "many"}, CONTENT, length=None))
    with pytest.raises(ProviderError):
        await it.fetch()
    assert not it.final.exists()


# What a later transfer finds (the bug table of the downloads facts: 5 to 11)


async def test_a_part_is_continued_by_a_later_transfer(bench: Make) -> None:
    it = bench(ranged_always)
    await it.break_off(120_000)
    await it.proven()
    assert [seen.offset for seen in it.server.seen] == [120_000]


async def test_bytes_after_the_noted_ones_are_not_trusted(bench: Make) -> None:
    it = bench(ranged_always)
    await it.break_off(120_000)
    with it.part.open("ab") as file:
        file.write(b"\0" * 5_000)
    await it.proven()
    assert [seen.offset for seen in it.server.seen] == [120_000]


async def test_range_is_ignored(bench: Make) -> None:
    """A server without ranges sends the whole: asked once more without If-Range, then taken from the start."""
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT))
    await it.break_off(120_000)
    await it.proven()
    asked = [("range" in seen.headers, "if-range" in seen.headers) for seen in it.server.seen]
    assert asked == [(True, True), (True, False)]


async def test_if_range_makes_a_cache_forget_the_range(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        if "if-range" in seen.headers:
            return Reply(200, {"ETag": '"one"'}, CONTENT)
        return ranged(CONTENT, seen)

    it = bench(answer)
    await it.break_off(120_000)
    await it.proven()
    assert [seen.offset for seen in it.server.seen] == [120_000, 120_000]


@pytest.mark.parametrize("etag", ['"two"', ""])
async def test_without_if_range_the_rest_must_say_that_it_is_the_same(bench: Make, etag: str) -> None:
    new = noise(len(CONTENT), 1)

    def answer(seen: Seen, number: int) -> Reply:
        if "if-range" in seen.headers:
            return Reply(200, {"ETag": '"one"'}, CONTENT)
        reply = ranged(new, seen, '"two"')
        return Reply(reply.status, {n: v for n, v in reply.headers.items() if n != "ETag" or etag}, reply.body)

    it = bench(answer)
    await it.break_off(120_000)
    await it.proven(new)


async def test_the_file_changed_meanwhile(bench: Make) -> None:
    new = noise(250_000, 1)
    it = bench(lambda seen, number: ranged(new, seen, '"two"'))
    await it.break_off(120_000)
    await it.proven(new)
    assert len(it.server.seen) == 1


async def test_if_range_is_ignored_and_the_rest_is_of_another_file(bench: Make) -> None:
    new = noise(len(CONTENT), 1)

    def answer(seen: Seen, number: int) -> Reply:
        start = seen.offset
        rest = {"ETag": '"two"', "Content-Range": f"bytes {start}-{len(new) - 1}/{len(new)}"}
        return Reply(206, rest, new[start:]) if start else Reply(200, {"ETag": '"two"'}, new)

    it = bench(answer)
    await it.break_off(120_000)
    await it.proven(new)
    assert [seen.offset for seen in it.server.seen] == [120_000, 0]


@pytest.mark.parametrize(
    "stated",
    [
        "bytes 0-299999/300000",
        "bytes 100-299999/300000",
        "bytes 120000-299998/300000",
        "bytes 120000-299999/300001",
        "bytes 120001-299999/300000",
        "120000-299999",
        "",
        "bytes 120000-/300000",
        "bytes */300000",
    ],
)
async def test_a_206_of_another_range(bench: Make, stated: str) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        if seen.offset:
            return Reply(206, {"ETag": '"one"', "Content-Range": stated}, CONTENT[120_000:])
        return ranged(CONTENT, seen)

    it = bench(answer)
    await it.break_off(120_000)
    await it.proven()
    assert [seen.offset for seen in it.server.seen] == [120_000, 0]


async def test_a_200_with_exactly_the_range_is_taken_as_one(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return Reply(200, reply.headers, reply.body)

    it = bench(answer)
    await it.break_off(120_000)
    await it.proven()
    assert len(it.server.seen) == 1


async def test_a_206_of_unknown_total_keeps_what_is_known(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        if number:
            return ranged(CONTENT, seen)
        return Reply(206, {"Content-Range": f"bytes 120000-{len(CONTENT) - 1}/*"}, CONTENT[120_000:], cut=100_000)

    it = bench(answer)
    await it.break_off(120_000)
    proof = await it.proven()
    assert [seen.offset for seen in it.server.seen] == [120_000, 220_000]
    assert proof.checks[0].outcome is Outcome.PASSED


async def test_416_when_all_is_here_is_the_end(bench: Make) -> None:
    it = bench(ranged_always)

    def failing() -> None:
        raise VaultError("the ledger is full")

    it.at_prepare = failing
    await it.fails(VaultError, "the ledger is full")
    it.at_prepare = lambda: None
    await it.proven()
    assert it.server.seen[-1].offset == len(CONTENT)


@pytest.mark.parametrize("head", [{}, {"Content-Range": "bytes */7"}, {"Content-Range": "nonsense"}])
async def test_416_of_any_other_kind_starts_over(bench: Make, head: dict[str, str]) -> None:
    it = bench(lambda seen, number: Reply(416, head) if seen.offset else ranged(CONTENT, seen))
    await it.break_off(120_000)
    await it.proven()
    assert [seen.offset for seen in it.server.seen] == [120_000, 0]


async def test_416_for_ever(bench: Make) -> None:
    await bench(lambda seen, number: Reply(416)).fails(BadAnswer, "a part of the file")


async def test_a_wrong_beginning_is_fetched_again_once(bench: Make) -> None:
    """The server took up what is not the same file, and says it is: the checksum tells, and all is fetched anew."""
    it = bench(ranged_always)
    it.checksum = Checksum(SHA256, SHA256)
    await it.break_off(120_000, content=noise(len(CONTENT), 5))
    await it.proven()
    assert [seen.offset for seen in it.server.seen] == [120_000, 0]


async def test_a_wrong_beginning_and_a_wrong_file(bench: Make) -> None:
    it = bench(ranged_always)
    it.checksum = Checksum("cd" * 32, "cd")
    await it.break_off(120_000)
    await it.fails(WrongBytes, "not what the service states")
    assert [seen.offset for seen in it.server.seen] == [120_000, 0]


# Redirects


async def test_no_credential_goes_to_another_origin(bench: Make) -> None:
    async with RawServer(lambda seen, number: ranged(CONTENT, seen)) as elsewhere:
        it = bench(lambda seen, number: Reply(302, {"Location": f"{elsewhere.url}/there?X-Amz-Signature=abc"}))
        proof = await it.proven()
        assert proof.source == it.server.url
        assert it.server.seen[0].headers["api-key"] == "hidden"
        for seen in elsewhere.seen:
            assert "hidden" not in str(seen.headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_back_home_gets_the_credential(bench: Make, status: int) -> None:
    it = bench(lambda seen, number: Reply(status, {"Location": "/other"}) if number == 0 else ranged(CONTENT, seen))
    await it.proven()
    assert [(seen.target, seen.headers["guid"]) for seen in it.server.seen] == [
        ("/file", "hidden"),
        ("/other", "hidden"),
    ]


async def test_the_range_goes_along_with_a_redirect(bench: Make) -> None:
    async with RawServer(lambda seen, number: ranged(CONTENT, seen)) as elsewhere:
        it = bench(lambda seen, number: Reply(302, {"Location": f"{elsewhere.url}/there"}))
        await it.break_off(120_000)
        await it.proven()
        assert [seen.offset for seen in elsewhere.seen] == [120_000]


async def test_redirects_for_ever(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(302, {"Location": f"/{number}"}))
    await it.fails(Refused, "redirects more than 5 times")
    assert len(it.server.seen) <= 7


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://host/x", "http://user@127.0.0.1/"])
async def test_redirects_to_what_is_no_address(bench: Make, target: str) -> None:
    await bench(lambda seen, number: Reply(302, {"Location": target})).fails(ProviderError, "redirects to an address")


async def test_a_redirect_to_a_broken_address(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(302, {"Location": "http://[::1/"}))
    with pytest.raises(ProviderError):
        await it.fetch()


def test_next_hops() -> None:
    assert fetching._next_hop("https://a.example/x/y", "../z?q=1") == "https://a.example/z?q=1"
    for location in ("http://a.example/", "http://[::1", "javascript:alert(1)"):
        with pytest.raises(Refused):
            fetching._next_hop("https://a.example/", location)


# The disk, the end, and being stopped


async def test_someone_elses_file_is_never_replaced(bench: Make) -> None:
    it = bench(ranged_always)
    it.final.parent.mkdir(parents=True)

    def meanwhile() -> None:
        it.final.write_bytes(b"precious")

    it.at_prepare = meanwhile
    with pytest.raises(VaultError, match="reeldesk did not write"):
        await it.fetch()
    assert it.final.read_bytes() == b"precious"
    assert it.part.exists()


async def test_the_final_name_appears_only_when_all_is_proven(bench: Make) -> None:
    """Watched from outside, by whoever looks all the time."""
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, bytes_per_s=1_000_000))
    early: list[int] = []
    done = asyncio.Event()

    async def look() -> None:
        while not done.is_set():
            if it.final.exists() and not it.prepared:
                early.append(it.final.stat().st_size)
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await it.proven()
    done.set()
    await looking
    assert not early


async def test_a_cancelled_transfer_keeps_what_arrived(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BLOCK_BYTES", 65_536)
    it = bench(ranged_always)
    it.server.answer = lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, cut=200_000, hold=asyncio.Event())
    task = asyncio.create_task(it.fetch())
    await until(lambda: it.part.exists() and it.part.stat().st_size >= 131_072)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    it.server.answer = ranged_always
    await it.proven()
    assert it.server.seen[-1].offset >= 131_072


async def test_too_little_space_is_told_before_anything_is_written(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Part, "free_bytes", lambda self: 1_000)
    it = bench(ranged_always)
    await it.fails(VaultError, f"{len(CONTENT) - 1000} bytes are missing")


async def test_a_fault_of_the_disk_is_told_before_one_of_the_network(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Part, chunks: list[bytes]) -> None:
        raise VaultError("no space left")

    monkeypatch.setattr(Part, "write", full)
    monkeypatch.setattr(fetching, "BLOCK_BYTES", 65_536)
    await bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, cut=150_000)).fails(VaultError, "no space")


async def test_a_note_that_cannot_be_written_stops_nothing_else(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Part, known: object) -> None:
        raise VaultError("no space left")

    monkeypatch.setattr(Part, "checkpoint", full)
    it = bench(lambda seen, number: ranged(CONTENT, seen))
    await it.proven()

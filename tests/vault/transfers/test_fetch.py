"""One file against servers that misbehave: what ends under the final name is whole, everything else is words."""

import asyncio
from collections.abc import Callable

import pytest

from providers.base import (
    BadAnswer,
    Forbidden,
    Head,
    NotReady,
    ProviderError,
    RateLimited,
    Refused,
    ServiceDown,
    Unreachable,
)
from providers.models import Checksum
from tests.vault.rawserver import RawServer, Reply, ranged
from tests.vault.transfers.bench import CONTENT, SHA256, Make, asked_after, ranged_always
from tests.vault.world import until
from vault.errors import DiskFull, VaultError, WrongBytes
from vault.proof import Outcome
from vault.transfers import fetch as fetching
from vault.transfers import pouring
from vault.transfers.part import Part

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
    monkeypatch.setattr(pouring, "BLOCK_BYTES", 8_192)
    monkeypatch.setattr(pouring, "CHECKPOINT_BYTES", 32_768)
    await bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT)).proven()


async def test_a_slow_file_is_written_and_noted_as_time_passes(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pouring, "BLOCK_S", 0.0)
    monkeypatch.setattr(pouring, "CHECKPOINT_S", 0.0)
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
    await bench(lambda seen, number: Reply(206, head, CONTENT)).fails(BadAnswer, "a range of the file")


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
        assert [seen.offset for seen in elsewhere.seen] == [asked_after(120_000)]


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
    monkeypatch.setattr(pouring, "BLOCK_BYTES", 65_536)
    it = bench(ranged_always)
    it.server.answer = lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, cut=200_000, hold=asyncio.Event())
    task = asyncio.create_task(it.fetch())
    await until(lambda: it.part.exists() and it.part.stat().st_size >= 131_072)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    it.server.answer = ranged_always
    await it.proven()
    assert it.server.seen[-1].offset >= asked_after(131_072)


async def test_too_little_space_is_told_before_anything_is_written(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Part, "free_bytes", lambda self: 1_000)
    it = bench(ranged_always)
    await it.fails(DiskFull, f"{len(CONTENT) - 1000} bytes are missing")
    assert it.part.stat().st_size == 0


async def test_a_fault_of_the_disk_is_told_before_one_of_the_network(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Part, chunks: list[bytes]) -> None:
        raise VaultError("no space left")

    monkeypatch.setattr(Part, "write", full)
    monkeypatch.setattr(pouring, "BLOCK_BYTES", 65_536)
    await bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, cut=150_000)).fails(VaultError, "no space")


async def test_what_is_here_already_needs_no_space(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    it = bench(ranged_always)
    await it.break_off(120_000)
    monkeypatch.setattr(Part, "free_bytes", lambda self: len(CONTENT) - 120_000 - 1)
    await it.fails(DiskFull, "1 bytes are missing")
    monkeypatch.setattr(Part, "free_bytes", lambda self: len(CONTENT) - 120_000)
    await it.proven()
    assert it.offsets == [asked_after(120_000)] * 2


async def test_the_proof_is_written_down_before_and_after_the_file_gets_its_name(bench: Make) -> None:
    it = bench(ranged_always)
    proof = await it.proven()  # `prepare` and `commit` of the bench look for the file
    assert (it.prepared, it.committed) == ([proof], [proof])


async def test_a_part_of_an_earlier_transfer_is_brought_to_the_disk_before_its_proof(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Power may go between any two steps: bytes, proof, name, folder."""
    steps: list[str] = []
    it = bench(ranged_always)
    await it.break_off(120_000)
    for name in ("to_disk", "publish"):
        monkeypatch.setattr(Part, name, noted(steps, name, getattr(Part, name)))
    it.at_prepare = lambda: steps.append("prepare")
    await it.proven()
    assert steps == ["to_disk", "prepare", "publish"]


def noted(steps: list[str], name: str, step: Callable[[Part], None]) -> Callable[[Part], None]:
    def call(self: Part) -> None:
        steps.append(name)
        step(self)

    return call

"""What breaks off is continued, and what is kept of it for later."""

import contextlib
from dataclasses import replace

import pytest

from providers.base import ProviderError, Unreachable
from providers.models import Checksum
from tests.vault.rawserver import Reply, Seen, ranged
from tests.vault.transfers.bench import ASKED, CONTENT, HERE, SHA256, Make, asked_after, ranged_always
from vault.errors import DiskFull, VaultError, WrongBytes
from vault.transfers import fetch as fetching
from vault.transfers import pouring
from vault.transfers.part import Part
from vault.transfers.ranges import Validator

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
    if at < pouring.PREFIX_BYTES or reset:  # nothing that was judged arrived, or the kernel threw some away
        with contextlib.suppress(Unreachable):
            await it.fetch()
        if not it.final.exists():
            await it.fetch()
    else:
        await it.fetch()
        assert [seen.headers.get("range") for seen in it.server.seen] == [None, f"bytes={asked_after(at)}-"]
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
    assert it.offsets == [0, 65_904, 131_808, 197_712, 263_616]


async def test_a_connection_that_never_brings_more_is_given_up(bench: Make) -> None:
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT, cut=70_000))
    await it.fails(Unreachable, "broke off")
    assert len(it.server.seen) <= 4


async def test_a_transfer_that_crawls_is_given_up_at_last(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_RESUMES", 3)

    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return Reply(reply.status, reply.headers, reply.body, cut=70_000 if number == 0 else 4_196)

    it = bench(answer)
    await it.fails(Unreachable, "broke off")
    assert it.offsets == [0, 65_904, 66_004, 66_104]


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
        rest = f"bytes {seen.offset}-{len(CONTENT) - 1}/{len(CONTENT)}"
        return Reply(206, {"Last-Modified": date, "Content-Range": rest}, CONTENT[seen.offset :])

    await bench(answer).proven()


async def test_a_source_that_cannot_be_continued_starts_over(bench: Make) -> None:
    it = bench(ranged_always)
    await it.break_off(100_000)
    it.resumable = False
    await it.proven()
    assert it.offsets == [0]


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


# What is kept


def fails_to_prepare() -> None:
    raise VaultError("the ledger is full")


@pytest.mark.parametrize("noted", [fetching.NOTED_BYTES, 1])
async def test_a_ledger_that_cannot_be_written_costs_no_byte_again(
    bench: Make, monkeypatch: pytest.MonkeyPatch, noted: int
) -> None:
    monkeypatch.setattr(fetching, "NOTED_BYTES", noted)
    it = bench(ranged_always)
    it.at_prepare = fails_to_prepare
    await it.fails(VaultError, "the ledger is full")
    assert (it.part.stat().st_size, it.side.exists()) == (len(CONTENT), True)
    it.at_prepare = lambda: None
    await it.proven()
    assert it.offsets == [0, asked_after(len(CONTENT))]


async def test_a_note_that_cannot_be_written_stops_nothing_else(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Part, known: object) -> None:
        raise VaultError("no space left")

    monkeypatch.setattr(Part, "checkpoint", full)
    it = bench(lambda seen, number: replace(ranged(CONTENT, seen), cut=100_000 if number == 0 else None))
    await it.fails(Unreachable, "broke off")
    await it.proven()
    assert it.offsets == [0, 0]


async def test_notes_are_written_when_it_breaks_off_and_not_when_it_works(
    bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file must not cost more fsyncs than it needs."""
    noted: list[int] = []
    checkpoint = Part.checkpoint

    def count(self: Part, known: Validator) -> None:
        noted.append(self.size)
        checkpoint(self, known)

    monkeypatch.setattr(Part, "checkpoint", count)
    it = bench(ranged_always)
    await it.proven()
    assert noted == []
    it.final.unlink()
    it.prepared.clear()
    it.committed.clear()
    await it.break_off(HERE)
    assert noted == [HERE]


@pytest.mark.parametrize("etag", ['"one"', ""])
async def test_a_fault_of_the_disk_at_the_very_end_costs_no_byte_again(
    bench: Make, monkeypatch: pytest.MonkeyPatch, etag: str
) -> None:
    """The last bytes, or all of them, cannot be brought to the disk."""

    def full(self: Part) -> None:
        raise DiskFull("no space left")

    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return replace(reply, headers={n: v for n, v in reply.headers.items() if n != "ETag" or etag})

    it = bench(answer)
    with monkeypatch.context() as patch:
        patch.setattr(Part, "to_disk", full)
        await it.fails(DiskFull, "no space left")
    assert it.side.exists() is bool(etag)
    await it.proven()
    assert it.offsets == [0, asked_after(len(CONTENT)) if etag else 0]


@pytest.mark.parametrize("reply", [Reply(503), Reply(200, {}, b"<html>later</html>"), Reply(200, {}, CONTENT, cut=9)])
async def test_what_is_here_is_dropped_only_for_what_is_the_file(bench: Make, reply: Reply) -> None:
    """The rest is not to be had, and what comes of a request for all of it is no file either."""
    it = bench(lambda seen, number: Reply(416) if seen.offset else reply)
    await it.break_off(HERE)
    with pytest.raises(ProviderError):
        await it.fetch()
    assert it.part.stat().st_size == HERE
    it.server.answer = ranged_always
    it.server.seen.clear()
    await it.proven()
    assert it.offsets == [ASKED]


@pytest.mark.parametrize("more", [-10, 10])
async def test_a_rest_that_does_not_end_where_it_says(bench: Make, more: int) -> None:
    """Without a length or chunks the connection's end is all that there is."""

    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        body = reply.body + b"x" * more if more > 0 else reply.body[:more]
        return replace(reply, body=body, length=None) if number == 0 else reply

    it = bench(answer)
    await it.break_off(HERE)
    await it.proven()
    assert it.offsets == [ASKED, 0 if more > 0 else asked_after(len(CONTENT) - 10)]

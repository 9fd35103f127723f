"""What broke off is continued only when it is the same thing, and then from the very byte; anything else starts over.

The bug table of the downloads facts: 5 to 11.
"""

import contextlib
from dataclasses import replace

import pytest

from providers.base import BadAnswer, ProviderError, Unreachable
from providers.models import Checksum
from tests.vault.rawserver import Reply, Seen, ranged
from tests.vault.transfers.bench import CONTENT, SHA256, Make, asked_after, ranged_always
from tests.vault.world import noise
from vault.errors import DiskFull, VaultError, WrongBytes
from vault.proof import Outcome
from vault.transfers import fetch as fetching
from vault.transfers import pouring
from vault.transfers.part import Part
from vault.transfers.ranges import Validator

HERE = 120_000
ASKED = asked_after(HERE)


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


# What a later transfer finds (the bug table of the downloads facts: 5 to 11)


async def test_a_part_is_continued_by_a_later_transfer(bench: Make) -> None:
    it = bench(ranged_always)
    await it.break_off(HERE)
    await it.proven()
    assert it.offsets == [ASKED]


async def test_bytes_after_the_noted_ones_are_not_trusted(bench: Make) -> None:
    it = bench(ranged_always)
    await it.break_off(HERE)
    with it.part.open("ab") as file:
        file.write(b"\0" * 5_000)
    await it.proven()
    assert it.offsets == [ASKED]


async def test_range_is_ignored(bench: Make) -> None:
    """A server without ranges sends the whole: asked once more without If-Range, then taken from the start."""
    it = bench(lambda seen, number: Reply(200, {"ETag": '"one"'}, CONTENT))
    await it.break_off(HERE)
    await it.proven()
    asked = [("range" in seen.headers, "if-range" in seen.headers) for seen in it.server.seen]
    assert asked == [(True, True), (True, False)]


async def test_if_range_makes_a_cache_forget_the_range(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        if "if-range" in seen.headers:
            return Reply(200, {"ETag": '"one"'}, CONTENT)
        return ranged(CONTENT, seen)

    it = bench(answer)
    await it.break_off(HERE)
    await it.proven()
    assert it.offsets == [ASKED, ASKED]


@pytest.mark.parametrize("etag", ['"two"', ""])
async def test_without_if_range_the_rest_must_say_that_it_is_the_same(bench: Make, etag: str) -> None:
    new = noise(len(CONTENT), 1)

    def answer(seen: Seen, number: int) -> Reply:
        if "if-range" in seen.headers:
            return Reply(200, {"ETag": '"one"'}, CONTENT)
        reply = ranged(new, seen, '"two"')
        return Reply(reply.status, {n: v for n, v in reply.headers.items() if n != "ETag" or etag}, reply.body)

    it = bench(answer)
    await it.break_off(HERE)
    await it.proven(new)


async def test_the_file_changed_meanwhile(bench: Make) -> None:
    new = noise(250_000, 1)
    it = bench(lambda seen, number: ranged(new, seen, '"two"'))
    await it.break_off(HERE)
    await it.proven(new)
    assert len(it.server.seen) == 1


async def test_if_range_is_ignored_and_the_rest_is_of_another_file(bench: Make) -> None:
    new = noise(len(CONTENT), 1)

    def answer(seen: Seen, number: int) -> Reply:
        start = seen.offset
        rest = {"ETag": '"two"', "Content-Range": f"bytes {start}-{len(new) - 1}/{len(new)}"}
        return Reply(206, rest, new[start:]) if start else Reply(200, {"ETag": '"two"'}, new)

    it = bench(answer)
    await it.break_off(HERE)
    await it.proven(new)
    assert it.offsets == [ASKED, 0]


@pytest.mark.parametrize(
    "stated",
    [
        "bytes 0-299999/300000",
        "bytes 100-299999/300000",
        f"bytes {ASKED}-299998/300000",
        f"bytes {ASKED}-299999/300001",
        f"bytes {ASKED + 1}-299999/300000",
        f"bytes {HERE}-299999/300000",
        f"{ASKED}-299999",
        "",
        f"bytes {ASKED}-/300000",
        "bytes */300000",
    ],
)
async def test_a_206_of_another_range(bench: Make, stated: str) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        if seen.offset:
            return Reply(206, {"ETag": '"one"', "Content-Range": stated}, CONTENT[ASKED:])
        return ranged(CONTENT, seen)

    it = bench(answer)
    await it.break_off(HERE)
    await it.proven()
    assert it.offsets == [ASKED, 0]


async def test_a_200_with_exactly_the_range_is_taken_as_one(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return Reply(200, reply.headers, reply.body)

    it = bench(answer)
    await it.break_off(HERE)
    await it.proven()
    assert len(it.server.seen) == 1


async def test_a_206_of_unknown_total_keeps_what_is_known(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        if number:
            return ranged(CONTENT, seen)
        return Reply(
            206, {"Content-Range": f"bytes {ASKED}-{len(CONTENT) - 1}/*"}, CONTENT[ASKED:], cut=200_000 - ASKED
        )

    it = bench(answer)
    await it.break_off(HERE)
    proof = await it.proven()
    assert it.offsets == [ASKED, asked_after(200_000)]
    assert proof.checks[0].outcome is Outcome.PASSED


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


@pytest.mark.parametrize(
    "head", [{}, {"Content-Range": "bytes */7"}, {"Content-Range": f"bytes */{HERE}"}, {"Content-Range": "nonsense"}]
)
async def test_416_starts_over(bench: Make, head: dict[str, str]) -> None:
    it = bench(lambda seen, number: Reply(416, head) if seen.offset else ranged(CONTENT, seen))
    await it.break_off(HERE)
    await it.proven()
    assert it.offsets == [ASKED, 0]


async def test_416_for_ever(bench: Make) -> None:
    await bench(lambda seen, number: Reply(416)).fails(BadAnswer, "HTTP 416")


OTHER = noise(ASKED - 10, 5) + CONTENT[ASKED - 10 :]
"""As long as the file, and the same where it is compared."""


async def test_other_bytes_under_the_same_etag_and_length_are_found_out(bench: Make) -> None:
    """The service says that it is the same file; the last bytes that are here say that it is not."""
    new = noise(len(CONTENT), 5)
    it = bench(lambda seen, number: ranged(new, seen))
    await it.break_off(HERE)
    proof = await it.proven(new)
    assert it.offsets == [ASKED, 0]
    assert proof.checks[0].outcome is Outcome.PASSED


@pytest.mark.parametrize("at", [ASKED, ASKED + 1, HERE - 1])
async def test_a_single_byte_of_those_that_come_again(bench: Make, at: int) -> None:
    new = CONTENT[:at] + bytes([CONTENT[at] ^ 1]) + CONTENT[at + 1 :]
    it = bench(lambda seen, number: ranged(new, seen))
    await it.break_off(HERE)
    await it.proven(new)
    assert it.offsets == [ASKED, 0]


async def test_a_rest_that_ends_before_the_bytes_that_are_here(bench: Make) -> None:
    """It is not what it says, so all is asked for anew."""

    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return replace(reply, body=reply.body[:100], chunked=True) if seen.offset else reply

    it = bench(answer)
    await it.break_off(HERE)
    await it.proven()
    assert it.offsets == [ASKED, 0]


async def test_it_breaks_off_among_the_bytes_that_come_again(bench: Make) -> None:
    def answer(seen: Seen, number: int) -> Reply:
        reply = ranged(CONTENT, seen)
        return replace(reply, cut=100) if number == 0 else reply

    it = bench(answer)
    await it.break_off(HERE)
    await it.fails(Unreachable, "broke off")
    assert it.part.stat().st_size == HERE
    await it.proven()
    assert it.offsets == [ASKED, ASKED]


@pytest.mark.parametrize("at", [0, 60_000, HERE - 1])
async def test_a_beginning_that_changed_on_the_disk_is_dropped(bench: Make, at: int) -> None:
    """By a bad disk, a power cut or another hand; the service states no checksum that would tell."""
    it = bench(ranged_always)
    await it.break_off(HERE)
    with it.part.open("r+b") as file:
        file.seek(at)
        file.write(bytes([CONTENT[at] ^ 1]))
    await it.proven()
    assert it.offsets == [0]


async def test_a_beginning_that_became_shorter_is_dropped(bench: Make) -> None:
    it = bench(ranged_always)
    await it.break_off(HERE)
    with it.part.open("r+b") as file:
        file.truncate(HERE - 1)
    await it.proven()
    assert it.offsets == [0]


async def test_a_wrong_beginning_is_fetched_again_once(bench: Make) -> None:
    """It went unnoticed where bytes are compared: the checksum tells, and all is fetched anew."""
    it = bench(ranged_always)
    it.checksum = Checksum(SHA256, SHA256)
    await it.break_off(HERE, content=OTHER)
    await it.proven()
    assert it.offsets == [ASKED, 0]


async def test_a_wrong_beginning_and_a_wrong_file(bench: Make) -> None:
    it = bench(ranged_always)
    it.checksum = Checksum("cd" * 32, "cd")
    await it.break_off(HERE)
    await it.fails(WrongBytes, "not what the service states")
    assert it.offsets == [ASKED, 0]


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

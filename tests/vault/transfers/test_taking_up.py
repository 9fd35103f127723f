"""What a later transfer finds is continued only when it is the same thing, and then from the very byte; else all starts
over.

The bug table of the downloads facts: 5 to 11.
"""

from dataclasses import replace

import pytest

from providers.base import BadAnswer, Unreachable
from providers.models import Checksum
from tests.vault.rawserver import Reply, Seen, ranged
from tests.vault.transfers.bench import ASKED, CONTENT, HERE, SHA256, Make, asked_after, ranged_always
from tests.vault.world import noise
from vault.errors import WrongBytes
from vault.proof import Outcome

# What servers answer


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


# What is compared


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

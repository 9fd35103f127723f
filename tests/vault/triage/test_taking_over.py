"""Who may still write what of a release, when what was sent is asked about, and what the provider is told of it."""

from collections.abc import AsyncIterator, Callable

import pytest
from starlette.responses import Response

from providers.flexperto.emulated import EmulatedArchive
from providers.models import AssetId
from tests.vault.world import World, archive
from vault.desk import Desk
from vault.errors import Overtaken
from vault.ledger.claiming import STALE_AFTER_S
from vault.ledger.releases import SURELY_GONE_S, Release, Releases, Turn
from vault.triage.states import ReleaseState

A, B = archive("a", "c1"), archive("b", "c1")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    """A desk that holds `a` and `b`, both of one conference."""
    it.emulator.add_archive("a", "c1")
    it.emulator.add_archive("b", "c1")
    opened = it.desk()
    await opened.sync("advice")
    await opened.fetch_all([A, B])
    yield opened
    await opened.aclose()
    opened.close()


def copies(desk: Desk) -> dict[AssetId, str]:
    return {each: view.sha256 for each in (A, B) if (view := desk.asset(each)) is not None}


def asked(it: World, desk: Desk) -> float:
    """Have the release of `a` be due; the present."""
    desk.releasing.ask([A], 0)
    return it.clock().timestamp()


Verb = Callable[[Releases, Release, dict[AssetId, str], float], object]
VERBS: dict[str, Verb] = {
    "send": lambda releases, mine, sure, now: releases.send(mine, sure, now),
    "answer": lambda releases, mine, sure, now: releases.answer(mine, "HTTP 200", now),
    "confirm": lambda releases, mine, sure, now: releases.confirm(mine, now),
    "postpone": lambda releases, mine, sure, now: releases.postpone(mine, "503", now + 60),
    "end": lambda releases, mine, sure, now: releases.end(mine, ReleaseState.FAILED, "it refused", now),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_whoever_was_overtaken_writes_nothing_of_it(it: World, desk: Desk, verb: str) -> None:
    """A process that stood still while another took its release over: as it checked, and as it was sent."""
    now, releases, sure = asked(it, desk), desk._ledger.releases, copies(desk)
    first = releases.take(Turn("elsewhere:1:a"), now)
    later = now + STALE_AFTER_S + 1
    second = releases.take(Turn("elsewhere:2:b"), later)
    assert first is not None
    assert second is not None
    assert second.fence > first.fence
    if verb != "send":  # two that send are told apart before either did
        releases.send(second, sure, later)
    before = (desk.releasing.release_of(A), [event.number for event in desk.trail(A)])
    with pytest.raises(Overtaken):
        VERBS[verb](releases, first, sure, later)
    assert not releases.beat(first, later)
    releases.step_back(first)
    assert (desk.releasing.release_of(A), [event.number for event in desk.trail(A)]) == before
    VERBS[verb](releases, second, sure, later)  # it is the other one's


async def test_what_nobody_saw_the_end_of_is_asked_about_after_ten_seconds(it: World, desk: Desk) -> None:
    """The call may still be on its way, however surely its sender is dead."""
    now, releases = asked(it, desk), desk._ledger.releases
    sender = releases.take(Turn("elsewhere:1:a"), now)
    assert sender is not None
    releases.send(sender, copies(desk), now)
    after = Turn("elsewhere:2:b", dead=frozenset({"elsewhere:1:a"}))
    assert after.settle_s == 10
    assert releases.take(after, now + 0.1) is None
    assert releases.take(after, now + 9.9) is None
    heir = releases.take(after, now + 10.1)
    assert heir is not None
    assert (heir.sent_at, heir.sure) == (now, frozenset({A, B}))


async def test_what_was_let_go_of_waits_as_long(it: World, desk: Desk) -> None:
    """The same of whoever sent it and ended without its answer; what was answered does not wait."""
    now, releases = asked(it, desk), desk._ledger.releases
    sender = releases.take(Turn("elsewhere:1:a"), now)
    assert sender is not None
    releases.send(sender, copies(desk), now)
    releases.step_back(sender)
    assert releases.take(Turn("elsewhere:2:b"), now + 9.9) is None
    heir = releases.take(Turn("elsewhere:2:b"), now + 10.1)
    assert heir is not None
    releases.answer(heir, "HTTP 200", now + 10.2)
    releases.step_back(heir)
    assert releases.take(Turn("elsewhere:3:c"), now + 10.2) is not None


async def test_a_moment_of_sending_that_is_ahead_keeps_nobody_waiting(it: World, desk: Desk) -> None:
    """It was written by a clock that has been put back since."""
    now, releases = asked(it, desk), desk._ledger.releases
    sender = releases.take(Turn("elsewhere:1:a"), now)
    assert sender is not None
    releases.send(sender, copies(desk), now + 3_600)
    assert releases.take(Turn("elsewhere:2:b", dead=frozenset({"elsewhere:1:a"})), now + 1) is not None


async def test_a_sender_on_another_machine_is_taken_to_be_gone_after_a_quarter_of_an_hour(
    it: World, desk: Desk
) -> None:
    now, releases = asked(it, desk), desk._ledger.releases
    sender = releases.take(Turn("elsewhere:1:a"), now)
    assert sender is not None
    releases.send(sender, copies(desk), now)
    assert releases.take(Turn("here:2:b"), now + SURELY_GONE_S - 1) is None
    assert releases.take(Turn("here:2:b"), now + SURELY_GONE_S + 1) is not None


async def test_an_event_bears_the_time_of_its_turn_to_write(it: World, desk: Desk) -> None:
    """Not that of when the verb was called, which others may have written after."""
    desk._ledger.history.noted(A, "noted", "", it.clock().timestamp() - 60)
    assert desk.custody.check_log().set_back == 0
    assert desk.trail(A)[-1].at >= desk.trail(A)[-2].at


class AtTheLast(list[str]):
    """Has the service state another checksum from when the provider itself reads the record, just before the call."""

    def __init__(self, changed: EmulatedArchive) -> None:
        super().__init__()
        self._changed = changed

    def append(self, line: str) -> None:
        super().append(line)
        if line.endswith(f"/archives/{self._changed.id}") and self.count(line) == 2:
            self._changed.extra = {"sha256CheckSum": "ab" * 32}


async def test_the_provider_compares_its_last_record_with_the_copy_that_is_held(it: World, desk: Desk) -> None:
    """Where the service stated no checksum until then, nothing but that copy's tells that this is another file."""
    it.emulator.add_archive("c", "c2")
    it.emulator.archives["c"].extra = {"sha256CheckSum": None}
    await desk.sync("advice")
    unstated = archive("c", "c2")
    await desk.fetch_now(unstated)
    desk.releasing.ask([unstated], 0)
    it.emulator.faults.seen = AtTheLast(it.emulator.archives["c"])
    await desk.releasing.drain()
    assert it.emulator.abandon_calls == []
    view = desk.releasing.release_of(unstated)
    assert view is not None
    assert view.state is ReleaseState.REFUSED
    assert "changed at the service since it was seen" in view.words


async def test_what_went_along_with_a_call_that_was_answered_with_an_error_has_its_receipt_too(
    it: World, desk: Desk
) -> None:
    original = it.emulator._abandon

    def abandon(family: str, given_id: str, found: list[EmulatedArchive]) -> Response:
        original(family, given_id, found)
        return Response(status_code=409)

    it.emulator._abandon = abandon  # type: ignore[method-assign]  # it carries it out, and says no
    desk.releasing.ask([A], 0)
    await desk.releasing.drain()
    assert [call.id for call in it.emulator.abandon_calls] == ["c1"]
    assert {(receipt.asset, receipt.along) for receipt in desk.releasing.receipts()} == {(A, False), (B, True)}

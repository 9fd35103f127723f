"""What the desk says of a transfer, state by state and at every width."""

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from tests.tui.stage import HOSTILE, NOW, StageEngine
from tests.tui.transfer_views import AUDIO, DOWN, SOON, VIDEO, WAITING, S, account, view
from tui import label
from tui.describe import account_rows, run_by, transfer_rows
from tui.desk_words import where_it_stands
from tui.rows import health
from tui.widgets.dock import dock_rows
from tui.widgets.ink import text_of
from vault.views import AccountView, TransferState, TransferView


def docked(one: TransferView, width: int = 119) -> str:
    (row,) = dock_rows((one,), width, label.UNICODE, 5, NOW)
    return text_of(row.line)


def in_full(one: TransferView, width: int = 77, own: str = "desk:1") -> str:
    rows = transfer_rows(one, None, width, label.UNICODE, NOW, own, lambda command: f"<{command.split('.')[1]}>")
    return "\n".join(text_of(row.line) for row in rows)


# The dock -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [59, 79, 119])
def test_the_dock_shows_how_fast_and_how_long_and_nothing_shifts(width: int) -> None:
    first, third = docked(view(S.RUNNING), width), docked(view(S.RUNNING, attempts=3), width)
    proving = docked(view(S.RUNNING, received=310_000_000, eta_s=0.0), width)
    assert first.startswith(" ↓ Onboarding")
    assert first.split()[-5:] == ["45", "%", "8.4", "MB/s", "20s"]
    assert "video try 3 " in third.replace("  ", "")
    assert "try" not in first
    assert proving.split()[-5:] == ["100", "%", "8.4", "MB/s", "proving"]
    assert first.index("45 %") == third.index("45 %") == proving.index("100 %") + 1
    assert cell_len(first) == cell_len(third) == cell_len(proving) == width


def test_the_dock_says_what_a_transfer_waits_for_and_until_when() -> None:
    name = " ◐ Onboarding: second session 1 video"
    assert docked(view(S.WAITING, **WAITING)) == f"{name}  waiting: {DOWN}, next try 14:05:40 UTC"
    assert docked(view(S.WAITING, **WAITING), 79).endswith(f"video  {DOWN}, next try 14:05:40 UTC")
    queued = docked(view(S.QUEUED, words=DOWN, again_at=SOON, attempts=0))
    assert queued == f"{name.replace('◐', '→')}  queued: {DOWN}, next try 14:05:40 UTC"


def test_a_moment_that_has_come_is_not_told_any_more() -> None:
    assert docked(view(S.QUEUED, words=DOWN, again_at=NOW)).endswith(f"queued: {DOWN}, next try in turn")


def test_the_moment_of_the_next_try_is_never_cut() -> None:
    for width in (59, 79, 119):
        line = docked(view(S.WAITING, words="the service answers " + "x" * 300, again_at=SOON), width)
        assert line.endswith("…, next try 14:05:40 UTC")
        assert cell_len(line) <= width


def test_the_dock_counts_what_it_has_no_room_for() -> None:
    states = (S.FAILED, S.QUEUED, S.DONE, S.WAITING, S.QUEUED, S.RUNNING)
    rows = dock_rows(tuple(view(state) for state in states), 79, label.UNICODE, 3, NOW)
    assert [text_of(row.line)[1] for row in rows[:2]] == ["↓", "→"]
    assert text_of(rows[2].line) == "   and 1 waiting, 1 queued, 1 failed: 2 shows the queue"


def test_old_words_are_not_told_of_what_is_paused_or_queued_again() -> None:
    assert docked(view(S.PAUSED, words=DOWN)).endswith("video  paused at 45 %")
    assert docked(view(S.QUEUED, words=DOWN)).endswith("video  queued")
    assert docked(view(S.FAILED, words=DOWN)).endswith(f"video  failed: {DOWN}")


@pytest.mark.parametrize("state", [state for state in S if state not in (S.DONE, S.CANCELLED)])
def test_docked_lines_fit_and_the_kind_stays(state: TransferState) -> None:
    for title in HOSTILE:
        for width in (59, 79, 119):
            line = docked(view(state, title=title, words=title * 3, again_at=SOON, attempts=4), width)
            assert cell_len(line) <= width
            assert " video " in line
            assert line[1] == label.UNICODE.transfer[state]


# The current one in full ----------------------------------------------------------------------------------------------


def test_a_running_one_says_its_pace_its_try_and_who_runs_it() -> None:
    text = in_full(view(S.RUNNING, attempts=2, words="resumed at 4096 bytes"))
    for words in (
        "state ↓ running, 141 MB of 310 MB, 45 %, try 2",
        "rate 8.4 MB/s, 20s left",
        "says resumed at 4096 bytes",
        "keys <pause> pauses it, <cancel> cancels it",
        "run by this desk",
        "asset agents/agents-001/video",
        "title Onboarding: second session 1",
    ):
        assert words in text
    assert "rate not known yet" in in_full(view(S.RUNNING, rate=None, eta_s=None))
    assert "0 B here, of a total that is not known" in in_full(view(S.RUNNING, received=0, total=None))
    assert "0 B/s, no telling how long" in in_full(view(S.RUNNING, rate=0.0, eta_s=None))
    assert "every byte has arrived, and is being written and proven" in in_full(view(S.RUNNING, received=310_000_000))


def test_what_waits_says_why_until_when_and_which_key_helps() -> None:
    text = in_full(view(S.WAITING, **WAITING))
    assert "waiting, 141 MB of 310 MB, 45 %, after 2 tries" in text
    assert f"waits because {DOWN}\nnext try 14:05:40 UTC, by itself\nkeys <now> tries it now" in text
    assert "next try as soon as its turn comes" in in_full(view(S.WAITING, words=DOWN, again_at=NOW))
    held = in_full(view(S.QUEUED, words=DOWN, again_at=SOON, attempts=0, received=0))
    assert f"queued, 0 B of 310 MB, 0 %\nwaits because {DOWN}\nnext try 14:05:40 UTC" in held
    assert "<now> puts it first, <sooner> <later> move it" in held


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (S.FAILED, f"error {DOWN}\nkeys <retry> tries it again"),
        (S.PAUSED, f"before {DOWN}\nkeys <pause> lets it go on where it stopped, <now> as the first"),
        (S.CANCELLED, f"before {DOWN}\nkeys <retry> queues it again; what was here of it stayed"),
    ],
)
def test_what_stands_says_the_next_step(state: TransferState, words: str) -> None:
    assert words in in_full(view(state, words=DOWN))


def test_nothing_is_cut_of_a_long_error() -> None:
    words = " ".join(f"word{n}" for n in range(80))
    assert words in " ".join(in_full(view(S.FAILED, words=words), 57).split())


def test_who_runs_a_transfer() -> None:
    assert run_by("", "desk:1") == ""
    assert run_by("desk:1", "desk:1") == "this desk"
    assert run_by("desk:1:4f2a", "desk:1") == "this desk"
    assert run_by("desk:17", "desk:1") == "process 17 on this machine"
    assert run_by("attic:1", "desk:1") == "process 1 on attic"
    text = in_full(view(S.RUNNING, owner="attic:4711"))
    assert "run by process 4711 on attic; it is steered from here all the same" in text


# The desk and the accounts --------------------------------------------------------------------------------------------


def test_where_it_stands(engine: StageEngine) -> None:
    asset = engine.desk.asset(VIDEO)
    assert asset is not None
    others = [view(S.RUNNING, asset=AUDIO), view(S.PAUSED, asset=AUDIO), view(S.DONE, asset=AUDIO)]

    def stands(*transfers: TransferView) -> str:
        return where_it_stands([asset], transfers, NOW)

    assert stands(*others) == ""
    assert stands(*others, view(S.QUEUED)) == "its video is queued, 1 before it; 2 shows the queue"
    assert stands(view(S.QUEUED)) == "its video is queued, next in line; 2 shows the queue"
    assert stands(view(S.PAUSED, words=DOWN)) == "its video is paused; 2 shows the queue"
    waits = f"its video is waiting: {DOWN}, next try 14:05:40 UTC; 2 shows the queue"
    assert stands(view(S.WAITING, **WAITING)) == waits
    assert stands(view(S.FAILED)) == ""


def test_an_account_whose_service_fails_is_told_to_wait(engine: StageEngine) -> None:
    waits = account(engine, held_until=SOON, held_words=DOWN)
    assert text_of(health(waits, label.UNICODE, syncing=False)) == "◐ waiting"
    assert text_of(health(waits, label.ASCII, syncing=False)) == "~ waiting"
    assert text_of(health(replace(waits, error=DOWN), label.UNICODE, syncing=False)) == "✗ error, waiting"
    assert text_of(health(waits, label.UNICODE, syncing=True)) == "◐ asking"

    def told(one: AccountView) -> str:
        rows = account_rows(one, 200, label.UNICODE, NOW, syncing=False)
        return "\n".join(text_of(row.line) for row in rows)

    assert f"waits nothing is fetched until 14:05:40 UTC: {DOWN}" in told(waits)
    assert f"waits one transfer is tried: {DOWN}" in told(replace(waits, held_until=NOW))
    assert "waits" not in told(account(engine))

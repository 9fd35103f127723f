from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from providers.models import AssetKind, RemoteState
from tests.tui.stage import HOSTILE, NOW
from tui import label
from tui.rows import stage_cell
from tui.widgets.columns import Column, fit, line
from tui.widgets.ink import text_of, wrap
from vault.views import LocalState, Stage, TransferState


def test_slack_is_never_finer_than_minutes() -> None:
    assert label.slack(NOW + timedelta(days=3, hours=4, seconds=7), NOW) == "3d 4h"
    assert label.slack(NOW + timedelta(minutes=5, seconds=20), NOW) == "5m"
    assert label.slack(NOW + timedelta(seconds=20), NOW) == "<1m"
    assert label.slack(NOW - timedelta(seconds=1), NOW) == "passed"
    assert label.slack(None, NOW) == "—"


def test_slack_is_drawn_by_urgency() -> None:
    inks = [label.slack_ink(NOW + timedelta(hours=hours), NOW) for hours in (-1, 23, 30, 100)]
    assert inks == ["bad", "bad", "warn", ""]
    assert label.slack_ink(None, NOW) == "dim"


def test_ages_are_coarse() -> None:
    assert label.ago(NOW - timedelta(seconds=59), NOW) == "just now"
    assert label.ago(NOW - timedelta(minutes=61), NOW) == "1h 1m ago"
    assert label.ago(None, NOW) == "never"


@pytest.mark.parametrize("glyphs", [label.UNICODE, label.ASCII])
def test_every_state_has_a_sign_one_cell_wide(glyphs: label.Glyphs) -> None:
    for table, states in ((glyphs.remote, RemoteState), (glyphs.local, LocalState), (glyphs.transfer, TransferState)):
        assert set(table) == set(states)
        assert all(cell_len(sign) == 1 for sign in table.values())


@pytest.mark.parametrize(
    ("text", "width", "end", "shown"),
    [
        ("queued 3 assets", 15, "…", "queued 3 assets"),
        ("queued 3 assets", 14, "…", "queued 3 asse…"),
        ("queued 3 assets; 2 not: held", 22, "…", "queued 3 assets; 2…"),
        ("queued 3 assets; 2 not", 17, "…", "queued 3 assets…"),
        ("queued 3 assets; 2 not", 19, "...", "queued 3 assets..."),
        ("in /a/very/long/path/that/has/no/space", 20, "…", "in /a/very/long/pat…"),
        ("会議室の会議", 6, "…", "会議…"),
        ("any", 2, "...", ".."),
        ("any", 0, "…", ""),
    ],
)
def test_words_that_go_on_end_where_that_is_seen(text: str, width: int, end: str, shown: str) -> None:
    assert label.cut_words(text, width, end) == shown


@given(st.text(), st.integers(0, 90), st.sampled_from([label.UNICODE.more, label.ASCII.more]))
def test_words_that_go_on_keep_to_their_room(text: str, width: int, end: str) -> None:
    text = label.plain(text)
    shown = label.cut_words(text, width, end)
    assert cell_len(shown) <= width
    assert shown == text or (shown.endswith(end) or width <= cell_len(end))


def test_ascii_is_ascii() -> None:
    assert label.ASCII.more.isascii()
    signs = [*label.ASCII.remote.values(), *label.ASCII.local.values(), *label.ASCII.transfer.values()]
    assert all(sign.isascii() for sign in signs)
    assert label.bar(5, 10, 8, label.ASCII) == "====----"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, label.UNICODE),
        ({"LANG": "de_DE.UTF-8"}, label.UNICODE),
        ({"LANG": "de_DE.ISO-8859-1"}, label.ASCII),
        ({"LC_ALL": "de_DE.ISO-8859-1", "LANG": "de_DE.UTF-8"}, label.ASCII),
        ({"REELDESK_ASCII": "1", "LANG": "de_DE.UTF-8"}, label.ASCII),
    ],
)
def test_the_signs_follow_the_terminal(environ: dict[str, str], expected: label.Glyphs) -> None:
    assert label.glyphs_for(environ) is expected


def test_bars_move_in_eighths() -> None:
    assert label.bar(1, 64, 8, label.UNICODE) == "▏───────"
    assert label.bar(64, 64, 8, label.UNICODE) == "████████"
    assert label.bar(100, 64, 4, label.UNICODE) == "████"
    assert label.bar(7, None, 4, label.UNICODE) == "────"
    assert label.bar(1, 2, 0, label.UNICODE) == ""


@given(st.text(), st.integers(1, 60))
def test_cut_text_fits(text: str, width: int) -> None:
    assert cell_len(label.cut(label.plain(text), width)) <= width


@given(st.text(), st.integers(2, 60))
def test_wrapped_lines_fit_and_lose_nothing(text: str, width: int) -> None:
    safe = label.safe_block(text)
    lines = wrap(safe, width)
    assert all(cell_len(part) <= width for part in lines)
    assert "".join("".join(lines).split()) == "".join(safe.split())


def test_wrapped_lines_keep_their_indent() -> None:
    assert wrap('{\n  "id": "one two"\n}', 12) == ["{", '  "id": "one', '  two"', "}"]


@pytest.mark.parametrize("title", HOSTILE)
def test_columns_are_exactly_as_wide_as_they_say(title: str) -> None:
    columns = (
        Column[str]("Title", 10, 0, lambda row: ((label.plain(row), ""),), flex=True),
        Column[str]("Size", 6, 1, lambda row: (("12 MB", ""),), right=True),
    )
    for width in (12, 17, 40, 80):
        fitted = fit(columns, width)
        assert cell_len(text_of(line(title, fitted))) == max(sum(wide for _, wide in fitted) + len(fitted) - 1, 10)


def test_the_least_important_column_goes_first() -> None:
    columns = tuple(
        Column[str](name, 10, priority, lambda row: ()) for name, priority in (("a", 2), ("b", 0), ("c", 1))
    )
    assert [column.title for column, _ in fit(columns, 40)] == ["a", "b", "c"]
    assert [column.title for column, _ in fit(columns, 25)] == ["b", "c"]
    assert [column.title for column, _ in fit(columns, 5)] == ["b"]


def test_stages_say_what_is_held_and_what_failed() -> None:
    held = Stage(AssetKind.VIDEO, held=True, failed=False)
    seen = Stage(AssetKind.TRANSCRIPT, held=False, failed=False)
    wrong = Stage(AssetKind.AUDIO, held=False, failed=True)
    assert text_of(stage_cell((seen, wrong, held))) == "Vs!t"
    many = tuple(Stage(kind, held=False, failed=True) for kind in list(AssetKind)[:4])
    assert text_of(stage_cell(many)) == "!!!!"

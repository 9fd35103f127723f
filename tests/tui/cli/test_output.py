import io
import json
import os
from datetime import UTC, datetime

import pytest

from tui import figures
from tui.commandline.output import BLOCK, Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_table_aligns_cells_also_of_wide_characters() -> None:
    stdout = io.StringIO()
    out = Output(stdout, io.StringIO())
    assert out.table(("A", "B"), [("会議", "x"), ("abcdef", "y")]) == 2
    assert stdout.getvalue().splitlines() == ["A       B", "会議    x", "abcdef  y"]


def test_table_without_rows_has_no_head() -> None:
    stdout = io.StringIO()
    assert Output(stdout, io.StringIO()).table(("A",), []) == 0
    assert stdout.getvalue() == ""


def test_long_table_has_one_head() -> None:
    stdout = io.StringIO()
    rows = [("x",)] * (BLOCK + 3)
    assert Output(stdout, io.StringIO()).table(("HEAD",), rows) == BLOCK + 3
    assert stdout.getvalue().count("HEAD") == 1
    assert len(stdout.getvalue().splitlines()) == BLOCK + 4


def test_nothing_printed_can_steer_the_terminal() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    out = Output(stdout, stderr)
    hostile = "a\x1b]52;c;eA==\x07\x9b2J\u202eb\nc"
    out.table(("A",), [(hostile,)])
    out.text(hostile)
    out.fail(hostile, hostile)
    out.note(hostile)
    for text in (stdout.getvalue(), stderr.getvalue()):
        assert not any(char in text for char in "\x1b\x07\x9b\u202e")
    assert len(stdout.getvalue().splitlines()) == 4  # head, row, and the text's two lines


def test_record_is_json_in_any_locale() -> None:
    for encoding in ("utf-8", "latin-1"):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace")
        out = Output(stream, io.StringIO())
        out.record({"title": "会議 \U0001f600", "path": "/a\udcff"})
        out.finish()
        assert json.loads(raw.getvalue()) == {"title": "会議 \U0001f600", "path": "/a\udcff"}


def test_failures_decide_the_status() -> None:
    stderr = io.StringIO()
    out = Output(io.StringIO(), stderr)
    assert out.status == 0
    out.fail("advice/x/archive", "the disk is full")
    assert out.status == 1
    assert stderr.getvalue() == "advice/x/archive: the disk is full\n"


def test_progress_is_for_terminals_only() -> None:
    stderr = io.StringIO()
    Output(io.StringIO(), stderr).progress("1 of 2")
    assert stderr.getvalue() == ""


def test_progress_is_drawn_twice_a_second_at_most_and_leaves_no_trace() -> None:
    stdout, stderr, times = io.StringIO(), Terminal(), iter((0.0, 0.1, 0.4, 0.6, 0.7, 0.8))
    out = Output(stdout, stderr, lambda: next(times))
    for words in ("one", "two", "three", "four"):
        out.progress(words)
    assert stderr.getvalue() == "\r\x1b[Kone\r\x1b[Kfour"
    out.line("done")
    assert stderr.getvalue().endswith("four\r\x1b[K")
    out.progress("")
    assert stderr.getvalue().endswith("four\r\x1b[K")
    assert stdout.getvalue() == "done\n"


def test_reader_that_is_gone_ends_printing_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        out = Output(stdout, io.StringIO())
        out.table(("A",), ((str(number),) for number in range(100_000)))
        out.line("more")
        out.finish()
        assert out.unheard
        assert out.status == 0


def test_full_disk_under_stdout_is_told() -> None:
    with open("/dev/full", "w") as stdout:
        out = Output(stdout, io.StringIO())
        out.line("x")
        with pytest.raises(OSError, match="No space"):
            out.finish()


def test_reader_of_stderr_that_is_gone_changes_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stdout = io.StringIO()
    with os.fdopen(writing, "w") as stderr:
        out = Output(stdout, stderr)
        out.fail("a", "b")
        out.note("c")
        out.line("d")
    assert (out.status, stdout.getvalue()) == (1, "d\n")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (None, "—"),
        (0, "0 B"),
        (999, "999 B"),
        (999.5, "1.0 kB"),
        (1_420, "1.4 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (1_234_567_890, "1.2 GB"),
        (10**18, "1000 PB"),
    ],
)
def test_size(count: int | None, words: str) -> None:
    assert figures.size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "—"), (0, "0s"), (59.9, "59s"), (60, "1m"), (320, "5m 20s"), (273_600, "3d 4h"), (86_400, "1d")],
)
def test_duration(seconds: float | None, words: str) -> None:
    assert figures.duration(seconds) == words


def test_other_figures() -> None:
    assert figures.rate(None) == "—"
    assert figures.rate(1_420.7) == "1.4 kB/s"
    assert figures.when(None) == "—"
    assert figures.when(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-02 03:04 UTC"
    assert figures.count(1, "asset") == "1 asset"
    assert figures.count(2, "entry", "entries") == "2 entries"

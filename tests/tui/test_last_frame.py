"""The last frame: what is kept of it, what is read again and what is not, and that nothing heavy is loaded for it."""

import os
import re
import stat
import tomllib
from pathlib import Path

import pyte
import pytest
from msgspec.structs import replace
from rich.color import ColorSystem
from rich.console import RenderableType
from rich.segment import Segment
from textual import events
from textual.color import Color
from textual.message import Message
from textual.screen import Screen

from tests.tui.stage import HOSTILE, NOW, StageEngine
from tests.tui.walk import ready, settled, shows
from tests.tui.wire_stage import Twin, TwinApp
from tui import VERSION
from tui.guard import ControlGuard
from tui.keeping_frame import as_text, keep
from tui.last_frame import MOST, NAME, SHOWN_S, Frame, Place, harmless, kept, packed
from tui.shown_frame import marking
from tui.wire.cells import Cells, Pen
from tui.wire.glass import understood
from tui.wire.hearing import ASKS, Hearing
from vault.config import Config, data_folder, default_path, parse

AT = int(NOW.timestamp())
COLUMNS, LINES = 80, 24
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ROWS = f"\x1b[H\x1b[0m\x1b[1;38;5;110m 1 Desk\x1b[22;39m\x1b[K\x1b[3;5HSommerfest – 東京 {FAMILY}\x1b[20G\x1b[CX\r"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A ledger's folder, and a terminal."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "ledger.db").touch(0o600)
    named = {"REELDESK_CONFIG": str(tmp_path / "config.toml"), "REELDESK_DATA": str(data)}
    return {"TERM": "xterm-256color", "LANG": "C.UTF-8", **named}


def config_of(environ: dict[str, str]) -> Config:
    return parse("", default_path(environ), data_folder(environ))


def put(environ: dict[str, str], content: bytes | None = None, rows: str = ROWS) -> Path:
    """The file, as a desk leaves it, or with this content."""
    place = Place(environ)
    path = Path(place.path)
    path.write_bytes(packed(frame(rows), place.depends(environ, COLUMNS, LINES)) if content is None else content)
    path.chmod(0o600)
    return path


def frame(rows: str = ROWS) -> Frame:
    return Frame(AT, COLUMNS, LINES, rows)


def read(environ: dict[str, str], columns: int = COLUMNS, lines: int = LINES, later_s: float = 60) -> Frame | None:
    return kept(Place(environ), environ, columns, lines, AT + later_s)


def test_what_is_kept_is_read_again(environ: dict[str, str]) -> None:
    config = config_of(environ)
    keep(frame(), config, environ)
    path = config.data / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    found = read(environ)
    assert found is not None
    assert (found.at, found.columns, found.lines, found.rows) == (AT, COLUMNS, LINES, ROWS)
    keep(None, config, environ)
    assert path.exists(), "a desk that has none keeps the older one"
    keep(frame(), replace(config, last_frame=False), environ)
    assert not path.exists()


@pytest.mark.parametrize(
    "other",
    [
        {"TERM": "xterm"}, {"COLORTERM": "truecolor"}, {"NO_COLOR": "1"}, {"REELDESK_ASCII": "1"}, {"LANG": "C"},
        {"REELDESK_CONFIG": "/elsewhere/config.toml"},
    ],
)  # fmt: skip
def test_another_look_shows_none_and_leaves_it(environ: dict[str, str], other: dict[str, str]) -> None:
    path = put(environ)
    assert read(environ) is not None
    assert read(environ | other) is None
    assert path.exists()


def test_another_size_time_or_ledger_shows_none_and_leaves_it(environ: dict[str, str]) -> None:
    path = put(environ)
    assert read(environ, columns=81) is None
    assert read(environ, lines=25) is None
    assert read(environ, later_s=SHOWN_S + 1) is None
    assert read(environ, later_s=-1) is None, "a clock that was set back"
    assert read(environ, later_s=SHOWN_S) is not None
    ledger = path.with_name("ledger.db")
    other = path.with_name("other.db")
    other.touch()
    other.replace(ledger)
    assert read(environ) is None
    assert path.exists()


@pytest.mark.parametrize(
    "rows",
    [
        "\x1b]52;c;cm0gLXJm\x07", "\x1b]0;title\x1b\\", "\x1b[?1049l", "\x1b[2J", "\x1b[6n", "\x1b[>1u",
        "\x1bP+q\x1b\\",
        "\x1bc", "\x1b", "\x1b[", "\x1b[1", "\x1b[31", "\x1b[m\n", "a\tb", "\x07", "\x9b31m", "\u202eevil", "\u2028",
        "\x1b[24;1Hno mark", "\x1b[1;81H", "\x1b[99;1H", "\x1b[1;2;3H", "\x1b[" + "1;" * 60 + "m",
        "\x1b[1 q", "\x1b[1:2m",
        "\x1b[5S", "\x1b[2;5r", "\x1b[3M", "\x1b[4L",
    ],
)  # fmt: skip
def test_what_does_more_than_draw_is_not_shown_and_goes(environ: dict[str, str], rows: str) -> None:
    assert not harmless(rows, COLUMNS, LINES)
    path = put(environ, rows=rows)
    assert read(environ) is None
    assert not path.exists()


def damaged(whole: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "cut": whole[: len(whole) // 2],
        "a bit": whole.replace(b"Desk", b"Dusk"),
        "large": whole + b" " * MOST,
        "no text": b"\x00\xff" * 99,
        "another mark": whole.replace(b"frame 1", b"frame 2"),
    }


@pytest.mark.parametrize("how", damaged(b"").keys())
def test_a_damaged_one_goes(environ: dict[str, str], how: str) -> None:
    path = put(environ)
    path.write_bytes(damaged(path.read_bytes())[how])
    assert read(environ) is None
    assert not path.exists()


def test_times_that_are_none(environ: dict[str, str]) -> None:
    for at in (b"-5", b"", b"9" * 5_000, b"1e3"):
        from zlib import crc32

        body = at + b" " + Place(environ).depends(environ, COLUMNS, LINES) + b"\nrows"
        path = put(environ, b"reeldesk frame 1 %08x\n%s" % (crc32(body), body))
        assert read(environ) is None
        assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_one_that_others_may_read_or_change_goes(environ: dict[str, str], mode: int) -> None:
    path = put(environ)
    path.chmod(mode)
    assert read(environ) is None
    assert not path.exists()


def test_links_pipes_and_folders_that_others_may_change(environ: dict[str, str], tmp_path: Path) -> None:
    path = put(environ)
    elsewhere = path.rename(tmp_path / "elsewhere")
    path.symlink_to(elsewhere)
    assert read(environ) is None
    assert not path.is_symlink()
    assert elsewhere.exists(), "the link goes, not what it leads to"
    os.mkfifo(path, 0o600)
    assert read(environ) is None
    assert not path.exists()
    path.mkdir()
    assert read(environ) is None
    path.rmdir()
    put(environ)
    path.parent.chmod(0o777)
    assert read(environ) is None
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_somebody_elses_goes(environ: dict[str, str]) -> None:
    path = put(environ)
    os.chown(path, 12_345, 12_345)
    assert read(environ) is None
    assert not path.exists()


@pytest.mark.parametrize(
    "more", [{}, {"XDG_DATA_HOME": "/x/data", "XDG_CONFIG_HOME": "/x/config"}, {"XDG_DATA_HOME": " "}]
)
def test_places_are_those_of_the_configuration(monkeypatch: pytest.MonkeyPatch, more: dict[str, str]) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "REELDESK_CONFIG", "REELDESK_DATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    for named in ({}, {"REELDESK_CONFIG": "~/c.toml", "REELDESK_DATA": "data"}):
        environ = dict(os.environ) | named
        place = Place(environ)
        assert (place.config, place.folder) == (str(default_path(environ)), str(data_folder(environ)))


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def guarded(text: str) -> str:
    return "".join(s.text for s in ControlGuard().apply([Segment(text)], Color(0, 0, 0)))


def test_rows_become_text_that_draws_the_same_and_no_more() -> None:
    cells = Cells(ColorSystem.EIGHT_BIT)
    pens = [cells.number(pen) for pen in (Pen(), Pen(frozenset({"1", "7"}), "38;5;9", "48;5;17", "https://a.example"))]
    titles = [
        *HOSTILE,
        "東京 – Sommerfest",
        f"{FAMILY} family",
        "private \ue000 \u2003 use",
    ]
    rows = [(list(cells.of(guarded(t), pens[n % 2])) + [cells.empty] * 60)[:60] for n, t in enumerate(titles)]
    text = as_text(cells, rows)
    assert harmless(text, 60, len(rows) + 1)
    assert "a.example" not in text
    screen = pyte.Screen(60, len(rows) + 1)
    pyte.Stream(screen).feed(text)
    shown = "\n".join(screen.display)
    assert "東京 – Sommerfest" in shown.replace("東 京", "東京")
    assert "private ? ? use" in shown
    assert any(screen.buffer[1][x].bold and screen.buffer[1][x].reverse for x in range(60))


def test_the_mark_needs_no_colour_and_fits() -> None:
    words = marking(frame(), AT + 60.0)
    assert " As it was on 22 Nov 14:05 UTC: opening... " in words
    assert words.startswith("\x1b[24;1H\x1b[0;7m")
    assert words.isascii()
    assert " 22 Nov 2026 14:05 UTC" in marking(frame(), AT + 300 * 86_400.0)
    assert marking(Frame(AT, 10, 5, ""), AT).count("A") == 1


class FollowedApp(TwinApp):
    """The desk, whose frames are followed as on a terminal."""

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if understood(renderable) and not self._batch_count and self._frames is not None:
            self._frames.painting(screen, renderable, self.twin.glass)
        super()._display(screen, renderable)

    @property
    def kept(self) -> str:
        """What would be kept now, as text without its places."""
        found = self._frames.last() if self._frames is not None else None
        return re.sub("\x1b[^a-zA-Z]*[a-zA-Z]", "", found.rows) if found else ""


async def test_only_the_list_is_kept(engine: StageEngine) -> None:
    app = FollowedApp(engine, Twin(80, 24))
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await settled(pilot)
        listed = app.kept
        assert "Slack" in listed
        for keys, words in (("?", "Keys: desk"), ("6", "Credentials"), ("R", "At risk"), ("enter", "account ")):
            await pilot.press(keys)
            await shows(pilot, words)
            await settled(pilot)
            assert words not in app.kept
            assert app.kept == listed, keys
            await pilot.press("1" if keys == "6" else "escape")
            await settled(pilot)
        await pilot.press("j")
        await settled(pilot)
        assert app.kept
        assert app.kept != listed, "it follows the list when that is there again"


class TestHearing:
    """Keys before the desk's own frame."""

    def test_no_key_before_the_terminal_has_answered(self) -> None:
        stopped: list[int] = []
        hearing = Hearing(deaf=True, interrupt=lambda: stopped.append(1))
        ours: list[Message] = [events.Key("d", "d"), events.Paste("x"), events.CursorPosition(0, 23)]
        assert [hearing.takes(each) for each in ours] == [False, False, True]
        assert hearing.takes(events.AppFocus())
        assert hearing.ask(24) == f"\x1b[24H{ASKS}"
        assert not hearing.takes(events.Key("d", "d"))
        assert not stopped
        assert not hearing.takes(events.Key("ctrl+c", "\x03"))
        assert stopped
        assert not hearing.takes(events.CursorPosition(0, 23)), "the answer is no key, and is not told"
        assert hearing.takes(events.Key("d", "d"))

    def test_a_terminal_that_does_not_answer(self) -> None:
        hearing = Hearing(deaf=True)
        hearing.ask(24)
        hearing.hear()
        assert hearing.takes(events.Key("d", "d"))

"""The last desk's frame in a real terminal: shown at once and marked, replaced by the live one, and given back."""

import signal
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.bench import starting
from tests.bench.starting_program import FIRST_TITLE
from tests.e2e.terminal import DESK, MARKS, Terminal, from_checkout, opened
from tui.last_frame import NAME, Frame, Place, packed

pytestmark = MARKS
COLUMNS, LINES = 100, 30
YESTERDAY = "Yesterday's list"
HEAVY = {
    "textual", "rich", "httpx", "sqlite3", "vault", "providers", "asyncio", "platformdirs", "pathlib", "re", "typing",
    "enum", "json", "dataclasses", "msgspec", "importlib.metadata",
}  # fmt: skip
GIVEN_BACK = b"\x1b[?1049l"
ENDS_S = 10.0
INTERRUPTED = (130, -signal.SIGINT)
"""A shell calls both 130; Python ends itself by the signal where the key came while some modules were loaded."""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A desk over a ledger, with accounts whose services refuse connections."""
    folder = tmp_path_factory.mktemp("earlier")
    starting.prepare(folder, sealed=False)
    return starting.environ_of(folder, starting.ENVIRONMENT)


def path_of(environ: Mapping[str, str]) -> Path:
    return Path(environ["REELDESK_DATA"]) / NAME


def put(environ: Mapping[str, str], rows: str = f"\x1b[2H{YESTERDAY}") -> None:
    """An earlier desk's frame."""
    depends = Place(environ).depends(environ, COLUMNS, LINES)
    path_of(environ).unlink(missing_ok=True)
    path_of(environ).write_bytes(packed(Frame(int(time.time()) - 60, COLUMNS, LINES, rows), depends))
    path_of(environ).chmod(0o600)


def start_with(act: str, *options: str) -> tuple[str, ...]:
    """`reeldesk`, but that it does this in place of what comes after the frame."""
    entry = f"lambda frame: ({act}, 0)[1]"
    instead = f"sys.modules.update({{'tui.cli': type(sys.implementation)(entry={entry})}})"
    return (
        DESK[0],
        *options,
        "-c",
        from_checkout("import time, tui.start", f"{instead} or tui.start.entry()"),
    )


def desk_of(environ: Mapping[str, str]) -> AbstractContextManager[Terminal]:
    return opened(environ, columns=COLUMNS, rows=LINES)


def wait_for_earlier(desk: Terminal) -> None:
    desk.wait_until(lambda: YESTERDAY in desk.text, "the earlier frame", earlier=True)


def test_the_second_start_shows_what_the_first_one_left(environ: dict[str, str]) -> None:
    path_of(environ).unlink(missing_ok=True)
    with desk_of(environ) as desk:
        desk.wait_for(FIRST_TITLE, "Help")
        assert b"As it was" not in desk.raw, "there was no earlier one"
        desk.press("?")
        desk.wait_for("Keys: desk")
        desk.signal(signal.SIGTERM)
        assert desk.ended() == 143
    assert "Keys: desk" not in path_of(environ).read_text(), "no modal is kept, but what was under it"
    left = path_of(environ).read_text()
    assert FIRST_TITLE in left
    with desk_of(environ) as desk:
        desk.wait_until(lambda: FIRST_TITLE in desk.text, "the earlier frame", earlier=True)
        assert not desk.echoes
        desk.press("j", "j", "j", "d")
        desk.wait_for(FIRST_TITLE, "Help")
        assert desk.raw.count(b"\x1b[?1049h") == 1, "some terminals would empty the screen at a second one"
        assert b"\x1b[2J" not in desk.raw
        assert len(desk.raw) <= 36_000, "both frames together"
        assert FIRST_TITLE in desk.cursor_line, "keys before the live list are dropped"
        assert "queued" not in desk.text
        desk.press("j")
        desk.wait_until(lambda: "Meeting 1 " in desk.cursor_line, "keys are heard again")
        desk.press("q")
        assert desk.ended() == 0
        assert desk.restored()
        assert desk.echoes
    assert path_of(environ).read_text() != left


@pytest.mark.parametrize(
    ("rows", "columns", "stays"),
    [(f"{YESTERDAY}\x1b]52;c;cm0gLXJm\x07", COLUMNS, False), (f"{YESTERDAY}", COLUMNS - 1, True)],
    ids=["hostile", "another size"],
)
def test_what_does_not_fit_is_not_shown(environ: dict[str, str], rows: str, columns: int, stays: bool) -> None:
    put(environ, rows)
    with opened(environ, command=start_with("print(frame)"), columns=columns, rows=LINES) as desk:
        assert desk.ended() == 0
        assert desk.raw == b"None\r\n"
    assert path_of(environ).exists() is stays


def test_with_it_off_the_last_one_goes(environ: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(Path(environ["REELDESK_CONFIG"]).read_text() + "\n[desk]\nlast_frame = false\n")
    put(environ)
    with desk_of(environ | {"REELDESK_CONFIG": str(config)}) as desk:
        desk.wait_for(FIRST_TITLE)
        desk.press("q")
        assert desk.ended() == 0
    assert not path_of(environ).exists()


def test_words_of_a_fault_are_on_the_terminals_own_screen(environ: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[desk\n")
    environ = environ | {"REELDESK_CONFIG": str(config)}
    put(environ)
    with desk_of(environ) as desk:
        assert desk.ended() == 2
        assert YESTERDAY.encode() in desk.raw
        assert desk.restored()
        assert desk.raw.rfind(GIVEN_BACK) < desk.raw.find(b"this is not TOML")
        assert desk.echoes


@pytest.mark.parametrize(("how", "status"), [("ctrl+c", 130), (signal.SIGTERM, -15), (signal.SIGHUP, -1)])
def test_it_can_be_ended_before_the_desk_is_there(
    environ: dict[str, str], how: str | signal.Signals, status: int
) -> None:
    put(environ)
    with opened(environ, command=start_with("__import__('signal').pause()"), columns=COLUMNS, rows=LINES) as desk:
        wait_for_earlier(desk)
        assert not desk.echoes
        desk.press("rm -rf /")
        desk.press(how) if isinstance(how, str) else desk.signal(how)
        assert desk.ended(within=ENDS_S) == status
        assert desk.restored()
        assert desk.echoes
        assert b"rm -rf" not in desk.raw
        assert b"Traceback" not in desk.raw


@pytest.mark.parametrize(
    ("act", "words", "status"),
    [
        ("print('how far it is', file=sys.stderr)", b"how far it is", 0),
        ("print('how far it is')", b"how far it is", 0),
        ("1 / 0", b"ZeroDivisionError", 1),
    ],
    ids=["stderr", "stdout", "fault"],
)
def test_whatever_is_said_before_the_desk_is_there(
    environ: dict[str, str], act: str, words: bytes, status: int
) -> None:
    put(environ)
    with opened(environ, command=start_with(act), columns=COLUMNS, rows=LINES) as desk:
        assert desk.ended(within=ENDS_S) == status
        assert YESTERDAY.encode() in desk.raw
        assert -1 < desk.raw.rfind(GIVEN_BACK) < desk.raw.find(words)
        assert desk.restored()
        assert desk.echoes


def test_a_terminal_that_does_not_read_is_not_waited_for(environ: dict[str, str]) -> None:
    put(environ, "\x1b[2Hmore than a terminal holds" * 8_000)
    with opened(environ, command=start_with("time.sleep(0)"), columns=COLUMNS, rows=LINES) as desk:
        desk.wait_unread(within=ENDS_S)


def test_ctrl_c_while_all_is_loaded(environ: dict[str, str]) -> None:
    put(environ)
    with desk_of(environ) as desk:
        wait_for_earlier(desk)
        desk.press("ctrl+c")
        assert desk.ended(within=ENDS_S) in INTERRUPTED
        assert desk.restored()
        assert desk.echoes
        assert b"Traceback" not in desk.raw


def test_nothing_is_loaded_before_it_is_shown(environ: dict[str, str], tmp_path: Path) -> None:
    put(environ)
    note = tmp_path / "modules"
    noting = f"open({str(note)!r}, 'w').write(chr(10).join(sys.modules))"
    with opened(environ, command=start_with(noting, "-S"), columns=COLUMNS, rows=LINES) as desk:
        assert desk.ended(within=ENDS_S) == 0
        assert YESTERDAY.encode() in desk.raw
        assert desk.restored()
    loaded = set(note.read_text().splitlines())
    assert "tui.shown_frame" in loaded
    assert (loaded | {name.split(".")[0] for name in loaded}) & HEAVY == set()
    assert len(loaded) < 60

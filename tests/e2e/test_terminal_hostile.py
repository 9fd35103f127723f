"""Whatever the services write: nothing of it acts on the terminal, nothing of it ends the desk."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hostile import PAYLOADS, ROOM, name
from tests.e2e.served import Session, served
from tests.e2e.terminal import MARKS, Terminal, configured, from_checkout, opened, read_down

pytestmark = MARKS
SERVES = (sys.executable, "-P", "-c", from_checkout("from tests.e2e.hostile import main", "main(sys.argv[1:])"))
NEEDLES = (
    b"\x1b]52", b"\x1b]0;", b"\x1b]8;", b"\x1b[2J", b"\x1b[999;", b"\x1b[6n", b"\x1b[c", b"\x1b[5i", b"\x1b[31;107",
    b"\x1b[?1337", b"\x1bP", b"\x1bc", b"\x1b7", b"\x1b#8", b"\x1b\\",
)  # fmt: skip
OURS = re.compile(
    rb"\x1b\[[0-9;]*m"  # colours
    rb"|\x1b\[(?:[0-9]+(?:;[0-9]+)?)?[A-DGHKLMXr]"  # where to draw, what to erase and to move
    rb"|\x1b\[\?(?:1000|1002|1003|1004|1006|1015|1049|2004|25|7)[hl]"  # at the start and the end
    rb"|\x1b\[\?20(?:26|48)\$p|\x1b\[[<>][0-9]*u"  # what the terminal can
    rb"|\x1b\]22;[a-z]+\x07"  # the pointer's shape
)
"""What Textual and the wire write."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The hostile services."""
    with served(list(SERVES), tmp_path_factory.mktemp("hostile") / "demo") as one:
        yield one


def acting(raw: bytes) -> set[str]:
    """Every character that was written and that a terminal or a reader would act on, but for Textual's own."""
    text = OURS.sub(b"", raw).decode()
    return {
        f"U+{ord(c):04X}" for c in text if c not in "\r\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }


def test_what_would_act_is_found() -> None:
    for payload in PAYLOADS[:12]:
        raw = payload.encode()
        assert acting(raw) or any(needle in raw for needle in NEEDLES), payload
    assert acting(b"\x1b[?1049h\x1b[1;1H\x1b[1;38;5;188mDesk\x1b[0m\r\n") == set()


def see_the_desk(desk: Terminal) -> None:
    desk.wait_for(name(0), name(1), "✗ failed", "○ available")
    for _ in range(3):
        desk.press("w")
        desk.wait_for("j k scroll, esc goes back")
        desk.press("G", "esc")
        desk.wait_gone("j k scroll, esc goes back")
        desk.press("space")
    desk.wait_for("3 marked")
    desk.press(*["space"] * (len(PAYLOADS) + 1 - 3))
    desk.wait_for(f"{len(PAYLOADS) + 1} marked")
    desk.press("d")
    desk.wait_for("queued 9 assets; 10 not: ")
    desk.press("g")
    desk.wait_for("1 of ")
    desk.settle(0.3)
    desk.press("y")
    desk.wait_for("asset id")
    desk.press("esc")
    desk.wait_gone("asset id")
    desk.press("f")
    desk.wait_for("only faults", name(1))


def test_hostile_text_is_only_text(tmp_path: Path, session: Session) -> None:
    with opened(configured(session, tmp_path), columns=120, rows=36) as desk:
        see_the_desk(desk)
        desk.press("enter")
        read_down(desk, "Custody", "Known from")
        desk.press("2")
        desk.wait_for("8 done", "1 failed", name(2))
        desk.press(*"jjjjjjj")
        desk.press("3")
        desk.wait_for(ROOM, "the summary begins")
        desk.press("tab", "G", "tab", "G", "enter")
        desk.press("6")
        desk.wait_for("● ok", "Credentials")
        desk.press("4")
        desk.wait_for("At the service now", "https://x.example/")
        desk.press("enter")
        for field in ("Callback URL", "E-mails"):
            desk.wait_until(lambda field=field: field in desk.typing_line, f"{field} has the focus")  # type: ignore[misc]  # bound early on purpose
            desk.press("tab")
        desk.wait_until(lambda: "S3 ARN" in desk.typing_line, "the third field has the focus")
        desk.press("esc")
        desk.wait_until(lambda: not desk.typing_line, "the form has lost the focus")
        desk.press("q")
        assert desk.ended() == 0
        raw = bytes(desk.raw)
    assert [needle for needle in NEEDLES if needle in raw] == []
    assert acting(raw) == set()
    assert raw.count(b"\x1b[?1049h") == 1
    assert b"Traceback" not in raw
    assert not [path for path in (tmp_path / "vault").rglob("*") if acting(path.name.encode())]


def test_hostile_text_is_only_text_for_commands(tmp_path: Path, session: Session) -> None:
    environ = configured(session, tmp_path)
    for arguments in (
        ("sync",),
        ("list",),
        ("list", "--json"),
        ("fetch", "--all"),
        ("catchup", ROOM),
        ("notify", "show", "--account", "rooms"),
    ):
        with opened(environ, *arguments) as command:
            assert command.ended() in (0, 1)
            assert b"Traceback" not in command.raw
            progress = bytes(command.raw).replace(b"\r\x1b[K", b"")
            assert acting(progress) == set(), arguments

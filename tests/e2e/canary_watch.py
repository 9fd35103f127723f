"""A desk with canaries in a terminal: every screen that it shows is kept, and whatever it starts is looked at."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.canary import Find
from tests.e2e.canary_house import House
from tests.e2e.terminal import Terminal, opened

LOOK_S = 0.02
BEGIN, END = "\x1b[200~", "\x1b[201~"
"""Of what is pasted."""


class Offspring:
    """Looks at the arguments and environments of a process's descendants, whoever adopts them later."""

    def __init__(self, parent: int) -> None:
        self.parent = parent
        self.seen: dict[int, dict[str, bytes]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        parents: dict[int, int] = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with suppress(OSError):
                    parents[int(entry)] = int(Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
        mine = {self.parent, *self.seen}
        while more := {pid for pid, parent in parents.items() if parent in mine and pid not in mine}:
            mine |= more
        for pid in mine - {self.parent}:
            shown = self.seen.setdefault(pid, {})
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    content = Path(f"/proc/{pid}/{name}").read_bytes()
                    # Between fork and exec it is a copy of its parent, which was given what it was given.
                    if name == "cmdline" or content != self._own("environ"):
                        shown[name] = shown.get(name, b"") + (b"" if content in shown.get(name, b"") else content)

    def _own(self, name: str) -> bytes:
        with suppress(OSError):
            return Path(f"/proc/{self.parent}/{name}").read_bytes()
        return b""

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()


class Watched:
    """A desk whose terminal is looked at after every step."""

    def __init__(self, desk: Terminal, home: House) -> None:
        self.desk, self._home = desk, home
        self.screens: list[str] = []

    def see(self, *texts: str) -> None:
        """Wait for texts, and keep the screen."""
        self.desk.wait_for(*texts)
        self.screens.append(self.desk.text)

    def opens(self, key: str, *texts: str) -> None:
        """Press a key, and wait for texts that were not all there before."""
        assert not all(text in self.desk.text for text in texts), f"{texts} are there already\n{self.desk.text}"
        self.press(key)
        self.see(*texts)

    def closes(self, key: str, text: str) -> None:
        """Press a key, and wait until a text that was there is gone."""
        assert text in self.desk.text, f"{text} is not there\n{self.desk.text}"
        self.press(key)
        self.desk.wait_gone(text)
        self.screens.append(self.desk.text)

    def sees_typing(self, field: str) -> None:
        """Wait until a field has the focus."""
        self.desk.wait_until(lambda: field in self.desk.typing_line, f"{field} has the focus")
        self.screens.append(self.desk.text)

    def sees_cursor(self, text: str) -> None:
        """Wait until the list's cursor is on a line with a text."""
        self.desk.wait_until(lambda: text in self.desk.cursor_line, f"the cursor is on {text}")
        self.screens.append(self.desk.text)

    def asks(self, key: str, *answers: str) -> None:
        """Press a key, and wait until the status line says something else, with one of these answers in it."""
        before = self.desk.lines[-2]
        self.press(key)
        self.desk.wait_until(
            lambda: self.desk.lines[-2] != before and any(answer in self.desk.lines[-2] for answer in answers),
            f"one of {answers} is told",
        )
        self.screens.append(self.desk.text)

    def press(self, *keys: str) -> None:
        """Press keys, let the desk settle, keep the screen; after each esc, tab and enter, too.

        It may have settled before it has done anything: what the next key needs must be waited for.
        """
        while keys:
            ends = [place for place, key in enumerate(keys, 1) if key in ("esc", "tab", "enter")]
            now = keys[: ends[0]] if ends else keys
            self.desk.press(*now)
            self.desk.settle(0.12)
            self.screens.append(self.desk.text)
            keys = keys[len(now) :]

    def paste(self, text: str) -> None:
        """Paste as a terminal does."""
        self.press(f"{BEGIN}{text}{END}")

    def found(self) -> list[Find]:
        """The canaries that the terminal got, and that stood on a screen."""
        finds = self._home.aviary.within(bytes(self.desk.raw), "the terminal's bytes")
        for screen in dict.fromkeys(self.screens):
            finds += self._home.aviary.within(screen.encode(), f"a screen:\n{screen}\n")
        return finds


@contextmanager
def desk_over(
    home: House, environ: dict[str, str], *fault: str, columns: int = 110, rows: int = 32
) -> Iterator[Watched]:
    """The desk with everything logged, or with a fault in it."""
    command = (sys.executable, "-X", "dev", "-m", "tests.e2e.canary_desk", str(home.folder / "out" / "desk"), *fault)
    with opened(environ, command=command, columns=columns, rows=rows) as desk:
        yield Watched(desk, home)

"""The desk in a terminal, with canaries for secrets: walked through, typed into, left to a child, and broken.

Afterwards no byte that the terminal got, no picture, file, log or message holds one; nor do the arguments and the
environment of any process that it started.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from providers import registry
from providers.emulation import Faults
from tests.e2e.canary import Find, told
from tests.e2e.canary_deliveries import deliver
from tests.e2e.canary_desk import FAULTS, KEY
from tests.e2e.canary_house import House, house
from tests.e2e.terminal import MARKS, Terminal, narrow, opened
from tests.e2e.test_canary import ALL, Campaign, Typed
from tui.unlock_offer import QUIET_S

pytestmark = MARKS
LOOK_S = 0.02
TITLE = "Mortgage advice"
BEGIN, END = "\x1b[200~", "\x1b[201~"
"""Of what is pasted."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    """The services and a configuration for them."""
    with house(tmp_path / "house", time.time) as made:
        yield made


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

    def press(self, *keys: str) -> None:
        """Press keys, let the desk settle, keep the screen; after each esc, tab and enter, too."""
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


def test_no_screen_shows_a_canary(home: House) -> None:
    """Secrets are variables, one is sealed, one is typed; a child takes the rest over."""
    environ = sealed_and_forgotten(home)
    slow = Faults(bytes_per_s=10_000)
    home.services.cronofy.store.faults = slow
    with desk_over(home, environ) as watched:
        offspring = Offspring(watched.desk._child.pid)
        try:
            it_is_unlocked(home, watched)
            recordings_are_looked_at(watched)
            webhooks_come_in(home, watched)
            notifications_are_typed(home, watched)
            secrets_are_typed(home, watched)
            an_account_is_added(home, watched)
            services_turn_hostile(home, watched)
            it_is_handed_over(home, watched, slow)
            until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in offspring.seen), "what was started ends")
        finally:
            offspring.close()
    found = watched.found() + home.aviary.in_tree(home.folder, besides=[home.given])
    assert b"--handed-over" in b"".join(shown.get("cmdline", b"") for shown in offspring.seen.values())
    for pid, shown in offspring.seen.items():
        for name, content in shown.items():
            found += home.aviary.within(content, f"the {name} of {pid}")
    assert not found, told(found)


def until(holds: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    """Wait for a condition of other processes."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def sealed_and_forgotten(home: House) -> dict[str, str]:
    """An environment with all secrets but two: one lies in a sealed file that is locked, the other nowhere."""
    steps = Campaign(home, home.environ)
    assert steps.run(
        Typed("secret set rooms-header token", home.secrets["rooms-header", "token"] + "\n"),
        "secret move rooms-header token --to sealed",
    ) == [0, 0]
    environ = home.environ | home.from_variables
    for name in ("SECRET_ROOMS_HEADER_TOKEN", "SECRET_ROOMS_COOKIE_COOKIE", "PASSPHRASE_FILE"):
        del environ[f"REELDESK_{name}"]
    del environ["REELDESK_SECRET_CALLS_PASSWORD"]  # its password command is asked
    return environ


def it_is_unlocked(home: House, watched: Watched) -> None:
    phrase = home.aviary.text("passphrase")
    watched.see("Unlock the sealed file")
    watched.desk.written_in(2 * QUIET_S)  # keys that come sooner were not meant for it
    watched.press(*phrase[::-1], "enter")
    watched.see("wrong")
    watched.press("ctrl+u")
    watched.paste(phrase)
    watched.press("enter")
    watched.desk.wait_gone("Unlock the sealed file")


def recordings_are_looked_at(watched: Watched) -> None:
    watched.see("1 Desk", TITLE)
    watched.press("g", "enter")
    watched.press("w")
    watched.press("esc", "o")
    watched.press("esc", "esc", "y")
    watched.press("esc", "?")
    watched.press("esc", "\x10", *"acc")
    watched.press("esc", "r", "j", "j", "R")
    watched.press("esc")
    watched.desk.resize(80, 24)
    watched.press("2", "3")
    watched.see("town-hall")
    watched.desk.resize(120, 36)
    watched.press("]", "r", "]", "1", "space")


def webhooks_come_in(home: House, watched: Watched) -> None:
    """Genuine ones, and such as somebody forged; then they are looked at."""
    watched.press("5")
    watched.see("Addresses")
    deliver(home, home.port)
    watched.press("r", "g", "w")
    watched.press("esc", "j", "w")
    watched.press("esc", "j", "w")
    watched.press("esc", "tab", "j", "j")
    watched.press("k", "k", "T")
    watched.press("esc", "tab", "tab")


def notifications_are_typed(home: House, watched: Watched) -> None:
    """The S3 secret, by hand and pasted; saved."""
    watched.press("4")
    watched.see("At the service now")
    watched.press("enter")
    watched.desk.wait_until(lambda: "Callback URL" in watched.desk.typing_line, "the first field has the focus")
    watched.press("tab", "tab", "tab", "tab")
    typed = home.aviary.make("S3 secret that was typed", "word")
    watched.press(*typed[:9])
    watched.paste(typed[9:])
    watched.press("ctrl+s")
    watched.see("saved")
    watched.press("esc")


def secrets_are_typed(home: House, watched: Watched) -> None:
    """In mode 6, the account that has none."""
    watched.press("6", "g", "c")
    for _ in range(9):
        watched.press("j", "c")
        if "rooms-cookie" in watched.desk.cursor_line:
            break
    watched.press("s")
    watched.see("Secrets of rooms-cookie")
    cookie = home.secrets["rooms-cookie", "cookie"]
    watched.press("enter", *cookie)
    watched.press("\x01", "\x03", "\x18", "enter")
    watched.press("j", "k", "esc", "enter")
    watched.see("rooms-cookie")
    watched.press("tab", "tab", "tab", "tab", "esc", "esc")


def an_account_is_added(home: House, watched: Watched) -> None:
    """By its form; its key is typed and pasted, and saved into a store."""
    watched.press("6", "n")
    watched.see("at which service")
    watched.press(str(registry.names().index("flexperto") + 1))
    watched.see("Add an account", "API token")
    watched.press(*"another", "tab", *"https://a.example", "tab", "tab")
    watched.desk.wait_until(lambda: "API token" in watched.desk.typing_line, "the secret's field has the focus")
    key = home.aviary.make("api_key in the form")
    watched.press(*key[:6])
    watched.paste(key[6:] + "\nand another line")
    watched.press("ctrl+s")
    watched.desk.wait_gone("API token  ")
    watched.see("another")


def services_turn_hostile(home: House, watched: Watched) -> None:
    """They repeat what they are sent."""
    for how in ("403", "records"):
        home.echo(how)
        watched.press("6", "g", "c", "j", "c", "j", "j", "c")
        watched.press("1", "r")
        watched.press("3", "r")
        watched.press("4", "r")
    home.echo("")


def it_is_handed_over(home: House, watched: Watched, slow: Faults) -> None:
    """A child takes the rest over, and is looked at while it works."""
    watched.press("1")
    watched.press("U")
    narrow(watched.desk, "sprint")
    watched.press("d")
    watched.see("queued")
    watched.press("2")
    watched.see("running")
    watched.desk.press("q")
    watched.see("Hand over and leave")
    watched.desk.press("h")
    assert watched.desk.ended() == 0
    slow.bytes_per_s = None


@pytest.mark.parametrize("fault", FAULTS if ALL else ("handler", "bare"))
def test_no_crash_tells_a_canary(home: House, fault: str) -> None:
    held = home.given / "secrets" / "REELDESK_SECRET_ADVICE_API_KEY"
    environ = {**home.environ, **home.from_variables}
    with desk_over(home, environ, fault, str(held)) as watched:
        watched.see("1 Desk", "70006" if fault == "engine" else TITLE)
        watched.desk.press(KEY)
        if fault == "bare":
            watched.press("q")
        status = watched.desk.ended()
    assert status == 1
    assert b"Unforeseen" in watched.desk.raw, "the fault is told"
    found = watched.found() + home.aviary.in_tree(home.folder, besides=[home.given])
    assert not found, told(found)


def test_the_demo_knows_no_canary(home: House) -> None:
    """It is opened by somebody who has secrets."""
    with opened({**home.environ, **home.from_variables}, "demo", columns=110, rows=32) as desk:
        watched, offspring = Watched(desk, home), Offspring(desk._child.pid)
        watched.see("1 Desk", TITLE)
        for mode in "654321":
            watched.press(mode)
        found = home.aviary.in_tree(home.folder, besides=[home.given])
        assert list((home.folder / "tmpdir").rglob("ledger.db")), "it has a ledger of its own"
        watched.press("q")
        assert desk.ended() == 0
        offspring.close()
    found += watched.found() + home.aviary.in_tree(home.folder, besides=[home.given])
    found += home.aviary.within(b"".join(b"".join(shown.values()) for shown in offspring.seen.values()), "a child")
    assert not found, told(found)

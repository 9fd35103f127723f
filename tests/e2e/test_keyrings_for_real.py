"""The four ways of finding a system keyring, for real: none, an open one, a locked one, and one that hangs.

In each the real desk, in a real pseudo-terminal, opens as quickly as without a bus, says where secrets are, and quits
within a second. A fifth: a socket where a bus should be, which never answers.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from tempfile import TemporaryDirectory

import pytest

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from tests.e2e.buses import asked, deaf_socket, gnome_keyring, hung_service, needs_keyrings, without_bus
from tests.e2e.terminal import CHECKOUT, DESK, MARKS, Terminal, opened, surroundings
from tests.tui.hook_walk import free_port
from tests.vault.world import until_true

pytestmark = MARKS
SLOWER_S = 2.0
"""A desk that waited for a hung keyring would open 3 s later."""
QUITS_S = 1.0
WIDE = 160
TITLE = "Read with a kept key"
PASSWORD = "correct horse"
NO_KEYRING = "there is no system keyring here"
CONFIG = """\
[vault]
path = "vault"

[receiver]
on = true
port = {port}

[accounts.advice]
provider = "flexperto"
base_url = "{url}"
"""


@dataclass(frozen=True)
class Case:
    """What is found, and what a person reads of it."""

    name: str
    words: tuple[str, ...]
    """One of them is to be read in mode 6."""


CASES = (
    Case("none", (NO_KEYRING,)),
    Case("open", ("SecretService",)),
    Case("locked", ("keyring is locked", "it is locked")),
    Case("hangs", ("did not answer in 3 s", "keyring hangs")),
    Case("deaf", (NO_KEYRING,)),
)


@dataclass(frozen=True)
class Place:
    """A folder, and the environment of whoever logged in there; the account's key is nowhere yet."""

    folder: Path
    environ: dict[str, str]
    service: FlexpertoEmulator

    def run(self, environ: dict[str, str], *arguments: str, told: str = "") -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        done = subprocess.run(
            [*DESK, *arguments], env=environ, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, input=told
        )
        assert "Traceback" not in done.stderr + done.stdout
        assert self.service.api_key not in done.stderr + done.stdout
        return done


@pytest.fixture
def place(net: Loopback) -> Iterator[Place]:
    """It is short, as a socket's path must be."""
    needs_keyrings()
    service = FlexpertoEmulator()
    service.add_archive("a1", "c1", title=TITLE)
    with TemporaryDirectory(prefix="reeldesk-") as name:
        folder = Path(name)
        (folder / "config.toml").write_text(CONFIG.format(url=net.serve(service), port=free_port()), "utf-8")
        places = {"REELDESK_CONFIG": str(folder / "config.toml"), "REELDESK_DATA": str(folder / "data")}
        yield Place(folder, without_bus(surroundings(folder, **places)), service)


@contextmanager
def found(case: str, place: Place) -> Iterator[dict[str, str]]:
    """The environment of a login that finds the keyring so."""
    with ExitStack() as stack:
        if case == "none":
            yield place.environ
        elif case == "hangs":
            yield stack.enter_context(hung_service(place.environ, place.folder))
        elif case == "deaf":
            yield stack.enter_context(deaf_socket(place.environ, place.folder))
        elif case == "open":
            yield stack.enter_context(gnome_keyring(place.environ, PASSWORD))
        else:
            with gnome_keyring(place.environ, PASSWORD) as environ:
                keep_the_key(place, environ)
            yield stack.enter_context(gnome_keyring(place.environ, "not " + PASSWORD))


def keep_the_key(place: Place, environ: dict[str, str]) -> None:
    kept = place.run(environ, "secret", "set", "advice", "api_key", told=place.service.api_key + "\n")
    assert kept.returncode == 0, kept.stderr
    assert "is kept in: keyring SecretService" in kept.stderr


def painted(desk: Terminal) -> float:
    """Wait for the first paint; seconds since the start of the process."""
    desk.wait_for("1 Desk", "6 Accounts")
    return time.monotonic() - desk.began


def quit_(desk: Terminal) -> float:
    """Seconds from the key to the end of the process, which was a good one."""
    start = time.monotonic()
    desk.press("q")
    assert desk.ended() == 0
    took = time.monotonic() - start
    assert desk.restored()
    assert b"Traceback" not in desk.raw
    return took


def flat(desk: Terminal) -> str:
    return " ".join(desk.text.split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_desk_opens_says_where_secrets_are_and_quits(case: Case, place: Place) -> None:
    with opened(place.environ, columns=WIDE, rows=40) as desk:  # how quick this machine is now
        usual, usually_ends = painted(desk), quit_(desk)
    may_take, may_end = usual + SLOWER_S, max(QUITS_S, 2 * usually_ends)
    with found(case.name, place) as environ:
        if case.name == "open":
            keep_the_key(place, environ)
        with opened(environ, columns=WIDE, rows=40) as desk:  # its receiver is only starting, and the key looked for
            assert painted(desk) <= may_take
            assert quit_(desk) <= may_end
        with opened(environ, columns=WIDE, rows=40) as desk:
            assert painted(desk) <= may_take
            if case.name == "open":
                desk.wait_for(TITLE)
            desk.press("6")
            desk.wait_until(lambda: any(words in flat(desk) for words in case.words), f"one of {case.words}")
            assert quit_(desk) <= may_end
            assert place.service.api_key.encode() not in desk.raw


def test_a_key_is_kept_read_back_and_forgotten_over_the_bus(place: Place) -> None:
    with gnome_keyring(place.environ, PASSWORD) as environ:
        keep_the_key(place, environ)
        assert place.run(environ, "sync").returncode == 0
        listed = place.run(environ, "secret", "list")
        assert "keyring SecretService" in listed.stdout
    with gnome_keyring(place.environ, PASSWORD) as environ:  # a login later
        assert TITLE in place.run(environ, "list").stdout
        assert place.run(environ, "sync").returncode == 0
        assert place.run(environ, "secret", "forget", "advice", "api_key").returncode == 0
        assert place.run(environ, "sync").returncode == 1
    lying = [path for path in place.folder.rglob("*") if path.is_file() and path.name != "key"]
    assert any(path.suffix == ".keyring" for path in lying)
    assert not [path for path in lying if place.service.api_key.encode() in path.read_bytes()]


@pytest.mark.parametrize("arguments", [("work",), ("listen",)], ids=" ".join)
def test_what_runs_without_a_screen_ends_within_a_second_too(arguments: tuple[str, ...], place: Place) -> None:
    workers = place.folder / "data" / "workers"
    usually_ends = ended(arguments, place.environ, lambda: any(workers.glob("*")))  # how quick this machine is now
    with hung_service(place.environ, place.folder) as environ:
        assert ended(arguments, environ, asked(place.folder).exists) <= max(QUITS_S, 2 * usually_ends)


def ended(arguments: tuple[str, ...], environ: Mapping[str, str], under_way: Callable[[], bool]) -> float:
    """Seconds from a signal to the end of the process, which was a good one."""
    process = subprocess.Popen([*DESK, *arguments], env=environ, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
    try:
        until_true(under_way, 30.0)
        start = time.monotonic()
        process.send_signal(SIGTERM)
        _, said = process.communicate(timeout=30)
        took = time.monotonic() - start
        assert process.returncode == 143
        assert "Traceback" not in said
        return took
    finally:
        process.kill()
        process.communicate()

"""A ledger of an older version: whoever opens it is told how far that is, and Ctrl+C ends it cleanly."""

import io
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.terminal import CHECKOUT, MARKS, Terminal, surroundings
from tests.vault.ledger.older import version_3
from tests.vault.ledger.test_reading import fill
from tui.commandline import bringing_up
from tui.commandline.bringing_up import BringingUp
from tui.commandline.output import Output
from vault.ledger import Ledger
from vault.ledger.migrating import Migrating
from vault.ledger.schema import MIGRATIONS

pytestmark = MARKS
SLOWLY = """
import sys, time
from vault.ledger import migrating
migrating._MEETINGS_AT_ONCE = 1
fill = migrating.Stepwise._fill
def slowly(self, connection):
    time.sleep(0.05)
    return fill(self, connection)
migrating.Stepwise._fill = slowly
from tui.cli import entry
sys.argv[1:] = ["list"]
sys.exit(entry())
"""
ONE = Migrating("counters", 1, 4)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    made = tmp_path / "made.db"
    ledger = Ledger(made)
    fill(ledger)
    ledger.close()
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    version_3(made, data / "ledger.db")
    (tmp_path / "config.toml").write_text(f'[vault]\npath = "{tmp_path / "vault"}"\n')
    return surroundings(tmp_path, REELDESK_CONFIG=str(tmp_path / "config.toml"), REELDESK_DATA=str(data))


def version(environ: dict[str, str]) -> int:
    with closing(sqlite3.connect(Path(environ["REELDESK_DATA"]) / "ledger.db")) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def test_on_a_terminal_it_says_how_far_it_is_and_ctrl_c_ends_it(environ: dict[str, str]) -> None:
    terminal = Terminal((sys.executable, "-c", SLOWLY), environ)
    terminal.wait_for("brought to this version: 0 %")
    terminal.signal(signal.SIGINT)
    assert terminal.ended() == 130
    assert "nothing is lost, and the next start goes on" in terminal.text
    terminal.close()
    assert version(environ) == 3
    again = Terminal((sys.executable, "-m", "tui", "list"), environ)
    assert again.ended() == 0
    assert "zebra" in again.text
    again.close()
    assert version(environ) == len(MIGRATIONS)


def test_elsewhere_it_says_so_once(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui", "list"], env=environ, cwd=CHECKOUT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.count("brought to this version")) == (0, 1)
    assert version(environ) == len(MIGRATIONS)


def test_an_interrupt_counts_at_the_next_step() -> None:
    told = io.StringIO()
    telling = BringingUp(Output(stderr=told))
    telling.tell(ONE)
    telling.ask_to_end()
    with pytest.raises(KeyboardInterrupt):
        telling.tell(ONE)
    assert "interrupted at 25 %" in told.getvalue()


def test_an_interrupt_after_the_last_step_closes_the_desk() -> None:
    class Opened:
        closed = False

        def close(self) -> None:
            self.closed = True

    desk = Opened()

    def open_with(watch: object) -> object:
        signal.raise_signal(signal.SIGINT)
        return desk

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        bringing_up.opened(open_with)  # type: ignore[arg-type]  # what closes is all that matters
    assert desk.closed
    assert signal.getsignal(signal.SIGINT) is before

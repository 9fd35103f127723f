"""Who is at work: a process that was killed is known to be gone at once, a living one never is."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vault.errors import VaultError
from vault.presence import Presence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "workers"


@pytest.fixture
def mine(folder: Path) -> Iterator[Presence]:
    made = Presence(folder)
    yield made
    made.close()


WORK = """
import sys
from pathlib import Path
from vault.presence import Presence
print(Presence(Path(sys.argv[1])).name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process at work; its name is the first line that it prints."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", WORK, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, text=True
    ) as process:
        yield process
        process.kill()


def name_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_name_says_where_and_which(folder: Path, mine: Presence) -> None:
    host, pid, _ = mine.name.rsplit(":", 2)
    assert (host, pid) == (socket.gethostname(), str(os.getpid()))
    assert [path.name for path in folder.iterdir()] == [mine.name]
    assert (folder / mine.name).stat().st_mode & 0o777 == 0o600
    second = Presence(folder)
    assert second.name != mine.name
    second.close()


def test_a_living_process_is_not_gone(mine: Presence, other: "subprocess.Popen[str]") -> None:
    assert mine.gone(frozenset({name_of(other), mine.name})) == frozenset()


def test_another_of_this_process_is_not_gone_until_it_is_closed(folder: Path, mine: Presence) -> None:
    second = Presence(folder)
    assert mine.gone(frozenset({second.name})) == frozenset()
    second.close()
    assert mine.gone(frozenset({second.name})) == {second.name}


def test_a_killed_process_is_gone_at_once(folder: Path, mine: Presence, other: "subprocess.Popen[str]") -> None:
    name = name_of(other)
    other.kill()
    other.wait(10)
    assert (folder / name).exists()
    assert mine.gone(frozenset({name})) == {name}
    assert not (folder / name).exists()
    assert mine.gone(frozenset({name})) == {name}


def test_of_other_machines_nothing_is_known(mine: Presence) -> None:
    assert mine.gone(frozenset({"elsewhere:1:abcd", f"{socket.gethostname()}.elsewhere:1:abcd", ""})) == frozenset()


def test_a_file_that_was_removed_by_hand(folder: Path, mine: Presence) -> None:
    """Its owner is then taken for gone; a fence keeps what it still does from counting."""
    second = Presence(folder)
    (folder / second.name).unlink()
    assert mine.gone(frozenset({second.name})) == {second.name}
    second.close()  # finds nothing to remove


def test_a_name_that_leads_elsewhere(folder: Path, mine: Presence, tmp_path: Path) -> None:
    host = socket.gethostname()
    (tmp_path / "precious").write_text("precious")
    (folder / f"{host}:1:link").symlink_to(tmp_path / "precious")
    (folder / f"{host}:1:folder").mkdir()
    names = frozenset({f"{host}:1:link", f"{host}:1:folder", f"{host}:1/../../../precious"})
    assert mine.gone(names) == frozenset()
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(VaultError, match="cannot be written"):
        Presence(tmp_path / "data" / "workers")

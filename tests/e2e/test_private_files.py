"""Whatever the program makes is its owner's alone, under the umask that SSH gives: files 0600, folders 0700 (R15)."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.served import Session, served
from tests.e2e.terminal import ELSEWHERE, MARKS, opened, surroundings

pytestmark = MARKS
SESSION_SECRET = "REELDESK_SECRET_ADVICE_API_KEY"


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """What the program is started with."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """The demo's services, served by a process with that umask."""
    with served(list(ELSEWHERE), tmp_path / "demo") as one:
        yield one


class Place:
    """A home in which nothing is yet; what was made by the test itself is left out of `open_to_others`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "place"
        self.folder.mkdir()
        self.environ = surroundings(self.folder)
        passphrase = self.folder / "passphrase"
        passphrase.touch(0o600)
        passphrase.write_text("correct horse battery\n")
        self.environ["REELDESK_PASSPHRASE_FILE"] = str(passphrase)
        self._before = set(self.folder.rglob("*"))

    def run(self, *arguments: str, given: str = "", status: int = 0) -> str:
        """A command to its end."""
        ran = subprocess.run(
            [*ELSEWHERE, *arguments],
            env=self.environ,
            cwd=self.folder,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == status, f"{arguments}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout + ran.stderr

    def made(self) -> list[Path]:
        """All that was made by the program."""
        return sorted(set(self.folder.rglob("*")) - self._before)


def open_to_others(paths: list[Path]) -> list[str]:
    """Those whose mode is not exactly 0600, or 0700 for a folder. What has gone meanwhile is open to nobody."""
    wrong = []
    for path in paths:
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        wanted = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
        if stat.S_IMODE(found.st_mode) != wanted:
            wrong.append(f"{stat.filemode(found.st_mode)} {path}")
    return wrong


def test_what_commands_make(tmp_path: Path, session: Session) -> None:
    place = Place(tmp_path)
    base_url = next(
        line.split('"')[1]
        for line in Path(session.environ["REELDESK_CONFIG"]).read_text().partition("[accounts.advice]")[2].splitlines()
        if line.startswith("base_url")
    )
    key = session.environ[SESSION_SECRET]
    place.run(
        *("account", "add", "advice", "--provider", "flexperto", "--set", f"base_url={base_url}"),
        *("--secret", "api_key"),
        given=f"{key}\n",
    )
    place.run("secret", "set", "advice", "hook_secret", given="h" * 40 + "\n")
    place.run("work", "--drain")  # it syncs first
    place.run("fetch", "--all", status=1)  # one of them has a wrong checksum
    with subprocess.Popen(
        [*ELSEWHERE, "listen", "--port", "0"],
        env=place.environ,
        cwd=place.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as listening:
        try:
            assert listening.stdout is not None
            assert any("http://127.0.0.1:" in line for line in listening.stdout)
            while_it_listens = place.made()
            assert open_to_others(while_it_listens) == []
        finally:
            listening.terminate()
            listening.communicate(timeout=30)
    with opened(place.environ) as desk:
        desk.wait_for("advice", "held")
        assert open_to_others(place.made()) == []  # the ledger's -wal and -shm, and what says that a desk is open
        desk.press("q")
        assert desk.ended() == 0
    made = place.made()
    names = {path.name for path in made}
    assert {"config.toml", "ledger.db", "secrets.sealed", "last-frame"} <= names, names
    assert any(path.suffix == ".zip" for path in made)
    assert len(while_it_listens) > 10
    assert open_to_others(made) == []


def test_what_the_demo_makes(tmp_path: Path, session: Session) -> None:
    served_files = [tmp_path / "demo", *(tmp_path / "demo").rglob("*")]
    assert any(path.name == "env" for path in served_files)  # it has secrets in it
    assert open_to_others(served_files) == []
    place = Place(tmp_path)
    with opened(place.environ, "demo") as desk:
        desk.wait_for("demo", "available")
        made = place.made()
        assert any(path.name == "ledger.db" for path in made)
        assert open_to_others(made) == []
        desk.press("q")
        assert desk.ended() == 0
    assert open_to_others(place.made()) == []
    assert not [path for path in place.made() if path.is_file() and path.name == "ledger.db"]  # nothing is left of it

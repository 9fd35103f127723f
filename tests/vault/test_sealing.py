"""Links that are secrets: sealed with a key beside the ledger, and lost with it."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from providers.secret import Secret
from vault.errors import VaultError
from vault.sealing import Sealer

LINK = Secret("https://host/video?X-Amz-Signature=CANARY")


def test_sealed_and_opened(tmp_path: Path) -> None:
    path = tmp_path / "links.key"
    sealed = Sealer(path).seal(LINK)
    assert b"CANARY" not in sealed
    assert Sealer(path).open(sealed) == LINK
    assert [p.name for p in tmp_path.iterdir()] == ["links.key"]


def test_the_key_is_private_under_a_usual_umask(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        Sealer(tmp_path / "links.key").seal(LINK)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "links.key").stat().st_mode) == 0o600


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    Sealer(tmp_path / "links.key")
    assert list(tmp_path.iterdir()) == []


def test_a_lost_key(tmp_path: Path) -> None:
    path = tmp_path / "links.key"
    sealed = Sealer(path).seal(LINK)
    path.unlink()
    assert Sealer(path).open(sealed) is None
    assert Sealer(path).open(b"nonsense") is None


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 44])
def test_a_key_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "links.key"
    path.write_bytes(content)
    for act in (lambda: Sealer(path).seal(LINK), lambda: Sealer(path).open(b"x")):
        with pytest.raises(VaultError, match="this is no key; remove it"):
            act()
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="No such file"):
        Sealer(tmp_path / "nowhere" / "links.key").seal(LINK)
    (tmp_path / "links.key").mkdir()
    with pytest.raises(VaultError, match="Is a directory"):
        Sealer(tmp_path / "links.key").seal(LINK)


def test_threads_that_make_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "links.key"
    together = threading.Barrier(8)
    sealed: list[bytes] = []

    def work() -> None:
        together.wait(10)
        sealed.append(Sealer(path).seal(LINK))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert [Sealer(path).open(each) for each in sealed] == [LINK] * 8
    assert [p.name for p in tmp_path.iterdir()] == ["links.key"]


SEAL = """
import sys
from pathlib import Path
import cryptography.fernet
from providers.secret import Secret
from vault.sealing import Sealer
print("ready", flush=True)
sys.stdin.readline()
print(Sealer(Path(sys.argv[1])).seal(Secret("linked")).decode())
"""


def test_processes_that_make_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "links.key"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SEAL, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    sealed = [process.communicate(timeout=30)[0].strip() for process in processes]
    assert [Sealer(path).open(each.encode()) for each in sealed] == [Secret("linked")] * 3


def test_a_key_that_is_removed_while_it_is_used_is_written_back(tmp_path: Path) -> None:
    path = tmp_path / "links.key"
    sealer = Sealer(path)
    before = sealer.seal_bytes(b"before")
    path.unlink()
    after = sealer.seal_bytes(b"after")
    again = Sealer(path)
    assert (again.open_bytes(before), again.open_bytes(after)) == (b"before", b"after")

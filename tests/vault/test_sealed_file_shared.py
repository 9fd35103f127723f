"""The sealed file among processes and threads: nothing is lost, whoever writes, is killed or keeps the lock."""

import fcntl
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.vault.test_sealed_file import again, ring_at, words
from vault import sealed_file, sealed_format
from vault.errors import VaultError
from vault.passphrase import Passphrase, SealedLocked, WrongPassphrase
from vault.sealed_file import SealedKeyring

HOUSE = Path(__file__).parents[2]


@pytest.fixture
def ring(tmp_path: Path) -> SealedKeyring:
    made = ring_at(tmp_path / "data" / "secrets.sealed")
    made.create(words())
    return made


WRITER = """
import sys
from pathlib import Path
from vault.passphrase import Passphrase
from vault.sealed_file import SealedKeyring

ring = SealedKeyring(Path(sys.argv[1]))
ring.unlock(Passphrase("correct horse"))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    ring.set_password("reeldesk", f"{sys.argv[2]}/{number}", str(number))
"""


def writer(ring: SealedKeyring, name: str, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(ring.path), name, str(count)]
    process = subprocess.Popen(command, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def begin(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_no_update_is_lost(ring: SealedKeyring) -> None:
    processes = [writer(ring, name, 60) for name in ("one", "two", "three")]
    for process in processes:
        begin(process)
    for number in range(60):
        ring.set_password("reeldesk", f"here/{number}", str(number))
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    found = again(ring)
    for name in ("one", "two", "three", "here"):
        assert [found.get_password("reeldesk", f"{name}/{n}") for n in range(60)] == [str(n) for n in range(60)]


def test_threads_of_one_process(ring: SealedKeyring) -> None:
    def write(name: str) -> None:
        for number in range(20):
            ring.set_password("reeldesk", f"{name}/{number}", "v")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    found = again(ring)
    assert all(found.get_password("reeldesk", f"{name}/{n}") == "v" for name in "abc" for n in range(20))


def test_killed_while_it_writes(ring: SealedKeyring) -> None:
    ring.set_password("reeldesk", "a/key", "v")
    for count in (0, 1, 2, 5, 11):
        process = writer(ring, "one", 100_000)
        begin(process)
        wait_for_writes(ring.path, count)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert again(ring).get_password("reeldesk", "a/key") == "v"
    ring.set_password("reeldesk", "a/other", "w")
    assert {path.name for path in ring.path.parent.iterdir()} == {"secrets.sealed", "secrets.sealed.lock"}


def wait_for_writes(path: Path, count: int) -> None:
    end = time.monotonic() + 30
    for _ in range(count):
        before = path.stat()
        while (now := path.stat()).st_mtime_ns == before.st_mtime_ns and now.st_ino == before.st_ino:
            assert time.monotonic() < end


def test_another_passphrase(ring: SealedKeyring) -> None:
    ring.set_password("reeldesk", "a/key", "v")
    other = again(ring)
    salt = sealed_format.take_apart(ring.path.read_bytes()).origin.salt
    ring.rekey(Passphrase("another one"))
    assert sealed_format.take_apart(ring.path.read_bytes()).origin.salt != salt
    assert ring.get_password("reeldesk", "a/key") == "v"
    assert other.state() == ("locked", "the sealed file was given another passphrase elsewhere")
    before = ring.path.read_bytes()
    with pytest.raises(SealedLocked, match="was given another passphrase elsewhere"):
        other.set_password("reeldesk", "a/key", "lost?")
    with pytest.raises(SealedLocked, match="was given another passphrase elsewhere"):
        other.get_password("reeldesk", "a/key")
    assert ring.path.read_bytes() == before
    with pytest.raises(WrongPassphrase):
        other.unlock(words())
    other.unlock(Passphrase("another one"))
    assert other.get_password("reeldesk", "a/key") == "v"
    other.lock()
    with pytest.raises(SealedLocked):
        other.rekey(words())


def test_removed_elsewhere(ring: SealedKeyring) -> None:
    ring.path.unlink()
    with pytest.raises(VaultError, match="there is no sealed file"):
        ring.get_password("reeldesk", "a/key")
    with pytest.raises(VaultError, match="there is no sealed file"):
        ring.set_password("reeldesk", "a/key", "v")
    assert not ring.path.exists()


def test_it_is_made_once(ring: SealedKeyring) -> None:
    before = ring.path.read_bytes()
    with pytest.raises(VaultError, match="there is a sealed file already"):
        ring_at(ring.path).create(Passphrase("mine"))
    assert ring.path.read_bytes() == before


def test_another_process_does_not_let_go(ring: SealedKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_file, "_LOCK_WAIT_S", 0.05)
    with ring.path.with_name("secrets.sealed.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(VaultError, match="another process keeps the sealed file"):
            ring.set_password("reeldesk", "a/key", "v")
        assert ring.get_password("reeldesk", "a/key") is None, "reading needs no lock"
    ring.set_password("reeldesk", "a/key", "v")

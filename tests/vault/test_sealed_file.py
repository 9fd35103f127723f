"""The sealed file: nobody reads, changes or loses what is in it without being noticed, whoever else writes it."""

import os
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import keyring.backend
import pytest
from keyring.errors import PasswordDeleteError

from tests.vault.secret_place import QUICK, forbid_getpass
from vault import sealed_format
from vault.errors import VaultError
from vault.passphrase import Passphrase, SealedLocked, WrongPassphrase
from vault.sealed_file import SealedKeyring
from vault.sealed_format import ARGON2ID, Kdf

NOT_OPENED = "^the passphrase is wrong, or the file was changed$"
HEADER = 58


def words() -> Passphrase:
    return Passphrase("correct horse")


def ring_at(path: Path, **options: object) -> SealedKeyring:
    return SealedKeyring(path, **({"kdf": QUICK} | options))  # type: ignore[arg-type]  # as each test has it


def again(ring: SealedKeyring, passphrase: str = "correct horse") -> SealedKeyring:
    """The same file as another process opens it."""
    other = ring_at(ring.path)
    other.unlock(Passphrase(passphrase))
    return other


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_getpass(monkeypatch)


@pytest.fixture
def ring(tmp_path: Path) -> SealedKeyring:
    made = ring_at(tmp_path / "data" / "secrets.sealed")
    made.create(words())
    return made


def test_what_is_kept_is_found_again(ring: SealedKeyring) -> None:
    ring.set_password("reeldesk", "advice/api_key", "CANARY-1")
    ring.set_password("reeldesk", "advice/hook_secret", "CANARY-2")
    other = again(ring)
    assert other.get_password("reeldesk", "advice/api_key") == "CANARY-1"
    assert other.get_password("reeldesk", "advice/other") is None
    assert other.get_password("other", "advice/api_key") is None
    other.delete_password("reeldesk", "advice/api_key")
    assert ring.get_password("reeldesk", "advice/api_key") is None
    assert ring.get_password("reeldesk", "advice/hook_secret") == "CANARY-2"
    with pytest.raises(PasswordDeleteError):
        ring.delete_password("reeldesk", "advice/api_key")


def test_nothing_of_it_is_to_be_seen(ring: SealedKeyring) -> None:
    empty = ring.path.stat().st_size
    ring.set_password("reeldesk", "advice/api_key", "CANARY-1")
    for hidden in (b"CANARY", b"advice", b"api_key", b"reeldesk", b"correct horse"):
        assert hidden not in ring.path.read_bytes()
    assert "CANARY" not in repr(vars(ring))
    assert ring.path.stat().st_size == empty == HEADER + 4096 + 16
    first = ring.path.read_bytes()
    ring.set_password("reeldesk", "advice/api_key", "CANARY-1")
    assert ring.path.read_bytes() != first, "every write has a nonce of its own"
    ring.set_password("reeldesk", "advice/api_key", "x" * 5000)
    assert ring.path.stat().st_size == HEADER + 8192 + 16


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        ring = ring_at(tmp_path / "data" / "secrets.sealed")
        ring.create(words())
        ring.set_password("reeldesk", "a/key", "v")
    finally:
        os.umask(before)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in ring.path.parent.iterdir()}
    assert found == {"secrets.sealed": 0o600, "secrets.sealed.lock": 0o600}
    assert stat.S_IMODE(ring.path.parent.stat().st_mode) == 0o700


# Somebody changed it


CHANGES: list[tuple[str, int, int, str]] = [
    ("magic", 0, 0x01, "it is no sealed file"),
    ("version", 9, 0x02, "has version 3"),
    ("derivation", 10, 0x01, "not known here"),
    ("passes", 21, 0x03, NOT_OPENED),
    ("passes far too many", 18, 0x01, "amount of work that is not allowed"),
    ("memory", 24, 0x01, NOT_OPENED),
    ("memory of gigabytes", 22, 0x40, "amount of work that is not allowed"),
    ("lanes", 29, 0x03, NOT_OPENED),
    ("salt", 30, 0x01, NOT_OPENED),
    ("salt's end", 45, 0x80, NOT_OPENED),
    ("nonce", 46, 0x01, NOT_OPENED),
    ("nonce's end", 57, 0x80, NOT_OPENED),
    ("content", 58, 0x01, NOT_OPENED),
    ("content's middle", 2000, 0x10, NOT_OPENED),
    ("tag", -1, 0x80, NOT_OPENED),
]


@pytest.mark.parametrize(("position", "bits", "said"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_changed_region(ring: SealedKeyring, position: int, bits: int, said: str) -> None:
    ring.set_password("reeldesk", "a/key", "CANARY-1")
    content = bytearray(ring.path.read_bytes())
    content[position] ^= bits
    ring.path.write_bytes(content)
    with pytest.raises(VaultError, match=said) as caught:
        again(ring)
    assert "CANARY" not in str(caught.value)
    with pytest.raises(VaultError):
        ring.get_password("reeldesk", "a/key")
    with pytest.raises(VaultError):
        ring.set_password("reeldesk", "a/key", "other")
    assert ring.path.read_bytes() == bytes(content), "what is not understood is not overwritten"


def test_every_byte_counts(ring: SealedKeyring) -> None:
    content = ring.path.read_bytes()
    sealed = sealed_format.take_apart(content)
    key = sealed.origin.kdf.derive(words(), sealed.origin.salt)
    for position in range(HEADER - 12, len(content)):
        changed = bytearray(content)
        changed[position] ^= 0x04
        with pytest.raises(WrongPassphrase):
            sealed_format.unseal(sealed_format.take_apart(bytes(changed)), key)


@pytest.mark.parametrize("length", [0, 8, HEADER, HEADER + 15, HEADER + 16, 3000, -1])
def test_cut_off(ring: SealedKeyring, length: int) -> None:
    ring.path.write_bytes(ring.path.read_bytes()[:length])
    with pytest.raises(VaultError, match=r"no sealed file|was changed"):
        again(ring)


def test_longer_than_it_was(ring: SealedKeyring) -> None:
    with ring.path.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(WrongPassphrase, match=NOT_OPENED):
        again(ring)


def test_the_wrong_passphrase(ring: SealedKeyring) -> None:
    for wrong in ("correct horses", "Correct horse", " correct horse"):
        with pytest.raises(WrongPassphrase, match=NOT_OPENED):
            again(ring, wrong)
    ring.set_password("reeldesk", "a/key", "v")
    with pytest.raises(WrongPassphrase):
        ring.unlock(Passphrase("wrong"))
    assert ring.get_password("reeldesk", "a/key") == "v", "what was unlocked stays so"


def test_a_passphrase_is_the_same_on_every_keyboard(tmp_path: Path) -> None:
    ring = ring_at(tmp_path / "secrets.sealed")
    ring.create(Passphrase("Pa\u0308ssword ﬁ Å"))
    ring.set_password("reeldesk", "a/key", "v")
    assert again(ring, "P\u00e4ssword fi A\u030a").get_password("reeldesk", "a/key") == "v"


# Files that are not ours


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o666, 0o601])
def test_a_file_that_others_may_read(ring: SealedKeyring, mode: int) -> None:
    ring.path.chmod(mode)
    with pytest.raises(VaultError, match=f"can be read by others: chmod 600 {ring.path}"):
        again(ring)
    with pytest.raises(VaultError, match="can be read by others"):
        ring.get_password("reeldesk", "a/key")
    with pytest.raises(VaultError, match="can be read by others"):
        ring.set_password("reeldesk", "a/key", "v")
    assert ring.state() == ("none", f"the sealed file {ring.path} can be read by others: chmod 600 {ring.path}")


def test_a_link(ring: SealedKeyring, tmp_path: Path) -> None:
    other = tmp_path / "other"
    ring.path.rename(other)
    before = other.read_bytes()
    ring.path.symlink_to(other)
    for act in (lambda: again(ring), lambda: ring.set_password("reeldesk", "a/key", "v"), lambda: ring.create(words())):
        with pytest.raises(VaultError, match=r"is a symbolic link|there is a sealed file already"):
            act()
    assert ring.path.is_symlink()
    assert other.read_bytes() == before


def test_a_lock_file_that_is_a_link(ring: SealedKeyring, tmp_path: Path) -> None:
    lock = ring.path.with_name("secrets.sealed.lock")
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VaultError, match="cannot be written"):
        ring.set_password("reeldesk", "a/key", "v")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_of_somebody_else(ring: SealedKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(VaultError, match="belongs to somebody else"):
        again(ring)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name, said in (("pipe", "not a regular file"), ("folder", "Is a directory"), ("a\0b", "its name is no path")):
        with pytest.raises(VaultError, match=said):
            ring_at(tmp_path / name).unlock(words())
    with pytest.raises(VaultError, match="there is no sealed file"):
        ring_at(tmp_path / "none").unlock(words())
    with pytest.raises(VaultError, match="there is no sealed file"):
        ring_at(tmp_path / "none").get_password("reeldesk", "a/key")
    assert ring_at(tmp_path / "none").state() == ("none", "there is no sealed file yet")


def test_a_huge_file_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    path.touch(0o600)
    os.truncate(path, 10 * 1024**3)
    tracemalloc.start()
    try:
        with pytest.raises(VaultError, match="is larger than"):
            ring_at(path).unlock(words())
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024**2
    finally:
        tracemalloc.stop()


# Faults of the disk


def test_a_write_that_fails_changes_nothing(ring: SealedKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    ring.set_password("reeldesk", "a/key", "v")
    before = ring.path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    for owner in ("fsync", "replace", "write"):
        with monkeypatch.context() as patch:
            patch.setattr(os, owner, full)
            with pytest.raises(VaultError, match="cannot be written: No space left on device"):
                ring.set_password("reeldesk", "a/key", "w")
        assert ring.path.read_bytes() == before
        assert len(list(ring.path.parent.iterdir())) == 2
    assert ring.get_password("reeldesk", "a/key") == "v"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VaultError, match="cannot be written: Not a directory"):
        ring_at(tmp_path / "file" / "data" / "secrets.sealed").create(words())


def test_too_much(ring: SealedKeyring) -> None:
    with pytest.raises(VaultError, match="would be larger than"):
        ring.set_password("reeldesk", "a/key", "x" * sealed_format.MOST)


# Locking


def test_locked(ring: SealedKeyring) -> None:
    ring.set_password("reeldesk", "a/key", "CANARY-1")
    assert ring.state() == ("available", "unlocked")
    ring.lock()
    assert ring.state()[0] == "locked"
    assert "CANARY" not in repr(vars(ring))
    acts: list[Callable[[], object]] = [
        lambda: ring.get_password("reeldesk", "a/key"),
        lambda: ring.set_password("reeldesk", "a/key", "v"),
        lambda: ring.delete_password("reeldesk", "a/key"),
    ]
    for act in acts:
        with pytest.raises(SealedLocked, match="the sealed file is locked: unlock it"):
            act()
    ring.unlock(words())
    assert ring.get_password("reeldesk", "a/key") == "CANARY-1"


def test_locked_after_a_while_without_use(ring: SealedKeyring) -> None:
    clock = Ticking()
    it = ring_at(ring.path, clock=clock, idle_s=900)
    it.unlock(words())
    for _ in range(3):
        clock.now += 899
        it.get_password("reeldesk", "a/key")
        assert not it.lock_if_idle()
    clock.now += 901
    assert it.lock_if_idle()
    assert not it.lock_if_idle()
    with pytest.raises(SealedLocked, match="was locked after 15 minutes without use: unlock it"):
        it.get_password("reeldesk", "a/key")
    it.unlock(words())
    clock.now += 901
    with pytest.raises(SealedLocked, match="was locked after 15 minutes"):
        it.set_password("reeldesk", "a/key", "v")
    never = ring_at(ring.path, clock=clock, idle_s=0)
    never.unlock(words())
    clock.now += 1e9
    assert not never.lock_if_idle()


class Ticking:
    """A clock in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_locked_while_it_is_unlocked(ring: SealedKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    it = ring_at(ring.path)
    derive = Kdf.derive

    def meanwhile(kdf: Kdf, passphrase: Passphrase, salt: bytes) -> bytes:
        it.lock()
        return derive(kdf, passphrase, salt)

    monkeypatch.setattr(Kdf, "derive", meanwhile)
    with pytest.raises(SealedLocked):
        it.unlock(words())
    assert it.state()[0] == "locked"


# As a keyring


def test_the_library_never_picks_it() -> None:
    assert SealedKeyring.priority < 0
    assert not [ring for ring in keyring.backend.get_all_keyring() if isinstance(ring, SealedKeyring)]


def test_the_environment_sets_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYRING_PROPERTY_PATH", "/elsewhere")
    monkeypatch.setenv("KEYRING_PROPERTY_LOCK", "nothing")
    ring = ring_at(tmp_path / "secrets.sealed")
    assert ring.path == tmp_path / "secrets.sealed"
    ring.lock()


def test_what_new_files_are_made_with(tmp_path: Path) -> None:
    ring = SealedKeyring(tmp_path / "secrets.sealed")
    ring.create(words())
    assert sealed_format.take_apart(ring.path.read_bytes()).origin.kdf == ARGON2ID == Kdf("argon2id", (3, 65536, 2))

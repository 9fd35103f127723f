"""Secrets in a file of our own, sealed with a passphrase, for machines without a system keyring: a `keyring` backend.

Libraries that were looked at first (November 2026), and what each lacks for a desk that must stay usable:
- keyrings.cryptfile 1.3.9: Argon2id (15 passes) for every single get, 0.8 s; names in clear; asks with getpass; neither
  a lock nor an atomic write.
- keyrings.alt: PBKDF2 with 1,000 rounds and no authentication, or no encryption at all.
- pykeepass 4.2 (KDBX4): costs are taken from the file unchecked, so a hostile one decides over our memory; no lock
  between processes; GPL; needs lxml, pycryptodomex and argon2-cffi. keepassxc-cli is well used as `password_command`.
- pyrage 1.4 (age): sound, but it encrypts bytes: no kept key (scrypt for every write), no file, no lock.
So the cryptography is the library `cryptography`'s, the file is ours. It keeps secrets from whoever gets the disk or a
backup, not from code that runs as the same user; and it does not notice an older copy of itself being put back.
"""

import contextlib
import copy
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError
from msgspec import Struct

from vault.errors import VaultError
from vault.passphrase import Passphrase, SealedLocked
from vault.private_files import read_private, replace_private
from vault.sealed_format import MOST, SALT_BYTES, Held, Kdf, Origin, Randomness, seal, strongest, take_apart, unseal

IDLE_S = 900.0
_LOCK_WAIT_S = 2.0
"""Another process writes for milliseconds; less than the deadline of the thread that asks."""
_LOCK_LOOK_S = 0.01
_Stamp = tuple[int, ...]
_HOW = (
    "unlock it with L in mode 6 (Accounts) of the desk; a command takes --passphrase-stdin, or a private file that "
    "REELDESK_PASSPHRASE_FILE names"
)

State = Literal["available", "locked", "none"]


class _Opened(Struct, frozen=True):
    """What is in memory while the file is unlocked; the passphrase is not."""

    key: bytes
    origin: Origin
    held: Held
    stamp: _Stamp
    """Which version of the file this is."""

    def __repr__(self) -> str:
        return "_Opened(…)"


class SealedKeyring(KeyringBackend):
    """The sealed file `path`. Every call raises VaultError in words; SealedLocked where it must be unlocked first.

    `idle_s`: after so many seconds without a use the key is forgotten (0: never). Safe to be used from several threads;
    `lock` never waits for one of the others.
    """

    priority = -10.0  # never chosen by the library: it is used only where it was made for

    def __init__(
        self,
        path: Path,
        *,
        idle_s: float = IDLE_S,
        clock: Callable[[], float] = time.monotonic,
        kdf: Kdf | None = None,
        randomness: Randomness = os.urandom,
    ) -> None:
        # The base class would take attributes from the environment (KEYRING_PROPERTY_...); none of ours are for that.
        self.path = path
        self._idle_s = idle_s
        self._clock = clock
        self._kdf = kdf
        self._randomness = randomness
        self._guard = threading.Lock()  # for what is in memory, never held while a file is read
        self._opened: _Opened | None = None
        self._times_locked = 0
        self._used = clock()
        self._why = f"the sealed file is locked: {_HOW}"

    # Locking and unlocking

    def state(self) -> tuple[State, str]:
        """Whether the file is there and can be used, and why not, in words."""
        try:
            origin = take_apart(self._read()[0]).origin
        except FileNotFoundError:
            return "none", "there is no sealed file yet"
        except VaultError as error:
            return "none", error.words
        self.lock_if_idle()
        with self._guard:
            if self._opened is None:
                return "locked", self._why
            return ("available", "unlocked") if self._opened.origin == origin else ("locked", _REKEYED)

    def create(self, passphrase: Passphrase) -> None:
        """Make the file, empty and unlocked. Raises VaultError where there is one already."""
        times, origin, key = self._new_key(passphrase)
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None
        with self._file_lock():
            if os.path.lexists(self.path):
                raise VaultError(f"there is a sealed file already ({self.path}): unlock it")
            self._write({}, key, origin, times)

    def unlock(self, passphrase: Passphrase) -> None:
        """Derive the key and open the file. Raises WrongPassphrase: it is wrong, or the file was changed."""
        times = self._times_locked
        content, stamp = self._read_there()
        sealed = take_apart(content)
        key = sealed.origin.kdf.derive(passphrase, sealed.origin.salt)
        self._remember(_Opened(key, sealed.origin, unseal(sealed, key), stamp), times)

    def rekey(self, passphrase: Passphrase) -> None:
        """Seal the file with another passphrase, under a new salt; other processes must unlock it anew."""
        self._current()
        times, origin, key = self._new_key(passphrase)
        with self._file_lock():
            self._write(self._current().held, key, origin, times)

    def lock(self, why: str = "") -> None:
        """Forget the key and what was read (Python cannot promise to overwrite it). Never waits for a file."""
        with self._guard:
            self._opened = None
            self._times_locked += 1
            self._why = f"the sealed file {why or 'is locked'}: {_HOW}"

    def lock_if_idle(self) -> bool:
        """Forget the key when the file was not used for `idle_s`; whether it did so now."""
        with self._guard:
            idle = self._opened is not None and 0 < self._idle_s < self._clock() - self._used
        if idle:
            self.lock(f"was locked after {self._idle_s / 60:g} minutes without use")
        return idle

    # A keyring

    def get_password(self, service: str, username: str) -> str | None:
        """The secret; None when there is none of that name."""
        return self._current().held.get(service, {}).get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret, beside what other processes have put there meanwhile."""

        def change(held: dict[str, dict[str, str]]) -> None:
            held.setdefault(service, {})[username] = password

        self._change(change)

    def delete_password(self, service: str, username: str) -> None:
        """Remove a secret. Raises PasswordDeleteError when there is none of that name."""

        def change(held: dict[str, dict[str, str]]) -> None:
            if username not in held.get(service, {}):
                raise PasswordDeleteError("there is no such secret in the sealed file")
            del held[service][username]
            if not held[service]:
                del held[service]

        self._change(change)

    def _change(self, change: Callable[[dict[str, dict[str, str]]], None]) -> None:
        times = self._times_locked
        with self._file_lock():
            opened = self._current()
            held = copy.deepcopy({service: dict(names) for service, names in opened.held.items()})
            change(held)
            self._write(held, opened.key, opened.origin, times)

    # The file

    def _current(self) -> _Opened:
        """What is in the file now, read again if it was written meanwhile."""
        self.lock_if_idle()
        with self._guard:
            opened, times, why = self._opened, self._times_locked, self._why
            self._used = self._clock()
        if opened is None:
            raise SealedLocked(why) if os.path.lexists(self.path) else self._missing()
        with contextlib.suppress(OSError):
            if _stamp(os.lstat(self.path)) == opened.stamp:
                return opened
        content, stamp = self._read_there()
        sealed = take_apart(content)
        if sealed.origin != opened.origin:
            self.lock(_REKEYED.removeprefix("the sealed file "))
            raise SealedLocked(f"{_REKEYED}: {_HOW}")
        fresh = _Opened(opened.key, opened.origin, unseal(sealed, opened.key), stamp)
        self._remember(fresh, times)
        return fresh

    def _remember(self, opened: _Opened, times_locked: int) -> None:
        with self._guard:
            if times_locked != self._times_locked:
                raise SealedLocked(self._why)  # it was locked while a thread was at work
            self._opened = opened
            self._used = self._clock()

    def _new_key(self, passphrase: Passphrase) -> tuple[int, Origin, bytes]:
        times = self._times_locked
        origin = Origin(self._kdf or strongest(), self._randomness(SALT_BYTES))
        return times, origin, origin.kdf.derive(passphrase, origin.salt)

    def _write(self, held: Held, key: bytes, origin: Origin, times_locked: int) -> None:
        content = seal(held, key, origin, self._randomness)
        try:
            replace_private(self.path, content)
            stamp = _stamp(os.lstat(self.path))
        except OSError as error:
            raise self._unwritable(error) from None
        self._remember(_Opened(key, origin, held, stamp), times_locked)

    def _read(self) -> tuple[bytes, _Stamp]:
        content, found = read_private(self.path, f"the sealed file {self.path}", most=MOST, follow=False)
        return content, _stamp(found)

    def _read_there(self) -> tuple[bytes, _Stamp]:
        try:
            return self._read()
        except FileNotFoundError:
            raise self._missing() from None

    def _missing(self) -> VaultError:
        return VaultError(f"there is no sealed file ({self.path})")

    def _unwritable(self, error: OSError) -> VaultError:
        return VaultError(f"the sealed file {self.path} cannot be written: {error.strerror}")

    @contextlib.contextmanager
    def _file_lock(self) -> Iterator[None]:
        """One process at a time; the lock ends with the process that has it, however that ends."""
        path = self.path.with_name(f"{self.path.name}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            end = time.monotonic() + _LOCK_WAIT_S
            while not self._flocked(descriptor):
                if time.monotonic() > end:
                    raise VaultError(f"another process keeps the sealed file {self.path} locked")
                time.sleep(_LOCK_LOOK_S)
            yield
        finally:
            os.close(descriptor)

    def _flocked(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unwritable(error) from None
        return True


_REKEYED = "the sealed file was given another passphrase elsewhere"


def _stamp(found: os.stat_result) -> _Stamp:
    """What changes whenever the file is replaced or its mode is."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

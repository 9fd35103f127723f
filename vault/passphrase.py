"""The passphrase of the sealed file: what it may be, and where a process without a screen takes it from."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NoReturn

from vault.errors import VaultError
from vault.private_files import read_private

VARIABLE = "REELDESK_PASSPHRASE_FILE"
_LONGEST = 1024
"""Characters."""


class SealedLocked(VaultError):
    """The sealed file must be unlocked first."""


class WrongPassphrase(SealedLocked):
    """It did not open the sealed file: either it is wrong, or the file was changed. Nobody can tell which."""


class NoSealedFile(VaultError):
    """There is no place for a secret but a sealed file, which somebody must make with a passphrase first."""


class Passphrase:
    """A passphrase as it is typed on any keyboard (NFKC). It cannot be printed, logged or pickled by accident.

    Raises VaultError for an empty one, for text that is none, and beyond 1024 characters.
    """

    __slots__ = ("_value",)

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise VaultError(f"a passphrase may have at most {_LONGEST} characters")
        text = unicodedata.normalize("NFKC", text)
        if not text.strip():
            raise VaultError("the passphrase is empty")
        try:
            self._value = text.encode()
        except UnicodeEncodeError:
            raise VaultError("the passphrase has characters that are no text") from None

    def reveal(self) -> bytes:
        """The bytes that a key is derived from."""
        return self._value

    def __repr__(self) -> str:
        return "Passphrase(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]  # nobody keeps a dict of passphrases

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Passphrase is not to be pickled or copied")


def from_file(environ: Mapping[str, str]) -> Passphrase | None:
    """The passphrase in the private file that REELDESK_PASSPHRASE_FILE names; None where it names none.

    Raises VaultError for a file that others can read, or that has no passphrase.
    """
    named = environ.get(VARIABLE)
    if not named:
        return None
    path = Path(named)
    try:
        content, _ = read_private(path, f"the passphrase in {path}")
    except FileNotFoundError:
        raise VaultError(f"the passphrase in {path} cannot be read: No such file or directory") from None
    return _first_line(content)


def from_line(stream: BinaryIO) -> Passphrase:
    """The passphrase in the next line of a stream (stdin); what follows is left there. Raises VaultError."""
    return _first_line(stream.readline(4 * _LONGEST + 2))


def _first_line(content: bytes) -> Passphrase:
    line = content.split(b"\n", 1)[0].removesuffix(b"\r")
    try:
        return Passphrase(line.decode())
    except UnicodeDecodeError:
        raise VaultError("the passphrase is not UTF-8 text") from None

"""Links that are themselves secrets (a presigned retrievalUrl) are kept sealed, never in clear.

The key lies in a file of its own beside the ledger (0600), so that a copy of the ledger alone (a backup, a ticket's
attachment) gives nothing away. It does not protect against whoever can read this account's files.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from providers.secret import Secret
from vault.errors import VaultError

if TYPE_CHECKING:  # loaded when the first link is sealed: it costs 30 ms
    from cryptography.fernet import Fernet


class Sealer:
    """Seals and opens secrets with the key in `path`, which is made on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = b""
        """The key, as it stands in the file."""
        self._fernet: Fernet | None = None

    def seal(self, secret: Secret) -> bytes:
        """The secret, encrypted and authenticated. Raises VaultError when the key cannot be kept."""
        return self.seal_bytes(secret.reveal().encode())

    def open(self, sealed: bytes) -> Secret | None:
        """The secret again; None when it was sealed with a key that is gone."""
        content = self.open_bytes(sealed)
        return None if content is None else Secret(content.decode())

    def seal_bytes(self, content: bytes) -> bytes:
        """Bytes, encrypted and authenticated. Raises VaultError when the key cannot be kept."""
        if self._fernet is not None and not self._path.exists():  # somebody removed it: what is sealed now needs it
            self._fernet = None
        return self._key().encrypt(content)

    def open_bytes(self, sealed: bytes) -> bytes | None:
        """The bytes again; None when they were sealed with a key that is gone."""
        from cryptography.fernet import InvalidToken

        try:
            return self._key().decrypt(sealed)
        except InvalidToken:
            return None

    def _key(self) -> "Fernet":
        if self._fernet is None:
            from cryptography.fernet import Fernet

            try:
                self._text = self._read() or self._make(self._text or Fernet.generate_key())
                self._fernet = Fernet(self._text)
            except OSError as error:
                raise VaultError(f"{self._path}: {error.strerror}") from None
            except ValueError:
                raise VaultError(f"{self._path}: this is no key; remove it, links are then announced anew") from None
        return self._fernet

    def _read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def _make(self, key: bytes) -> bytes:
        temporary = self._path.with_name(f"{self._path.name}.{os.urandom(8).hex()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, key)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(temporary, self._path)
            self._sync_folder()
        except FileExistsError:
            key = self._path.read_bytes()
        finally:
            temporary.unlink()
        return key

    def _sync_folder(self) -> None:
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""The bytes of the sealed file: a header in clear, then everything else encrypted. Pure; nothing here touches a disk.

Header (58 bytes, big endian): magic, version, name of the key derivation, its three costs, salt, nonce. It is
authenticated together with the content, so that nobody makes the derivation cheaper or exchanges a part. Its costs are
checked before any work is done: a file from somebody else must not make us use gigabytes, or minutes.
Content: JSON `{service: {name: secret}}` under AES-256-GCM, padded, so that neither names nor lengths are to be seen.
"""

import json
import struct
from collections.abc import Callable, Mapping

from msgspec import Struct

from vault.errors import VaultError
from vault.passphrase import Passphrase, WrongPassphrase

MOST = 1024 * 1024
"""Bytes of a sealed file."""
_MAGIC = b"REELSEAL"
_VERSION = 1
_HEADER = struct.Struct(">8sH8sIII16s12s")
_BLOCK = 4096
_TAG = 16
KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12

Held = Mapping[str, Mapping[str, str]]
Randomness = Callable[[int], bytes]


class Kdf(Struct, frozen=True):
    """How a key is made of a passphrase. argon2id: passes, KiB, lanes; scrypt: n, r, p (RFC 9106, RFC 7914)."""

    name: str
    costs: tuple[int, int, int]

    def check(self) -> None:
        """Raises VaultError for costs that we would never choose: too dear for this machine, or too cheap."""
        first, second, third = self.costs
        if self.name == "argon2id":
            fits = 1 <= first <= 8 and 19 * 1024 <= second <= 256 * 1024 and 1 <= third <= 4
        elif self.name == "scrypt":  # 128 bytes x n x r of memory
            fits = 2**15 <= first <= 2**18 and not first & (first - 1) and second == 8 and 1 <= third <= 4
        else:
            raise VaultError("the sealed file was made in a way that is not known here")
        if not fits:
            raise VaultError(f"the sealed file asks for an amount of work that is not allowed ({self.name})")

    def derive(self, passphrase: Passphrase, salt: bytes) -> bytes:
        """The key. Takes tenths of a second and up to 256 MiB. Raises VaultError."""
        self.check()
        from cryptography.exceptions import UnsupportedAlgorithm

        first, second, third = self.costs
        try:
            if self.name == "argon2id":
                from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

                argon = Argon2id(salt=salt, length=KEY_BYTES, iterations=first, memory_cost=second, lanes=third)
                return argon.derive(passphrase.reveal())
            from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

            return Scrypt(salt=salt, length=KEY_BYTES, n=first, r=second, p=third).derive(passphrase.reveal())
        except (UnsupportedAlgorithm, ImportError):
            raise VaultError(f"this machine's cryptography cannot do {self.name} (it needs OpenSSL 3.2)") from None
        except MemoryError:
            raise VaultError("there is not enough memory to unlock the sealed file") from None


ARGON2ID = Kdf("argon2id", (3, 64 * 1024, 2))
SCRYPT = Kdf("scrypt", (2**17, 8, 1))


def strongest() -> Kdf:
    """What new files are made with: Argon2id, or scrypt where this machine's cryptography has none."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        Argon2id(salt=b"\0" * SALT_BYTES, length=KEY_BYTES, iterations=1, memory_cost=64, lanes=1)
    except (UnsupportedAlgorithm, ImportError):
        return SCRYPT
    return ARGON2ID


class Origin(Struct, frozen=True):
    """What a key was made from, beside the passphrase: it changes when the passphrase does."""

    kdf: Kdf
    salt: bytes


class Sealed(Struct, frozen=True):
    """A file, taken apart and still sealed."""

    origin: Origin
    nonce: bytes
    header: bytes
    content: bytes


def take_apart(content: bytes) -> Sealed:
    """A file's parts, its costs checked. Raises VaultError for what is no such file."""
    if len(content) < _HEADER.size + _TAG or not content.startswith(_MAGIC):
        raise VaultError("it is no sealed file of reeldesk, or was damaged")
    if len(content) > MOST:
        raise VaultError(f"the sealed file is larger than {MOST} bytes; it is not used")
    header = content[: _HEADER.size]
    _, version, name, first, second, third, salt, nonce = _HEADER.unpack(header)
    if version != _VERSION:
        raise VaultError(f"the sealed file has version {version}; this reeldesk knows version {_VERSION}")
    kdf = Kdf(name.rstrip(b"\0").decode("ascii", "replace"), (first, second, third))
    kdf.check()
    return Sealed(Origin(kdf, salt), nonce, header, content[_HEADER.size :])


def unseal(sealed: Sealed, key: bytes) -> dict[str, dict[str, str]]:
    """What is inside. Raises WrongPassphrase where the key does not fit or a bit was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        text = AESGCM(key).decrypt(sealed.nonce, sealed.content, sealed.header)
    except InvalidTag:
        raise WrongPassphrase("the passphrase is wrong, or the file was changed") from None
    return _held(text)


def seal(held: Held, key: bytes, origin: Origin, randomness: Randomness) -> bytes:
    """A whole file. Raises VaultError where there is too much in it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    costs, nonce = origin.kdf.costs, randomness(NONCE_BYTES)
    header = _HEADER.pack(_MAGIC, _VERSION, origin.kdf.name.encode(), *costs, origin.salt, nonce)
    text = json.dumps(held, sort_keys=True).encode()
    text += b" " * (-len(text) % _BLOCK)  # white space means nothing in JSON
    if len(header) + len(text) + _TAG > MOST:
        raise VaultError(f"the sealed file would be larger than {MOST} bytes")
    return header + AESGCM(key).encrypt(nonce, text, header)


def _held(text: bytes) -> dict[str, dict[str, str]]:
    """It is authenticated, so whatever it is, somebody with the passphrase wrote it."""
    strange = "what is in the sealed file is not understood; a newer reeldesk may have written it"
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        raise VaultError(strange) from None
    if not isinstance(held, dict) or not all(_are_texts(names) for names in held.values()):
        raise VaultError(strange)
    return held


def _are_texts(names: object) -> bool:
    return isinstance(names, dict) and all(isinstance(value, str) for value in names.values())

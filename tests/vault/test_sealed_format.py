"""The sealed file's bytes: hostile ones cost nothing, and what a machine cannot do is said in words."""

import json
import os
import struct
import sys
import tracemalloc

import cryptography.hazmat.primitives.kdf.argon2 as argon2_module
import cryptography.hazmat.primitives.kdf.scrypt as scrypt_module
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from vault import sealed_format
from vault.errors import VaultError
from vault.passphrase import Passphrase, WrongPassphrase
from vault.sealed_format import ARGON2ID, SCRYPT, Kdf, Origin, seal, strongest, take_apart, unseal

KEY = b"k" * 32
QUICK = Kdf("argon2id", (1, 19 * 1024, 1))
ORIGIN = Origin(QUICK, b"s" * 16)
HEADER = struct.Struct(">8sH8sIII16s12s")


def header(name: bytes, first: int, second: int, third: int, version: int = 1, magic: bytes = b"REELSEAL") -> bytes:
    return HEADER.pack(magic, version, name, first, second, third, b"s" * 16, b"n" * 12)


@pytest.mark.parametrize(
    ("name", "costs"),
    [
        (b"argon2id", (0, 65536, 2)),
        (b"argon2id", (9, 65536, 2)),
        (b"argon2id", (2**32 - 1, 65536, 2)),
        (b"argon2id", (3, 8, 1)),
        (b"argon2id", (3, 19 * 1024 - 1, 2)),
        (b"argon2id", (3, 256 * 1024 + 1, 2)),
        (b"argon2id", (3, 2**32 - 1, 2)),
        (b"argon2id", (3, 65536, 0)),
        (b"argon2id", (3, 65536, 5)),
        (b"scrypt\0\0", (2**14, 8, 1)),
        (b"scrypt\0\0", (2**19, 8, 1)),
        (b"scrypt\0\0", (2**17 + 1, 8, 1)),
        (b"scrypt\0\0", (2**17, 9, 1)),
        (b"scrypt\0\0", (2**17, 2**31, 1)),
        (b"scrypt\0\0", (2**17, 8, 0)),
        (b"scrypt\0\0", (2**17, 8, 5)),
        (b"argon2i\0", (3, 65536, 2)),
        (b"\xff" * 8, (3, 65536, 2)),
        (b"\0" * 8, (3, 65536, 2)),
    ],
)
def test_costs_that_are_not_paid(name: bytes, costs: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def worked(*args: object, **named: object) -> None:
        raise AssertionError("work was done for a hostile file")

    monkeypatch.setattr(argon2_module, "Argon2id", worked)
    monkeypatch.setattr(scrypt_module, "Scrypt", worked)
    with pytest.raises(VaultError, match=r"amount of work that is not allowed|not known here"):
        take_apart(header(name, *costs) + b"c" * 4112)
    with pytest.raises(VaultError, match=r"amount of work that is not allowed|not known here"):
        Kdf(name.decode("latin-1").rstrip("\0"), costs).derive(Passphrase("x"), b"s" * 16)


@pytest.mark.parametrize("kdf", [ARGON2ID, SCRYPT, Kdf("argon2id", (8, 256 * 1024, 4)), Kdf("scrypt", (2**15, 8, 4))])
def test_costs_that_are(kdf: Kdf) -> None:
    assert take_apart(header(kdf.name.encode(), *kdf.costs) + b"c" * 4112).origin.kdf == kdf


def test_other_versions() -> None:
    with pytest.raises(VaultError, match="has version 2; this reeldesk knows version 1"):
        take_apart(header(b"argon2id", 3, 65536, 2, version=2) + b"c" * 4112)


WITH_A_HEAD = st.builds(
    lambda name, costs, rest: header(name, *costs) + rest,
    st.sampled_from([b"argon2id", b"scrypt\0\0", b"\0" * 8, b"ARGON2ID"]),
    st.tuples(*[st.integers(0, 2**32 - 1) | st.sampled_from([1, 2, 3, 8, 2**15, 2**17, 65536])] * 3),
    st.binary(max_size=300),
)


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=400) | WITH_A_HEAD | st.binary(max_size=300).map(lambda rest: b"REELSEAL\0\x01" + rest))
def test_hostile_bytes_never_crash_nor_cost(content: bytes) -> None:
    tracemalloc.start()
    try:
        sealed = take_apart(content)
        sealed.origin.kdf.check()
        with pytest.raises(WrongPassphrase):
            unseal(sealed, KEY)
    except VaultError as error:
        refused = error.words
    else:
        refused = "not refused, but not unsealed"
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert refused
    assert peak < 4 * 1024**2


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=9), st.dictionaries(st.text(max_size=9), st.text(max_size=99)), max_size=4))
def test_what_is_sealed_is_unsealed(held: dict[str, dict[str, str]]) -> None:
    content = seal(held, KEY, ORIGIN, os.urandom)
    assert unseal(take_apart(content), KEY) == held
    assert (len(content) - HEADER.size - 16) % 4096 == 0


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"1", b'{"a": 1}', b'{"a": {"b": 1}}', b"{", b"\xff", b'{"a": [1]}', b"[" * 100_000]
)
def test_strange_content_of_somebody_with_the_key(text: bytes) -> None:
    head = HEADER.pack(b"REELSEAL", 1, b"argon2id", *QUICK.costs, b"s" * 16, b"n" * 12)
    content = head + AESGCM(KEY).encrypt(b"n" * 12, text, head)
    with pytest.raises(VaultError, match="is not understood"):
        unseal(take_apart(content), KEY)


# What a machine cannot do


def test_without_argon2id_scrypt_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*args: object, **named: object) -> None:
        raise UnsupportedAlgorithm("no Argon2id here")

    assert strongest() == ARGON2ID
    monkeypatch.setattr(argon2_module, "Argon2id", unsupported)
    assert strongest() == SCRYPT
    with pytest.raises(VaultError, match="cannot do argon2id"):
        QUICK.derive(Passphrase("x"), b"s" * 16)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.kdf.argon2", None)
    assert strongest() == SCRYPT


def test_scrypt_is_scrypt() -> None:
    found = Kdf("scrypt", (2**15, 8, 1)).derive(Passphrase("x"), b"s" * 16)
    import hashlib

    assert found == hashlib.scrypt(b"x", salt=b"s" * 16, n=2**15, r=8, p=1, maxmem=2**26, dklen=32)


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, **named: object) -> None:
            pass

        def derive(self, key: bytes) -> bytes:
            raise MemoryError

    monkeypatch.setattr(argon2_module, "Argon2id", Full)
    with pytest.raises(VaultError, match="not enough memory"):
        QUICK.derive(Passphrase("x"), b"s" * 16)


def test_the_layout_stays() -> None:
    """A file of version 1 as it was first written: who changes the layout changes the version."""
    content = seal({"reeldesk": {"a/key": "v"}}, KEY, ORIGIN, lambda size: b"n" * size)
    assert content[:58].hex() == (
        "5245454c5345414c" + "0001" + "6172676f6e326964" + "00000001" + "00004c00" + "00000001" + "73" * 16 + "6e" * 12
    )
    text = AESGCM(KEY).decrypt(b"n" * 12, content[58:], content[:58])
    assert json.loads(text) == {"reeldesk": {"a/key": "v"}}
    assert sealed_format.MOST == 1024 * 1024

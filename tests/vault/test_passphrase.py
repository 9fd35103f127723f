"""The passphrase: normalised, never shown, read from a private file or one line."""

import copy
import io
import pickle
from pathlib import Path

import pytest

from vault.errors import VaultError
from vault.passphrase import VARIABLE, Passphrase, from_file, from_line


def test_it_is_normalised() -> None:
    assert Passphrase("Pa\u0308ss ﬁ").reveal() == Passphrase("P\u00e4ss fi").reveal() == "Päss fi".encode()
    assert Passphrase(" kept as typed ").reveal() == b" kept as typed "


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u3000\u00a0", "\ud800", "x" * 1025])
def test_what_is_none(text: str) -> None:
    with pytest.raises(VaultError, match=r"passphrase is empty|no text|at most 1024"):
        Passphrase(text)


def test_it_is_not_shown() -> None:
    it = Passphrase("CANARY")
    assert {repr(it), str(it), f"{it}", f"{it:>20}"} == {"Passphrase(…)"}
    for leak in (pickle.dumps, copy.copy, hash):
        with pytest.raises(TypeError):
            leak(it)
    assert it != Passphrase("CANARY")
    assert it == it


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.touch(0o600)
    return path


@pytest.mark.parametrize("content", [b"correct horse", b"correct horse\n", b"correct horse\r\nmore\n"])
def test_from_a_file(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    found = from_file({VARIABLE: str(file)})
    assert found is not None
    assert found.reveal() == b"correct horse"


def test_from_no_file(file: Path) -> None:
    assert from_file({}) is None
    assert from_file({VARIABLE: ""}) is None
    for content, said in (
        (b"", "is empty"),
        (b"\nsecond", "is empty"),
        (b"\xff", "not UTF-8"),
        (b"x" * 70_000, "larger"),
    ):
        file.write_bytes(content)
        with pytest.raises(VaultError, match=said):
            from_file({VARIABLE: str(file)})
    file.chmod(0o640)
    with pytest.raises(VaultError, match="can be read by others: chmod 600"):
        from_file({VARIABLE: str(file)})
    file.unlink()
    with pytest.raises(VaultError, match="No such file"):
        from_file({VARIABLE: str(file)})


def test_from_a_line_and_no_more() -> None:
    stream = io.BytesIO("Pässwörd\nCRN_key\n".encode())
    assert from_line(stream).reveal() == "Pässwörd".encode()
    assert stream.read() == b"CRN_key\n"
    with pytest.raises(VaultError, match="is empty"):
        from_line(io.BytesIO(b""))
    with pytest.raises(VaultError, match="at most 1024"):
        from_line(io.BytesIO(b"x" * 10_000_000))

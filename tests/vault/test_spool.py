"""Saved deliveries in a folder."""

from pathlib import Path

import pytest

from providers.models import Delivery
from vault import spool
from vault.errors import SpoolError


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_bytes(b'{"a": 1}\n')
    assert spool.read(path) == Delivery({}, b'{"a": 1}\n')
    (tmp_path / "one.json.headers").write_text("Content-Type: application/json\r\n\r\nX: a:b\nnonsense\n : no name\n")
    assert spool.read(path).headers == {"content-type": "application/json", "x": "a:b"}


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="No such file"):
        spool.read(tmp_path / "none.json")
    (tmp_path / "large.json").write_bytes(b"x" * (spool.BODY_LIMIT + 1))
    with pytest.raises(SpoolError, match="larger than 1 MiB"):
        spool.read(tmp_path / "large.json")
    with pytest.raises(SpoolError, match="No such file"):
        list(spool.saved(tmp_path / "none"))


def test_what_is_saved(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "a.json.headers", "c.txt", "d.json.new"):
        (tmp_path / name).write_text("")
    assert [path.name for path in spool.saved(tmp_path)] == ["a.json", "b.json"]

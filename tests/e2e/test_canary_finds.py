"""The search for canaries can fail: it finds one in every spelling, and nothing where there is none."""

import base64
import codecs
import gzip
import html
import json
import random
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.canary import PIECE, Aviary

SPELLINGS: dict[str, Callable[[str], str | bytes]] = {
    "as it is": str,
    "in JSON, twice": lambda text: json.dumps(json.dumps(text)),
    "repr": lambda text: repr(text.encode()),
    "in a URL": lambda text: quote(text, safe=""),
    "every letter in percents": lambda text: "".join(f"%{ord(char):02X}" for char in text),
    "in escapes": lambda text: "".join(f"\\x{ord(char):02x}" for char in text),
    "in XML": html.escape,
    "in entities": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after a byte": lambda text: base64.b64encode(b":" + text.encode()).decode(),
    "base64 for URLs after two": lambda text: base64.urlsafe_b64encode(b"u:" + text.encode()).decode(),
    "hex": lambda text: text.encode().hex().upper(),
    "backwards": lambda text: text[::-1],
    "the other case": str.swapcase,
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "a piece": lambda text: text[3 : 3 + PIECE],
    "wrapped": "\r\n  ".join,
    "in cells": lambda text: "".join(f"\x1b[3;{place}H\x1b[1m{char}" for place, char in enumerate(text)),
    "to the clipboard": lambda text: f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07",
    "UTF-16": lambda text: text.encode("utf-16-le"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_it_is_found_in_every_spelling(spelling: str) -> None:
    aviary = Aviary()
    secrets = {name: aviary.make(name) for name in ("one", "another", "third")}
    spelt = SPELLINGS[spelling](secrets["another"])
    content = b"<" + (spelt if isinstance(spelt, bytes) else spelt.encode()) + b">"
    assert {find.canary for find in aviary.within(content, "here")} == {"another"}


def test_nothing_is_found_by_chance() -> None:
    aviary = Aviary()
    for number in range(50):
        aviary.make(str(number))
    noise = random.Random(1).randbytes(1 << 20)
    for content in (noise, base64.b64encode(noise), noise.hex().encode()):
        assert not aviary.within(content, "noise")


def test_files_are_looked_into(tmp_path: Path) -> None:
    aviary = Aviary()
    secrets = {name: aviary.make(name, "plain") for name in ("row", "packed row", "member", "gzip", "name", "link")}
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger, ledger:
        ledger.execute("create table kept (a, b)")
        packed = gzip.compress(secrets["packed row"].encode() * 3)
        ledger.execute("insert into kept values (?, ?)", ("x" * 5000 + secrets["row"], packed))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", secrets["member"] * 9)
    (tmp_path / "log.gz").write_bytes(gzip.compress(secrets["gzip"].encode() * 9))
    (tmp_path / secrets["name"]).mkdir()
    (tmp_path / "leads").symlink_to(f"/nowhere/{secrets['link']}")
    assert {find.canary for find in aviary.in_tree(tmp_path)} == set(secrets)
    left = aviary.in_tree(tmp_path, besides=[tmp_path / "ledger.db"])
    assert {find.canary for find in left} == set(secrets) - {"row", "packed row"}

"""Canaries: secrets that are found again wherever they went, in whatever spelling they stand there.

A canary is a secret with two cores of letters and digits, and between them the characters that URLs, JSON, XML, shells
and redacting patterns treat in their own ways. Only the cores are searched for, and already PIECE characters of one
that follow each other count: what is cut, wrapped or masked by halves is found, too.
"""

import base64
import codecs
import io
import random
import re
import sqlite3
import string
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

CORE = 20
"""Characters of a core."""
PIECE = 9
"""So many of them in a row are a find: they stand nowhere by chance, 36 ** 9 is more than any file has bytes."""
GRAM = 4
_TOKEN = re.compile(rb"[0-9A-Za-z+/_-]{9,}")
_ESCAPE = re.compile(rb"(?:\\x|\\u00|%|&#x)([0-9a-fA-F]{2});?|&#([0-9]{2,3});")
BETWEEN = {
    "any": "\"'<&>\\/+%= ;,:?#@",
    "plain": "-_.~",  # in a path, where everything else is quoted
    "cookie": "/+%=:@",
    "word": "\"'<&>\\/+%=;,:?#@",
}
SEQUENCE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])")
"""What a terminal acts on; an OSC 52 is looked at before it is taken out."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A secret. `name` says whose; `cores` are its parts that no encoding of text changes."""

    name: str
    text: str = field(repr=False)
    cores: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Find:
    """A canary that is where it must not be: which, in what spelling, and where."""

    canary: str
    spelling: str
    where: str


class Aviary:
    """Makes canaries and looks for them. `seed` makes the same ones again."""

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(f"canaries {seed}")
        self.all: dict[str, Canary] = {}
        self._pieces: dict[bytes, tuple[str, str]] = {}
        """Every piece, in lower case: whose it is, and in what spelling."""
        self._grams: set[bytes] = set()
        """Every GRAM characters that follow each other in one of them."""

    def make(self, name: str, kind: str = "any", begin: str = "") -> str:
        """A new secret called `name`, which begins with `begin`."""
        cores = (self._core(), self._core())
        return self.tell(name, f"{begin}{cores[0]}{BETWEEN[kind]}{cores[1]}", cores)

    def tell(self, name: str, text: str, cores: tuple[str, ...] = ()) -> str:
        """A secret that somebody else made (a token drawn by the program): without `cores` all of it is looked for."""
        self.all[name] = one = Canary(name, text, cores or (text,))
        for spelling, texts, length in _spellings(one):
            for each in texts:
                low = each.lower().encode()
                for at in range(len(low) - length + 1):
                    self._pieces[low[at : at + length]] = (name, spelling)
                self._grams.update(low[at : at + GRAM] for at in range(len(low) - GRAM + 1))
        return text

    def _core(self) -> str:
        return "".join(self._chance.choices(string.ascii_letters + string.digits, k=CORE))

    def text(self, name: str) -> str:
        """The secret."""
        return self.all[name].text

    def within(self, content: bytes, where: str) -> list[Find]:
        """The canaries in a content."""
        found: dict[tuple[str, str], None] = {}
        for view in _views(content):
            for token in _TOKEN.findall(view):
                low = token.lower()
                # A piece is so long that one of these places begins a gram of it.
                for place in range(0, len(low) - GRAM + 1, PIECE - GRAM + 1):
                    if low[place : place + GRAM] in self._grams:
                        found |= dict.fromkeys(self._around(low, place))
        return [Find(name, spelling, where) for name, spelling in found]

    def _around(self, token: bytes, place: int) -> Iterator[tuple[str, str]]:
        for length in (PIECE, 2 * PIECE):
            for at in range(max(0, place + GRAM - length), place + 1):
                whose = self._pieces.get(token[at : at + length])
                if whose:
                    yield whose

    def in_tree(self, *folders: Path, besides: Iterable[Path] = ()) -> list[Find]:
        """The canaries in all files below these folders, in their names too, and in what is packed in them."""
        left_out = [path.resolve() for path in besides]
        found: list[Find] = []
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if any(path.resolve().is_relative_to(each) for each in left_out):
                    continue
                found += self.within(str(path.relative_to(folder)).encode(), f"the name of {path}")
                if path.is_symlink():
                    found += self.within(str(path.readlink()).encode(), f"where {path} leads")
                elif path.is_file():
                    for where, content in _contents(path):
                        found += self.within(content, where)
        return found


def _spellings(canary: Canary) -> Iterator[tuple[str, list[str], int]]:
    """How a core may stand somewhere, and how many characters of that are a find."""
    cores = canary.cores
    yield "as it is", list(cores), PIECE
    yield "backwards", [core[::-1] for core in cores], PIECE
    yield "rot13", [codecs.encode(core, "rot13") for core in cores], PIECE
    yield "hex", [core.encode().hex() for core in cores], 2 * PIECE
    # At each of three places in a base64 text, without the characters that its neighbours have a part in.
    shifted = [base64.b64encode(b"\0" * shift + core.encode()).decode()[4:-4] for core in cores for shift in range(3)]
    yield "base64", [*shifted, *(text.replace("+", "-").replace("/", "_") for text in shifted)], PIECE


def _views(content: bytes) -> Iterator[bytes]:
    """The content; without what a terminal acts on and blanks (each letter may have a cell or a line of its own);
    and with escapes, percents and entities undone.
    """
    yield content
    yield re.sub(rb"[\s\0]+", b"", SEQUENCE.sub(b"", content))
    if _ESCAPE.search(content):
        yield _ESCAPE.sub(lambda one: bytes([int(one[1], 16) if one[1] else int(one[2]) % 256]), content)


def _contents(path: Path, most: int = 64 * 1024 * 1024) -> Iterator[tuple[str, bytes]]:
    """A file as it is, and what is packed in it: members, rows, streams."""
    content = path.read_bytes()[:most]
    yield str(path), content
    if content.startswith(b"SQLite format 3\0"):
        yield from _rows(path)
    if content.startswith(b"PK"):
        with suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(content)) as packed:
            for name in packed.namelist():
                yield f"{path}!{name}", name.encode() + b"\n" + packed.read(name)
    if content.startswith(b"\x1f\x8b"):
        with suppress(OSError, zlib.error):
            unpacked = zlib.decompress(content, 31)
            yield f"{path}, unpacked", unpacked
            with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(unpacked)) as packed_too:
                yield f"{path}, its names", "\n".join(packed_too.getnames()).encode()


def _rows(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every value of every table, whole (in the file it may be torn over pages) and unpacked where it is packed."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as ledger:
        for (table,) in ledger.execute("select name from sqlite_master where type = 'table'").fetchall():
            values: list[bytes] = []
            with suppress(sqlite3.OperationalError):  # an index for words has nothing to select; its tables have
                for row in ledger.execute(f'select * from "{table}"'):  # a name from the schema
                    values += [_bytes(value) for value in row]
            for value in list(values):
                with suppress(zlib.error):
                    values.append(zlib.decompress(value, 47))
            yield f"{path}, table {table}", b"\n".join(values)


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def told(found: Iterable[Find], most: int = 40) -> str:
    """Finds in words, for a test that fails: never the secret itself."""
    lines = [f"{one.canary} ({one.spelling}) in {one.where}" for one in dict.fromkeys(found)]
    return f"{len(lines)} finds\n" + "\n".join(lines[:most])


def variables(secrets: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Secrets by account and name as the environment has them."""
    return {f"REELDESK_SECRET_{a}_{n}".upper().replace("-", "_"): text for (a, n), text in secrets.items()}

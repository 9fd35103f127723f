"""Checking a packet that came from elsewhere, or that was kept: with the library's validator, and beyond it."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from vault.custody.packing import MANIFEST, TAG_MANIFEST, sha256_of
from vault.errors import VaultError

_LINK = re.compile(r"(\d+) (-|[0-9a-f]{64}) ([0-9a-f]{64})")


def problems_of(place: Path) -> tuple[str, ...]:
    """What is wrong with a packet, in words, each naming the file or event; () when all of it is as it was packed.

    Needs nothing but the packet. Blocks as long as reading takes. Raises VaultError for a folder that is no bag.
    """
    if not (place / "bagit.txt").is_file():
        raise VaultError(f"{place} is no packet: there is no bagit.txt in it")
    try:
        return (*_validated(place), *_tag_manifest(place), *_chain(place / "data/trail"))
    except (OSError, ValueError) as error:  # the library looks up whatever encoding is named
        return (f"{place} cannot be read: {error}",)


def _validated(place: Path) -> Iterator[str]:
    import bagit

    try:
        bagit.Bag(str(place)).validate()
    except bagit.BagValidationError as error:
        yield from map(str, error.details or [error])
        if not error.details:  # it counted bytes and files, and did not look which
            yield from _listed(place, MANIFEST)
            yield from _unlisted(place)
    except bagit.BagError as error:
        yield str(error)


def _tag_manifest(place: Path) -> Iterator[str]:
    """The tag manifest is covered by no other, and the library reads it with some leniency: here it is exact."""
    yield from _listed(place, TAG_MANIFEST)
    named = {name for _, name in _lines(place, TAG_MANIFEST)}
    for path in place.rglob("*"):
        name = path.relative_to(place).as_posix()
        if path.is_file() and not name.startswith("data/") and name not in {*named, TAG_MANIFEST}:
            yield f"{name} is in no manifest"


def _listed(place: Path, manifest: str) -> Iterator[str]:
    for digest, name in _lines(place, manifest):
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or not (place / name).is_file():
            yield f"{manifest}: a line was changed, or its file is gone: {digest} {name}"
        elif sha256_of(place / name) != digest:
            yield f"{name} is not what {manifest} says"


def _unlisted(place: Path) -> Iterator[str]:
    """What lies among the payload and is not in its manifest."""
    named = {name for _, name in _lines(place, MANIFEST)}
    for path in sorted((place / "data").rglob("*")):
        name = path.relative_to(place).as_posix()
        if name not in named and (path.is_symlink() or not path.is_dir()):
            yield f"{name} is not in {MANIFEST}: it was put there later"


def _lines(place: Path, manifest: str) -> list[tuple[str, str]]:
    """Digests and names; the library puts one space between them in the tag manifest, two in the manifest."""
    space = " " if manifest == TAG_MANIFEST else "  "
    lines = (line.partition(space) for line in (place / manifest).read_bytes().decode().split("\n"))
    return [(digest, name) for digest, _, name in lines if digest or name]


def _chain(folder: Path) -> Iterator[str]:
    """The links lead from each to the next, and every event has one."""
    before, digests = "", set()
    for line in (folder / "links.txt").read_text("utf-8").splitlines():
        found = _LINK.fullmatch(line)
        if found is None:
            yield f"links.txt: {line!r} is no link"
            return
        number, digest, link = found.groups()
        if digest != "-" and hashlib.sha256(f"{before}\n{digest}".encode()).hexdigest() != link:
            yield f"the chain is broken at event {number}"
            return
        before = link
        digests.add((int(number), digest))
    for path in sorted(folder.glob("*-events.jsonl")):
        for body in path.read_bytes().splitlines():
            if (_number(body), hashlib.sha256(body).hexdigest()) not in digests:
                yield f"{path.name}: an event is not in the chain: {body[:80].decode(errors='replace')}…"


def _number(body: bytes) -> object:
    try:
        return json.loads(body)["number"]
    except (ValueError, KeyError, TypeError):
        return None

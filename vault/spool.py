"""Saved deliveries in a folder: `NAME.json` with the body's exact bytes, `NAME.json.headers` with its headers.

For whoever receives webhooks with something else, and for the demo. Files are read, never changed or removed.
"""

from collections.abc import Iterator
from pathlib import Path

from providers.models import Delivery
from vault.errors import SpoolError

BODY_LIMIT = 1 << 20


def parse_headers(text: str) -> dict[str, str]:
    """Lines of `Name: value`; names become lower-case. Lines without a colon are passed over."""
    headers = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers[name.strip().lower()] = value.strip()
    return headers


def read(path: Path) -> Delivery:
    """A saved delivery. Raises SpoolError in words."""
    try:
        with path.open("rb") as file:
            body = file.read(BODY_LIMIT + 1)
        beside = path.with_name(f"{path.name}.headers")
        headers = parse_headers(beside.read_text("utf-8", "replace")) if beside.exists() else {}
    except OSError as error:
        raise SpoolError(f"{path}: {error.strerror}") from None
    if len(body) > BODY_LIMIT:
        raise SpoolError(f"{path}: larger than {BODY_LIMIT >> 20} MiB; no service sends such a delivery")
    return Delivery(headers, body)


def saved(folder: Path) -> Iterator[Path]:
    """The saved deliveries in a folder, by name. Raises SpoolError when the folder cannot be read."""
    try:
        names = sorted(entry for entry in folder.iterdir() if entry.suffix == ".json")
    except OSError as error:
        raise SpoolError(f"spool {folder}: {error.strerror}") from None
    yield from names

"""Where a file lies in the vault: the template filled in, every part made harmless for every file system."""

import hashlib
import re
import unicodedata
from datetime import datetime
from pathlib import PurePosixPath

from pathvalidate import sanitize_filename

from providers.models import AssetId

MAX_PART_BYTES = 180
"""Leaves room under the usual 255 for `.part` and its sidecar."""


def safe_part(text: str) -> str:
    """One part of a path from any text: no separators, controls, reserved names; never empty, "." or ".."."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[/\\:]+", " - ", text)
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else c for c in text)
    text = re.sub(r"\s+", " ", text).lstrip(" .-~").rstrip(" .")
    text = _cut(text)  # before the library would: it cuts without a mark, and the ending off
    text = sanitize_filename(text, platform="universal", replacement_text="_").strip(" .")
    stem = text.partition(".")[0].rstrip()
    if stem.upper() in _RESERVED:
        text = f"_{text}"
    return _cut(text) or "_"


_RESERVED = frozenset({"CON", "PRN", "AUX", "NUL", *(f"{p}{n}" for p in ("COM", "LPT") for n in "0123456789¹²³")})


def _cut(text: str) -> str:
    """At most MAX_PART_BYTES of UTF-8; what is cut is told apart by a hash of the whole."""
    encoded = text.encode()
    if len(encoded) <= MAX_PART_BYTES:
        return text
    mark = f"~{hashlib.sha256(encoded).hexdigest()[:8]}"
    stem, dot, extension = text.rpartition(".")
    tail = mark + (dot + extension if stem and len(extension) <= 5 else "")
    head = encoded[: MAX_PART_BYTES - len(tail.encode())].decode(errors="ignore")
    return head.rstrip(" .") + tail


def relative_path(template: str, identity: AssetId, title: str, extension: str, day: datetime) -> PurePosixPath:
    """The path of an asset's file below the vault's folder."""
    values = {
        "account": identity.account,
        "date": f"{day:%Y-%m-%d}",
        "title": title,
        "meeting": identity.meeting,
        "kind": str(identity.kind),
        "variant": f"-{identity.variant}" if identity.variant else "",
        "ext": extension,
    }
    parts = []
    for part in template.split("/"):
        filled = re.sub(r"\{(\w+)\}", lambda found: _field(values[found.group(1)]), part)
        parts.append(safe_part(filled))
    return PurePosixPath(*parts)


def _field(text: str) -> str:
    return re.sub(r"[/\\]+", " - ", text)


def told_apart(path: PurePosixPath, identity: AssetId) -> PurePosixPath:
    """The same path with a mark of the asset in the name, for when another asset's file lies there."""
    mark = hashlib.sha256(str(identity).encode()).hexdigest()[:8]
    return path.with_name(safe_part(f"{path.stem} ~{mark}{path.suffix}"))

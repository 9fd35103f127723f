"""Whether a file is whole by its own form: a zip's members and their CRCs, an MP4's boxes, a JSON text."""

import json
from typing import IO

from vault.proof import Check, Outcome
from vault.transfers.box_form import NAME, check_boxes, check_riff
from vault.transfers.zip_form import check_zip

JSON_LIMIT = 16 << 20
JSON_NODES = 1_000_000
"""Lists and objects: each takes up to 232 bytes of memory while it is read."""


def check_container(extension: str, file: IO[bytes]) -> Check:
    """Read the file through and say what was found. `file` is positioned anywhere; it is not closed."""
    file.seek(0)
    if extension == "zip":
        return check_zip(file)
    if extension in ("mp4", "m4a", "mov"):
        return check_boxes(file)
    if extension == "wav":
        return check_riff(file)
    if extension == "json":
        return _json(file)
    return Check(NAME, Outcome.NOT_STATED, f"nothing is known about the form of .{extension} files")


def _json(file: IO[bytes]) -> Check:
    content = file.read(JSON_LIMIT + 1)
    if len(content) > JSON_LIMIT:
        return Check(NAME, Outcome.UNREADABLE, f"the JSON text is larger than {JSON_LIMIT >> 20} MiB: not read")
    if content.count(b"[") + content.count(b"{") > JSON_NODES:
        return Check(NAME, Outcome.UNREADABLE, f"the JSON text has more than {JSON_NODES} parts: not read")
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        words = f"the file is no complete JSON text: {error.msg} in line {error.lineno}, column {error.colno}"
        return Check(NAME, Outcome.FAILED, words)
    except (ValueError, RecursionError):  # no UTF-8, thousands of digits, nested without end
        return Check(NAME, Outcome.FAILED, "the file is no complete JSON text")
    return Check(NAME, Outcome.PASSED, "JSON text complete")

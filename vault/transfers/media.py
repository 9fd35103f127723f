"""Duration and tracks of a recording, as MediaInfo reads them, in a process of its own (`media_child`)."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from providers.text import safe_text
from vault.proof import Check, Outcome
from vault.transfers.media_child import NOT_INSTALLED

NAME = "media"
EXTENSIONS = frozenset({"mp4", "m4a", "mov", "wav", "mp3"})
LONGEST_S = 30.0
ANSWER_LIMIT = 1 << 20
_LOOK_S = 0.02
_KINDS = {"Video": "video", "Audio": "audio", "Text": "text"}
_CHILD = Path(__file__).with_name("media_child.py")


def check_media(extension: str, file: BinaryIO, stop: Callable[[], None] = lambda: None) -> Check | None:
    """What plays in it, and for how long; None for forms that do not play. `file` has a descriptor; it is not closed.

    `stop` is called all the while, and may raise to end it. A file that cannot be read is no proof against its bytes:
    nothing here says FAILED.
    """
    if extension not in EXTENSIONS:
        return None
    answer = bytearray()
    status = _ask(file, answer, stop)
    if status == NOT_INSTALLED:
        return Check(NAME, Outcome.NOT_STATED, "duration and tracks were not read: MediaInfo is not installed here")
    if status is None:
        return Check(NAME, Outcome.UNREADABLE, f"duration and tracks could not be read within {LONGEST_S:g} s")
    if status != 0 or len(answer) > ANSWER_LIMIT:
        return Check(NAME, Outcome.UNREADABLE, "duration and tracks could not be read: MediaInfo gave up on the file")
    return _judge(bytes(answer))


def _ask(file: BinaryIO, answer: bytearray, stop: Callable[[], None]) -> int | None:
    """The child's exit status; None when it took too long."""
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    child = subprocess.Popen(
        [sys.executable, "-I", str(_CHILD)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={},
        start_new_session=True,
    )
    return _wait(child, answer, stop, time.monotonic() + LONGEST_S)


def _wait(child: "subprocess.Popen[bytes]", answer: bytearray, stop: Callable[[], None], until: float) -> int | None:
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)
    try:
        while (status := child.poll()) is None:
            stop()
            if time.monotonic() > until:
                return None
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_LOOK_S)
            _take(child, answer)
        _take(child, answer)
        return status
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()


def _take(child: "subprocess.Popen[bytes]", answer: bytearray) -> None:
    """What it printed by now; beyond the limit it is dropped, so that it can end."""
    assert child.stdout is not None
    while block := child.stdout.read(1 << 16):
        if len(answer) <= ANSWER_LIMIT:
            answer += block


def _judge(text: bytes) -> Check:
    try:
        tracks = json.loads(text)["media"]["track"]
        kinds = [(str(track["@type"]), track) for track in tracks]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Check(NAME, Outcome.UNREADABLE, "duration and tracks could not be read: MediaInfo's answer is no answer")
    counted = Counter(
        (_KINDS[kind], safe_text(str(track.get("Format", "")), 30)) for kind, track in kinds if kind in _KINDS
    )
    if not any(kind in ("video", "audio") for kind, _ in counted):
        return Check(NAME, Outcome.UNREADABLE, "no picture and no sound is described in the file: nothing would play")
    stated = next((track.get("Duration") for kind, track in kinds if kind == "General"), None)
    named = ", ".join(
        f"{number} {kind} ({form})" if form else f"{number} {kind}" for (kind, form), number in sorted(counted.items())
    )
    return Check(NAME, Outcome.PASSED, f"{_duration(stated)}; tracks: {named}")


def _duration(stated: object) -> str:
    try:
        seconds = round(float(str(stated)))
    except (ValueError, OverflowError):
        return "no duration stated"
    hours, rest = divmod(seconds, 3_600)
    return f"plays {hours}:{rest // 60:02}:{rest % 60:02}"

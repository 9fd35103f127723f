"""Cronofy's transcript as values, and as text to show. Doc: meeting-agents/transcripts (BETA)."""

import json
import math
from typing import Any

from msgspec import Struct

from providers.base import BadAnswer
from providers.text import safe_block, safe_text

MAX_SENTENCE = 20_000


class Sentence(Struct, frozen=True):
    """What was said, with its times in seconds from the transcript's start (None where they are unusable)."""

    text: str
    start: float | None = None
    end: float | None = None


class Paragraph(Struct, frozen=True):
    """Consecutive sentences of one speaker."""

    speaker: str
    """The name, or `Speaker A` by the identifier: the name "cannot be guaranteed"."""
    start: float | None
    end: float | None
    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """Its sentences in one line."""
        return " ".join(sentence.text for sentence in self.sentences)


class Transcript(Struct, frozen=True):
    """A meeting's transcript. There may be no paragraphs at all, for a silent meeting."""

    agent: str
    summary: str
    paragraphs: tuple[Paragraph, ...]

    def as_text(self) -> str:
        """The summary and the paragraphs, to show: `[mm:ss] Speaker`, then what was said."""
        blocks = [f"Summary\n{self.summary}"] if self.summary else []
        blocks += [f"{_clock(part.start)}{part.speaker}\n{part.text}" for part in self.paragraphs]
        return "\n\n".join(blocks) or "The transcript is empty: nothing was said."


def parse_transcript(content: bytes) -> Transcript:
    """Read a transcript file. Unknown and missing fields are fine; raises BadAnswer when it is no transcript."""
    try:
        value = json.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        raise BadAnswer("the transcript is no JSON") from None
    body = value.get("transcript") if isinstance(value, dict) else None
    if not isinstance(body, dict):
        raise BadAnswer("the file is no Cronofy transcript: it has no `transcript`")
    paragraphs = body.get("paragraphs")
    if not isinstance(paragraphs, list | None):
        raise BadAnswer("the file is no Cronofy transcript: its `paragraphs` are no list")
    agent = value.get("meeting_agent")
    return Transcript(
        agent=_text(agent.get("sub"), 200) if isinstance(agent, dict) else "",
        summary=safe_block(body.get("summary")) if isinstance(body.get("summary"), str) else "",
        paragraphs=tuple(_paragraph(part) for part in paragraphs or () if isinstance(part, dict)),
    )


def _paragraph(part: dict[str, Any]) -> Paragraph:
    sentences = part.get("sentences")
    return Paragraph(
        speaker=_speaker(part.get("speaker")),
        start=_seconds(part.get("start")),
        end=_seconds(part.get("end")),
        sentences=tuple(
            Sentence(_text(said.get("text"), MAX_SENTENCE), _seconds(said.get("start")), _seconds(said.get("end")))
            for said in (sentences if isinstance(sentences, list) else ())
            if isinstance(said, dict)
        ),
    )


def _speaker(speaker: Any) -> str:
    if not isinstance(speaker, dict):
        return "Speaker ?"
    return _text(speaker.get("name"), 120) or f"Speaker {_text(speaker.get('identifier'), 60) or '?'}"


def _text(value: Any, limit: int) -> str:
    return safe_text(value, limit) if isinstance(value, str) else ""


def _seconds(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"[{hours}:{minutes:02}:{rest:02}] " if hours else f"[{minutes:02}:{rest:02}] "

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given

from providers.base import BadAnswer
from providers.cronofy.emulator import example_transcript
from providers.cronofy.transcript import Paragraph, Sentence, Transcript, parse_transcript
from tests.providers.cronofy.test_record import ANY_JSON


def parse(value: Any) -> Transcript:
    return parse_transcript(json.dumps(value).encode())


def test_the_documented_form_is_read() -> None:
    found = parse(example_transcript("agt_1"))
    assert found.agent == "agt_1"
    assert found.summary == "The meeting was opened and the recording confirmed."
    assert found.paragraphs[0] == Paragraph(
        "Garry Shutler",
        2.72,
        7.6,
        (Sentence("Good morning, everyone.", 2.72, 4.1), Sentence("Shall we begin?", 4.3, 7.6)),
    )
    assert found.paragraphs[1].speaker == "Speaker B"


def test_as_text() -> None:
    assert parse(example_transcript("agt_1")).as_text() == (
        "Summary\nThe meeting was opened and the recording confirmed.\n\n"
        "[00:02] Garry Shutler\nGood morning, everyone. Shall we begin?\n\n"
        "[00:08] Speaker B\nYes. The recording is running."
    )
    assert "nothing was said" in parse({"transcript": {"summary": "", "paragraphs": []}}).as_text()
    late = {"transcript": {"paragraphs": [{"speaker": None, "start": 3725.5}]}}
    assert parse(late).as_text() == "[1:02:05] Speaker ?\n"


@pytest.mark.parametrize("start", [None, True, "1", -1, float("nan"), float("inf"), 10**400, [1]])
def test_unusable_times_are_none(start: Any) -> None:
    found = parse({"transcript": {"paragraphs": [{"start": start, "speaker": {"identifier": 5}}, "x"]}})
    assert found.paragraphs == (Paragraph("Speaker ?", None, None, ()),)
    assert found.as_text() == "Speaker ?\n"


def test_its_texts_are_harmless() -> None:
    said = {"text": "a\x1b]52;c;AAAA\x07b", "start": 0, "end": 1}
    body = {"summary": "line\x1b[2J\nnext", "paragraphs": [{"speaker": {"name": "\x9b1m"}, "sentences": [said, 5]}]}
    text = parse({"meeting_agent": {"sub": "x"}, "transcript": body}).as_text()
    assert not any(char in text for char in "\x1b\x07\x9b")
    assert "next" in text.splitlines()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"transcript": []}',
        b'{"transcript": {"paragraphs": {}}}',
        b'{"a":' + b"[" * 99_999,
    ],
    ids=range(7),
)
def test_what_is_no_transcript_is_a_bad_answer(content: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_transcript(content)


@given(ANY_JSON)
def test_any_json_is_a_transcript_or_a_bad_answer(value: Any) -> None:
    paragraph = {"speaker": value, "start": value, "end": value, "sentences": value}
    for content in (
        value,
        {"transcript": value, "meeting_agent": value},
        {"transcript": {"summary": value, "paragraphs": value}},
        {"transcript": {"paragraphs": [paragraph, {"sentences": [{"text": value}], "speaker": {"name": value}}]}},
    ):
        with suppress(BadAnswer):
            assert "\x1b" not in parse(content).as_text()

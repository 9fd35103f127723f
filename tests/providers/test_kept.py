"""No more of a record is kept than can be read, and nothing of it that was to be redacted."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import kept
from providers.cronofy.record import raw_text
from providers.flexperto.record import redacted_json
from providers.models import Delivery
from providers.temasys import webhook as temasys
from providers.text import safe_block

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30)
ANY = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)


@given(ANY)
def test_an_ordinary_record_stays_as_it_is(value: Any) -> None:
    assert kept.pruned(value) == value


def test_a_long_text_is_cut_at_its_end() -> None:
    assert kept.pruned(["a" * kept.MAX_TEXT, "b" * 9999]) == ["a" * kept.MAX_TEXT, "b" * kept.MAX_TEXT + "…"]


def test_what_is_too_much_is_left_out() -> None:
    for value in ([1] * 99_999, [["x" * 1999] * 9] * 99, {f"name-{n}": n for n in range(99_999)}, [10**4000] * 500):
        text = kept.laid_out(kept.compact(kept.pruned(value)))
        assert text.startswith(("[\n  ", "{\n  "))
        assert 1000 < len(text) < 2 * kept.MAX_COST
        assert "…" in text


def test_what_is_too_deep_is_left_out() -> None:
    deep: Any = "bottom"
    for _ in range(900):
        deep = [deep]
    text = kept.compact(kept.pruned(deep))
    assert "bottom" not in text
    assert json.loads(text)


def test_a_name_that_is_none_keeps_no_value() -> None:
    assert kept.pruned({"a" * 300 + "token": "CANARY"}) == {"a" * 200: "…"}


def test_what_is_cut_is_redacted_as_the_whole_would_be() -> None:
    for length in range(1900, 2100):
        link = "https://b.example/" + "x" * (length - 80) + "?X-Amz-Signature=CANARY" + "y" * 500
        for text in (raw_text({"url": link}), redacted_json({"url": link})):
            assert "CANARY" not in text


SECRET_FIELDS = st.sampled_from(
    ["token", "apiKey", "api_key", "PASSWORD", "client_secret", "X-Amz-Signature", "credentials", "Authorization"]
).map(lambda name: {name: "CANARY"})
LINKS = st.sampled_from(["https://s.example/a?X-Amz-Signature=CANARY", "http://s.example/a#token=CANARY", "x"])
WITH_SECRETS = st.recursive(
    LEAVES | SECRET_FIELDS | LINKS,
    lambda one: (
        st.lists(one, max_size=4)
        | st.dictionaries(st.text(max_size=9), one, max_size=4)
        | st.tuples(one, SECRET_FIELDS).map(lambda both: {"a": both[0], **both[1], "b": [both[0]]})
    ),
)


@given(WITH_SECRETS, st.integers(0, 300))
def test_no_credential_is_kept_wherever_it_is_and_wherever_a_record_is_cut(value: Any, cost: int) -> None:
    for told in (raw_text({"any": value}), redacted_json([value]), redacted_json({"any": value}, cost), called(value)):
        assert "CANARY" not in told


def called(value: Any) -> str:
    fields = {"meetingId": "m", "unixTime": 1528288860, "any": value, "retrievalUrl": "https://u:CANARY@s.example/x"}
    body = json.dumps(fields).encode()
    return temasys.read(Delivery({"content-type": "application/json"}, body), None).redacted_body


def test_a_field_that_is_hidden_costs_what_is_shown_of_it() -> None:
    value = [{"token": "x" * 1999}] * 20
    assert json.loads(redacted_json(value, kept.MAX_COST)) == [{"token": "…"}] * 20


# Kept without blanks, and laid out where it is read

NASTY = st.text(st.sampled_from('a"\\{}[],: \n\t\x85\u2028\u0301\u202e\x1b'), max_size=12)
"""What means something in JSON, in a block of text, or to a terminal."""
NAMED = st.recursive(LEAVES | NASTY, lambda one: st.lists(one, max_size=3) | st.dictionaries(NASTY, one, max_size=3))


@given(ANY | NAMED)
def test_a_record_is_read_as_if_it_were_kept_with_its_lines(value: Any) -> None:
    as_ever = safe_block(json.dumps(value, ensure_ascii=False, indent=2))
    assert kept.laid_out(kept.compact(value)) == as_ever
    assert kept.laid_out(as_ever) == as_ever, "as an older version kept it"


@given(ANY)
def test_what_is_kept_has_no_blanks_between_its_parts(value: Any) -> None:
    assert kept.compact(value) == safe_block(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12 bytes that could not be read: no JSON",
        "[a note] with: words, and {more}",
        "[1],[2]",
        '{"a":1',
        '{"a":[1,2,"cut…',
        '{"id": 1}',
        '{ "by hand" :1}',
        'PUT /rest/recording/notifications\n{"notify":true}',
        "[" * 5_000 + "]" * 5_000,
    ],
)
def test_what_is_no_compact_json_stays_as_it_is(text: str) -> None:
    assert kept.laid_out(text) == text


def test_a_long_record_is_laid_out_soon() -> None:
    text = kept.compact([{"name": "x" * 20, "n": n} for n in range(4_000)])
    began = time.thread_time()
    assert kept.laid_out(text).count("\n") == 4 * 4_000 + 1
    assert kept.laid_out('["' + '\\"' * 100_000 + '"]').count("\n") == 2
    assert time.thread_time() - began < 1.0

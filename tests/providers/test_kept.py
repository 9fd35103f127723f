"""No more of a record is kept than can be read, and nothing of it that was to be redacted."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from providers import kept
from providers.cronofy.record import raw_text
from providers.flexperto.record import redacted_json

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
        text = kept.shown(kept.pruned(value))
        assert 1000 < len(text) < 2 * kept.MAX_COST
        assert "…" in text


def test_what_is_too_deep_is_left_out() -> None:
    deep: Any = "bottom"
    for _ in range(900):
        deep = [deep]
    text = kept.shown(kept.pruned(deep))
    assert "bottom" not in text
    assert json.loads(text)


def test_a_name_that_is_none_keeps_no_value() -> None:
    assert kept.pruned({"a" * 300 + "token": "CANARY"}) == {"a" * 200: "…"}


def test_what_is_cut_is_redacted_as_the_whole_would_be() -> None:
    for length in range(1900, 2100):
        link = "https://b.example/" + "x" * (length - 80) + "?X-Amz-Signature=CANARY" + "y" * 500
        for text in (raw_text({"url": link}), redacted_json({"url": link})):
            assert "CANARY" not in text

"""Every row of the bug table that is decided on headers alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.transfers.ranges import Body, StartOver, Validator, decide, is_same, is_unmoved, stated_total

KNOWN = Validator('"one"', "Sun, 01 Nov 2026 10:00:00 GMT", 1000)
ONE = {"etag": '"one"'}


def rest(text: str, **more: str) -> dict[str, str]:
    return {**ONE, "content-range": text, **more}


@pytest.mark.parametrize(
    ("row", "status", "headers", "offset", "known", "meaning"),
    [
        ("fresh", 200, {"content-length": "1000"}, 0, None, Body(0, 1000)),
        ("fresh, no length", 200, {}, 0, None, Body(0, None)),
        ("fresh, 206 unasked", 206, rest("bytes 0-999/1000"), 0, None, StartOver()),
        ("fresh, 416", 416, {"content-range": "bytes */0"}, 0, None, StartOver()),
        ("continued", 206, rest("bytes 400-999/1000"), 400, KNOWN, Body(400, 1000, 1000)),
        ("continued, no total", 206, rest("bytes 400-999/*"), 400, KNOWN, Body(400, None, 1000)),
        ("continued, upper case", 206, rest("Bytes 400-999/1000"), 400, KNOWN, Body(400, 1000, 1000)),
        ("5: Range ignored", 200, {**ONE, "content-length": "1000"}, 400, KNOWN, Body(0, 1000)),
        ("6: 200 with the range", 200, rest("bytes 400-999/1000"), 400, KNOWN, Body(400, 1000, 1000)),
        ("6: 200 with another range", 200, rest("bytes 0-999/1000"), 400, KNOWN, StartOver()),
        ("7: earlier start", 206, rest("bytes 256-999/1000"), 400, KNOWN, StartOver()),
        ("7: later start", 206, rest("bytes 401-999/1000"), 400, KNOWN, StartOver()),
        ("8: another ETag", 206, {**rest("bytes 400-999/1000"), "etag": '"two"'}, 400, KNOWN, StartOver()),
        ("8: another date", 206, rest("bytes 400-999/1000", **{"last-modified": "later"}), 400, KNOWN, StartOver()),
        ("8: another total", 206, rest("bytes 400-1999/2000"), 400, KNOWN, StartOver()),
        ("not to the end", 206, rest("bytes 400-500/1000"), 400, KNOWN, StartOver()),
        ("206 without Content-Range", 206, ONE, 400, KNOWN, StartOver()),
        ("206 multipart", 206, {**ONE, "content-type": "multipart/byteranges"}, 400, KNOWN, StartOver()),
        ("10: nothing more is there", 416, {"content-range": "bytes */1000"}, 1000, KNOWN, StartOver()),
        ("10: less is there", 416, {"content-range": "bytes */1000"}, 999, KNOWN, StartOver()),
        ("11: another file", 416, {"content-range": "bytes */500"}, 1000, KNOWN, StartOver()),
        ("11: no range stated", 416, {}, 1000, KNOWN, StartOver()),
        ("20: garbage length", 200, {"content-length": "-1"}, 0, None, Body(0, None)),
        ("20: odd digits", 200, {"content-length": "١٢"}, 0, None, Body(0, None)),
        ("404", 404, {}, 0, None, None),
        ("503", 503, {}, 400, KNOWN, None),
        ("204", 204, {}, 0, None, None),
    ],
)
def test_what_an_answer_means(
    row: str, status: int, headers: dict[str, str], offset: int, known: Validator | None, meaning: object
) -> None:
    assert decide(status, headers, offset, known) == meaning, row


@given(
    st.sampled_from([200, 206, 416, 301, 404, 500]),
    st.dictionaries(st.sampled_from(["content-range", "content-length", "etag", "last-modified"]), st.text()),
    st.integers(0, 10**15),
    st.one_of(st.none(), st.builds(Validator, st.text(), st.text(), st.one_of(st.none(), st.integers(0)))),
)
def test_nothing_but_the_exact_offset_is_continued(
    status: int, headers: dict[str, str], offset: int, known: Validator | None
) -> None:
    meaning = decide(status, headers, offset, known)
    if isinstance(meaning, Body):
        assert meaning.start in (0, offset)
        assert known is not None or meaning.start == 0
        assert status in (200, 206)


def test_weak_etags_do_not_count() -> None:
    told = Validator.of(200, {"etag": 'W/"one"', "last-modified": "then", "content-length": "5"})
    assert told == Validator("", "then", 5)
    assert told.condition == "then"
    assert Validator.of(200, {"etag": '"one"', "last-modified": "then"}).condition == '"one"'
    assert Validator().condition == ""


def test_what_the_rest_leaves_out() -> None:
    assert Validator().or_else(KNOWN) == KNOWN
    assert Validator('"two"', "", 0).or_else(KNOWN) == Validator('"two"', KNOWN.last_modified, 0)


def test_totals() -> None:
    assert stated_total(206, {"content-length": "600"}) is None
    assert stated_total(206, {"content-range": "bytes 0-1/2"}) == 2
    assert stated_total(200, {"content-length": " 7 "}) == 7


def test_a_range_that_was_passed_over() -> None:
    head = {"etag": '"one"', "content-length": "1000", "last-modified": KNOWN.last_modified}
    assert is_unmoved(200, head, KNOWN)
    assert not is_unmoved(206, head, KNOWN)
    assert not is_unmoved(200, {**head, "etag": '"two"'}, KNOWN)
    assert not is_unmoved(200, {**head, "content-range": "bytes 0-999/1000"}, KNOWN)
    assert is_same(206, head, KNOWN)
    assert is_same(200, {}, KNOWN)
    assert not is_same(206, {}, KNOWN)

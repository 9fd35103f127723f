"""Lists: their envelopes, their pages, and that a walk ends."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import BadAnswer, NotTrusted, ProviderError
from providers.flexperto import paging
from providers.flexperto.paging import Page, Walk, read_page, rows_of
from providers.messages import Answer
from tests.providers.flexperto.test_record import JSON

URL = "https://acme.example/api/v2/communication/conferences/archives"


def answer(body: object) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(body).encode())


def page(*ids: str, **stated: Any) -> Page:
    return read_page(answer({"rows": [{"id": one} for one in ids], **stated}))


@pytest.mark.parametrize("key", ["data", "rows", "items", "results", "archives"])
def test_envelopes(key: str) -> None:
    assert read_page(answer({key: [{"id": "a"}]})).archive_ids == {"a"}
    assert read_page(answer({"data": {key: [{"id": "a"}], "total": 1}})).total == 1
    assert rows_of([1]) == ([1], {})


@pytest.mark.parametrize("body", [None, 1, "x", {}, {"rows": None}, {"data": {}}, {"data": "x"}])
def test_what_is_no_list(body: object) -> None:
    with pytest.raises(BadAnswer, match="expected a JSON array"):
        read_page(answer(body))


def test_one_bad_record_does_not_hide_the_others() -> None:
    found = read_page(answer([{"id": "a"}, None, {"id": None}, {"id": "b"}]))
    assert (sorted(found.archive_ids), found.unreadable) == (["a", "b"], 2)
    walk = Walk(URL)
    assert walk.after(found) is None
    assert walk.complaint == "2 of 4 records in the list have no usable id"


def test_a_list_that_says_nothing_of_pages_is_whole() -> None:
    walk = Walk(URL)
    assert walk.after(page("a", "b")) is None
    assert walk.complaint == ""


def test_numbered_pages() -> None:
    walk = Walk(URL)
    assert walk.after(page("a", "b", page=1, pageSize=2, totalPages=3, total=5)) == f"{URL}?page=2&pageSize=2"
    assert walk.after(page("c", "d", page=2, pageSize=2, totalPages=3, total=5)) == f"{URL}?page=3&pageSize=2"
    assert walk.after(page("e", page=3, pageSize=2, totalPages=3, total=5)) is None
    assert walk.complaint == ""


def test_pages_numbered_from_zero() -> None:
    walk = Walk(URL)
    assert walk.after(page("a", page=0, totalPages=2)) == f"{URL}?page=1"
    assert walk.after(page("b", page=1, totalPages=2)) is None


def test_only_a_total() -> None:
    walk = Walk(URL)
    assert walk.after(page("a", "b", total=3)) == f"{URL}?page=2"
    assert walk.after(page("c", total=3)) is None
    assert walk.complaint == ""


@pytest.mark.parametrize(
    ("following", "url"),
    [
        ("?cursor=2", f"{URL}?cursor=2"),
        ("/api/v2/more", "https://acme.example/api/v2/more"),
        ("https://acme.example/x?y", "https://acme.example/x?y"),
        (2, f"{URL}?page=2"),
    ],
)
def test_a_stated_next_page(following: object, url: str) -> None:
    walk = Walk(URL)
    assert walk.after(page("a", next=following)) == url
    assert walk.after(page("b", next=None)) is None
    assert walk.complaint == ""


@pytest.mark.parametrize(
    "following",
    ["https://evil.example/x", "//evil.example/x", "http://acme.example/x", "https://u@acme.example/", "//["],
)
def test_a_next_page_elsewhere_is_not_asked(following: str) -> None:
    with pytest.raises(NotTrusted, match="another address"):
        Walk(URL).after(page("a", next=following))


@pytest.mark.parametrize("following", ["opaque", {"href": "/x"}, True, 1.5, ["/x"]])
def test_a_next_page_that_is_no_address_is_complained_of(following: object) -> None:
    walk = Walk(URL)
    assert walk.after(page("a", next=following, total=9)) is None
    assert "no address" in walk.complaint


def test_a_list_that_ends_before_its_total() -> None:
    walk = Walk(URL)
    assert walk.after(page("a", total=3)) is not None
    assert walk.after(page(total=3)) is None
    assert walk.complaint == "the service says it has 3 archives but lists 1"


def test_a_service_that_ignores_page_numbers_does_not_loop() -> None:
    walk = Walk(URL)
    assert walk.after(page("a", total=3)) is not None
    assert walk.after(page("a", total=3)) is None
    assert "nothing new" in walk.complaint


def test_a_next_page_that_leads_back() -> None:
    walk = Walk(URL)
    assert walk.after(page("a", next="?c=1")) is not None
    assert walk.after(page("b", next="?c=1")) is None
    assert "was there before" in walk.complaint


def test_endless_lists_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 50)
    walk = Walk(URL)
    asked = 0
    while walk.after(page(f"a{asked}", next=f"?c={asked}")):
        asked += 1
    assert asked == 49
    assert "more than 50 pages" in walk.complaint


STATED = st.dictionaries(
    st.sampled_from(["next", "total", "totalPages", "page", "pageSize", "rows"]),
    JSON | st.integers(0, 9) | st.lists(st.fixed_dictionaries({"id": st.integers(0, 5)})),
)


@given(st.lists(JSON | STATED, max_size=30))
def test_any_answers_end_in_a_value_or_an_error(bodies: list[object]) -> None:
    walk = Walk(URL)
    try:
        for body in bodies:
            if walk.after(read_page(answer(body))) is None:
                break
    except ProviderError as error:
        assert str(error)  # noqa: PT017  # both ends are allowed
    assert isinstance(walk.complaint, str)

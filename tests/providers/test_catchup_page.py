"""The answers at `/callCatchUp`, letter by letter as the page has them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import catchup_page
from providers.base import Refused
from providers.messages import Answer
from providers.proconf import wire
from tests.providers.proconf.test_wire import NOW

# Source: the page's "Error Codes", without its blanks; of 400 the valid form ("null,yes" is no JSON).
PAGE = {
    400: b'{"data":null,"error":{"code":400,"message":"Room name required in query param."}}',
    401: b'{"data":null,"error":{"code":401,"message":"Unauthorized"}}',
    404: b'{"error":{"code":404,"message":"Not found"},"data":null}',
    500: b'{"error":{"code":500,"message":"Internal server error"},"data":null}',
}


@pytest.mark.parametrize(("status", "body"), PAGE.items())
def test_the_errors_of_the_page(status: int, body: bytes) -> None:
    assert catchup_page.failure(status) == body


def test_there_are_no_other_errors() -> None:
    assert set(PAGE) == set(catchup_page.MESSAGES)
    for status in (200, 403, 503):
        with pytest.raises(KeyError):
            catchup_page.failure(status)


def test_a_summary() -> None:
    assert catchup_page.answer("Meeting Summary content") == b'{"error":null,"data":"Meeting Summary content"}'
    assert catchup_page.answer("") == b'{"error":null,"data":""}'
    assert catchup_page.answer('größer "x"\n') == '{"error":null,"data":"größer \\"x\\"\\n"}'.encode()


@given(st.text())
def test_any_summary_is_what_our_own_client_reads(text: str) -> None:
    body = catchup_page.answer(text)
    assert json.loads(body) == {"error": None, "data": text}
    assert wire.read_envelope(Answer(200, {}, body), "it", NOW) == text


def test_a_lone_surrogate_is_an_escape() -> None:
    assert catchup_page.answer("\ud800") == b'{"error":null,"data":"\\ud800"}'


@pytest.mark.parametrize("room", ["r", "testRoom", "a b", "größer", "a/b", "x" * 128, "%2e%2e", "...", "a?b#c"])
def test_what_can_be_a_room(room: str) -> None:
    catchup_page.check_room(room)


@pytest.mark.parametrize(
    ("room", "words"),
    [
        ("", "needs a name"),
        (" ", "needs a name"),
        ("x" * 129, "at most 128"),
        ("a\x1b[2J", "cannot be shown"),
        ("a\n", "cannot be shown"),
        ("\u202e", "cannot be shown"),
        ("\ud800", "cannot be shown"),
        (".", "another address"),
        ("..", "another address"),
        ("../meetings", "another address"),
        ("a\\..", "another address"),
    ],
)
def test_what_cannot_be_a_room(room: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        catchup_page.check_room(room)
    assert str(refused.value).isprintable()

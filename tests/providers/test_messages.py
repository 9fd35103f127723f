import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import BadAnswer
from providers.messages import Answer, Request, charset, json_request, media_type


def test_json_is_read() -> None:
    answer = Answer(200, {"content-type": "Application/JSON; charset=utf-8"}, b'{"a": [1]}')
    assert answer.json() == {"a": [1]}
    assert answer.json_or_none() == {"a": [1]}
    assert answer.media_type == "application/json"


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"\xff\xfe\xff", b"[" * 100_000, b"1" * 5000, b'{"a":'], ids=range(6)
)
def test_what_is_no_json_is_a_bad_answer(content: bytes) -> None:
    answer = Answer(502, {"content-type": "text/html"}, content)
    assert answer.json_or_none() is None
    with pytest.raises(BadAnswer) as caught:
        answer.json()
    assert caught.value.words == f"expected JSON, got {len(content)} bytes of text/html (HTTP 502)"
    with pytest.raises(BadAnswer, match="no stated type"):
        Answer(200, {}, content).json()


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_a_bad_answer(content: bytes) -> None:
    answer = Answer(200, {}, content)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        assert answer.json_or_none() is None
    else:
        assert repr(answer.json()) == repr(value)


@pytest.mark.parametrize(
    ("header", "media", "letters"),
    [
        ("text/plain; charset=ISO-8859-1", "text/plain", "iso-8859-1"),
        ("TEXT/Html", "text/html", "utf-8"),
        ('text/plain; charset="UTF-8"', "text/plain", "utf-8"),
        ("", "", "utf-8"),
        (";;;", "", "utf-8"),
        ("text/plain; charset=", "text/plain", "utf-8"),
    ],
)
def test_media_type_and_charset(header: str, media: str, letters: str) -> None:
    assert media_type({"content-type": header}) == media
    assert charset({"content-type": header}) == letters
    assert (media_type({}), charset({})) == ("", "utf-8")


@given(st.text(max_size=60))
def test_any_content_type_is_read(header: str) -> None:
    assert media_type({"content-type": header}) == media_type({"content-type": header}).lower().strip()
    assert isinstance(charset({"content-type": header}), str)


def test_a_json_request_is_utf8_and_shows_no_body() -> None:
    request = json_request("PUT", "https://x.example/", {"name": "Jürgen"})
    assert request.content == '{"name": "Jürgen"}'.encode()
    assert request.headers == {"Content-Type": "application/json; charset=utf-8"}
    assert "Jürgen" not in repr(request)
    assert "secret" not in repr(Answer(200, {}, b"secret"))
    assert Request("GET", "https://x.example/").content == b""

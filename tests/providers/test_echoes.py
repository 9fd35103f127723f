"""What was sent does not come back: cut out of answers in every spelling, and of nothing else."""

import base64
import html
import json
from collections.abc import AsyncIterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.echoes import LEAST, Echoes

KEY = "k3y\"'<&>\\/+%= ;:x9"
SENT = (("Authorization", f"Bearer {KEY}"), ("Cookie", "session=abc-def-ghi; node=n0"))
JSON = {"content-type": "application/json"}
FILE = {"content-type": "video/mp4"}


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(echoes: Echoes, *parts: bytes, status: int = 200, headers: dict[str, str] = JSON) -> bytes:
    return b"".join([chunk async for chunk in echoes.cut_chunks(stream(*parts), status, headers)])


@pytest.mark.parametrize(
    "spell",
    [
        str,
        lambda key: json.dumps(key)[1:-1],
        lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
        lambda key: quote(key, safe=""),
        lambda key: quote(key, safe="").lower(),
        quote,
        quote_plus,
        html.escape,
        lambda key: base64.b64encode(key.encode()).decode(),
        lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    ],
)
def test_it_is_cut_in_every_spelling(spell) -> None:  # type: ignore[no-untyped-def]  # any of them
    said = f"the key {spell(KEY)} is not valid".encode()
    cut = Echoes(SENT).cut(said)
    assert len(cut) == len(said)
    assert cut.startswith(b"the key *******")
    assert cut.rstrip(b"=").endswith(b"* is not valid") or b"=" in cut
    assert b"x9" not in cut
    assert Echoes((("Guid", KEY),)).cut(said) == cut
    assert Echoes((), (KEY,)).cut(said) == cut


def test_cookies_are_cut_each_and_short_ones_stay() -> None:
    cut = Echoes(SENT).cut(b'{"session": "abc-def-ghi", "node": "n0"}')
    assert cut == b'{"session": "***********", "node": "n0"}'
    assert Echoes((("api-key", "a" * (LEAST - 1)),)).cut(b"a" * 20) == b"a" * 20


def test_headers_are_cut_but_for_those_that_give_a_credential() -> None:
    headers = {
        "location": "https://x.example/?k=abc-def-ghi",
        "etag": '"abc-def-ghi"',
        "set-cookie": "session=abc-def-ghi; Path=/",
        "set-guid": "JSESSIONID=abc-def-ghi",
    }
    cut = Echoes(SENT).cut_headers(headers)
    assert cut["location"] == "https://x.example/?k=***********"
    assert cut["etag"] == '"***********"'
    assert (cut["set-cookie"], cut["set-guid"]) == (headers["set-cookie"], headers["set-guid"])


@given(st.integers(1, 40), st.binary(max_size=30), st.binary(max_size=30))
async def test_it_is_cut_however_the_chunks_fall(step: int, before: bytes, after: bytes) -> None:
    whole = before + b"abc-def-ghi" + after
    parts = [whole[at : at + step] for at in range(0, len(whole), step)]
    echoes = Echoes(SENT)
    assert await read(echoes, *parts) == echoes.cut(whole) == before + b"*" * 11 + after


async def test_a_file_is_kept_as_it_came_and_an_error_is_not() -> None:
    echoes = Echoes(SENT)
    assert await read(echoes, b"abc-def-ghi", headers=FILE) == b"abc-def-ghi"
    assert await read(echoes, b"abc-def-ghi", headers=FILE, status=403) == b"*" * 11
    assert await read(Echoes(()), b"abc-def-ghi") == b"abc-def-ghi"

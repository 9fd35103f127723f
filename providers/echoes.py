"""What a service repeats of the credentials that it was sent is cut out of its answer.

A gateway that says "the key abc is not valid" means well; its words are shown, logged and kept. A hostile service could
put a credential into a record's title. So no answer is handed on with a credential in it that its request carried.
"""

import base64
import html
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from providers.messages import media_type

LEAST = 6
"""Characters that a credential has at least to be cut out: in place of a shorter one, words would be."""
_SCHEME = re.compile(r"(?:bearer|basic|token|apikey|digest)\s+", re.IGNORECASE)
_TAKEN = frozenset({"set-cookie", "set-guid", "guid"})
"""Headers that give a credential, perhaps the same one again; they are for the client alone."""
_MARK = b"*"
_QUOTABLE = re.compile(rb"[\\\"'/]")


class Echoes:
    """Cuts these credentials out of what comes back: every character of them becomes a `*`, so lengths stay true.

    They are found as they are, and as Python, JSON, URLs, HTML and base64 spell them. `headers`: as they are sent;
    `secrets`: more that the request holds.
    """

    def __init__(self, headers: Iterable[tuple[str, str]], secrets: Iterable[str] = ()) -> None:
        texts = [*secrets, *(part for name, value in headers for part in _parts(name, value))]
        spelt = {each.encode() for text in texts if len(text) >= LEAST for each in _spellings(text)}
        # The longest first: one may be the beginning of another.
        self._ways = sorted(spelt, key=lambda one: (-len(one), one))
        self._pattern = re.compile(b"|".join(map(_however_escaped, self._ways))) if self._ways else None

    def cut(self, content: bytes) -> bytes:
        """The content without them."""
        return self._pattern.sub(_marks, content) if self._pattern else content

    def cut_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers (names in lower case) without them, but for those that give a credential."""
        return {
            name: value if name in _TAKEN else self.cut(value.encode("latin-1", "replace")).decode("latin-1")
            for name, value in headers.items()
        }

    async def cut_chunks(
        self, chunks: AsyncIterator[bytes], status: int, headers: Mapping[str, str]
    ) -> AsyncIterator[bytes]:
        """A body without them, unless it is a file that is no text: whatever that holds, it is kept as it came."""
        if self._pattern is None or (status in (200, 206) and not _is_text(headers)):
            async for chunk in chunks:
                yield chunk
            return
        rest = b""
        async for chunk in chunks:
            whole = self.cut(rest + chunk)
            end = len(whole) - self._begun(whole)
            rest = whole[end:]
            if end:
                yield whole[:end]
        if rest:
            yield rest

    def _begun(self, content: bytes) -> int:
        """How many bytes at its end may be the beginning of one that goes on in the next chunk."""
        longest = min(len(self._ways[0]) - 1, len(content))
        ends = (length for length in range(longest, 0, -1) if content.endswith(tuple(w[:length] for w in self._ways)))
        return next(ends, 0)


def _however_escaped(way: bytes) -> bytes:
    """A pattern for it, also when a text that holds it was quoted once or more."""
    if not _QUOTABLE.search(way):
        return re.escape(way)
    signs = (b"\\\\+" if sign == b"\\" else b"\\\\*" * (sign in b"\"'/") + re.escape(sign) for sign in _each(way))
    return b"".join(signs)


def _each(way: bytes) -> Iterator[bytes]:
    return (way[at : at + 1] for at in range(len(way)))


def _marks(found: re.Match[bytes]) -> bytes:
    return _MARK * len(found[0])


def _parts(name: str, value: str) -> Iterator[str]:
    """What a header's value holds that is secret: all of it, and what is after its scheme; each cookie's value."""
    if name.lower() == "cookie":
        for pair in value.split(";"):
            yield pair.strip()
            yield pair.partition("=")[2].strip()
        return
    yield value
    if scheme := _SCHEME.match(value):
        yield value[scheme.end() :]


def _spellings(text: str) -> Iterator[str]:
    escaped = json.dumps(text)[1:-1]
    yield from (text, repr(text)[1:-1], escaped, escaped.replace("/", "\\/"))
    yield from (quote(text), quote(text, safe=""), quote_plus(text), quote(text, safe="").lower())
    yield from (html.escape(text), html.escape(text, quote=False))
    for encoded in (base64.b64encode, base64.urlsafe_b64encode):
        yield encoded(text.encode()).decode().rstrip("=")


def _is_text(headers: Mapping[str, str]) -> bool:
    kind = media_type(headers)
    return kind.startswith("text/") or kind.endswith(("json", "xml")) or kind == ""

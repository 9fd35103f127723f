"""The language of the filter: `state:failed account:advice before:2026-11-01 -huawei "board meeting"`.

Pure: a text becomes a Query, and what could not be understood becomes words for a person, with its place. Whatever is
typed gives some query, since it is read with every key.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from providers.models import AssetKind, RemoteState
from vault.views import Facet, Flag, LocalState, Query

_TOKEN = re.compile(r"""(-?)([a-z]+):(?=\s|$)|(-?)(?:([a-z]+):)?(?:"([^"]*)("?)|([^\s"]+))""", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:[.]\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_AGO = re.compile(r"(\d{1,5})([dwmy])", re.IGNORECASE)
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000, "t": 1_000_000_000_000}
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}

STATES = tuple(str(state) for state in RemoteState)
LOCALS = tuple(str(state) for state in LocalState)
KINDS = tuple(str(kind) for kind in AssetKind)
IS = ("faults", "risk", "releasing", *LOCALS)
HAS = ("people", "size", "link", "text", *KINDS)
FLAGS = tuple(str(flag) for flag in Flag)
CHOICES: dict[str, tuple[str, ...]] = {
    "state": STATES,
    "local": LOCALS,
    "kind": KINDS,
    "flag": FLAGS,
    "is": IS,
    "has": HAS,
}
FIELDS = {
    "state": "what the service says of an asset: " + ", ".join(STATES),
    "local": "what this machine has of it: " + ", ".join(LOCALS),
    "account": "one of your accounts",
    "provider": "one of the services",
    "kind": "what it is: " + ", ".join(KINDS),
    "flag": "what you think of it: " + ", ".join(FLAGS),
    "before": "began before a day: 2026-11-01, 2026-11, 2026, today, 7d",
    "after": "began on a day or later",
    "on": "began on a day, in a month or a year",
    "size": "of all its assets: >100M, <2G, 100M..2G",
    "is": "faults, risk, releasing, or a local state",
    "has": ", ".join(HAS),
}


class Problem(Struct, frozen=True):
    """What could not be understood, from `start` to `end` of the text, and why, for a person."""

    start: int
    end: int
    words: str


class Parsed(Struct, frozen=True):
    """The query of all that was understood, and the problems of the rest."""

    query: Query
    problems: tuple[Problem, ...] = ()


class Token(Struct, frozen=True):
    """One word, phrase or condition. `name` is "" for a word or phrase."""

    start: int
    end: int
    inverse: bool
    name: str
    value: str
    quoted: bool
    closed: bool = True
    """Whether a quoted phrase has its second quote."""


class Known(Struct, frozen=True):
    """What is there to be named."""

    accounts: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()


class Choice(Struct, frozen=True):
    """What a completion puts in, and what it means."""

    text: str
    words: str = ""


class Completion(Struct, frozen=True):
    """Ways to go on: each replaces the text from `start` to `end`."""

    start: int
    end: int
    choices: tuple[Choice, ...] = ()


class _Wrong(Exception):
    """A value that cannot be understood; the text is for a person."""


def tokens(text: str) -> Iterator[Token]:
    """The words, phrases and conditions of a text, in order."""
    for found in _TOKEN.finditer(text):
        bare_minus, bare, minus, name, phrase, end_quote, word = found.groups()
        if bare is not None:
            field = bare.lower() if bare.lower() in FIELDS else ""
            yield Token(*found.span(), bool(bare_minus), field, "" if field else f"{bare}:", quoted=False)
            continue
        quoted = phrase is not None
        value = phrase if quoted else word
        if quoted and not end_quote:
            value = value.rstrip()  # the blank behind a word while one types is not meant yet
        name = (name or "").lower()
        if name and name not in FIELDS and not quoted:
            name, value = "", f"{found[4]}:{word}"  # a time, an address or a title with a colon
        yield Token(*found.span(), bool(minus), name, value, quoted, closed=not quoted or bool(end_quote))


def parse(text: str, base: Query | None = None, *, now: datetime) -> Parsed:
    """Narrow `base` by a text. Days are days of `now`'s time zone; `now` is aware."""
    reading = _Reading(base or Query(), now)
    problems = []
    for token in tokens(text):
        try:
            reading.take(token)
        except _Wrong as wrong:
            problems.append(Problem(token.start, token.end, str(wrong)))
    return Parsed(reading.query, tuple(problems))


class _Reading:
    """A query that grows by tokens."""

    def __init__(self, base: Query, now: datetime) -> None:
        self.query = base
        self._now = now

    def _set(self, **fields: Any) -> None:
        self.query = replace(self.query, **fields)

    def take(self, token: Token) -> None:
        """Add a token. Raises _Wrong."""
        if not token.name:
            self._word(token)
            return
        if not token.value.strip():
            raise _Wrong(f"{token.name}: what? {FIELDS.get(token.name, 'it is no field')}")
        if token.name not in FIELDS:
            raise _Wrong(f"there is no field {token.name}; there are {', '.join(FIELDS)}")
        take: Callable[[Token], None] = {
            "before": self._days,
            "after": self._days,
            "on": self._days,
            "size": self._size,
        }.get(token.name, self._facet)
        take(token)

    def _word(self, token: Token) -> None:
        value = token.value.strip()
        if not value or value.strip("-") == "":
            return  # it is still being typed
        if token.inverse:
            self._set(without=(*self.query.without, value))
        else:
            self._set(words=(*self.query.words, value))
        name, colon, _ = token.value.partition(":")
        meant = difflib.get_close_matches(name.lower(), FIELDS, 1, 0.75) if colon and not token.quoted else ()
        if meant:
            raise _Wrong(f"there is no field {name}, so it is sought as a word; {meant[0]}: is one")

    def _facet(self, token: Token) -> None:
        values = tuple(part for part in token.value.split(",") if part)
        name = token.name
        if name in CHOICES:
            values = tuple(_chosen(name, value) for value in values)
        elif name == "provider":
            values = tuple(value.lower() for value in values)
        if not values:
            raise _Wrong(f"{name}: what? {FIELDS[name]}")
        local = tuple(value for value in values if name == "is" and value in LOCALS)
        if local:
            if len(local) != len(values):
                raise _Wrong("is: faults, risk and releasing cannot be mixed with local states; write two conditions")
            name = "local"
        self._set(facets=(*self.query.facets, Facet(name, values, token.inverse)))

    def _days(self, token: Token) -> None:
        first, behind = self._span(token.value)
        since = until = None
        if token.name == "on":
            if token.inverse:
                raise _Wrong("-on cannot be: write before: or after:")
            since, until = first, behind
        elif (token.name == "before") != token.inverse:
            until = first
        else:
            since = first
        if since is not None and (self.query.since is None or since > self.query.since):
            self._set(since=since)
        if until is not None and (self.query.until is None or until < self.query.until):
            self._set(until=until)

    def _span(self, value: str) -> tuple[datetime, datetime]:
        """The first moment of a day, month or year, and the first behind it."""
        try:
            first, behind = self._dates(value.lower())
            zone = self._now.tzinfo
            return datetime.combine(first, time(), zone), datetime.combine(behind, time(), zone)
        except (ValueError, OverflowError):
            raise _Wrong(f"{value} is no day: write 2026-11-01, 2026-11, 2026, today, yesterday or 7d") from None

    def _dates(self, value: str) -> tuple[date, date]:
        today, day = self._now.date(), timedelta(days=1)
        named = {"today": today, "yesterday": today - day}.get(value)
        ago = _AGO.fullmatch(value)
        if ago is not None:
            named = today - timedelta(days=int(ago[1]) * _DAYS[ago[2]])
        if named is not None:
            return named, named + day
        found = _DAY.fullmatch(value)
        if found is None:
            raise ValueError
        year, month, number = int(found[1]), int(found[2] or 1), int(found[3] or 1)
        first = date(year, month, number)
        if found[3]:
            return first, first + day
        if found[2]:
            return first, date(year + month // 12, month % 12 + 1, 1)
        return first, date(year + 1, 1, 1)

    def _size(self, token: Token) -> None:
        if token.inverse:
            raise _Wrong("-size cannot be: write size:<100M or size:>100M")
        low, high = _sizes(token.value)
        if low is not None:
            self._set(smallest=max(low, self.query.smallest or 0))
        if high is not None:
            self._set(largest=high if self.query.largest is None else min(high, self.query.largest))


def _chosen(name: str, value: str) -> str:
    """A value that is one of a field's, or the beginning of just one."""
    value = value.lower()
    fitting = [choice for choice in CHOICES[name] if choice.startswith(value)]
    if value in fitting:
        return value
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(fitting or CHOICES[name])
    raise _Wrong(f"{name}:{value} could be {known}" if fitting else f"{name} is not {value}; it is one of {known}")


def _sizes(value: str) -> tuple[int | None, int | None]:
    """The smallest and the largest size in bytes that a text names. Raises _Wrong."""
    low, between, high = value.partition("..")
    if between:
        return (_bytes(low) if low else None), (_bytes(high) if high else None)
    for sign, lowest, highest in ((">=", 0, None), ("<=", None, 0), (">", 1, None), ("<", None, -1)):
        if value.startswith(sign):
            number = _bytes(value[len(sign) :])
            return (None if lowest is None else number + lowest), (None if highest is None else number + highest)
    number = _bytes(value)
    return number, number


def _bytes(value: str) -> int:
    found = _SIZE.fullmatch(value.strip())
    if found is None or len(value) > 20:
        raise _Wrong(f"{value} is no size: write 500k, 100M, 2.5G, >100M or 100M..2G")
    return min(int(float(found[1]) * _UNITS[found[2].lower()]), 2**62)


def complete(text: str, cursor: int, known: Known) -> Completion:
    """Ways to go on with what is being typed at `cursor`: fields, then their values."""
    before = text[:cursor]
    start = max(before.rfind(" "), before.rfind("\t")) + 1
    typed = before[start:]
    if before.count('"') % 2 or '"' in typed:
        return Completion(cursor, cursor)
    start += len(typed) - len(typed.lstrip("-"))
    typed = typed.lstrip("-")
    name, colon, value = typed.partition(":")
    if not colon:
        names = [field for field in FIELDS if typed and field.startswith(typed.lower())]
        return Completion(start, cursor, tuple(Choice(f"{field}:", FIELDS[field]) for field in names))
    last = value.rpartition(",")[2]
    values = CHOICES.get(name.lower(), ())
    values = {"account": known.accounts, "provider": known.providers}.get(name.lower(), values)
    if name.lower() in ("before", "after", "on"):
        values = ("today", "yesterday", "7d", "30d")
    fitting = [choice for choice in values if choice.startswith(last.lower()) and choice != last]
    return Completion(cursor - len(last), cursor, tuple(Choice(choice) for choice in fitting))

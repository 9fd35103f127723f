"""The filter's language: whatever is typed gives a query, and what is wrong is told with its place."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.ledger import filtering
from vault.query import CHOICES, FIELDS, HAS, IS, Known, complete, parse, tokens
from vault.views import Facet, Query

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone(timedelta(hours=1)))
KNOWN = Known(("advice", "agents", "rooms"), ("cronofy", "flexperto"))
ODD = ("2026-13", "2026-02-30", "0000", "99999y", "漢字", "é", "\t", "\x00", "%", "size:1e9", "☃:")
PIECES = st.sampled_from(
    [*(f"{field}:" for field in FIELDS), *ODD, "failed", "held,lost", "a", *'-" :,', "  ", ">1G", "..", "7d", "2026"]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES).map("".join))


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NOW.tzinfo)


def of(text: str) -> Query:
    parsed = parse(text, now=NOW)
    assert parsed.problems == ()
    return parsed.query


def test_the_example_of_the_issue() -> None:
    assert of('state:failed account:advice before:2026-11-01 -huawei "board meeting"') == Query(
        words=("board meeting",),
        without=("huawei",),
        facets=(Facet("state", ("failed",)), Facet("account", ("advice",))),
        until=day("2026-11-01"),
    )


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query()),
        ("Budget München", Query(words=("Budget", "München"))),
        ('-"a b" c', Query(words=("c",), without=("a b",))),
        ("- -- c-d", Query(words=("c-d",))),
        ('"unfinished phrase', Query(words=("unfinished phrase",))),
        ("12:30 https://host/x", Query(words=("12:30", "https://host/x"))),
        ("STATE:Fail,exp", Query(facets=(Facet("state", ("failed", "expired")),))),
        ("-local:held", Query(facets=(Facet("local", ("held",), inverse=True),))),
        ("is:held is:faults", Query(facets=(Facet("local", ("held",)), Facet("is", ("faults",))))),
        ("-has:people,size", Query(facets=(Facet("has", ("people", "size"), inverse=True),))),
        ('account:"advice"', Query(facets=(Facet("account", ("advice",)),))),
        ("after:2026-10 before:2027", Query(since=day("2026-10-01"), until=day("2027-01-01"))),
        ("on:2026-12", Query(since=day("2026-12-01"), until=day("2027-01-01"))),
        ("on:today", Query(since=day("2026-11-23"), until=day("2026-11-24"))),
        ("on:yesterday", Query(since=day("2026-11-22"), until=day("2026-11-23"))),
        ("after:7d -after:yesterday", Query(since=day("2026-11-16"), until=day("2026-11-22"))),
        ("-before:2026-11-01", Query(since=day("2026-11-01"))),
        ("after:2026-01-01 after:2026-02-01", Query(since=day("2026-02-01"))),
        ("size:>100M", Query(smallest=100_000_001)),
        ("size:>=1.5k size:<=2KiB", Query(smallest=1_500, largest=2_000)),
        ("size:1k..2G", Query(smallest=1_000, largest=2_000_000_000)),
        ("size:..5 size:<9", Query(largest=5)),
        ("size:7", Query(smallest=7, largest=7)),
    ],
)
def test_what_is_understood(text: str, query: Query) -> None:
    assert of(text) == query


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("x state:", "state:", "state: what?"),
        ("state:, y", "state:,", "state: what?"),
        ("state:a", "state:a", "could be available, abandoned"),
        ("state:gone", "state:gone", "state is not gone; it is one of processing"),
        ("before:2026-02-30", "before:2026-02-30", "2026-02-30 is no day"),
        ("on:9999", "on:9999", "is no day"),
        ("after:99999y", "after:99999y", "is no day"),
        ("-on:today", "-on:today", "-on cannot be"),
        ("size:big", "size:big", "big is no size"),
        ("-size:1", "-size:1", "-size cannot be"),
        ("is:held,faults", "is:held,faults", "two conditions"),
        ("sate:failed", "sate:failed", "there is no field sate, so it is sought as a word; state: is one"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, words: str) -> None:
    parsed = parse(f"{text} kept", now=NOW)
    [problem] = parsed.problems
    assert f"{text} kept"[problem.start : problem.end] == place
    assert words in problem.words
    assert "kept" in parsed.query.words


def test_it_narrows_what_is_there() -> None:
    base = Query(account="advice", sort="title", words=("a",), facets=(Facet("is", ("risk",)),))
    narrowed = parse("b kind:video", base, now=NOW).query
    assert (narrowed.account, narrowed.sort, narrowed.words) == ("advice", "title", ("a", "b"))
    assert narrowed.facets == (Facet("is", ("risk",)), Facet("kind", ("video",)))


@given(TEXTS)
def test_whatever_is_typed_gives_a_query(text: str) -> None:
    parsed = parse(text, now=NOW)
    for problem in parsed.problems:
        assert 0 <= problem.start < problem.end <= len(text)
        assert problem.words
    hash(parsed.query)  # lists are held by it
    filtering.filter_of(parsed.query)
    # What nothing is wrong with reads the same with blanks around it.
    assert parse(f" {text.strip()} ", now=NOW).query == parse(text.strip(), now=NOW).query


@given(TEXTS)
def test_tokens_lie_in_order(text: str) -> None:
    places = [place for token in tokens(text) for place in (token.start, token.end)]
    assert places == sorted(places)


@given(TEXTS, st.integers(0, 40))
def test_each_completion_is_understood_better(text: str, cursor: int) -> None:
    cursor = min(cursor, len(text))
    found = complete(text, cursor, KNOWN)
    assert 0 <= found.start <= found.end <= len(text)
    for choice in found.choices:
        assert choice.text.startswith(text[found.start : found.end].lower())


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("x sta", ["state:"]),
        ("-a", ["account:", "after:"]),
        ("state:f", ["failed"]),
        ("state:failed,pro", ["processing"]),
        ("account:a", ["advice", "agents"]),
        ("provider:", ["cronofy", "flexperto"]),
        ("on:t", ["today"]),
        ("is:r", ["risk", "releasing"]),
        ("", []),
        ('"sta', []),
        ("nothing:x", []),
    ],
)
def test_completion(text: str, chosen: list[str]) -> None:
    assert [choice.text for choice in complete(text, len(text), KNOWN).choices] == chosen


def test_a_completion_leaves_the_rest() -> None:
    found = complete("-state:fa more", 9, KNOWN)
    text = "-state:fa more"
    assert text[: found.start] + found.choices[0].text + text[found.end :] == "-state:failed more"


def test_the_ledger_knows_every_value() -> None:
    for field, values in CHOICES.items():
        for value in values:
            made = filtering.filter_of(parse(f"{field}:{value}", now=NOW).query)
            assert [clause for clause in (*made.counted, *made.rest) if clause.values != (0,)]
    assert set(HAS) == set(filtering.HAS)
    assert set(filtering.IS) < set(IS)


def test_days_are_those_of_the_place() -> None:
    here, there = of("on:2026-11-01"), parse("on:2026-11-01", now=NOW.astimezone(UTC)).query
    assert here.since is not None
    assert there.since is not None
    assert there.since - here.since == timedelta(hours=1)

"""docs/search.md says what vault.query understands: no more, and nothing is missing."""

import re
from pathlib import Path

import pytest

from tests.tui.stage import NOW
from vault.query import FIELDS, parse
from vault.views import Query

PAGE = (Path(__file__).parents[2] / "docs" / "search.md").read_text("utf-8")
EXAMPLES = [line.strip() for line in PAGE.splitlines() if line.startswith("    ") and "reeldesk" not in line]


def test_every_field_is_on_the_page_with_its_words() -> None:
    fields = PAGE.split("## Fields")[1].split("## ")[0]
    rows = dict(re.findall(r"^\| `([a-z]+):` \| (.*) \|$", fields, re.MULTILINE))
    assert rows == FIELDS


@pytest.mark.parametrize(
    "text", [*EXAMPLES, *re.findall(r"^\| `([^`]+)` \|", PAGE.split("## Fields")[0], re.MULTILINE)]
)
def test_every_example_is_understood(text: str) -> None:
    parsed = parse(text, now=NOW)
    assert parsed.problems == ()
    assert parsed.query != Query()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4

"""What the list is asked for: what keys chose, and what was typed in the language of vault.query."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from tui.label import cut
from tui.sorting import turned
from tui.widgets.ink import Line
from vault.query import Completion, Known, Parsed, Problem, complete, parse
from vault.views import SORTS, Query, SavedView, Sort

FIELD_HINT = 'state: local: account: flag: before: after: size: kind: is: -not "a phrase"'
MOST_NAME = 60
KEYS_HINT = "enter keeps it, esc clears it"


class Narrowing(Struct, frozen=True):
    """`base`: account, order, only faults, only at risk. `text`: what was typed."""

    base: Query = field(default_factory=Query)
    text: str = ""

    def parsed(self, now: datetime) -> Parsed:
        """The whole query, and what of the text could not be understood."""
        return parse(self.text, self.base, now=now)

    def sorted_by(self, sort: str) -> "Narrowing":
        """In this order; once more, the other way round."""
        now = turned(sort, Sort(self.base.sort, self.base.descending))
        return replace(self, base=replace(self.base, sort=now.by, descending=now.descending))

    def next_sort(self) -> "Narrowing":
        """In the next order."""
        return self.sorted_by(SORTS[(SORTS.index(self.base.sort) + 1) % len(SORTS)])

    def view(self, name: str) -> SavedView:
        """All of it under a name; what keys chose is written out."""
        base = self.base
        chosen = (
            f"account:{base.account}" if base.account else "",
            "is:faults" if base.faults else "",
            "is:risk" if base.at_risk else "",
            self.text.strip(),
        )
        return SavedView(name, " ".join(filter(None, chosen)), base.sort, base.descending)


def name_problem(name: str) -> str:
    """Why a view cannot be called that; "" when it can."""
    return "" if 0 < len(name.strip()) <= MOST_NAME else f"a name has 1 to {MOST_NAME} characters"


def narrowing_of(view: SavedView) -> Narrowing:
    """What a saved view asks for."""
    sort = view.sort if view.sort in SORTS else SORTS[0]
    return Narrowing(Query(sort=sort, descending=view.descending), view.text)


class Completing(Struct, frozen=True):
    """Going through completions: `text` is what was typed, `chosen` the place of the one that is put in (-1: none)."""

    text: str
    found: Completion
    chosen: int = -1

    def step(self, by: int) -> "Completing":
        """The next one; after the last the first."""
        number = len(self.found.choices)
        start = self.chosen if self.chosen >= 0 or by > 0 else 0
        return replace(self, chosen=(start + by) % number)

    @property
    def value(self) -> str:
        """The text with the chosen one in it; a value that is the only one is followed by a blank."""
        choice = self.found.choices[self.chosen].text
        alone = len(self.found.choices) == 1 and not choice.endswith(":")
        return self.text[: self.found.start] + choice + (" " if alone else "") + self.text[self.found.end :]

    @property
    def cursor(self) -> int:
        """Behind it."""
        return len(self.value) - len(self.text[self.found.end :])


def completing(text: str, cursor: int, known: Known) -> Completing | None:
    """What could be put in at the cursor; None where there is nothing."""
    found = complete(text, cursor, known)
    return Completing(text, found) if found.choices else None


def hint(text: str, cursor: int, problems: Sequence[Problem], completions: Completing | None, width: int) -> Line:
    """The line below the filter: what is wrong, what could be typed, or what the keys do. It fits `width`."""
    typed = next((each for each in problems if each.start <= cursor <= each.end), None)
    wrong = next((each for each in problems if each is not typed), None)
    if wrong is not None:
        return ((" ! ", "warn"), (cut(wrong.words, width - 3), "warn"))
    if completions is not None:
        return _choices(completions, width)
    if typed is not None:
        return ((" ! ", "warn"), (cut(typed.words, width - 3), "warn"))
    if not text or text.endswith(" "):
        return ((" ", ""), (cut(FIELD_HINT, width - 1), "dim"))
    return ((" ", ""), (cut(KEYS_HINT, width - 1), "dim"))


def _choices(completions: Completing, width: int) -> Line:
    """As many as fit, from the chosen one on; where there is one alone, what it means."""
    choices = completions.found.choices
    first = max(completions.chosen, 0)
    runs: list[tuple[str, str]] = [(" tab ", "dim")]
    left = width - 6
    for place, choice in enumerate(choices[first:], start=first):
        if len(choice.text) + 1 > left:
            runs.append(("…"[:left], "dim"))
            break
        runs += [(choice.text, "cursor-blurred" if place == completions.chosen else "strong"), (" ", "")]
        left -= len(choice.text) + 1
    words = choices[first].words
    if words and left > 12:
        runs.append((cut(f" {words}", left), "dim"))
    return tuple(runs)

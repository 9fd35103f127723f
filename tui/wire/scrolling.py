"""Finds rows that only moved up or down.

A terminal moves whole lines. Beside a pane that stands still it may still be worth it: the pane is written again.
"""

from collections import Counter, defaultdict
from operator import ne
from typing import NamedTuple

Row = list[int]
LEAST_ROWS = 4
"""That differ: fewer are written sooner than moved."""
_MOST_PLACES = 4
"""A row that stands in more places than these (blank ones) says nothing about a move."""
_LEAST_SAVED = 40
"""Cells that a move must save, being some 20 bytes itself."""


class Move(NamedTuple):
    """The rows from `top` to `bottom` (both in it) go up by `lines`, down when negative."""

    top: int
    bottom: int
    lines: int


def moved(old: list[Row], new: list[Row]) -> Move | None:
    """The one move that saves the most; None when none is worth it."""
    differing = [y for y, (was, now) in enumerate(zip(old, new, strict=True)) if was != now]
    if len(differing) < LEAST_ROWS:
        return None
    first, last = differing[0], differing[-1]
    rows, across = range(first, last + 1), _across(old, new, differing)
    places: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for y in rows:
        places[tuple(old[y][across])].append(y)
    votes: Counter[int] = Counter()
    for y in rows:
        found = places.get(tuple(new[y][across]), ())
        if len(found) <= _MOST_PLACES:
            votes.update(was - y for was in found)
    votes.pop(0, None)
    best = max(votes.items(), key=lambda vote: (vote[1], -abs(vote[0])), default=None)
    if best is None or best[1] < 2:
        return None
    same = [y for y in rows if y + best[0] in rows and new[y][across] == old[y + best[0]][across]]
    return _worth(old, new, best[0], same)


def _across(old: list[Row], new: list[Row], differing: list[int]) -> slice:
    """The columns in which anything differs."""
    starts = [next(x for x, (was, now) in enumerate(zip(old[y], new[y], strict=True)) if was != now) for y in differing]
    ends = [
        next(x for x, (was, now) in enumerate(zip(reversed(old[y]), reversed(new[y]), strict=True)) if was != now)
        for y in differing
    ]
    return slice(min(starts), len(old[0]) - min(ends))


def _worth(old: list[Row], new: list[Row], lines: int, same: list[int]) -> Move | None:
    """The move of the rows that are the same after it, where it saves anything."""
    top, bottom = min(same[0], same[0] + lines), max(same[-1], same[-1] + lines)
    saved = 0
    for y in range(top, bottom + 1):
        without = sum(map(ne, old[y], new[y]))
        with_it = sum(map(ne, old[y + lines], new[y])) if top <= y + lines <= bottom else len(new[y])
        saved += without - with_it
    return Move(top, bottom, lines) if saved >= _LEAST_SAVED else None

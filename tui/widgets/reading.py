"""Reading a table's rows, each verb of its source in a thread: where the cursor's row stands, the rows around it."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from tui.widgets.source import ListSource, Near, Source
from tui.widgets.windows import Windows
from vault.errors import Superseded
from vault.views import Count

Row = TypeVar("Row")
T = TypeVar("T")

PLACE_S, LATE_S = 0.15, 60.0
"""So long the first rows wait for the place of the cursor's row, among a million hits that may take seconds; and so
long it is waited for where there are rows to see meanwhile."""
COUNT_S = 0.05
"""So long rows that are there wait for their number, where it is known at once: it is drawn once then."""
PAUSE, MOST_PAUSE_S = 10, 30.0
"""A list that grows is counted again after so many times what that took, and no later than this."""
RESTS_S = 0.25
"""So long nobody narrows the list before all its rows are sought to be counted: while letters are typed, none are."""
PATIENCE_S = 0.1
"""So long a jump waits for its rows before it shows that there are none yet."""
MARKED_AT_ONCE = 512
"""Rows that are read at a time to be marked."""


class Spot(Struct, Generic[Row], frozen=True):
    """Where the cursor was. `key` is None when it may go to `index` whatever is there."""

    key: Hashable | None
    row: Row | None
    index: int
    line: int
    """Lines below the first one in sight."""
    room: int
    """Lines in sight."""


class Loaded(Struct, Generic[Row], frozen=True):
    """The rows around a cursor. `found`: whether it is on the row that was sought; None: that was not known in time."""

    windows: Windows[Row]
    count: Count
    counting: "asyncio.Future[Count | None] | None"
    """What still counts them: `count` is no more than what was read then. None: `count` is the source's."""
    cursor: int
    top: int
    found: bool | None


async def asked(wanted: Callable[[], bool], call: Callable[..., T], *values: object) -> T:
    """What a call in a thread gives. One that nobody wants any more when its turn comes ends with Superseded."""

    def one() -> T:
        if not wanted():
            raise Superseded("another list was asked for")
        return call(*values)

    return await asyncio.to_thread(one)


async def load(source: Source[Row], spot: Spot[Row], patience_s: float, wanted: Callable[[], bool]) -> Loaded[Row]:
    """Read what is in sight around the spot, whose place is waited for so long. Raises what the source raises.

    What is needed first is asked for at once, side by side: the place, the first rows (a list that is narrowed mostly
    stays there), and how many there are, for which nothing waits.
    """
    counting = _task(asked(wanted, source.count_at_once))
    windows: Windows[Row] = Windows()
    seeks = spot.key is not None
    nothing: Near[Row] = Near()
    first = _task(asked(wanted, source.rows, 0, windows.size, nothing)) if seeks and not spot.index else None
    place, found = spot.index, None if seeks else False
    count: Count | None = source.count() if isinstance(source, ListSource) else None
    if seeks:
        done, at = await within(patience_s, asked(wanted, source.position, spot.key))
        found = at is not None if done else None
        place = at if at is not None else spot.index
    if place and not found:
        count = await counting if count is None else count
        count = await asked(wanted, source.count) if count is None else count
        place = min(place, max(count.number - 1, 0))
    top = max(place - spot.line, 0)
    if first is not None and place < windows.size:
        windows.put(0, await first)
    elif found and spot.row is not None:
        await _read_around(source, windows, place, spot.row)
    last = max(top + spot.room, place)
    numbers = [n for at in (top, place) for n in windows.missing(at, min(at + spot.room, last))]
    for number in sorted(set(numbers)):
        windows.put(number, await read_window(source, windows, number, wanted=wanted))
    if found:  # rows that came in since it was sought moved it on
        now = windows.find(lambda row: source.key(row) == spot.key)
        place, top = (place, top) if now is None else (now, top + now - place)
    if count is None:
        await asyncio.wait({counting}, timeout=COUNT_S)
        count = counting.result() if counting.done() else None
    if count is None:
        return Loaded(windows, _seen(windows, place), counting, place, top, found)
    return Loaded(windows, count, None, place, top, found)


def _seen(windows: Windows[Row], place: int) -> Count:
    """How many rows there are by those that were read: all of them, when a window is not full."""
    end = (place // windows.size + 1) * windows.size
    seen = end
    while seen and windows.get(seen - 1) is None:
        seen -= 1
    return Count(seen, exact=seen < end)


def _always() -> bool:
    return True


async def read_window(
    source: Source[Row],
    windows: Windows[Row],
    number: int,
    total: int | None = None,
    wanted: Callable[[], bool] = _always,
) -> Sequence[Row]:
    """The rows of a window, from what is held next to it."""
    near = windows.near(number, total)
    return await asked(wanted, source.rows, number * windows.size, windows.size, near)


async def _read_around(source: Source[Row], windows: Windows[Row], place: int, row: Row) -> None:
    """The window of a row that is known: what comes before it, and from there on."""
    number = place // windows.size
    first = number * windows.size
    if not place:
        return
    begin = min(first, place - 1)
    before = await asyncio.to_thread(source.rows, begin, place - begin, Near(before=row))
    if len(before) < place - begin:
        return  # some are gone: read by place
    rest = await asyncio.to_thread(source.rows, place, first + windows.size - place, Near(after=before[-1]))
    if rest and source.key(rest[0]) == source.key(row):
        windows.put(number, [*before[max(first - begin, 0) :], *rest])


async def within(seconds: float, call: Coroutine[object, object, T]) -> tuple[bool, T | None]:
    """What is awaited, if it comes in time. What is late is left to itself."""
    task = _task(call)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return (True, task.result()) if done else (False, None)


def _task(call: Coroutine[object, object, T]) -> "asyncio.Future[T]":
    """It goes on by itself, whoever waits for it or does no more."""
    task = asyncio.ensure_future(call)
    task.add_done_callback(_forget)
    return task


def _forget(task: "asyncio.Future[T]") -> None:
    if not task.cancelled():
        task.exception()  # it may be that nobody waits for it any more


async def keys_between(source: Source[Row], first: int, last: int) -> list[Hashable]:
    """The keys of the rows from one place to another (both included)."""
    keys: list[Hashable] = []
    near: Near[Row] = Near()
    while first + len(keys) <= last:
        at = first + len(keys)
        rows = await asyncio.to_thread(source.rows, at, min(MARKED_AT_ONCE, last + 1 - at), near)
        if not rows:
            break
        keys += map(source.key, rows)
        near = Near(after=rows[-1])
    return keys

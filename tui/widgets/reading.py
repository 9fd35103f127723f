"""Reading a table's rows, each verb of its source in a thread: where the cursor's row stands, the rows around it."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tui.widgets.source import Near, Source
from tui.widgets.windows import Windows
from vault.views import Count

Row = TypeVar("Row")
T = TypeVar("T")

PLACE_S, LATE_S = 0.15, 60.0
"""So long the first rows wait for the place of the cursor's row, among a million hits that may take seconds; and so
long it is waited for where there are rows to see meanwhile."""
COUNT_S = 0.02
"""So long they wait for the number of all rows."""


@dataclass(frozen=True, slots=True)
class Spot(Generic[Row]):
    """Where the cursor was. `key` is None when it may go to `index` whatever is there."""

    key: Hashable | None
    row: Row | None
    index: int
    line: int
    """Lines below the first one in sight."""
    room: int
    """Lines in sight."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Row]):
    """The rows around a cursor. `found`: whether it is on the row that was sought; None: that was not known in time."""

    windows: Windows[Row]
    count: Count
    counted: bool
    """Whether `count` is the source's; else there are at least as many as were read."""
    cursor: int
    top: int
    found: bool | None


async def load(source: Source[Row], spot: Spot[Row], patience_s: float) -> Loaded[Row]:
    """Read what is in sight around the spot, whose place is waited for so long. Raises what the source raises."""
    place, found = spot.index, None if spot.key is not None else False
    count: Count | None = None
    if spot.key is not None:
        done, at = await within(patience_s, source.position, spot.key)
        found = at is not None if done else None
        place = at if at is not None else spot.index
    if place and not found:
        count = await asyncio.to_thread(source.count)
        place = min(place, max(count.number - 1, 0))
    top = max(place - spot.line, 0)
    windows: Windows[Row] = Windows()
    if found and spot.row is not None:
        await _read_around(source, windows, place, spot.row, source.key)
    last = max(top + spot.room, place)
    await fill(source, windows, [n for at in (top, place) for n in windows.missing(at, min(at + spot.room, last))])
    if found:  # rows that came in since it was sought moved it on
        now = windows.find(lambda row: source.key(row) == spot.key)
        place, top = (place, top) if now is None else (now, top + now - place)
    counted = True
    if count is None:
        counted, count = await within(COUNT_S, source.count)
    if count is None:
        count = _seen(windows, place)
    return Loaded(windows, count, counted, place, top, found)


def _seen(windows: Windows[Row], place: int) -> Count:
    """How many rows there are by those that were read: all of them, when a window is not full."""
    end = (place // windows.size + 1) * windows.size
    seen = end
    while seen and windows.get(seen - 1) is None:
        seen -= 1
    return Count(seen, exact=seen < end)


async def fill(source: Source[Row], windows: Windows[Row], numbers: Sequence[int], total: int | None = None) -> None:
    """Read windows, each from what is held next to it."""
    for number in sorted(set(numbers)):
        near = windows.near(number, total)
        rows = await asyncio.to_thread(source.rows, number * windows.size, windows.size, near)
        windows.put(number, rows)


async def _read_around(
    source: Source[Row], windows: Windows[Row], place: int, row: Row, key: Callable[[Row], Hashable]
) -> None:
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
    if rest and key(rest[0]) == key(row):
        windows.put(number, [*before[max(first - begin, 0) :], *rest])


async def within(seconds: float, call: Callable[..., T], *values: object) -> tuple[bool, T | None]:
    """What a call in a thread gives, if it gives it in time. One that is late is left to itself."""
    task = asyncio.ensure_future(asyncio.to_thread(call, *values))
    task.add_done_callback(_forget)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return (True, task.result()) if done else (False, None)


def _forget(task: "asyncio.Future[T]") -> None:
    if not task.cancelled():
        task.exception()  # it may be that nobody waits for it any more


async def keys_between(source: Source[Row], first: int, last: int) -> list[Hashable]:
    """The keys of the rows from one place to another (both included)."""
    keys: list[Hashable] = []
    near: Near[Row] = Near()
    while first + len(keys) <= last:
        at = first + len(keys)
        rows = await asyncio.to_thread(source.rows, at, min(Windows[Row]().size, last + 1 - at), near)
        if not rows:
            break
        keys += map(source.key, rows)
        near = Near(after=rows[-1])
    return keys

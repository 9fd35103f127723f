"""The words of the table: a fault, how a transfer ends, and which end is expected of which service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from tests.vault.rawserver import Reply, Seen

if TYPE_CHECKING:
    from tests.vault.faults.stage import Stage

SIZE = 160_000
"""Bytes of every file, about."""
CUT = 100_000
"""Where what breaks off breaks off: behind the 64 KiB that a service's client looks at before anything is written."""
EARLY = 20_000
"""And before them."""

RESUMABLE, PLAIN = "resumable", "plain"
MODES = (RESUMABLE, PLAIN)


class End(StrEnum):
    """How a transfer ends while the fault lasts, and how it goes on when the fault is over."""

    FIRST = "done at once"
    AGAIN = "done at another try"
    RESUMED = "done, resumed"
    RESTARTED = "done, from the start"
    FAILED_KEPT = "failed; then resumed"
    FAILED_ANEW = "failed; then from the start"
    WAITS_KEPT = "waits; then resumed"
    WAITS_ANEW = "waits; then from the start"
    FAILED_FOR_GOOD = "failed for good"

    @property
    def done(self) -> bool:
        """Whether the file is held although the fault lasts."""
        return self.value.startswith("done")


@dataclass(frozen=True)
class Call:
    """A request for the file, and what the emulator answers it."""

    seen: Seen
    number: int
    """Of the requests for the file since the fault was switched on, from 0."""
    ranged: int | None
    """Of those that asked for a range; None for one that asks for all."""
    honest: Reply
    stage: "Stage"


Spoil = Callable[[Call], Reply]
Deed = Callable[["Stage"], Awaitable[None] | None]


@dataclass(frozen=True)
class Fault:
    """One row. `expected` and `says` are looked up by `service/mode`, by `service`, by mode, and last by ""."""

    name: str
    words: str
    """What happens, for the documentation."""
    expected: Mapping[str, End]
    says: Mapping[str, str] = field(default_factory=dict)
    """A piece of what the person is told when the transfer does not end well."""
    spoil: Spoil | None = None
    """What becomes of the answers to requests for the file."""
    begin: Deed | None = None
    """Done before the transfer is queued."""
    amid: Deed | None = None
    """Done when half of the file has arrived."""
    over: Deed | None = None
    """Done when the fault ends, beside that answers are honest again."""
    not_for: Mapping[str, str] = field(default_factory=dict)
    """Where it cannot happen, and why."""
    timeout_s: float = 5.0
    stall_s: float = 60.0
    elsewhere: Callable[["Stage", Seen], Reply] | None = None
    """What another origin answers; by default that it has nothing."""
    brings: Callable[["Stage"], bytes] | None = None
    """The bytes that are held in the end, where they are not the service's first ones."""

    def reason(self, service: str, mode: str) -> str:
        """Why it cannot happen there; "" when it can."""
        return found(self.not_for, service, mode) or ""

    def end(self, service: str, mode: str) -> End:
        """The expected end. Raises AssertionError where none is declared."""
        end = found(self.expected, service, mode)
        assert end is not None, f"{self.name}: no end is declared for {service}/{mode}"
        return end

    def told(self, service: str, mode: str) -> str:
        """What must be among the words; "" where nothing is declared."""
        return found(self.says, service, mode) or ""


T = TypeVar("T")


def found(table: Mapping[str, T], service: str, mode: str) -> T | None:
    """The value for the narrowest key."""
    for key in (f"{service}/{mode}", service, mode, ""):
        if key in table:
            return table[key]
    return None


@dataclass
class Half:
    """The moment in the middle of a transfer: the answer waits for `go`."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

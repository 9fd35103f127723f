"""Schedules of a server's behaviours, of restarts and of damage on the disk, drawn by hypothesis.

Every request takes the next step of the schedule; when there are no more, the server is honest.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

from tests.vault.transfers.behaviours import ACTS, Fate, Harm, Step, Version


@dataclass(frozen=True)
class Case:
    """One example: what is served, what is stated of it elsewhere, and the schedule."""

    versions: tuple[Version, ...]
    switch: int
    stated: str
    """The checksum that the service states elsewhere: see `CHECKSUMS`."""
    resumable: bool
    refusals: int
    """So often the ledger cannot be written when the file is whole."""
    steps: tuple[Step, ...]


CHECKSUMS = ("none", "first", "last", "now", "wrong", "unreadable")
_SIZES = st.sampled_from(
    (*range(0, 4_000, 197), *range(4_000, 60_000, 1_501), 1_023, 1_024, 4_095, 4_096, 4_097, 65_536, 65_537, 131_072)
) | st.integers(2_000, 300_000)
_DATES = ("Sun, 01 Nov 2026 10:00:00 GMT", "Mon, 02 Nov 2026 10:00:00 GMT")
_VALIDATORS = {
    "etag": (('"one"', ""), ('"two"', "")),
    "etag in the same second": (('"one"', _DATES[0]), ('"two"', _DATES[0])),
    "both": (('"one"', _DATES[0]), ('"two"', _DATES[1])),
    "date": (("", _DATES[0]), ("", _DATES[1])),
    "weak": (('W/"one"', ""), ('W/"two"', "")),
    "none": (("", ""), ("", "")),
    "the same etag": (('"one"', ""), ('"one"', "")),
    "the same date": (("", _DATES[0]), ("", _DATES[0])),
    "an etag that cannot be sent": (('"é"', ""), ('"è"', "")),
    "an etag, then none": (('"one"', ""), ("", "")),
}


@st.composite
def versions(draw: st.DrawFn) -> tuple[Version, ...]:
    size, seed = draw(_SIZES), draw(st.integers(0, 3))
    (etag, date), (later_etag, later_date) = _VALIDATORS[
        draw(st.sampled_from((*["etag", "the same etag"] * 6, *_VALIDATORS)))
    ]
    one = Version(size, seed, etag, date)
    kind = draw(st.sampled_from(("one version", "another", "another length", "edited")))
    if kind == "one version":
        return (one,)
    if kind == "another length":
        return one, Version(draw(_SIZES), 9, later_etag, later_date)
    start = draw(st.integers(0, size)) if kind == "edited" else 0
    end = start + draw(st.integers(1, 5_000)) if kind == "edited" else size
    return one, Version(size, seed, later_etag, later_date, (start, end))


_HARMS = st.sampled_from([Harm.NONE] * 12 + list(Harm))
_ANY = st.builds(
    Step,
    # What falls silent takes its time, so it is rare.
    act=st.sampled_from([name for name in ACTS if name != "silent"] * 4 + ["silent"]),
    at=st.integers(0, 200).map(lambda parts: parts / 200),
    by=st.integers(-5_000, 5_000) | st.integers(-3, 3),
    pick=st.integers(0, 7),
    fate=st.sampled_from([Fate.GOES_ON] * 10 + [Fate.STOPPED, Fate.KILLED]),
    harm=_HARMS,
)
# What breaks off leaves a part to be continued, which is what most else is about: so most schedules begin with it.
_BREAKS = st.builds(
    Step,
    act=st.sampled_from(("cut", "cut", "chunked")),
    at=st.integers(20, 190).map(lambda parts: parts / 200),
    pick=st.sampled_from((6, 6, 6, 1)),
    harm=_HARMS,
)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Step, ...]:
    begin = draw(st.lists(_BREAKS, min_size=1, max_size=2)) if draw(st.integers(0, 4)) else []
    return (*begin, *draw(st.lists(_ANY, min_size=1, max_size=7)))


CASES = st.builds(
    Case,
    versions=versions(),
    switch=st.sampled_from((1, 1, 2, 2, 3, 5)),
    stated=st.sampled_from((*["none"] * 9, *CHECKSUMS)),
    resumable=st.sampled_from((*[True] * 7, False)),
    refusals=st.sampled_from((0, 0, 0, 1)),
    steps=schedules(),
)

"""The documentation of the faults, made from what is declared."""

from collections.abc import Iterable
from pathlib import Path

from tests.vault.faults.declared import GROUPS
from tests.vault.faults.declared_calls import ASKED, CALLS, KINDS
from tests.vault.faults.model import CUT, MODES, PLAIN, RESUMABLE, SIZE, End, Fault
from tests.vault.faults.services import LABELS, PROCONF, SERVICES

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
RENEW = "python -m tests.vault.faults"

CODES = {
    End.FIRST: "done",
    End.AGAIN: "retried",
    End.RESUMED: "resumed",
    End.RESTARTED: "anew",
    End.FAILED_KEPT: "failed +",
    End.FAILED_ANEW: "failed",
    End.WAITS_KEPT: "waits +",
    End.WAITS_ANEW: "waits",
    End.FAILED_FOR_GOOD: "lost",
}
MEANINGS = {
    End.FIRST: "held and proven at the first go",
    End.AGAIN: "held and proven after another try; no byte of the file had arrived before",
    End.RESUMED: "held and proven; what had arrived was continued",
    End.RESTARTED: "held and proven; what had arrived was dropped, and the file fetched from its first byte",
    End.FAILED_KEPT: "failed, with words; tried again by hand when the fault is over, it continues what is there",
    End.FAILED_ANEW: "failed, with words; tried again by hand when the fault is over, it begins at the first byte",
    End.WAITS_KEPT: "waits, with words and the moment of the next try; then it continues what is there",
    End.WAITS_ANEW: "waits, with words and the moment of the next try; then it begins at the first byte",
    End.FAILED_FOR_GOOD: "failed, with words that say that nothing here can help",
}

INTRO = """# What goes wrong, and how it ends

Made by `{renew}` from the tests in `tests/vault/faults`; a test fails when this page and they differ.
Do not edit it.

Each cell of the first tables is a test of its own ({cells} of them). It runs the desk's real queue, ledger and client
over HTTP on loopback, against the service's emulator behind a socket server that does exactly what the row says. It
compares how the transfer ends with what stands here, and checks in every cell:

- nothing but a proven file lies under a final name, byte by byte what the service gave, its SHA-256 in the ledger;
- no incomplete file is left beside a whole one;
- no credential came to another origin than the account's own;
- what the person reads is not empty, holds no traceback, no secret and nothing of a signed link.

Where a transfer does not end well, the fault is then taken away, and the transfer is tried again (or its wait is
over): that it is held then, and how it got there, is part of the cell.

**with** ranges: the service gives a strong ETag and answers requests for the rest of a file. **no** ranges: neither.
A file has {size:,} bytes or a little more; what breaks off in the middle breaks off after {cut:,}. ProCONF has no
files: its column is the JSON of a room's catch-up, kept as a file, and never asked for in parts. Waits between a
transfer's own attempts are shortened, and so is what counts as silence; the number of attempts (six without progress)
and the breaks that all of an account takes are as they are.

| in the tables | how it ends |
|---|---|
"""

CALLS_INTRO = """
## What is asked beside files

Lists, summaries, settings and signing in: {cells} tests, one a cell. A call is not repeated by itself. It ends in
words, and a sync notes them at the account or the room. Asked is {asked}.
"""

OUTSIDE = """
## Not in these tables

Other tests hold these: processes that are killed (`tests/vault/test_killed.py`), several processes on one ledger
(`tests/vault/transfers`), several faults in a row, drawn at random (`tests/vault/transfers/test_schedules.py`), and
certificates and names that lead to private addresses (`tests/providers`). Not tried: disks that give other bytes than
were written without saying so, and file systems without locks.
"""


def page() -> str:
    """The whole page."""
    lines = [INTRO.format(renew=RENEW, cells=sum(1 for _ in cells()), size=SIZE, cut=CUT).rstrip("\n")]
    lines += [f"| {CODES[end]} | {MEANINGS[end]} |" for end in End]
    lines += ["| – | cannot happen there; the reason stands below the table |"]
    for title, faults in GROUPS.items():
        lines += ["", f"## {title}", "", *_table(faults)]
    asked = "; ".join(f"of {LABELS[service]} {what}" for service, what in ASKED.items())
    lines += [CALLS_INTRO.format(cells=len(CALLS) * len(SERVICES), asked=asked).rstrip("\n"), "", *_calls()]
    return "\n".join(lines) + "\n" + OUTSIDE


def cells() -> Iterable[tuple[Fault, str, str]]:
    """Every cell that can happen: fault, service, mode."""
    for faults in GROUPS.values():
        for fault in faults:
            for service, mode in columns():
                if not fault.reason(service, mode):
                    yield fault, service, mode


def columns() -> list[tuple[str, str]]:
    """Service and mode of each column."""
    return [(service, mode) for service in SERVICES for mode in MODES if (service, mode) != (PROCONF, RESUMABLE)]


def _table(faults: Iterable[Fault]) -> list[str]:
    heads = [f"{LABELS[service]} {'no' if mode == PLAIN else 'with'}" for service, mode in columns()]
    lines = [f"| what happens | {' | '.join(heads)} | among the words |", "|---" * (len(heads) + 2) + "|"]
    reasons: dict[str, int] = {}
    for fault in faults:
        ends = [_cell(fault, service, mode, reasons) for service, mode in columns()]
        lines.append(f"| {fault.words} | {' | '.join(ends)} | {_said(fault)} |")
    notes = [f"({number}) {reason}." for reason, number in reasons.items()]
    return lines + (["", "  \n".join(notes)] if notes else [])


def _cell(fault: Fault, service: str, mode: str, reasons: dict[str, int]) -> str:
    reason = fault.reason(service, mode)
    if reason:
        return f"– ({reasons.setdefault(reason, len(reasons) + 1)})"
    return CODES[fault.end(service, mode)]


def _said(fault: Fault) -> str:
    pieces = dict.fromkeys(
        fault.told(service, mode)
        for service, mode in columns()
        if not fault.reason(service, mode) and not fault.end(service, mode).done
    )
    return ", ".join(f"“{piece}”" for piece in pieces if piece)


def _calls() -> list[str]:
    lines = [f"| what happens | {' | '.join(LABELS[service] for service in SERVICES)} |"]
    lines.append("|---" * (len(SERVICES) + 1) + "|")
    for fault in CALLS:
        ends = " | ".join(KINDS[fault.kind(service)] for service in SERVICES)
        lines.append(f"| {fault.words} | {ends} |")
    return lines

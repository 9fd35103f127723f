"""`reconcile`: what a service has, what the ledger says and what lies on the disk, side by side."""

import argparse
from typing import TYPE_CHECKING

from tui.commandline.arguments import Commands, check_accounts, command, json_option
from tui.commandline.output import Output
from tui.commandline.session import attempt, on_loop
from tui.commandline.unlocking import passphrase_option, unlocking
from tui.figures import count

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.reconciling import ReconcileProgress, ReconcileRow

HEAD = ("DIFFERENCE", "ASSET OR FILE", "THERE", "LEDGER", "HERE", "FIX", "WHY")
FIXES = ("fetch", "verify", "forget", "adopt", "remove")
_EXAMPLES = """\
  reeldesk reconcile                       asks the services, compares sizes and times of files; changes nothing
  reeldesk reconcile advice --deep         reads every held byte
  reeldesk reconcile --fix verify --fix fetch
  reeldesk reconcile --check --json | jq -r .words"""


def add(commands: Commands) -> None:
    """Add the command."""
    words = "hold services, ledger and disk against each other, and mend what differs"
    parser = command(commands, "reconcile", words, run, _EXAMPLES)
    parser.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="only these; without any: all, and the folder")
    parser.add_argument("--deep", action="store_true", help="read held files through, instead of their size and time")
    words = f"mend what this mends ({', '.join(FIXES)}); may be given several times"
    parser.add_argument("--fix", action="append", default=[], choices=FIXES, metavar="KIND", help=words)
    words = "fail when something is missing, differs, or lies about, and was not mended"
    parser.add_argument("--check", action="store_true", help=words)
    json_option(parser)
    passphrase_option(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Look, show, and mend what was asked for."""
    return on_loop(args.environ, lambda desk: _reconcile(desk, args, out), unlocking(args, out))


async def _reconcile(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    from tui.reconcile_words import counts_words
    from vault.side_by_side import Difference

    check_accounts(desk, args.accounts)

    def show(progress: "ReconcileProgress") -> None:
        how_far = f" {100 * progress.done // progress.total} %" if progress.total else ""
        out.progress(f"{progress.words}{how_far}")

    view = await desk.reconciling.look(args.accounts, deep=args.deep, on_progress=show)
    if args.json:
        for row in view.rows:
            out.record(row.record())
    else:
        out.table(HEAD, (_cells(row) for row in view.rows))
    for words in view.checked:
        out.note(words)
    out.note(counts_words(view.counts))
    hidden = sum(number for kind, number in view.counts.items() if kind is not Difference.EQUAL) - len(view.rows)
    if hidden > 0:
        out.note(f"{hidden} more are not shown; mend some, and look again")
    mended = await _fix(desk, view.rows, args.fix, out)
    left = [row for row in view.rows if row not in mended and row.remedy]
    if args.check and left:
        out.note(f"{count(len(left), 'thing')} could be mended: --fix {', --fix '.join(sorted({*_kinds(left)}))}")
        return 1
    return out.status


def _kinds(rows: "list[ReconcileRow]") -> list[str]:
    return [str(row.remedy) for row in rows]


async def _fix(
    desk: "Desk", rows: "tuple[ReconcileRow, ...]", kinds: list[str], out: Output
) -> "frozenset[ReconcileRow]":
    """Mend the rows of these kinds; those that were."""
    mended = set()
    for row in rows:
        if row.remedy and str(row.remedy) in kinds:
            subject = str(row.asset or row.path)
            words = await attempt(out, subject, desk.reconciling.fix(row))
            if words is not None:
                mended.add(row)
                out.note(f"{subject}: {words}")
    if mended and "fetch" in kinds:
        out.note("what is queued is fetched by `reeldesk work`, a desk, or `reeldesk fetch --all`")
    return frozenset(mended)


def _cells(row: "ReconcileRow") -> tuple[str, ...]:
    from tui.reconcile_words import difference_words

    subject = str(row.asset) if row.asset is not None and not _is_file(row) else row.path
    return (difference_words(row.difference), subject, row.there, row.ledger, row.here, str(row.remedy), row.words)


def _is_file(row: "ReconcileRow") -> bool:
    from vault.side_by_side import Difference

    return row.difference in (Difference.STRAY, Difference.LEFT_OVER)

"""`risk`: what is lost first, and whether time and room suffice, from the ledger alone."""

import argparse
from typing import TYPE_CHECKING

from tui.commandline.arguments import Commands, check_accounts, command, json_option
from tui.commandline.output import Output
from tui.commandline.session import Usage, with_desk
from tui.figures import when

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.risk import RiskRow

HEAD = ("SLACK", "VERDICT", "ASSET", "SIZE", "DEADLINE", "TITLE", "WHY")
PAGE = 500
_EXAMPLES = """\
  reeldesk risk                          what has the least time left comes first
  reeldesk risk advice --limit 20
  reeldesk risk --check || mail ...      exit status 1 when something will be lost, or does not fit
  reeldesk risk --json | jq -r 'select(.verdict == "will be lost") | .asset' | xargs reeldesk fetch"""


def add(commands: Commands) -> None:
    """Add the command."""
    words = "show what is lost first, and whether time and room suffice"
    parser = command(commands, "risk", words, run, _EXAMPLES)
    parser.add_argument("account", nargs="?", metavar="ACCOUNT", help="only this account")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many assets (100; with --json: all)")
    parser.add_argument(
        "--check", action="store_true", help="fail when something will be lost, comes too late, or does not fit"
    )
    json_option(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Print what is pending, least slack first."""
    return with_desk(args.environ, lambda desk: _risk(desk, args, out))


def _risk(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    from tui.risk_words import rate_words, totals_words

    check_accounts(desk, [args.account] if args.account is not None else [])
    if args.limit is not None and args.limit < 1:
        raise Usage("--limit must be 1 or more")
    account = args.account or ""
    limit = args.limit or (None if args.json else 100)
    view = desk.risk.look(account, limit=min(limit or PAGE, PAGE))
    rows, shown = view.rows, 0
    while rows and not out.unheard:
        shown += len(rows)
        _show(rows, args.json, out)
        left = PAGE if limit is None else limit - shown
        rows = desk.risk.look(account, offset=shown, limit=min(left, PAGE)).rows if left > 0 else ()
    if view.totals.assets > shown:
        out.note(f"and {view.totals.assets - shown} more; see --limit")
    if not view.exact:
        out.note("there is too much to look at all of it: order and counts hold for the earliest deadlines")
    if not args.json:
        for name, rate in view.rates.items():
            out.note(f"{name}: {rate_words(rate)}")
    out.note(totals_words(view.totals))
    totals = view.totals
    if args.check and (totals.will_be_lost or totals.late_together or not totals.fits):
        return 1
    return out.status


def _show(rows: "tuple[RiskRow, ...]", as_json: bool, out: Output) -> None:
    from tui.risk_words import row_words, size_words, slack_words

    if not as_json:
        out.table(
            HEAD,
            (
                (
                    slack_words(row),
                    row.verdict,
                    str(row.asset.identity),
                    size_words(row),
                    when(row.deadline),
                    row.asset.title,
                    row_words(row),
                )
                for row in rows
            ),
        )
        return
    for row in rows:
        out.record(record(row))


def record(row: "RiskRow") -> dict[str, object]:
    """What --json prints of an asset: all that `list` prints, and what its slack is made of."""
    return {
        **row.asset.record(),
        "verdict": str(row.verdict),
        "slack_s": None if row.slack_s is None else round(row.slack_s),
        "need_s": round(row.need_s),
        "bytes_ahead": row.ahead,
        "bytes_left": row.size,
        "size_known": row.size_known,
        "deadline": row.deadline.isoformat() if row.deadline else None,
        "deadline_basis": row.basis,
    }

"""`list`: what is known of every asset, from the ledger alone."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from providers.models import RemoteState
from providers.text import safe_text
from tui.commandline.arguments import Commands, account_option, check_accounts, command, json_option
from tui.commandline.output import Output
from tui.commandline.session import Usage, with_desk
from tui.figures import size, when
from vault.query import parse
from vault.views import AssetView, LocalState, Query

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

HEAD = ("ASSET", "STATE", "LOCAL", "SIZE", "DEADLINE", "TITLE", "ERROR")
_EXAMPLES = """\
  reeldesk list
  reeldesk list budget --account advice --state available
  reeldesk list "board meeting" kind:video after:30d -- -huawei
  reeldesk list --local held --json | jq -r .path"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = command(commands, "list", "show what is known of every asset", run, _EXAMPLES)
    parser.add_argument(
        "query", nargs="*", metavar="QUERY", help="words, or state:failed before:2026-11 (docs/search.md)"
    )
    account_option(parser, "only this account")
    parser.add_argument("--state", choices=[*RemoteState], help="only what the service says is so", metavar="S")
    parser.add_argument("--local", choices=[*LocalState], help="only what is so on this machine", metavar="S")
    json_option(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Print the assets."""
    return with_desk(args.environ, lambda desk: _list(desk, args, out))


def _list(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    check_accounts(desk, [args.account] if args.account is not None else [])
    base = Query(
        account=args.account or "",
        state=RemoteState(args.state) if args.state else None,
        local=LocalState(args.local) if args.local else None,
    )
    query = _understood(args.query, base, desk.now())
    assets = desk.assets(query)
    if args.json:
        for asset in assets:
            out.record(asset.record())
            if out.unheard:
                break
    elif not out.table(HEAD, map(row, assets)) and not out.unheard:
        out.note("nothing is known yet; `reeldesk sync` asks the services" if query == Query() else "nothing fits")
    return out.status


def _understood(words: Sequence[str], base: Query, now: datetime) -> Query:
    """A query in the language of the desk's filter. An argument with a blank in it is a phrase. Raises Usage."""
    phrases = (f'"{word}"' if " " in word and ":" not in word and '"' not in word else word for word in words)
    parsed = parse(" ".join(phrases), base, now=now)
    if parsed.problems:
        raise Usage("; ".join(problem.words for problem in parsed.problems))
    return parsed.query


def row(asset: AssetView) -> tuple[str, ...]:
    """An asset as cells under HEAD."""
    return (
        str(asset.identity),
        state_words(asset),
        asset.local,
        size(asset.size),
        when(asset.deadline),
        safe_text(asset.title, 60),
        asset.error,
    )


def state_words(asset: AssetView) -> str:
    """The remote state, with the service's own word where that says more."""
    plain = asset.state is RemoteState.AVAILABLE or asset.provider_state.lower() in ("", asset.state)
    return str(asset.state) if plain else f"{asset.state} ({asset.provider_state})"

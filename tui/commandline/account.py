"""`account` lists and tests the accounts; `secret set` keeps a credential in the system keyring."""

import argparse
import os
from typing import TYPE_CHECKING

from tui.commandline.arguments import Commands, check_accounts, command, group, json_option, no_account
from tui.commandline.asking import hidden, secret, secret_fields
from tui.commandline.output import Output
from tui.commandline.session import Usage, attempt, each, on_loop, with_desk
from tui.figures import when
from vault.config import load
from vault.secrets import Secrets
from vault.views import AccountView

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

AT_ONCE = 4
_SET = """\
  reeldesk secret set advice api_key
  pass show flexperto | reeldesk secret set advice api_key"""


def add(commands: Commands) -> None:
    """Add the commands."""
    accounts = group(commands, "account", "list or test the configured accounts")
    listing = command(accounts, "list", "list the configured accounts", run_list)
    json_option(listing)
    test = command(accounts, "test", "make the cheapest honest call at each service", run_test)
    test.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="only these; without any: all")
    secrets = group(commands, "secret", "keep the accounts' credentials")
    keep = command(
        secrets, "set", "keep a credential in the system keyring, from a hidden prompt or stdin", run_set, _SET
    )
    keep.add_argument("account", metavar="ACCOUNT")
    keep.add_argument("name", metavar="NAME", help="api_key, password, token … as `reeldesk account list` names it")


def run_list(args: argparse.Namespace, out: Output) -> int:
    """Print the accounts, and where each one's secrets are kept."""
    return with_desk(lambda desk: _list(desk, args, out))


def _list(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    accounts = desk.accounts()
    if args.json:
        for account in accounts:
            out.record(record(account))
    elif not out.table(("ACCOUNT", "SERVICE", "ADDRESS", "ASSETS", "HELD", "SYNCED", "SECRETS"), map(_row, accounts)):
        out.note(f"no account is configured in {desk.config.path}")
    return out.status


def _row(account: AccountView) -> tuple[str, ...]:
    secrets = "; ".join(f"{name}: {where}" for name, where in account.secrets.items())
    figures = (str(account.assets), str(account.held), when(account.synced_at))
    return (account.name, account.label, account.address, *figures, secrets)


def record(account: AccountView) -> dict[str, object]:
    """The object that `account list --json` prints."""
    return {
        "account": account.name,
        "provider": account.provider,
        "label": account.label,
        "address": account.address,
        "verify": account.verify,
        "capabilities": sorted(account.capabilities),
        "meetings": account.meetings,
        "assets": account.assets,
        "held": account.held,
        "at_risk": account.at_risk,
        "faults": account.faults,
        "synced_at": account.synced_at.isoformat() if account.synced_at else None,
        "secrets": dict(account.secrets),
        "error": account.error or None,
    }


def run_test(args: argparse.Namespace, out: Output) -> int:
    """Ask each account's service; each one that fails is named."""
    return on_loop(lambda desk: _test(desk, args.accounts, out))


async def _test(desk: "Desk", named: list[str], out: Output) -> int:
    check_accounts(desk, named)

    async def one(account: str) -> None:
        said = await attempt(out, account, desk.check(account))
        if said is not None:
            out.line(f"{account}: {said}")

    await each(dict.fromkeys(named or desk.config.accounts), AT_ONCE, one)
    return out.status


def run_set(args: argparse.Namespace, out: Output) -> int:
    """Keep a credential in the keyring; the ledger is not needed for it."""
    config = load(None, os.environ)
    if args.account not in config.accounts:
        raise Usage(no_account(args.account, config.accounts))
    fields = secret_fields(config.accounts[args.account].settings)
    if args.name not in [field.name for field in fields]:
        names = "; ".join(f"{field.name} ({field.words})" for field in fields) or "none"
        raise Usage(f"the account {args.account} has no secret {args.name}; it has: {names}")
    given = secret(hidden(f"{args.name} of account {args.account}: "))
    where = Secrets(os.environ).store(args.account, args.name, given)
    out.note(f"{args.name} of account {args.account} is kept in: {where}")
    return out.status

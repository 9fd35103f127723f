"""`account` adds, lists, tests and removes accounts."""

import argparse
import os
from typing import TYPE_CHECKING

from tui.commandline import adding
from tui.commandline.arguments import Commands, check_accounts, command, group, json_option, no_account
from tui.commandline.output import Output
from tui.commandline.session import Usage, attempt, each, on_loop, with_desk
from tui.figures import when
from vault.config import default_path, load
from vault.options import UNCHECKED
from vault.views import AccountView

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

AT_ONCE = 4
_ADD = """\
  reeldesk account add advice                    # asks for what is needed
  pass show flexperto | reeldesk account add advice --provider flexperto \\
      --set base_url=https://acme.live.flexperto.com --secret api_key
  reeldesk account add agents --provider cronofy --set data_center=de --no-secrets"""
_REMOVE = """\
  reeldesk account remove advice                 # says what would happen
  reeldesk account remove advice --yes"""


def add(commands: Commands) -> None:
    """Add the commands."""
    accounts = group(commands, "account", "add, list, test or remove accounts")
    adding.add_arguments(command(accounts, "add", "add an account to config.toml", adding.run, _ADD))
    listing = command(accounts, "list", "list the configured accounts", run_list)
    json_option(listing)
    test = command(accounts, "test", "make the cheapest honest call at each service", run_test)
    test.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="only these; without any: all")
    remove = command(
        accounts, "remove", "take an account out of config.toml; what was fetched stays", run_remove, _REMOVE
    )
    remove.add_argument("account", metavar="ACCOUNT")
    remove.add_argument("--yes", action="store_true", help="do it; without this it only says what would happen")


def run_list(args: argparse.Namespace, out: Output) -> int:
    """Print the accounts, and where each one's secrets are kept."""
    return with_desk(lambda desk: _list(desk, args, out))


_HEAD = ("ACCOUNT", "SERVICE", "ADDRESS", "TLS", "ASSETS", "HELD", "SYNCED", "SECRETS", "LAST ERROR")


def _list(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    accounts = desk.accounts()
    if args.json:
        for account in accounts:
            out.record(record(account))
    elif not out.table(_HEAD, map(_row, accounts)):
        out.note(f"no account is configured in {desk.config.path}; `reeldesk account add NAME` adds one")
    return out.status


def tls(account: AccountView) -> str:
    """Whether the service's certificate is checked, in words."""
    if account.address.startswith("http://"):
        return "none (loopback)"
    return "checked" if account.verify else UNCHECKED


def _row(account: AccountView) -> tuple[str, ...]:
    secrets = "; ".join(f"{name}: {where}" for name, where in account.secrets.items())
    figures = (str(account.assets), str(account.held), when(account.synced_at))
    return (account.name, account.label, account.address, tls(account), *figures, secrets, account.error)


def record(account: AccountView) -> dict[str, object]:
    """The object that `account list --json` prints."""
    return {
        "account": account.name,
        "provider": account.provider,
        "label": account.label,
        "address": account.address,
        "verify": account.verify,
        "tls": tls(account),
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
        badge = "" if desk.config.accounts[account].settings.verify else f" [{UNCHECKED}]"
        if said is not None:
            out.line(f"{account}: {said}{badge}")

    await each(dict.fromkeys(named or desk.config.accounts), AT_ONCE, one)
    return out.status


def run_remove(args: argparse.Namespace, out: Output) -> int:
    """Take an account out of the configuration; say what stays, and how that can go, too."""
    config, name = load(None, os.environ), args.account
    if name not in config.accounts:
        raise Usage(no_account(name, config.accounts))
    path = default_path(os.environ)
    stays = (
        f"what was fetched stays in {config.vault_path}, and what is known of it in {config.ledger_path}; "
        f"its secrets stay where they are kept: `reeldesk secret forget {name} --yes` removes them"
    )
    if not args.yes:
        out.note(f"account {name} would be taken out of {path}; {stays}")
        raise Usage("nothing was removed; say --yes to do it")
    from vault import accounts

    accounts.remove(path, name)
    out.note(f"account {name} is taken out of {path}; {stays}")
    return out.status

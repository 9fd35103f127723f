"""`account` adds, lists, tests and removes accounts."""

import argparse
from contextlib import closing
from typing import TYPE_CHECKING

from providers import registry
from tui.commandline import adding, testing
from tui.commandline.arguments import Commands, command, group, json_option, no_account
from tui.commandline.keeping_secrets import forget
from tui.commandline.output import Output
from tui.commandline.session import Usage, with_desk
from tui.commandline.unlocking import given_passphrase, passphrase_option
from tui.figures import when
from vault.config import default_path, load
from vault.options import UNCHECKED
from vault.secret_state import NOT_LOOKED_UP
from vault.secrets import secrets_of
from vault.views import AccountView

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

_ADD = """\
  reeldesk account add advice                    # asks for what is needed
  pass show flexperto | reeldesk account add advice --provider flexperto \\
      --set base_url=https://acme.live.flexperto.com --secret api_key
  reeldesk account add agents --provider cronofy --set data_center=de --no-secrets"""
_TEST = """\
  reeldesk account test advice                   # configuration, name, connection, TLS, secrets, credential, clock
  reeldesk account test --json | jq 'select(.works | not)'"""
_REMOVE = """\
  reeldesk account remove advice                 # says what would happen
  reeldesk account remove advice --yes
  reeldesk account remove advice --yes --forget-secrets"""


def add(commands: Commands) -> None:
    """Add the commands."""
    accounts = group(commands, "account", "add, list, test or remove accounts")
    adding.add_arguments(command(accounts, "add", "add an account to config.toml", adding.run, _ADD))
    listing = command(accounts, "list", "list the configured accounts; no store and no service is asked", run_list)
    json_option(listing)
    test = command(accounts, "test", "say step by step what works of each account", testing.run, _TEST)
    test.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="only these; without any: all")
    json_option(test)
    passphrase_option(test)
    remove = command(
        accounts, "remove", "take an account out of config.toml; what was fetched stays", run_remove, _REMOVE
    )
    remove.add_argument("account", metavar="ACCOUNT")
    remove.add_argument("--yes", action="store_true", help="do it; without this it only says what would happen")
    remove.add_argument("--forget-secrets", action="store_true", help="remove its secrets from the stores, too")
    passphrase_option(remove)


def run_list(args: argparse.Namespace, out: Output) -> int:
    """Print the accounts, and where each one's secrets are kept."""
    return with_desk(args.environ, lambda desk: _list(desk, args, out))


_HEAD = ("ACCOUNT", "SERVICE", "ADDRESS", "TLS", "ASSETS", "HELD", "SYNCED", "SECRETS", "LAST ERROR")


def _list(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    accounts = desk.accounts()
    if args.json:
        for account in accounts:
            out.record(record(account))
    elif not out.table(_HEAD, map(_row, accounts)):
        out.note(f"no account is configured in {desk.config.path}; `reeldesk account add NAME` adds one")
    elif any(state == NOT_LOOKED_UP for account in accounts for state in account.secrets.values()):
        out.note("no store of secrets was asked; `reeldesk secret list` looks each secret up")
    return out.status


def tls(account: AccountView) -> str:
    """Whether the service's certificate is checked, in words."""
    if account.address.startswith("http://"):
        return "none (loopback)"
    return "checked" if account.verify else UNCHECKED


def _row(account: AccountView) -> tuple[str, ...]:
    secrets = "; ".join(
        f"{name}: {'not looked up' if state == NOT_LOOKED_UP else state.words}"
        for name, state in account.secrets.items()
    )
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
        "secrets": {name: state.words for name, state in account.secrets.items()},
        "error": account.error or None,
    }


def run_remove(args: argparse.Namespace, out: Output) -> int:
    """Take an account out of the configuration; say what stays, and how that can go, too."""
    config, name = load(None, args.environ), args.account
    if name not in config.accounts:
        raise Usage(no_account(name, config.accounts))
    path = default_path(args.environ)
    stays = f"what was fetched stays in {config.vault_path}, and what is known of it in {config.ledger_path}; " + (
        "its secrets are removed from the stores"
        if args.forget_secrets
        else f"its secrets stay where they are kept: `reeldesk secret forget {name} --yes` removes them"
    )
    if not args.yes:
        out.note(f"account {name} would be taken out of {path}; {stays}")
        raise Usage("nothing was removed; say --yes to do it")
    given = given_passphrase(args)
    from vault import accounts

    accounts.remove(path, name)
    out.note(f"account {name} is taken out of {path}; {stays}")
    if args.forget_secrets:
        declared = registry.info(config.accounts[name].settings.provider).secrets
        with closing(secrets_of(config, args.environ)) as secrets:
            forget(secrets, name, [field.name for field in declared], out, given, named=False)
    if out.failures:
        out.note(f"the account is gone; `reeldesk secret forget {name} --yes` tries its secrets again")
    return out.status

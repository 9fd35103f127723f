"""`secret` keeps, lists, moves and forgets the accounts' credentials; never their values in arguments or output."""

import argparse
import os
from collections.abc import Iterable
from contextlib import closing
from functools import partial

from providers import registry
from tui.commandline.arguments import Commands, command, group, json_option, no_account
from tui.commandline.asking import hidden, secret, secret_fields
from tui.commandline.output import Output
from tui.commandline.session import Usage, words
from tui.commandline.unlocking import given_passphrase, passphrase_option, unlocked
from vault.config import ACCOUNT_NAME, Config, load
from vault.errors import VaultError
from vault.passphrase import Passphrase, SealedLocked
from vault.secret_state import Knowledge
from vault.secrets import Secrets, secrets_of

_SET = """\
  reeldesk secret set advice api_key
  pass show flexperto | reeldesk secret set advice api_key"""
_IN_ARGUMENTS = (
    "nothing was kept: a secret never stands in arguments, where everybody on this machine can read it and the shell "
    "remembers it; type it when asked, or give it on stdin. If that was the secret itself, have the service change it"
)
_FORGET = """\
  reeldesk secret forget advice api_key
  reeldesk secret forget advice --yes            # all of its secrets"""


def add(commands: Commands) -> None:
    """Add the commands."""
    secrets = group(commands, "secret", "keep the accounts' credentials")
    keep = command(secrets, "set", "keep a credential, from a hidden prompt or stdin", run_set, _SET)
    listing = command(secrets, "list", "look each secret up and say where it is; never what it is", run_list)
    move = command(secrets, "move", "put a kept credential into the other store", run_move)
    forget = command(secrets, "forget", "remove kept credentials from the stores", run_forget, _FORGET)
    for parser in (keep, move, forget):
        parser.add_argument("account", metavar="ACCOUNT")
    for parser in (keep, move):
        parser.add_argument("name", metavar="NAME", help="api_key, password … as `reeldesk secret list` names it")
    keep.add_argument("more", nargs="*", help=argparse.SUPPRESS)
    move.add_argument(
        "--to", choices=("keyring", "sealed"), required=True, help="the system keyring, or the sealed file"
    )
    forget.add_argument("names", nargs="*", metavar="NAME", help="only these; without any: all of the account")
    forget.add_argument("--yes", action="store_true", help="needed to remove all of an account")
    listing.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="only these; without any: all")
    json_option(listing)
    for parser in (keep, listing, move, forget):
        passphrase_option(parser)


def run_set(args: argparse.Namespace, out: Output) -> int:
    """Keep a credential; the ledger is not needed for it."""
    if args.more:  # argparse itself would repeat it
        raise Usage(_IN_ARGUMENTS)
    config = load(None, os.environ)
    account, name = args.account, args.name
    _check_name(config, account, name)
    given = given_passphrase(args)
    value = secret(hidden(f"{name} of account {account}: "))
    with closing(secrets_of(config, args.environ)) as secrets:
        where = unlocked(secrets, lambda: secrets.store(account, name, value), out, given)
        out.note(f"{name} of account {account} is kept in: {where}")
        if ahead := secrets.outranking(account, name):
            out.note(f"but {ahead} is read before it")
    return out.status


def run_move(args: argparse.Namespace, out: Output) -> int:
    """Put a kept credential into the other store; say what was done."""
    config = load(None, os.environ)
    account, name = args.account, args.name
    _check_name(config, account, name)
    given = given_passphrase(args)
    with closing(secrets_of(config, args.environ)) as secrets:
        done = unlocked(secrets, lambda: secrets.move(account, name, args.to), out, given)
    out.note(f"{name} of account {account}: {done}")
    return out.status


def run_forget(args: argparse.Namespace, out: Output) -> int:
    """Remove kept credentials; also those of an account that is not configured any more."""
    config = load(None, os.environ)
    account = args.account
    known = _names(config, account)
    for name in args.names:
        if name not in known:
            raise Usage(f"there is no secret {name}; there are {', '.join(known)}")
    if not args.names and not args.yes:
        raise Usage(f"nothing was removed; name the secrets, or say --yes to remove all of account {account}")
    given = given_passphrase(args)
    with closing(secrets_of(config, args.environ)) as secrets:
        removed = forget(secrets, account, args.names or known, out, given, named=bool(args.names))
    if not removed and not out.failures:
        out.fail(account, "none of its secrets lies in a store that could be asked")
    return out.status


def forget(
    secrets: Secrets, account: str, names: Iterable[str], out: Output, given: Passphrase | None, *, named: bool
) -> int:
    """Remove secrets from the stores; how many were there. That one lies nowhere is a fault only where it was named."""
    removed = 0
    for name in dict.fromkeys(names):
        try:
            out.note(unlocked(secrets, partial(secrets.forget_stored, account, name), out, given, make=False))
            removed += 1
        except SealedLocked as fault:  # nobody knows whether it lies in there
            out.fail(account, words(fault))
            if not named:
                break
        except VaultError as fault:
            if named:
                out.fail(account, words(fault))
    return removed


def _names(config: Config, account: str) -> list[str]:
    """The secrets that an account can have; of one that is not configured, those of any provider."""
    known = config.accounts.get(account)
    if known is None and not ACCOUNT_NAME.fullmatch(account):
        raise Usage(no_account(account, config.accounts))
    providers = [known.settings.provider] if known else registry.names()
    return list(dict.fromkeys(field.name for name in providers for field in registry.info(name).secrets))


def run_list(args: argparse.Namespace, out: Output) -> int:
    """Say where each secret is; one that cannot be read is named."""
    config = load(None, os.environ)
    for name in args.accounts:
        if name not in config.accounts:
            raise Usage(no_account(name, config.accounts))
    given = given_passphrase(args)
    with closing(secrets_of(config, args.environ)) as secrets:
        if given:
            secrets.unlock(given)
        rows = [_looked(config, secrets, name, out) for name in args.accounts or config.accounts]
    found = [record for records in rows for record in records]
    if args.json:
        for record in found:
            out.record(record)
    elif not out.table(("ACCOUNT", "SECRET", "NEEDED", "WHERE"), map(_row, found)):
        out.note(f"no account is configured in {config.path}")
    return out.status


def _looked(config: Config, secrets: Secrets, account: str, out: Output) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    for field in secret_fields(config.accounts[account].settings):
        needed = "yes" if field.required else "one of them" if field.one_of else "no"
        state = secrets.look(account, field.name)
        if state.knowledge is Knowledge.UNUSABLE:
            out.fail(account, state.words)
        records.append(
            {
                "account": account,
                "secret": field.name,
                "needed": needed,
                "is_set": None if state.knowledge is Knowledge.NOT_KNOWN else state.is_found,
                "state": str(state.knowledge),
                "where": state.words,
            }
        )
    return records


def _row(record: dict[str, object]) -> tuple[str, ...]:
    return tuple(str(record[key]) for key in ("account", "secret", "needed", "where"))


def _check_name(config: Config, account: str, name: str) -> None:
    if account not in config.accounts:
        raise Usage(no_account(account, config.accounts))
    fields = secret_fields(config.accounts[account].settings)
    if name not in [field.name for field in fields]:
        names = "; ".join(f"{field.name} ({field.words})" for field in fields) or "none"
        raise Usage(f"the account {account} has no secret {name}; it has: {names}")

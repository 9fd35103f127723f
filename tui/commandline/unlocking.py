"""Commands that need a place for secrets: they unlock the sealed file, or make one, with a passphrase that is asked.

The passphrase comes from a hidden prompt, from a line on stdin, or from the file that REELDESK_PASSPHRASE_FILE names;
never from an argument.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from providers import registry
from providers.base import AccountSettings
from providers.declaring import lacking
from tui.commandline.asking import prompted, secret_fields
from tui.commandline.output import Output
from tui.commandline.session import Usage
from vault import passphrase
from vault.errors import VaultError
from vault.passphrase import Passphrase, SealedLocked, WrongPassphrase
from vault.secrets import SEALED_NAME, Secrets

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

TRIES = 3
_T = TypeVar("_T")


def passphrase_option(parser: argparse.ArgumentParser) -> None:
    """--passphrase-stdin."""
    parser.add_argument(
        "--passphrase-stdin", action="store_true", help="the first line on stdin is the sealed file's passphrase"
    )


def given_passphrase(args: argparse.Namespace) -> Passphrase | None:
    """The passphrase on stdin, where that was said. Raises Usage."""
    if not args.passphrase_stdin:
        return None
    try:
        return Passphrase(sys.stdin.readline().removesuffix("\n").removesuffix("\r"))
    except VaultError as fault:
        raise Usage(fault.words) from None


def unlocked(
    secrets: Secrets, act: Callable[[], _T], out: Output, given: Passphrase | None = None, *, make: bool = True
) -> _T:
    """What `act` gives; where it needs the sealed file, that is unlocked first, or made where there is no other place.

    Raises what `act` raises when nobody gives a passphrase.
    """
    try:
        return act()
    except SealedLocked as fault:
        _unlock(secrets, out, given, fault)
    except VaultError as fault:
        if not make or not _make(secrets, out, given, fault):
            raise
    return act()


def unlocking(args: argparse.Namespace, out: Output) -> "Callable[[Desk], None]":
    """What unlocks the sealed file before a command's work: with the passphrase on stdin, which is read now.

    On a terminal it is asked for, where one of the command's accounts lacks a secret that may lie in the file; without
    it the secret stays missing. Raises WrongPassphrase, VaultError for one that is given.
    """
    given = given_passphrase(args)
    named = [*getattr(args, "accounts", ()), *(asset.account for asset in getattr(args, "assets", ()))]
    if getattr(args, "account", None):
        named.append(args.account)

    def first(desk: "Desk") -> None:
        if given:
            desk.secrets.unlock(given)
            return
        if not sys.stdin.isatty() or not os.path.lexists(desk.config.data / SEALED_NAME):
            return
        accounts = [each for name, each in desk.config.accounts.items() if not named or name in named]
        if fault := _locked_away(desk.secrets, [each.settings for each in accounts]):
            with contextlib.suppress(SealedLocked):  # nobody wanted to type it
                _unlock(desk.secrets, out, None, fault)

    return first


def _locked_away(secrets: Secrets, accounts: list[AccountSettings]) -> SealedLocked | None:
    """Why a secret that an account needs may lie in the sealed file and cannot be had."""
    missing = False
    for settings in accounts:
        for field in secret_fields(settings):
            with contextlib.suppress(VaultError):  # whoever needs it tells
                secrets.find(settings.name, field.name)
        info = registry.info(settings.provider)
        missing |= bool(lacking(info, settings.options, partial(_is_known, secrets, settings.name)))
    sealed = next((store for store in secrets.stores() if store.name == "sealed"), None) if missing else None
    return SealedLocked(sealed.words) if sealed and sealed.state == "locked" else None


def _is_known(secrets: Secrets, account: str, name: str) -> bool:
    return secrets.known(account, name) is not None


def _unlock(secrets: Secrets, out: Output, given: Passphrase | None, fault: SealedLocked) -> None:
    if given:
        secrets.unlock(given)
        return
    if not sys.stdin.isatty():
        raise fault
    for left in range(TRIES - 1, -1, -1):
        typed = prompted("passphrase of the sealed file: ")
        if not typed:
            raise fault
        try:
            secrets.unlock(Passphrase(typed))
            return
        except WrongPassphrase as wrong:
            if not left:
                raise
            out.note(wrong.words)


def _make(secrets: Secrets, out: Output, given: Passphrase | None, fault: VaultError) -> bool:
    """Make the sealed file, where there is none and somebody gives a passphrase; whether that was done."""
    sealed = next((store for store in secrets.stores() if store.name == "sealed"), None)
    if sealed is None or sealed.path is None or os.path.lexists(sealed.path):
        return False
    chosen = given or passphrase.from_file(os.environ)
    if chosen is None and sys.stdin.isatty():
        out.note(f"{fault.words}. Secrets can be kept in {sealed.path}, sealed with a passphrase")
        typed = prompted("a new passphrase for it (Enter: no): ")
        if typed and prompted("once more: ") != typed:
            raise Usage("these were two different passphrases; no sealed file was made")
        chosen = Passphrase(typed) if typed else None
    if chosen is None:
        return False
    secrets.create_sealed(chosen)
    out.note(f"the sealed file {sealed.path} is made; nobody can open it without its passphrase")
    return True

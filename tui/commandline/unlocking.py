"""Commands that need a place for secrets: they unlock the sealed file, or make one, with a passphrase that is asked.

The passphrase comes from a hidden prompt, from a line on stdin, or from the file that REELDESK_PASSPHRASE_FILE names;
never from an argument.
"""

import argparse
import os
import sys
from collections.abc import Callable
from typing import TypeVar

from tui.commandline.asking import prompted
from tui.commandline.output import Output
from tui.commandline.session import Usage
from vault import passphrase
from vault.errors import VaultError
from vault.passphrase import Passphrase, SealedLocked, WrongPassphrase
from vault.secrets import Secrets

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

"""`doctor`: what a person asks when something does not work. It changes nothing and tells nothing secret."""

import argparse
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tui.commandline.arguments import Commands, command, json_option
from tui.commandline.finding import Finding, State, at_home, home_folder, record, show
from tui.commandline.machine import configuration, places, terminal, version, versions
from tui.commandline.output import Output
from tui.commandline.session import FAULTS, unwinding, words
from tui.commandline.wrapping import fail_once
from tui.figures import count, size
from vault.config import Config, data_folder, load
from vault.errors import ConfigError, VaultError
from vault.secrets import SEALED_NAME, Secrets, secrets_of

if TYPE_CHECKING:  # it is loaded where there is a ledger
    from vault.desk import Desk

__all__ = ["add", "run", "version"]

WITHIN_S = 9.0
"""For everything that may hang together: stores, commands, name servers, services."""
LEDGER_S = 2.0
"""For opening the ledger, which another process may hold."""
_EXAMPLES = """\
  reeldesk doctor                                # for a ticket: no secret is in it, and no user's name in its paths
  reeldesk doctor --json | jq 'select(.state != "ok")'
  reeldesk doctor --offline                      # asks no service; no agent is signed in for a moment"""
_T = TypeVar("_T")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands, "doctor", "look at this machine, at where secrets are, and test accounts", run, _EXAMPLES
    )
    parser.add_argument("--offline", action="store_true", help="leave the tests of the accounts out")
    json_option(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """Look at everything and print it; problems are named on stderr, too, for scripts. It ends, whatever hangs."""
    try:
        config, broken = load(None, args.environ), None
    except ConfigError as fault:
        config, broken = None, fault
    out.progress("looking")
    with unwinding():
        findings = at_home(_findings(config, broken, args.environ, offline=args.offline), home_folder())
    if args.json:
        for each in findings:
            out.record(record(each))
    else:
        show(findings, out)
    for each in findings:
        if each.state == "problem":
            (out.fail if args.json else partial(fail_once, out))(each.subject, each.words)
    return 2 if broken else out.status


def _findings(
    config: Config | None, broken: ConfigError | None, environ: Mapping[str, str], *, offline: bool
) -> Iterator[Finding]:
    yield from versions()
    yield from terminal(environ)
    yield from configuration(config, broken, environ)
    yield from places(config, environ)
    sealed = data_folder(environ) / SEALED_NAME
    with contextlib.closing(secrets_of(config, environ) if config else Secrets(environ, sealed=sealed)) as secrets:
        began = time.monotonic()
        yield from _stores(secrets, environ)
        if config:
            yield from _configured(config, secrets, began + WITHIN_S, offline=offline)


def _stores(secrets: Secrets, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Where secrets can be kept here, and why there."""
    keyring, sealed = secrets.stores()
    if keyring.state == "available":
        chosen = "PYTHON_KEYRING_BACKEND names it" if environ.get("PYTHON_KEYRING_BACKEND") else "found on this machine"
        yield Finding(
            "keyring", "ok", f"{keyring.label} ({chosen}); {keyring.words}", "keyring", f"{keyring.label} ({chosen})"
        )
    else:
        hangs: State = "warning" if "did not answer" in keyring.words else "ok"
        yield Finding("keyring", hangs, f"{keyring.words}; secrets go to the sealed file", "keyring", keyring.words)
    words = sealed.words if "sealed file" in sealed.words else f"sealed file: {sealed.words}"
    yield Finding("sealed file state", "ok", words, "keyring")


def _configured(config: Config, secrets: Secrets, until: float, *, offline: bool) -> Iterator[Finding]:
    from tui.commandline.checkup import Checkup

    ledger, desk = _ledger(config, secrets) if config.ledger_path.exists() else (None, None)
    if ledger:
        yield ledger
    try:
        checked = Checkup(config, secrets, desk, offline=offline).run(until - time.monotonic())
    finally:
        if desk:
            desk.close()
    yield from (each for each in checked if each.line != "receiver")
    yield from _receiver(config)
    yield from (each for each in checked if each.line == "receiver")


class _Older(VaultError):
    """The ledger is of an older version: to look is not to bring it up."""


def _leave_it(migrating: object) -> None:
    raise _Older("of an older version; the next desk or command brings it up to date, and shows how far it is")


def _ledger(config: Config, secrets: Secrets) -> "tuple[Finding, Desk | None]":
    from vault.desk import Desk, utc_now
    from vault.ledger import Ledger

    def look() -> "tuple[Finding, Desk]":
        desk = Desk(config, Ledger(config.ledger_path, on_migration=_leave_it), secrets, utc_now)
        totals = desk.totals()
        held = f"{totals.held} held ({size(totals.held_bytes)})"
        return Finding("ledger content", "ok", f"{count(totals.assets, 'asset')} known, {held}", "data folder"), desk

    try:
        return _within(LEDGER_S, look)
    except TimeoutError:
        late = f"{config.ledger_path} did not answer in {LEDGER_S:g} s: does another process hold it?"
        return Finding("ledger content", "problem", late, "data folder"), None
    except _Older as older:
        return Finding("ledger content", "warning", words(older), "data folder"), None
    except FAULTS as fault:
        return Finding("ledger content", "problem", words(fault), "data folder"), None


def _within(seconds: float, call: Callable[[], _T]) -> _T:
    """What the call gives or raises, on a thread that is left behind when it takes longer. Raises TimeoutError."""
    told: Future[_T] = Future()

    def work() -> None:
        try:
            told.set_result(call())
        except FAULTS as fault:
            told.set_exception(fault)

    threading.Thread(target=work, name="ledger", daemon=True).start()
    return told.result(seconds)


def _receiver(config: Config) -> Iterator[Finding]:
    """Where webhooks are received; whether it is switched on or not, `reeldesk listen` would do it there."""
    from vault.inbox.binding import Listening, tls_context

    it = config.receiver
    listening = Listening(it.host, it.port, it.tls_cert, it.tls_key, it.trusted_proxies, it.allow_plain)
    scheme = "https" if listening.encrypted else "http"
    public = it.public_url or "the same (no public_url is set)"
    state = "on" if it.on else "off (`reeldesk listen` receives all the same)"
    yield Finding("receiver", "ok", f"{state}; listens on {scheme}://{listening.where}; from outside: {public}")
    try:
        if tls_context(listening):
            yield Finding("receiver TLS", "ok", f"{it.tls_cert} and its key {it.tls_key}", "receiver", "")
    except VaultError as fault:
        yield Finding("receiver TLS", "problem" if it.on else "warning", fault.words, "receiver")

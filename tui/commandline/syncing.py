"""`sync` asks the services what they have; `ingest` takes in a saved webhook payload."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from providers.base import ProviderError
from providers.models import Delivery
from tui.commandline.arguments import Commands, check_accounts, command
from tui.commandline.output import Output
from tui.commandline.session import FAULTS, Usage, attempt, each, on_loop, words
from tui.commandline.unlocking import passphrase_option, unlocking
from tui.figures import count
from vault.next_steps import refusal_words

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

AT_ONCE = 4
MAX_PAYLOAD = 256 * 1024
"""No webhook of these services is nearly as large (bytes)."""
SIGNATURE = "cronofy-hmac-sha256"
"""The one header in which any of the services signs."""
_SYNC = """\
  reeldesk sync
  reeldesk sync advice calls"""
_INGEST = """\
  reeldesk ingest agents saved.json --signature 5DxentQi5YSX…
  curl -s … | reeldesk ingest rooms -"""


def add(commands: Commands) -> None:
    """Add the commands."""
    sync = command(commands, "sync", "ask the services what they have", run_sync, _SYNC)
    sync.add_argument("accounts", nargs="*", metavar="ACCOUNT", help="only these; without any: all")
    passphrase_option(sync)
    ingest = command(commands, "ingest", "take in a saved webhook payload", run_ingest, _INGEST)
    ingest.add_argument("account", metavar="ACCOUNT", help="whose service sent it")
    ingest.add_argument("file", metavar="FILE", help="the body, byte for byte; - reads it from stdin")
    ingest.add_argument("--signature", metavar="S", help="the signature header that came with it, where there is one")
    ingest.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'", type=header, help="a header that came with it"
    )


def run_sync(args: argparse.Namespace, out: Output) -> int:
    """Ask the accounts; each one that fails is named, the others go on."""
    return on_loop(args.environ, lambda desk: _sync(desk, args.accounts, out), unlocking(args, out))


async def _sync(desk: "Desk", named: list[str], out: Output) -> int:
    check_accounts(desk, named)
    accounts = named or list(desk.config.accounts)
    if not accounts:
        raise Usage(f"no account is configured in {desk.config.path}; `reeldesk demo` shows what one can do")
    return await sync_all(desk, accounts, out)


async def sync_all(desk: "Desk", accounts: list[str], out: Output) -> int:
    """Ask each account, several at a time; say what came of it."""

    async def one(account: str) -> None:
        try:
            report = await desk.sync(account)
        except FAULTS as fault:
            out.fail(account, refusal_words(fault, account) if isinstance(fault, ProviderError) else words(fault))
        else:
            told = f"{count(report.meetings, 'meeting')}, {count(report.assets, 'asset')}, {report.new} new"
            out.line(f"{account}: {told}" + (f"; {report.words}" if report.words else ""))

    await each(dict.fromkeys(accounts), AT_ONCE, one)
    return out.status


def run_ingest(args: argparse.Namespace, out: Output) -> int:
    """Verify, read and record the payload, as if the service had sent it now."""
    body = _read(args.file)
    headers = {"content-type": media_type(body), **dict(args.header)}
    if args.signature is not None:
        headers[SIGNATURE] = args.signature
    return on_loop(args.environ, lambda desk: _ingest(desk, args.account, Delivery(headers, body), out))


async def _ingest(desk: "Desk", account: str, delivery: Delivery, out: Output) -> int:
    check_accounts(desk, [account])
    said = await attempt(out, account, desk.take_in(account, delivery))
    if said:
        out.line(f"{account}: {said.topic} ({said.verified})")
    return out.status


def _read(name: str) -> bytes:
    if name == "-":
        body = sys.stdin.buffer.read(MAX_PAYLOAD + 1)
    else:
        with Path(name).open("rb") as file:
            body = file.read(MAX_PAYLOAD + 1)
    if len(body) > MAX_PAYLOAD:
        raise Usage(f"{name}: larger than {MAX_PAYLOAD // 1024} KiB: this is no webhook's payload")
    return body


def media_type(body: bytes) -> str:
    """What a saved body is, by its look: JSON or a form."""
    return "application/json" if body.lstrip()[:1] in (b"{", b"[") else "application/x-www-form-urlencoded"


def header(text: str) -> tuple[str, str]:
    """A header on the command line, for argparse: its name lower-case."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no header: expected 'Name: value'")
    return name.strip().lower(), value.strip()

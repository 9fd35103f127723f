"""`notify` shows and sets a service's recording notifications."""

import argparse
import re
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from providers.models import Capability, NotificationChange, NotificationSettings
from tui.commandline.arguments import Commands, account_option, command, group, json_option, one_account
from tui.commandline.asking import hidden, secret
from tui.commandline.output import Output
from tui.commandline.session import Usage, attempt, on_loop
from tui.commandline.unlocking import passphrase_option, unlocking
from vault.inbox.addresses import without_secret

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

_OPTIONS = {
    "url": "--url",
    "email": "--email",
    "s3_arn": "--s3-arn",
    "s3_access_key_id": "--s3-access-key-id",
    "s3_secret_access_key": "--s3-secret-stdin",
}
_NAMED = ("notify", "url", "email", "s3_arn", "s3_access_key_id")
_SET = """\
  reeldesk notify set --account rooms --notify --email ops@example.com
  reeldesk notify set --account rooms --url ''          # empties it
  reeldesk notify set --s3-arn arn:aws:s3:::bucket/path --s3-access-key-id AKIA… --s3-secret-stdin < key"""


def add(commands: Commands) -> None:
    """Add the commands."""
    notify = group(commands, "notify", "show or set who is told of new recordings")
    show = command(notify, "show", "show what is set at the service", run_show)
    change = command(notify, "set", "set what is named here and keep the rest", run_set, _SET)
    change.add_argument("--notify", action=argparse.BooleanOptionalAction, help="whether anyone is told")
    change.add_argument("--url", metavar="U", help="the address that is called")
    change.add_argument("--email", metavar="E", action="append", help="who is written to; may be given more than once")
    change.add_argument("--s3-arn", metavar="A", help="the bucket that recordings go to")
    change.add_argument("--s3-access-key-id", metavar="K", help="its access key's id")
    change.add_argument("--s3-secret-stdin", action="store_true", help="read its secret access key, hidden or piped")
    for parser in (show, change):
        account_option(parser, "whose; not needed where only one account has notifications")
        json_option(parser)
        passphrase_option(parser)


def run_show(args: argparse.Namespace, out: Output) -> int:
    """Read the settings and print them."""
    return on_loop(args.environ, lambda desk: _show(desk, args, out), unlocking(args, out))


async def _show(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    account = one_account(desk, args.account, Capability.NOTIFICATIONS)
    settings = await attempt(out, account, desk.notifications(account))
    if settings:
        _print(account, settings, args.json, out)
    return out.status


def run_set(args: argparse.Namespace, out: Output) -> int:
    """Read the settings, change what was named, check and save them."""
    if not args.s3_secret_stdin and all(getattr(args, name) is None for name in _NAMED):
        raise Usage("name what to set: --notify, --no-notify, --url, --email, --s3-arn, --s3-access-key-id")
    first = unlocking(args, out)  # its line on stdin comes before the secret
    typed = hidden("S3 secret access key: ") if args.s3_secret_stdin else ""
    return on_loop(args.environ, lambda desk: _set(desk, args, typed, out), first)


async def _set(desk: "Desk", args: argparse.Namespace, typed: str, out: Output) -> int:
    account = one_account(desk, args.account, Capability.NOTIFICATIONS)
    stored = await attempt(out, account, desk.notifications(account))
    if stored is None:
        return out.status
    fields = _fields(args, stored)
    change = _change(fields, typed)
    problems = desk.notification_problems(fields | {"s3_secret_access_key": typed}, stored)
    if problems:
        raise Usage("; ".join(f"{_OPTIONS.get(name, name)} {words}" for name, words in problems.items()))
    saved = await attempt(out, account, desk.save_notifications(account, change))
    if saved:
        _print(account, saved, args.json, out)
    return out.status


def _fields(args: argparse.Namespace, stored: NotificationSettings) -> dict[str, str]:
    """The form's texts: what was named, else what is set."""

    def kept(named: str | None, before: str) -> str:
        return before if named is None else named.strip()

    notify = stored.notify if args.notify is None else args.notify
    emails = None if args.email is None else ",".join(args.email)
    return {
        "notify": "true" if notify else "false",
        "url": kept(args.url, stored.url),
        "email": kept(emails, ",".join(stored.emails)),
        "s3_arn": kept(args.s3_arn, stored.s3_arn),
        "s3_access_key_id": kept(args.s3_access_key_id, stored.s3_access_key_id),
    }


def _change(fields: dict[str, str], typed: str) -> NotificationChange:
    return NotificationChange(
        notify=fields["notify"] == "true",
        url=fields["url"],
        emails=tuple(part for part in re.split(r"[,;\s]+", fields["email"]) if part),
        s3_arn=fields["s3_arn"],
        s3_access_key_id=fields["s3_access_key_id"],
        s3_secret_access_key=secret(typed) if typed else None,
    )


def _print(account: str, settings: NotificationSettings, as_json: bool, out: Output) -> None:
    if as_json:
        out.record({"account": account, **asdict(settings), "url": without_secret(settings.url)})
        return
    if not settings.exists:
        out.note(f"{account}: nothing is set at the service yet")
        return
    rows = (
        ("notify", "yes" if settings.notify else "no"),
        ("url", without_secret(settings.url) or "not set"),
        ("email", ", ".join(settings.emails) or "not set"),
        ("S3 ARN", settings.s3_arn or "not set"),
        ("S3 access key id", settings.s3_access_key_id or "not set"),
        ("S3 secret", "set" if settings.has_s3_secret else "not set"),
    )
    out.table(("SETTING", "VALUE"), rows)

"""`agent` sends agents to meetings, schedules and cancels them."""

import argparse
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from providers.models import Capability
from tui.commandline.arguments import Commands, account_option, command, group, one_account
from tui.commandline.output import Output
from tui.commandline.session import attempt, on_loop
from tui.commandline.unlocking import passphrase_option, unlocking
from tui.figures import when

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk

_DISPATCH = "  reeldesk agent dispatch https://meet.example.com/abc --attendee host@example.com"
_SCHEDULE = "  reeldesk agent schedule https://meet.example.com/abc --key weekly-1 --at 2026-12-01T09:00:00+01:00"


def add(commands: Commands) -> None:
    """Add the commands."""
    agent = group(commands, "agent", "send an agent to a meeting, schedule or cancel one")
    dispatch = command(agent, "dispatch", "send an agent to a meeting now", run_dispatch, _DISPATCH)
    schedule = command(agent, "schedule", "have an agent join a meeting later", run_schedule, _SCHEDULE)
    for parser in (dispatch, schedule):
        parser.add_argument("join_url", metavar="JOIN_URL", help="the address with which a person would join")
        parser.add_argument("--attendee", metavar="E", default="", help="e-mail address of who it joins for")
        parser.add_argument("--callback-url", metavar="U", default="", help="where the service announces its state")
    schedule.add_argument("--key", metavar="K", required=True, help="a name of yours, to cancel it by")
    schedule.add_argument("--at", metavar="TIME", required=True, type=moment, help="ISO 8601; without a zone: UTC")
    cancel = command(agent, "cancel", "cancel a scheduled agent; one that has begun to join stays", run_cancel)
    cancel.add_argument("key", metavar="KEY", help="the name it was scheduled with")
    for parser in (dispatch, schedule, cancel):
        account_option(parser, "whose; not needed where only one account has agents")
        passphrase_option(parser)


def moment(text: str) -> datetime:
    """A time on the command line, for argparse."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time like 2026-12-01T09:00:00+01:00") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def run_dispatch(args: argparse.Namespace, out: Output) -> int:
    """Send an agent now."""

    async def work(desk: "Desk") -> int:
        account = one_account(desk, args.account, Capability.AGENTS)
        sent = desk.dispatch_agent(account, args.join_url, attendee=args.attendee, callback_url=args.callback_url)
        return await _say(account, sent, f"an agent is on its way; `reeldesk list --account {account}` shows it", out)

    return on_loop(args.environ, work, unlocking(args, out))


def run_schedule(args: argparse.Namespace, out: Output) -> int:
    """Schedule an agent."""

    async def work(desk: "Desk") -> int:
        account = one_account(desk, args.account, Capability.AGENTS)
        options = {"attendee": args.attendee, "callback_url": args.callback_url}
        sent = desk.schedule_agent(account, args.join_url, args.key, args.at, **options)
        done = f"an agent joins at {when(args.at)}; `reeldesk agent cancel {args.key}` cancels it"
        return await _say(account, sent, done, out)

    return on_loop(args.environ, work, unlocking(args, out))


def run_cancel(args: argparse.Namespace, out: Output) -> int:
    """Cancel a scheduled agent."""

    async def work(desk: "Desk") -> int:
        account = one_account(desk, args.account, Capability.AGENTS)
        done = f"the service accepts to cancel {args.key}; an agent that has begun to join stays"
        return await _say(account, desk.cancel_agent(account, args.key), done, out)

    return on_loop(args.environ, work, unlocking(args, out))


async def _say(account: str, sent: Awaitable[object], done: str, out: Output) -> int:
    """Wait for the service and say what it did."""

    async def accepted() -> bool:
        await sent
        return True

    if await attempt(out, account, accepted()):
        out.note(f"{account}: {done}")
    return out.status

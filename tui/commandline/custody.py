"""`trail` shows what was established of an asset; `export` packs it for somebody else to check; `verify --log`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from providers.text import safe_text
from tui.commandline.arguments import Commands, asset, check_accounts, command, json_option
from tui.commandline.output import Output
from tui.commandline.session import Usage, unwinding, with_desk
from tui.figures import count, size

if TYPE_CHECKING:  # they are loaded when a desk is opened, not for --help
    from vault.custody.keeper import Packet
    from vault.custody.packing import Packing
    from vault.desk import Desk
    from vault.ledger.agreeing import Compared
    from vault.ledger.checking import Break, Head
    from vault.views import Event

_EXPORT = """\
  reeldesk export advice/xyz789/archive.abc123 --to ~/packets
  reeldesk export advice/xyz789/archive.abc123 --to . && cd custody-* && sha256sum -c manifest-sha256.txt"""
_TRAIL = """\
  reeldesk trail advice/xyz789/archive.abc123
  reeldesk trail advice/xyz789/archive.abc123 --json | jq -r .what"""


def add(commands: Commands) -> None:
    """Add the commands."""
    trail = command(commands, "trail", "show what was established of an asset, when and by whom", run_trail, _TRAIL)
    trail.add_argument("asset", metavar="ASSET", type=asset, help="as `reeldesk list` prints it")
    json_option(trail)
    export = command(commands, "export", "make a custody packet: a BagIt bag for somebody else", run_export, _EXPORT)
    export.add_argument("assets", nargs="+", metavar="ASSET", type=asset, help="as `reeldesk list` prints it")
    export.add_argument("--to", metavar="DIR", type=Path, required=True, help="the folder that the packet goes into")
    export.add_argument("--no-timestamp", action="store_true", help="without the time stamp that config.toml asks for")
    json_option(export)


def run_trail(args: argparse.Namespace, out: Output) -> int:
    """Print an asset's events."""
    return with_desk(args.environ, lambda desk: _trail(desk, args, out))


def _trail(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    events = desk.custody.trail(args.asset)
    if args.json:
        for event in events:
            out.record({"asset": str(args.asset), **_record(event)})
    else:
        rows = ((str(e.number), _time(e), e.who, e.what, safe_text(e.words, 1000)) for e in events)
        out.table(("NUMBER", "WHEN (UTC)", "WHO", "WHAT", "WORDS"), rows)
    if not events:
        out.fail(str(args.asset), "nothing is known of it here")
    return out.status


def _record(event: "Event") -> dict[str, object]:
    told = {"number": event.number, "at": event.at.isoformat(), "what": event.what, "words": event.words}
    return {**told, "by": event.by, "process": event.process, "facts": dict(event.facts), "chain": event.chain}


def _time(event: "Event") -> str:
    return f"{event.at:%Y-%m-%d %H:%M:%S}"


def run_export(args: argparse.Namespace, out: Output) -> int:
    """Make a packet of the assets; one that does not come to its end leaves nothing behind."""
    with unwinding():
        return with_desk(args.environ, lambda desk: _export(desk, args, out))


def _export(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    check_accounts(desk, [identity.account for identity in args.assets])

    def show(now: "Packing") -> None:
        out.progress(f"{now.words}: {size(now.done)} of {size(now.total)}" if now.total else now.words)

    packet = desk.custody.packet(args.assets, args.to, show, stamped=not args.no_timestamp)
    if args.json:
        for identity in packet.assets:
            view = desk.asset(identity)
            out.record({**(view.record() if view else {"asset": str(identity)}), **_packet(packet)})
    else:
        out.line(str(packet.path))
        out.note(f"{packet.files} files, {size(packet.size)}; the log's head is {packet.head}")
        if packet.stamp:
            checked = "its signature was checked" if packet.stamp.is_checked else "its signature was not checked"
            out.note(f"time stamp of {packet.stamp.at:%Y-%m-%d %H:%M:%S} UTC; {checked}")
    return out.status


def _packet(packet: "Packet") -> dict[str, object]:
    return {
        "packet": str(packet.path),
        "packet_files": packet.files,
        "packet_size": packet.size,
        "head": packet.head,
        "tagmanifest_sha256": packet.tag_manifest,
        "timestamp": packet.stamp.at.isoformat() if packet.stamp else None,
    }


def check_log(args: argparse.Namespace, out: Output) -> int:
    """`verify --log`: follow the chain of the log; the first link that is broken is named."""
    return with_desk(args.environ, lambda desk: _check_log(desk, args, out))


def _check_log(desk: "Desk", args: argparse.Namespace, out: Output) -> int:
    report = desk.custody.check_log(
        args.kept, lambda done, total: out.progress(f"checked {done:,} of {total:,} events")
    )
    head = f"{report.events}:{report.head}"
    for each in report.breaks:
        out.fail(_place(each), each.words)
    if args.json:
        breaks = [
            {
                "kind": str(each.kind),
                "number": each.number or None,
                "at": each.at.isoformat() if each.at else None,
                "asset": each.identity or None,
                "words": each.words,
            }
            for each in report.breaks
        ]
        out.record(
            {
                "log": report.ledger,
                "whole": report.whole,
                "events": report.events,
                "head": head if report.whole else None,
                "held": report.compared.held,
                "flagged": report.compared.flagged,
                "receipts": report.compared.receipts,
                "clock_set_back": report.set_back,
                "breaks": breaks,
            }
        )
    elif report.whole:
        out.line(f"the log is whole: {report.events:,} events; {_compared(report.compared)} agree with it")
        out.line(f"head {head}")
        out.note("whoever keeps that head can tell later whether the log was cut or written anew: --kept HEAD")
        if report.set_back:
            out.note(_set_back(report.set_back))
    return out.status


def _compared(rows: "Compared") -> str:
    flagged, receipts = count(rows.flagged, "flagged asset"), count(rows.receipts, "receipt")
    return f"{count(rows.held, 'file')}, {flagged} and {receipts}"


def _set_back(number: int) -> str:
    events = f"{count(number, 'event')} {'bears' if number == 1 else 'bear'}"
    why = "the clock was put back, or an earlier version wrote them, which noted the time before its turn to write"
    return f"{events} an earlier time than the one before: {why}; that breaks nothing, numbers give the order"


def check_packet(args: argparse.Namespace, out: Output) -> int:
    """`verify --packet`: check a bag by itself; neither the ledger nor the configuration is asked."""
    from vault.custody.validating import problems_of

    problems = problems_of(args.packet)
    for words in problems:
        out.fail(str(args.packet), safe_text(words, 1000))
    if args.json:
        out.record({"packet": str(args.packet), "whole": not problems, "problems": list(problems)})
    elif not problems:
        out.line(f"{args.packet}: whole; every file is as it was packed, and the trail's chain holds")
    return out.status


def _place(each: "Break") -> str:
    """Which event, when, of which asset."""
    number = f"event {each.number}" if each.number else ""
    at = f"{each.at:%Y-%m-%d %H:%M:%S} UTC" if each.at else ""
    return ", ".join(filter(None, ("the log", number, at, each.identity)))


def head(text: str) -> "Head":
    """NUMBER:LINK on the command line, for argparse."""
    from vault.ledger.checking import Head

    number, _, link = text.partition(":")
    if not number.isdecimal() or not int(number) or len(link) != 64 or set(link) - set("0123456789abcdef"):
        raise argparse.ArgumentTypeError("must be NUMBER:LINK as `reeldesk verify --log` prints it")
    return Head(int(number), link)


def check_usage(args: argparse.Namespace) -> None:
    """Raise Usage for what does not go together with --log or --packet."""
    if (args.log or args.packet) and (args.assets or args.all):
        raise Usage("--log and --packet check no files of the vault: name no assets, and not --all")
    if args.log and args.packet:
        raise Usage("--log or --packet, not both")
    if args.kept and not args.log:
        raise Usage("--kept goes with --log")

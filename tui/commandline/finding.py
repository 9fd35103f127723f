"""What `doctor` found: one thing each for scripts, and those that belong together in one line for a screen."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from tui.commandline.output import Output
from tui.commandline.wrapping import beside, terminal_width

State = Literal["ok", "warning", "problem"]
_ORDER: tuple[State, ...] = ("ok", "warning", "problem")


class Finding(Struct, frozen=True):
    """One thing that was looked at. A problem makes the exit status 1 (configuration: 2)."""

    subject: str
    state: State
    words: str
    line: str = ""
    """The line of the screen that it belongs to; "": one of its own."""
    brief: str | None = None
    """What the screen says of it when all is well; None: its words; "": nothing."""
    more: Mapping[str, object] = field(default_factory=dict)
    """What `--json` says besides."""


def at_home(findings: Iterable[Finding], home: Path) -> list[Finding]:
    """The findings with `~` for the home folder: what is pasted into a ticket names no user."""
    whole = re.compile(re.escape(str(home).rstrip("/")) + r"(?=[/\s:;,)'\"]|$)")

    def short(text: str) -> str:
        return whole.sub("~", text) if len(home.parts) > 1 else text

    return [
        replace(each, words=short(each.words), brief=None if each.brief is None else short(each.brief))
        for each in findings
    ]


def home_folder() -> Path:
    """Whose `~` it is; "~" itself where nobody knows."""
    return Path(os.path.expanduser("~"))


def show(findings: Iterable[Finding], out: Output) -> None:
    """Print them for a person: a line for each group, with its worst state; what is wrong has all its words."""
    lines: dict[str, list[Finding]] = {}
    for each in findings:
        lines.setdefault(each.line or each.subject, []).append(each)
    widest = max(map(len, [*lines, "WHAT"]))
    width = terminal_width()
    out.line(f"{'WHAT':{widest}}  STATE    WORDS")
    for name, group in lines.items():
        state = _ORDER[max(_ORDER.index(each.state) for each in group)]
        out.line(beside(f"{name:{widest}}  {state:7}  ", "; ".join(filter(None, map(_said, group))), width))


def _said(finding: Finding) -> str:
    if finding.state == "ok" and finding.brief is not None:
        return finding.brief
    named = finding.subject.removeprefix(finding.line).strip() if finding.line else ""
    return f"{named}: {finding.words}" if named and finding.state != "ok" else finding.words


def record(finding: Finding) -> dict[str, object]:
    """The object that `--json` prints."""
    return {"subject": finding.subject, "state": finding.state, "words": finding.words, **finding.more}

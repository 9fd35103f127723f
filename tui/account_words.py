"""The words of mode 6: a test's steps, what was saved, what removing means. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from providers.declaring import SecretField
from providers.steps import Outcome, Step, has_failed
from tui import label
from tui.describe import field, heading, words
from tui.label import Glyphs
from tui.widgets.lines import Row
from vault.secret_state import Knowledge
from vault.views import AccountView

_OUTCOMES = {
    Outcome.PASSED: ("passed", "good"),
    Outcome.FAILED: ("FAILED", "bad"),
    Outcome.NOT_CHECKED: ("not checked", "dim"),
    Outcome.WARNING: ("warning", "warn"),
}


class Tested(Struct, frozen=True):
    """A test of an account, as far as it has come."""

    at: datetime
    steps: tuple[Step, ...] = ()
    ended: bool = False
    fault: str = ""
    """Why it could not be made, in words."""


def step_rows(tested: Tested | None, width: int, glyphs: Glyphs) -> list[Row]:
    """The steps so far, each with its outcome; nothing where no test was made."""
    if tested is None:
        return []
    rows = heading(f"Test, {label.clock(tested.at)} UTC", width, glyphs)
    for step in tested.steps:
        outcome, ink = _OUTCOMES[step.outcome]
        rows += field(step.name, f"{outcome}: {step.words}" if step.words else outcome, width, ink)
    if tested.fault:
        rows += words(tested.fault, width, "bad")
    elif not tested.ended:
        rows += words("testing, a moment", width, "info")
    return rows


def summary(account: str, tested: Tested) -> tuple[str, str]:
    """What a whole test found, and its ink."""
    if tested.fault:
        return f"{account}: {tested.fault}", "bad"
    if has_failed(tested.steps):
        step = next(step for step in tested.steps if step.outcome is Outcome.FAILED)
        return f"{account}: {step.name} failed: {step.words}", "bad"
    warnings = [step for step in tested.steps if step.outcome is Outcome.WARNING]
    if warnings:
        return f"{account} works, but {warnings[0].name}: {warnings[0].words}", "warn"
    return f"{account} works: every step passed or had nothing to check", "good"


def missing_lines(account: str, missing: Sequence[SecretField]) -> list[str]:
    """What saving an account without its secrets means."""
    names = ", ".join(each.name for each in missing)
    return [
        f"Not typed, and not found anywhere: {names}.",
        "",
        f"Until then the service cannot be asked. They can come later: `s` in mode 6, "
        f"`reeldesk secret set {account or 'NAME'} {missing[0].name}`, or a variable of the environment.",
    ]


def kept_words(account: str, lies: Mapping[str, str], *, new: bool) -> str:
    """What was saved, and where its secrets lie."""
    told = f"{account} is {'added' if new else 'saved'}"
    places = [f"{name}: {where}" for name, where in lies.items()]
    return f"{told}; {'; '.join(places)}" if places else told


def remove_lines(view: AccountView, config: str, vault: str, ledger: str) -> list[str]:
    """What removing an account takes away, and what stays."""
    lines = [f"It is taken out of {config}.", "", f"Recordings fetched stay in {vault},"]
    lines.append(f"and what is known of them, proofs and custody, in {ledger}.")
    kept = [f"  {name}: {it.brief}" for name, it in view.secrets.items() if it.knowledge is not Knowledge.NOT_SET]
    if kept:
        lines += ["", "Its secrets:", *kept]
    return lines

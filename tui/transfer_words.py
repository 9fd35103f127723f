"""What can be done with transfers: why not with one, which of many, and what is said of those. Pure."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from providers.models import AssetId
from tui import label
from tui.acts import most_common
from vault.views import TransferState

_WAITS = frozenset({TransferState.QUEUED, TransferState.WAITING, TransferState.PAUSED})
_DONE = {
    "cancel": ("cancelled {}; parts already fetched stay for a later try", "nothing cancelled"),
    "pause": ("paused {}", "nothing paused"),
    "resume": ("resumed {}", "nothing resumed"),
    "retry": ("queued {} again", "nothing queued"),
    "hurry": ("put {} first in the queue", "nothing put first"),
}
_VERBS = {"transfer.cancel": "cancel", "transfer.retry": "retry", "transfer.now": "hurry"}


def why_not_transfer(command: str, state: TransferState, key: Callable[[str], str]) -> str:
    """Why a command cannot act on a transfer in a state; "" when it can. `key(command)`: its key."""
    if command == "transfer.retry":
        ended_badly = state.ended and state is not TransferState.DONE
        return "" if ended_badly else f"it is {state}: nothing to try again"
    if command == "transfer.now":
        return _why_not_now(state, key)
    if command in ("transfer.later", "transfer.sooner"):
        return "" if state in _WAITS else f"it is {state}: only what waits has a place in the queue"
    return f"it has ended: {state}" if command.startswith("transfer.") and state.ended else ""


def _why_not_now(state: TransferState, key: Callable[[str], str]) -> str:
    if state is TransferState.RUNNING:
        return "it is running already"
    if not state.ended:
        return ""
    tail = "" if state is TransferState.DONE else f"; {key('transfer.retry')} tries it again"
    return f"it has ended: {state}{tail}"


class Chosen(Struct, frozen=True):
    """Of many transfers those that a verb is for, and why it is not for each of the others."""

    verb: str
    """Of the desk: cancel, pause, resume, retry, hurry."""
    transfers: tuple[AssetId, ...]
    reasons: tuple[str, ...]

    def words(self, changed: int) -> tuple[str, str]:
        """What came of it, and its ink. `changed`: how many of them."""
        done, nothing = _DONE[self.verb]
        if not changed:
            return f"{nothing}: {most_common(self.reasons) or 'they are no more as they were'}", "warn"
        rest = f"; {len(self.reasons)} not: {most_common(self.reasons)}" if self.reasons else ""
        return done.format(label.count(changed, "transfer")) + rest, ""


def choose(command: str, states: Mapping[AssetId, TransferState], key: Callable[[str], str]) -> Chosen:
    """Which of these transfers a command is for.

    To pause is for what moves; where all of it is paused, to let it go on.
    """
    reasons = {each: why_not_transfer(command, state, key) for each, state in states.items()}
    verb = _VERBS.get(command, "pause")
    if verb == "pause":
        paused = [each for each, state in states.items() if state is TransferState.PAUSED]
        if paused and all(reasons[each] for each in states if each not in paused):
            verb = "resume"
        else:
            reasons |= dict.fromkeys(paused, "it is paused already")
    able = tuple(each for each, reason in reasons.items() if not reason)
    return Chosen(verb, able, tuple(filter(None, reasons.values())))

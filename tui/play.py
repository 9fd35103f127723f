"""Plays: scripts of keys over the demo, each with words of what happens, walked by tests and shown by `demo --play`.

A step names its keys, and what must be so before the next one; it never sleeps.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from textual.css.query import NoMatches

from providers.models import AssetId
from tui.screens.base import ModeScreen
from vault.views import Flag, LocalState

if TYPE_CHECKING:
    from tui.app import DeskApp

Holds = Callable[["DeskApp"], bool]
"""Whether something is so in a running desk. Quick: it is asked again and again."""


class Step(Struct, frozen=True):
    """Keys to press one after the other, words for who watches, and what must be so afterwards."""

    keys: tuple[str, ...]
    caption: str
    then: Holds

    def is_done(self, app: "DeskApp") -> bool:
        """Whether what follows has come to pass; not while a screen is only being made."""
        try:
            return self.then(app)
        except NoMatches:
            return False


# What may be waited for ----------------------------------------------------------------------------------------------


def top(app: "DeskApp") -> ModeScreen | None:
    """The mode's screen that is seen, under whatever asks."""
    return next((each for each in reversed(app.screen_stack) if isinstance(each, ModeScreen)), None)


def on(mode: str) -> Holds:
    """A screen is shown and nothing is over it."""
    return lambda app: isinstance(app.screen, ModeScreen) and mode == app.screen.MODE


def over(name: str) -> Holds:
    """A dialog of this class is shown."""
    return lambda app: type(app.screen).__name__ == name


def said(*words: str) -> Holds:
    """The status line says one of these."""

    def holds(app: "DeskApp") -> bool:
        screen = top(app)
        return screen is not None and any(each in screen.said for each in words)

    return holds


def both(*all_of: Holds) -> Holds:
    """All of these."""
    return lambda app: all(each(app) for each in all_of)


def at_once(_: "DeskApp") -> bool:
    """Nothing to wait for."""
    return True


def held(*assets: str) -> Holds:
    """All of these are held."""

    def holds(app: "DeskApp") -> bool:
        views = (app.context.desk.asset(AssetId.parse(each)) for each in assets)
        return all(view is not None and view.local is LocalState.HELD for view in views)

    return holds


def listed(least: int) -> Holds:
    """The list on the screen has so many lines, and the pane knows the current one."""

    def holds(app: "DeskApp") -> bool:
        from tui.screens.triage import TriageScreen

        screen = app.screen
        return isinstance(screen, TriageScreen) and screen.table.total >= least and screen.pane.asset is not None

    return holds


def account_listed(account: str, least: int) -> Holds:
    """The risk list shows one account's assets."""

    def holds(app: "DeskApp") -> bool:
        from tui.screens.risk import RiskScreen

        screen = app.screen
        rows = screen.rows if isinstance(screen, RiskScreen) else ()
        return len(rows) >= least and all(row.asset.identity.account == account for row in rows) and listed(1)(app)

    return holds


def decided(asset: str) -> Holds:
    """It is queued, or further."""

    def holds(app: "DeskApp") -> bool:
        view = app.context.desk.asset(AssetId.parse(asset))
        return view is not None and view.local is not LocalState.ABSENT

    return holds


def flagged(asset: str, flag: Flag) -> Holds:
    """It has a flag."""

    def holds(app: "DeskApp") -> bool:
        view = app.context.desk.asset(AssetId.parse(asset))
        return view is not None and flag in view.flags

    return holds


def held_whole(asset: str) -> Holds:
    """It is held, and no dialog is over the desk."""
    return both(on("desk"), held(asset))


def showing(asset: str) -> Holds:
    """The desk lists one meeting, and the pane shows it with this asset."""

    def holds(app: "DeskApp") -> bool:
        from tui.screens.triage import TriageScreen

        screen = app.screen
        if not isinstance(screen, TriageScreen) or screen.table.total != 1 or screen.pane.view is None:
            return False
        return any(str(each.identity) == asset for each in screen.pane.view.assets)

    return holds


def releasing(number: int) -> Holds:
    """So many releases wait in their time of grace, and nothing is over the desk."""
    return lambda app: on("desk")(app) and len(app.context.desk.releasing.due()) == number


def compared(app: "DeskApp") -> bool:
    """The comparison is there."""
    from tui.screens.reconcile import ReconcileScreen

    return isinstance(app.screen, ReconcileScreen) and app.screen.table.total > 0


def archive(number: int, conference: int | None = None) -> str:
    """An archive of the demo by its number."""
    return f"advice/conf-{conference or number:04d}/archive.arc-{number:04d}"


# The plays -----------------------------------------------------------------------------------------------------------

SKIPPED = archive(21)
"""Abandoned on purpose by a colleague."""
ON_HOLD = archive(11)
"""A complaint: nobody may let it be deleted."""
CLAIMED = (
    archive(22),
    *(archive(number) for number in (15, 14, 13, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)),
    *(archive(number, 25) for number in (25, 26, 27)),
)
LAST_PART = archive(27, 25)
DECIDED = (SKIPPED, ON_HOLD, *CLAIMED)
"""Twenty archives."""

TRIAGE: tuple[Step, ...] = (
    Step((), "Five services in a box, at their first sync. Any key of yours pauses the play.", listed(50)),
    Step(("question_mark",), "? shows every key. A newcomer looks here first.", over("HelpScreen")),
    Step(("escape",), "esc goes back.", on("desk")),
    Step(("R",), "R: at risk, over all accounts, what is lost first at the top.", listed(20)),
    Step(
        ("right_square_bracket",),
        "]: the first account alone. Twenty archives are to be decided about: one key each.",
        account_listed("advice", 20),
    ),
    Step(("d",), "d downloads and goes on. This one has minutes: somebody abandoned it days ago.", decided(CLAIMED[0])),
    Step(("X",), "X skips: a colleague let this one go on purpose. It leaves the list.", flagged(SKIPPED, Flag.SKIP)),
    Step(("d",) * 4, "d, d, d, d: where each file goes is fixed now, and shown by enter.", decided(archive(12))),
    Step(("H",), "H holds: it is about a complaint, and nobody may let it be deleted.", flagged(ON_HOLD, Flag.HOLD)),
    Step(("d",) * 5, "d for the next five.", decided(archive(6))),
    Step(
        ("d",) * 3,
        "Three archives of one conference: the service lets go of them together.",
        decided(LAST_PART),
    ),
    Step(("d",) * 5, "And the last five. u would take any of it back.", decided(archive(1))),
    Step((), "Twenty archives, twenty keys. Every file is proven as it arrives.", held(*CLAIMED)),
)
"""A newcomer decides about twenty archives."""

PROOF: tuple[Step, ...] = (
    Step(("R",), "R: back to the desk.", on("desk")),
    Step(("slash", *"riester", "enter"), "One of them again.", showing(archive(15))),
    Step(("v",), "v reads the file again. A bad disk has changed a byte of it meanwhile.", over("ConfirmScreen")),
    Step(("enter",), "Loud, by name, and the service still has it: enter fetches it again.", held_whole(archive(15))),
    Step(("k", "v"), "Read again.", said("as proven")),
    Step(("escape", "slash", *"three", "space", *"parts", "enter"), "Now the conference of three.", showing(LAST_PART)),
    Step(
        ("A",),
        "A lets the service delete what is proven. Cancel has the focus.",
        over("ConfirmScreen"),
    ),
    Step(("right", "enter"), "Nothing is sent yet: there are ten minutes to think again.", releasing(3)),
    Step(("u",), "u stops it.", releasing(0)),
    Step(("E",), "E writes a custody packet: files, records, the chained trail, and a page.", over("RawScreen")),
    Step(("escape", "escape", "c"), "c compares service, ledger and disk.", compared),
    Step(("escape",), "That was it.", on("desk")),
)
"""What was decided, with proof: verified, released with grace and stopped, packed, compared."""
PLAYS: Mapping[str, tuple[Step, ...]] = {"triage": (*TRIAGE, *PROOF)}

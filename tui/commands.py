"""Every action of the desk, once: from here come the bindings, the key line, the help and the palette."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace
from textual.binding import Binding

EVERYWHERE = frozenset({"desk", "transfers", "rooms", "notifications", "webhooks", "accounts"})
DESK = frozenset({"desk"})
TRANSFERS = frozenset({"transfers"})
ROOMS = frozenset({"rooms"})
NOTIFICATIONS = frozenset({"notifications"})
WEBHOOKS = frozenset({"webhooks"})
ACCOUNTS = frozenset({"accounts"})
FORM = frozenset({"account-form"})
SECRETS = frozenset({"secrets"})
"""Screens over mode 6: an account's form, and its secrets."""
RISK = frozenset({"risk"})
RECONCILE = frozenset({"reconcile"})
LOG = frozenset({"log"})
"""Screens over mode 1: what will be lost first; service, ledger and disk side by side; the log of events."""
OVER = SECRETS | RISK | RECONCILE | LOG
TRIAGE = DESK | RISK
"""Where recordings are decided about, one by one or marked together."""
MARKED = TRIAGE | TRANSFERS
SORTED = DESK | TRANSFERS | WEBHOOKS | LOG
LISTS = frozenset({"list"})
"""Bound by the widgets that have a cursor, on whatever screen they are."""


class Command(Struct, frozen=True):
    """One action: its id (unique, the name for a keymap), its keys, a word for the key line, a sentence for the help.

    `screens`: where it is bound. `show`: its place in the key line, lower comes first, 0 for not there.
    """

    id: str
    keys: str
    words: str
    help: str
    screens: frozenset[str]
    group: str
    show: int = 0
    priority: bool = False
    """Bound even while an input has focus (never for letters)."""

    @property
    def method(self) -> str:
        """What the screen (or widget) names the method that does it."""
        return "do_" + self.id.replace(".", "_").replace("-", "_")

    @property
    def binding(self) -> Binding:
        """For Textual."""
        action = f"perform('{self.id}')"
        return Binding(
            self.keys or f"unbound-{self.id}", action, self.words, show=False, id=self.id, priority=self.priority
        )


def _c(
    id_: str,
    keys: str,
    words: str,
    help_: str,
    screens: frozenset[str],
    group: str,
    show: int = 0,
    *,
    priority: bool = False,
) -> Command:
    return Command(id_, keys, words, help_, screens, group, show, priority)


_MOVE, _SEE, _ACT, _GO, _FORM = "Move", "See", "Act", "Go", "Form"
_RECORDED = TRIAGE | TRANSFERS

COMMANDS: tuple[Command, ...] = (
    _c("move.down", "j,down", "Down", "One line down.", LISTS, _MOVE),
    _c("move.up", "k,up", "Up", "One line up.", LISTS, _MOVE),
    _c("move.top", "g,home", "Top", "To the first line.", LISTS, _MOVE),
    _c("move.bottom", "G,end", "Bottom", "To the last line.", LISTS, _MOVE),
    _c("move.half-down", "ctrl+d", "Half down", "Half a page down.", LISTS, _MOVE),
    _c("move.half-up", "ctrl+u", "Half up", "Half a page up.", LISTS, _MOVE),
    _c("move.page-down", "pagedown", "Page down", "A page down.", LISTS, _MOVE),
    _c("move.page-up", "pageup", "Page up", "A page up.", LISTS, _MOVE),
    _c("move.open", "enter", "Open", "Open what the cursor is on.", LISTS, _MOVE),
    _c(
        "asset.fetch",
        "d",
        "Download",
        "Queue every asset of what is marked, or of the current line; in the pane, one asset.",
        TRIAGE,
        _ACT,
        1,
    ),
    _c(
        "asset.verify",
        "v",
        "Verify",
        "Read the held files again and compare them with their proof; x stops it.",
        TRIAGE,
        _ACT,
        2,
    ),
    _c(
        "asset.release",
        "A",
        "Release",
        "Let the service delete what is proven here, after a time of grace. Asks first.",
        TRIAGE,
        _ACT,
        3,
    ),
    _c("flag.want", "W", "Want", "Flag: it is to be fetched.", TRIAGE, _ACT, 21),
    _c("flag.skip", "X", "Skip", "Flag: it is not needed here; leave it to the service.", TRIAGE, _ACT, 6),
    _c("flag.forget", "F", "Forget", "Flag: say no more of it; it is at risk no more.", TRIAGE, _ACT, 22),
    _c("flag.hold", "H", "Hold", "Flag: the service is never told to delete it.", TRIAGE, _ACT, 6),
    _c("flag.note", "e", "Flag and note", "Choose a flag and write a note with it, or take it away.", TRIAGE, _ACT, 23),
    _c("asset.packet", "E", "Packet", "Write a custody packet: files, records, trail, and a page.", TRIAGE, _ACT, 24),
    _c("list.compare", "c", "Compare", "Service, ledger and disk side by side.", TRIAGE, _SEE, 19),
    _c("list.log", "L", "Log", "Every event of the custody log, newest first.", TRIAGE, _SEE, 25),
    _c("log.only", "i", "Its own", "The events of the current one's asset alone; once more, all.", LOG, _SEE, 1),
    _c("list.mark", "space", "Mark", "Mark or unmark the current line and go on.", MARKED, _ACT, 9),
    _c(
        "list.mark-range",
        "M,ctrl+@",
        "Mark range",
        "Mark all from the line that was marked last to this one (ctrl+space does so, too).",
        MARKED,
        _ACT,
    ),
    _c("list.mark-all", "asterisk,ctrl+a", "Mark all", "Mark all that is listed.", MARKED, _ACT, 20),
    _c("list.unmark", "U", "Unmark all", "Take every mark away.", MARKED, _ACT),
    _c(
        "transfer.cancel",
        "x",
        "Cancel",
        "Cancel the transfer; where none is under way, stop asking the services.",
        _RECORDED,
        _ACT,
        10,
    ),
    _c("transfer.pause", "p", "Pause", "Pause the transfer, or let it go on.", _RECORDED, _ACT, 11),
    _c("transfer.retry", "t", "Retry", "Try an ended transfer again.", TRANSFERS, _ACT, 3),
    _c(
        "transfer.now",
        "n",
        "Now",
        "Put the transfer first in the queue, and try at once what it waits for.",
        TRANSFERS,
        _ACT,
        4,
    ),
    _c("transfer.later", "J", "Later", "Move the transfer down in the queue.", TRANSFERS, _ACT, 18),
    _c("transfer.sooner", "K", "Sooner", "Move the transfer up in the queue.", TRANSFERS, _ACT, 12),
    _c(
        "sync",
        "r",
        "Sync",
        "Ask the services now: the selected account, or all.",
        TRIAGE | TRANSFERS | ACCOUNTS,
        _ACT,
        7,
    ),
    _c(
        "list.filter",
        "/",
        "Filter",
        "Show only what fits: words, or state:failed before:2026-11 -word; tab completes, esc clears it.",
        DESK,
        _SEE,
        4,
    ),
    _c("list.views", "V", "Views", "Saved filters: pick one, keep this one, forget one.", DESK, _SEE, 17),
    _c("list.time", "t,@", "Go to day", "Go to a day: 2026-11-01, 2026-11, yesterday, 30d.", DESK | LOG, _SEE, 19),
    _c("list.day", "@", "Go to day", "Go to a day: 2026-11-01, 2026-11, 30d.", TRANSFERS | WEBHOOKS, _SEE, 19),
    _c("list.sort", "s", "Sort", "The next order; a click on a column's title sorts by it.", SORTED, _SEE, 8),
    _c("list.reverse", "S", "Reverse", "Turn the order round.", SORTED, _SEE),
    _c("list.faults", "f", "Faults", "Show only where something is wrong.", DESK, _SEE, 6),
    _c("list.risk", "R", "At risk", "What will be lost first, of all accounts.", DESK, _SEE, 3),
    _c("risk.desk", "R", "Desk", "Back to the desk.", RISK, _SEE, 25),
    _c(
        "account.previous",
        "left_square_bracket",
        "Before",
        "The account (or room) before.",
        (EVERYWHERE | RISK) - TRANSFERS - ACCOUNTS,
        _SEE,
    ),
    _c(
        "account.next",
        "right_square_bracket,a",
        "Next account",
        "The next account (or room).",
        (EVERYWHERE | RISK) - TRANSFERS - ACCOUNTS,
        _SEE,
        14,
    ),
    _c("show.raw", "w", "Raw", "The record as the service gave it, secrets redacted.", TRIAGE | WEBHOOKS, _SEE, 12),
    _c("asset.link", "o", "Link", "Send the link to the terminal's clipboard and show it.", DESK, _SEE, 13),
    _c("asset.copy", "y", "Copy", "Choose what to send to the terminal's clipboard.", _RECORDED, _SEE, 13),
    _c(
        "undo",
        "u",
        "Undo",
        "Take the last queueing, mark or flag back, or stop a release in its time of grace.",
        TRIAGE,
        _ACT,
        15,
    ),
    _c("repeat", ".", "Repeat", "Do the last action again, here.", TRIAGE, _ACT, 16),
    _c("reconcile.fix", "m", "Mend", "Do what mends the current difference.", RECONCILE, _ACT, 1),
    _c("reconcile.again", "r", "Again", "Compare again.", RECONCILE, _ACT, 2),
    _c("reconcile.stop", "x", "Stop", "Stop comparing.", RECONCILE, _ACT, 3),
    _c("room.refresh", "r", "Refresh", "Ask for the room's catch-up now.", ROOMS, _ACT, 1),
    _c("room.copy", "y", "Copy", "Send the shown text to the terminal's clipboard.", ROOMS, _SEE, 3),
    _c("room.live", "l", "Latest", "Leave the history: back to the latest text.", ROOMS, _SEE, 2),
    _c("form.save", "ctrl+s", "Save", "Send the form to the service.", NOTIFICATIONS, _FORM, 1, priority=True),
    _c(
        "form.reload",
        "r",
        "Reload",
        "Read again what is set at the service; asks when something was changed here.",
        NOTIFICATIONS,
        _FORM,
        2,
    ),
    _c("form.edit", "i", "Edit", "Go into the form.", NOTIFICATIONS, _FORM, 3),
    _c("hook.receive", "l", "Receive", "Switch the receiver of webhooks on or off.", WEBHOOKS, _ACT, 1),
    _c("view.next", "tab", "View", "Deliveries, addresses, what was missed, in turn.", WEBHOOKS, _SEE, 2),
    _c("view.previous", "shift+tab", "View before", "The same in the other direction.", WEBHOOKS, _SEE),
    _c("hook.again", "t", "Again", "Process the delivery once more, from what is kept of it.", WEBHOOKS, _ACT, 3),
    _c(
        "hook.register",
        "n",
        "Register",
        "Register a webhook at the service: choose its topic. Asks first.",
        WEBHOOKS,
        _ACT,
        4,
    ),
    _c(
        "hook.delete", "x", "Delete", "Delete the webhook's registration at the service. Asks first.", WEBHOOKS, _ACT, 5
    ),
    _c(
        "hook.rotate",
        "T",
        "Rotate",
        "Make a new secret for the account's address; the one before is taken for an hour more. Asks first.",
        WEBHOOKS,
        _ACT,
        6,
    ),
    _c(
        "hook.copy",
        "y",
        "Copy",
        "Send the whole address, a secret, or the payload to the terminal's clipboard.",
        WEBHOOKS,
        _SEE,
        7,
    ),
    _c("hook.refresh", "r", "Refresh", "Ask the services again: registrations, reports, misses.", WEBHOOKS, _ACT, 8),
    _c(
        "account.check",
        "c",
        "Test",
        "Test the account step by step: name, connection, TLS, secrets, the cheapest honest call, rights, clock.",
        ACCOUNTS,
        _ACT,
        1,
    ),
    _c("account.add", "n", "Add", "Add an account: choose its service, fill in its form.", DESK | ACCOUNTS, _ACT, 18),
    _c("account.edit", "e", "Edit", "Edit the account; enter does so, too.", ACCOUNTS, _ACT, 19),
    _c("account.remove", "x", "Remove", "Remove the account; what was fetched stays. Asks first.", ACCOUNTS, _ACT, 20),
    _c(
        "account.secrets",
        "s",
        "Secrets",
        "Where each secret of the account lies; set, move, forget, unlock.",
        ACCOUNTS,
        _ACT,
        21,
    ),
    _c("account.save", "ctrl+s", "Save", "Save the account and test it.", FORM, _FORM, 1, priority=True),
    _c(
        "account.rare",
        "ctrl+o",
        "Rarely needed",
        "Show or hide the settings that are rarely needed.",
        FORM,
        _FORM,
        2,
        priority=True,
    ),
    _c("account.leave", "escape", "Leave", "Leave the form; asks when something is not saved.", FORM, _FORM, 3),
    _c("secret.set", "e", "Set", "Type a secret, and keep it.", SECRETS, _ACT, 1),
    _c("secret.move", "m", "Move", "Put the secret into the other store.", SECRETS, _ACT, 2),
    _c("secret.forget", "x", "Forget", "Remove the secret from the stores. Asks first.", SECRETS, _ACT, 3),
    _c(
        "secret.lock",
        "L",
        "Lock",
        "Unlock the sealed file, or lock it; make one where there is none.",
        ACCOUNTS | SECRETS,
        _ACT,
        22,
    ),
    _c("secret.passphrase", "P", "Passphrase", "Give the sealed file another passphrase.", SECRETS, _ACT, 23),
    _c("demo", "D", "Demo", "Leave for the demo: five emulated services, nothing of yours.", DESK | ACCOUNTS, _GO),
    _c("mode.desk", "1", "Desk", "Meetings and their recordings.", EVERYWHERE | OVER, _GO),
    _c("mode.transfers", "2", "Transfers", "The queue, running and ended.", EVERYWHERE | OVER, _GO),
    _c("mode.rooms", "3", "Rooms", "Catch-ups of running calls (ProCONF).", EVERYWHERE | OVER, _GO),
    _c("mode.notifications", "4", "Notifications", "The recording notifications (Temasys).", EVERYWHERE | OVER, _GO),
    _c("mode.webhooks", "5", "Webhooks", "What the services announce to us.", EVERYWHERE | OVER, _GO),
    _c("mode.accounts", "6", "Accounts", "Accounts, credentials and their last errors.", EVERYWHERE | OVER, _GO),
    _c(
        "back",
        "escape",
        "Back",
        "Leave an input, clear the filter, then the marks, then go back.",
        EVERYWHERE | OVER,
        _GO,
    ),
    _c("help", "question_mark", "Help", "All keys and signs.", EVERYWHERE | OVER, _GO, 90),
    _c("palette", "ctrl+p", "Palette", "Find an action by its words.", EVERYWHERE | OVER, _GO, 92, priority=True),
    _c(
        "line.rate",
        "",
        "Line's rate",
        "Show (or hide) in the status line how many bytes a second the desk sends to the terminal.",
        EVERYWHERE | OVER,
        _SEE,
    ),
    _c("redraw", "ctrl+l", "Redraw", "Write the whole screen again.", EVERYWHERE | OVER, _SEE),
    _c(
        "theme",
        "",
        "Theme",
        "Go to the next theme: dark, light, the terminal's own colours.",
        EVERYWHERE | OVER,
        _SEE,
    ),
    _c(
        "quit",
        "q,ctrl+q,ctrl+c",
        "Quit",
        "Leave; asks what becomes of running transfers.",
        EVERYWHERE | OVER,
        _GO,
        91,
    ),
)

_BEHIND = ("list.sort", "list.mark", "list.day", "list.mark-all")
"""What comes behind the verbs in the key line of transfers and webhooks."""
BY_ID: Mapping[str, Command] = {command.id: command for command in COMMANDS}


def on(place: str) -> tuple[Command, ...]:
    """The commands of a screen, or of the lists ("list"), as they stand in the registry."""
    behind = _BEHIND if place in TRANSFERS | WEBHOOKS else ()
    there = (command for command in COMMANDS if place in command.screens)
    return tuple(replace(each, show=each.show + 50) if each.id in behind else each for each in there)


def bindings(place: str) -> list[Binding]:
    """A screen's bindings, from the registry."""
    return [command.binding for command in on(place)]


_NAMES = {
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "slash": "/",
    "asterisk": "*",
    "full_stop": ".",
    "escape": "esc",
    "pagedown": "pgdn",
    "pageup": "pgup",
    "ctrl+@": "^space",
}


def spoken(keys: str) -> str:
    """The keys as a person reads them: `j down`, `^d`."""
    names = (_NAMES.get(key.strip(), key.strip()) for key in keys.split(",") if key.strip())
    return " ".join(name.replace("ctrl+", "^") for name in names)


def keys_of(command: Command, keymap: Mapping[str, str]) -> str:
    """The command's keys, after a person's own keymap."""
    return keymap.get(command.id, command.keys)

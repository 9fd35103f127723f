"""The passphrase of the sealed file: to unlock it, to make it, or to give it another one.

The key is derived on a thread of the vault's; the screen, and whatever the engine does, go on meanwhile.
"""

from collections.abc import Sequence
from enum import Enum
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from tui.beside import beside
from tui.context import FAULTS, Context, words_of
from tui.describe import words
from tui.label import label
from tui.screens.base import sheet
from tui.screens.modal import Modal
from tui.secret_words import problem_with_new, sealed_of
from tui.widgets.lines import Lines
from tui.widgets.secret_input import SecretInput
from vault.errors import VaultError
from vault.passphrase import Passphrase, WrongPassphrase


class Purpose(Enum):
    """What a passphrase is asked for. EITHER: to unlock or to make the file, whichever it turns out to need."""

    UNLOCK = "Unlock the sealed file"
    CREATE = "Make a sealed file"
    CHANGE = "Another passphrase for the sealed file"
    EITHER = "The sealed file"


_ABOUT = {
    Purpose.EITHER: "",
    Purpose.UNLOCK: "It holds secrets of the accounts, sealed with a passphrase.",
    Purpose.CREATE: (
        "It will hold secrets of the accounts, sealed with a passphrase. Nobody opens it without: a passphrase that is "
        "lost cannot be given back, and the secrets must be set anew."
    ),
    Purpose.CHANGE: (
        "What is in it stays. Other processes that have it unlocked must unlock it anew; copies in backups still open "
        "with the passphrase before."
    ),
}
_DOES = {
    Purpose.EITHER: "a moment: looking at the file",
    Purpose.UNLOCK: "enter unlocks, esc leaves it locked",
    Purpose.CREATE: "enter makes it, esc goes back",
    Purpose.CHANGE: "enter changes it, esc goes back",
}
_NEW = (Purpose.CREATE, Purpose.CHANGE)
LEFT_OUT = "what was typed before this opened was left out"
SHORTENED = "only the first line of what was pasted was taken"


class UnlockScreen(Modal[bool]):
    """Asks for the passphrase until it fits; answers whether the file is unlocked (made, changed) by it.

    `waiting`: accounts that lack a secret, which may be in it. `quiet_s`: for so long after it
    opened keys are left out, since they were typed for what was there before.
    """

    CSS_PATH = sheet("unlock")
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]  # Textual's own type is wider
        Binding("escape", "give_up", "Back", show=False),
        # Before the field gets them: what comes in one burst behind a tab is for the next field.
        Binding("tab,down", "app.focus_next", show=False, priority=True),
        Binding("shift+tab,up", "app.focus_previous", show=False, priority=True),
    ]

    def __init__(
        self,
        context: Context,
        purpose: Purpose = Purpose.UNLOCK,
        *,
        waiting: Sequence[str] = (),
        quiet_s: float = 0.0,
    ) -> None:
        super().__init__()
        self.purpose = purpose
        self.was_unlocked = False
        """With EITHER: the file was unlocked already, and nothing was asked."""
        self.context = context
        self._waiting = tuple(waiting)
        self._quiet_s = quiet_s
        self._quiet = quiet_s > 0
        self._early = ""
        """What was typed before there was a field."""
        self._entered = False
        """Whether enter was pressed before it could do anything."""
        self._busy = False
        self._path = ""

    def compose(self) -> ComposeResult:
        """What it is for, the field (two for a new passphrase), what came of it."""
        with Vertical(id="box"):
            yield Static("", id="title", markup=False)
            yield Lines(id="about", focusable=False)
            for name, said in (("passphrase", "Passphrase"), ("again", "Once more")):
                field = SecretInput(placeholder="", id=name)
                field.cursor_blink = False
                yield Horizontal(Static(label(said), classes="name"), field, classes="field", id=f"{name}-line")
            yield Static("", id="note", markup=False)
            yield Static("", id="keys", markup=False)

    @property
    def field(self) -> SecretInput:
        """Where the passphrase is typed."""
        return self.query_one("#passphrase", SecretInput)

    @property
    def again(self) -> SecretInput:
        """Where a new one is typed once more."""
        return self.query_one("#again", SecretInput)

    def on_mount(self) -> None:
        """The field listens, at once or after a while; the file is looked at beside."""
        self._draw()
        if self._quiet:
            self.call_after_refresh(self.set_timer, self._quiet_s, self._listen)
        else:
            self._listen()
        beside(self, self._look, "sealed file")

    def _listen(self) -> None:
        self._quiet = False
        self.set_focus(self.field)
        self.field.insert_text_at_cursor(self._early)
        self._early = ""

    async def _look(self) -> None:
        try:
            sealed = sealed_of(await self.context.read(self.context.desk.secrets.stores))
        except FAULTS as error:
            self._tell(words_of(error), "bad")
            return
        self._path = str(sealed.path or "")
        if self.purpose is Purpose.EITHER:
            if sealed.state == "available":
                self.was_unlocked = True
                self.dismiss(False)
                return
            self.purpose = Purpose.UNLOCK if sealed.state == "locked" else Purpose.CREATE
        self._draw()
        if self._entered:
            self._submit()

    # Drawing -----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        waiting = f"Without a secret until then: {', '.join(self._waiting)}." if self._waiting else ""
        about = [each for each in (self._path, _ABOUT[self.purpose], waiting) if each]
        self.query_one("#title", Static).update(label(self.purpose.value))
        self.query_one("#about", Lines).show(lambda width: [row for each in about for row in words(each, width)])
        self.query_one("#keys", Static).update(label(_DOES[self.purpose]))
        self.query_one("#again-line").display = self.purpose in _NEW
        if self.purpose in _NEW:
            self.field.placeholder = "at least 12 characters: four words are good"

    def _tell(self, said: str, ink: str = "") -> None:
        note = self.query_one("#note", Static)
        note.update(label(said))
        note.set_classes(f"-{ink}" if ink else "")

    # Typing ------------------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """What comes before the field has the focus."""
        if not isinstance(self.focused, SecretInput):
            event.stop()
            self.overhear(event)

    def overhear(self, event: events.Key) -> None:
        """A key that was on its way to another widget when this opened."""
        if self._quiet:
            if event.is_printable:
                self._tell(LEFT_OUT)
        elif event.key == "enter":
            self._entered = True
        elif event.is_printable and event.character:
            if self.is_mounted:
                self.field.insert_text_at_cursor(event.character)
            else:
                self._early += event.character

    def on_secret_input_shortened(self) -> None:
        """Say it."""
        self._tell(SHORTENED, "warn")

    def on_input_submitted(self, event: SecretInput.Submitted) -> None:
        """Enter."""
        event.stop()
        if self.purpose in _NEW and event.input is self.field and not self.again.value:
            problem = problem_with_new(self.field.value)
            self._tell(problem, "bad")
            if not problem:
                self.set_focus(self.again)
            return
        self._submit()

    def _submit(self) -> None:
        if self._busy:
            return
        if self.purpose is Purpose.EITHER:
            self._entered = True
            return
        self._entered = False
        try:
            passphrase = self._typed()
        except VaultError as error:
            self._tell(error.words, "bad")
            return
        self._busy = True
        self._tell("a moment: a passphrase takes work on purpose, so that it cannot be guessed quickly", "info")
        beside(self, partial(self._work, passphrase), "passphrase")

    def _typed(self) -> Passphrase:
        """What is in the fields, which are then empty. Raises VaultError for what cannot be used."""
        if self.purpose in _NEW and (problem := problem_with_new(self.field.value)):
            self.set_focus(self.field)
            raise VaultError(problem)
        if self.purpose in _NEW and self.again.value != self.field.value:
            self.again.take()
            self.set_focus(self.again)
            raise VaultError("these were two different passphrases: type the second one again")
        self.again.take()
        return Passphrase(self.field.take())

    async def _work(self, passphrase: Passphrase) -> None:
        try:
            await self._use(passphrase)
        except WrongPassphrase as error:
            self._tell(f"{error.words}: type it again", "bad")
        except FAULTS as error:
            self._tell(words_of(error), "bad")
        else:
            self.dismiss(True)
        finally:
            self._busy = False
        self.set_focus(self.field)

    async def _use(self, passphrase: Passphrase) -> None:
        secrets = self.context.desk.secrets
        if self.purpose is Purpose.CREATE:
            await self.context.read(secrets.create_sealed, passphrase)
        elif self.purpose is Purpose.CHANGE:
            await self.context.read(secrets.rekey, passphrase)
        else:
            await self.context.ask(lambda desk: desk.managing.unlock(passphrase))

    def action_give_up(self) -> None:
        """Escape."""
        self.dismiss(False)

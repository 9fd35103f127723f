"""An account's secrets, over mode 6: where each lies, and what can be done with it. Never a value."""

from collections.abc import Iterable
from typing import ClassVar, Literal, cast

from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, Static

from providers.secret import InvalidSecret, Secret
from tui import secret_words as words
from tui.commands import bindings
from tui.context import Context
from tui.label import label, plain
from tui.screens.base import ModeScreen, sheet
from tui.screens.confirm import ConfirmScreen
from tui.screens.unlock import SHORTENED, Purpose, UnlockScreen
from tui.secret_words import SecretRow
from tui.unlocking import lock_or_unlock, unlocked
from tui.widgets.bars import Bar
from tui.widgets.lines import Lines
from tui.widgets.secret_input import SecretInput
from tui.widgets.table import ListSource, Table
from vault.keyrings import StoreView


class SecretsScreen(ModeScreen):
    """The secrets of one account, the current one in full, and the stores."""

    MODE = "secrets"
    PART_OF = "accounts"
    CSS_PATH = sheet("secrets")
    BINDINGS: ClassVar[list[Binding]] = bindings("secrets")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#list"

    def __init__(self, context: Context, account: str) -> None:
        super().__init__(context)
        self._account = account
        self._stores: tuple[StoreView, ...] = ()
        self._setting: SecretRow | None = None
        """The secret that is being typed."""
        self._told = ""
        """What was done last, in full: the status line may have no room for it."""

    def body(self) -> Iterable[Widget]:
        """The list, the line to type in, the current secret and the stores."""
        field = SecretInput(placeholder="typed or pasted; enter keeps it, esc does not", id="value")
        field.cursor_blink = False
        yield Bar(id="title")
        yield Vertical(
            Table(words.columns(), id="list"),
            Horizontal(Static("", id="line-name", markup=False), field, id="line"),
            Lines(id="about"),
            id="body",
        )

    @property
    def table(self) -> "Table[SecretRow]":
        """The secrets."""
        return self.query_one("#list", Table)

    @property
    def _field(self) -> SecretInput:
        return self.query_one("#value", SecretInput)

    # Reading -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look everything up, in threads."""
        self.query_one("#title", Bar).say(((f" Secrets of {plain(self._account)}", "strong"),))
        self.attempt(self._look, "look", exclusive=True, opens=not self.table.is_filled)

    async def _look(self) -> None:
        desk = self.context.desk
        if not self.table.total:
            self.table.empty = ("looking where they lie",)
        rows = await self.context.read(words.read_secrets, desk, self._account)
        self.table.empty = ("This account needs no secret.",)
        self.table.show(ListSource(rows, lambda row: row.name))
        self._stores = await self.context.read(desk.secrets.stores)
        self._tell()

    def on_table_moved(self) -> None:
        """The current one in full."""
        self._tell()

    def _done(self, said: str, ink: str) -> None:
        self._told = said
        self.say(said, ink)
        self.look()

    def _tell(self) -> None:
        row, stores, glyphs, told = self.table.current, self._stores, self.context.glyphs, self._told
        self.query_one("#about", Lines).show(lambda width: words.about_rows(row, stores, width, glyphs, told))
        self.refresh_keys()

    # Moving ------------------------------------------------------------------------------------------------------

    def focus_first(self) -> None:
        """The list."""
        self.table.focus()

    def do_back(self) -> None:
        """Out of the line, from the stores to the list, to the accounts."""
        if self._setting is not None:
            self._end_setting()
            self.say("nothing was kept")
        elif self.focused is not self.table:
            self.table.focus()
        else:
            self.dismiss(None)

    def why_not(self, command: str) -> str:
        """By what the stores say."""
        return words.why_not_secret(command, self.table.current, self._stores) or super().why_not(command)

    # Setting -----------------------------------------------------------------------------------------------------

    def on_table_opened(self) -> None:
        """Enter sets."""
        self.action_perform("secret.set")

    def do_secret_set(self) -> None:
        """The line opens, and has the focus at once: what comes after the key is for it."""
        row = self.table.current
        if row is None:
            return
        self._setting = row
        self.query_one("#line-name", Static).update(label(row.label))
        self.query_one("#line").display = True
        self.set_focus(self._field)
        if row.outranking:
            self.say(f"{row.outranking} is read before what is kept here", "warn")

    def _end_setting(self) -> None:
        self._setting = None
        self._field.take()
        self.query_one("#line").display = False
        self.table.focus()

    def on_secret_input_shortened(self) -> None:
        """Say it."""
        self.say(SHORTENED, "warn")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter keeps it."""
        event.stop()
        row = self._setting
        if row is None:
            return
        try:
            secret = Secret(self._field.take())
        except InvalidSecret as error:
            self.say(f"{row.name}: {error}", "bad")
            return
        self._end_setting()
        self.attempt(lambda: self._keep(row, secret), "secret", opens=True)

    async def _keep(self, row: SecretRow, secret: Secret) -> None:
        account, name, ask = row.account, row.name, self.context.ask
        self.say(f"keeping {name}", "info")
        where = await unlocked(
            self,
            lambda: ask(lambda desk: desk.managing.store(account, name, secret)),
            keep=lambda: ask(lambda desk: desk.managing.store(account, name, secret, for_run=True)),
        )
        if where is None:
            self._done(f"{name} was not kept anywhere", "warn")
        elif row.outranking:
            self._done(f"{name} is kept: {where}; but {row.outranking} is read before it", "warn")
        else:
            self._done(f"{name} is kept: {where}", "good")

    # Moving and forgetting ---------------------------------------------------------------------------------------

    def do_secret_move(self) -> None:
        """Into the other store."""
        row = self.table.current
        if row is not None:
            to = cast(Literal["keyring", "sealed"], words.target_of(row, self._stores))
            self.attempt(lambda: self._move(row, to), "secret", opens=True)

    async def _move(self, row: SecretRow, to: Literal["keyring", "sealed"]) -> None:
        self.say(f"moving {row.name}", "info")
        done = await unlocked(
            self, lambda: self.context.ask(lambda desk: desk.managing.move(row.account, row.name, to))
        )
        self._done(f"{row.name}: {done}" if done else f"{row.name} stays where it is", "good" if done else "warn")

    def do_secret_forget(self) -> None:
        """Ask, then remove."""
        row = self.table.current
        if row is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.attempt(lambda: self._forget(row), "secret", opens=True)
            else:
                self.say("nothing was removed")

        self.app.push_screen(ConfirmScreen("Forget this secret?", words.forget_lines(row), "Forget"), answered)

    async def _forget(self, row: SecretRow) -> None:
        done = await unlocked(self, lambda: self.context.ask(lambda desk: desk.managing.forget(row.account, row.name)))
        self._done(done or "nothing was removed", "good" if done else "warn")

    # The sealed file ---------------------------------------------------------------------------------------------

    def do_secret_lock(self) -> None:
        """Unlock, make or lock it."""
        lock_or_unlock(self)

    def do_secret_passphrase(self) -> None:
        """Another passphrase."""

        def answered(changed: bool | None) -> None:
            self.say("the passphrase was changed" if changed else "the passphrase stays", "good" if changed else "")

        self.app.push_screen(UnlockScreen(self.context, Purpose.CHANGE), answered)

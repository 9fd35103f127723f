"""Mode 6, the accounts: what each can do, where its secrets are kept, its last error."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Vertical
from textual.widget import Widget

from tui.acts import Acts
from tui.commands import bindings
from tui.context import Context
from tui.describe import account_rows
from tui.desk_words import empty_words
from tui.rows import account_columns
from tui.screens.base import ModeScreen, sheet
from tui.widgets.lines import Lines
from tui.widgets.table import ListSource, Table
from vault.views import AccountView, Query

if TYPE_CHECKING:
    from vault.engine import Snapshot


class AccountsScreen(ModeScreen):
    """A table and the current account in full; they are added and removed by `reeldesk account`."""

    MODE = "accounts"
    CSS_PATH = sheet("accounts")
    BINDINGS: ClassVar[list[Binding]] = bindings("accounts")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#list"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._acts = Acts(context, self.say)
        self._syncing: frozenset[str] = frozenset()

    def body(self) -> Iterable[Widget]:
        """Above and below."""
        yield Vertical(Table(account_columns(self.context), id="list"), Lines(id="about"), id="body")

    @property
    def table(self) -> "Table[AccountView]":
        """The accounts."""
        return self.query_one("#list", Table)

    def look(self) -> None:
        """Read them."""
        self.attempt(self._look, "look", exclusive=True)

    async def _look(self) -> None:
        accounts = await self.context.read(self.context.desk.accounts)
        self.table.empty = empty_words(self.context, accounts, Query())
        self.table.show(ListSource(accounts, lambda view: view.name))

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """Read again what changed."""
        if changed:
            self.look()
        if snapshot.syncing != self._syncing:
            self._syncing = snapshot.syncing
            self.table.recolour()

    def on_table_moved(self) -> None:
        """The current one in full."""
        view = self.table.current
        context = self.context
        syncing = view is not None and view.name in context.engine.snapshot().syncing
        self.query_one("#about", Lines).show(
            lambda width: account_rows(view, width, context.glyphs, context.now(), syncing=syncing) if view else []
        )
        self.refresh_keys()

    def on_table_opened(self) -> None:
        """The details, to scroll them."""
        self.query_one("#about", Lines).focus()

    def focus_first(self) -> None:
        """The table."""
        self.table.focus()

    def do_back(self) -> None:
        """From the details to the table, from there to the desk."""
        if self.focused is self.table:
            super().do_back()
        else:
            self.table.focus()

    def why_not(self, command: str) -> str:
        """Nothing to ask without an account."""
        if command in ("sync", "account.check") and self.table.current is None:
            return "there is no account here"
        if command.startswith("account."):
            return ""
        return super().why_not(command)

    def do_sync(self) -> None:
        """Ask this account."""
        view = self.table.current
        if view is not None:
            self.attempt(lambda: self._acts.sync(view.name), "sync")

    def do_account_check(self) -> None:
        """The cheapest honest call."""
        view = self.table.current
        if view is not None:
            self.attempt(lambda: self._check(view.name))

    async def _check(self, name: str) -> None:
        self.say(f"checking {name}", "info")
        words = await self.context.ask(lambda desk: desk.check(name))
        self.say(f"{name}: {words}", "good")

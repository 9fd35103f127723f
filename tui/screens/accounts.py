"""Mode 6, the accounts: what each can do, where its secrets lie, what a test finds; added, edited, removed here."""

import asyncio
import contextlib
import contextvars
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual.binding import Binding
from textual.containers import Vertical
from textual.widget import Widget

from providers import registry
from providers.steps import Step
from tui.account_words import Tested, kept_words, remove_lines, step_rows, summary
from tui.acts import Acts
from tui.commands import bindings
from tui.context import FAULTS, Context, words_of
from tui.describe import account_rows
from tui.desk_words import empty_words, why_not_demo
from tui.rows import account_columns
from tui.screens.base import ModeScreen, sheet
from tui.widgets.lines import Lines
from tui.widgets.table import ListSource, Table
from vault.views import AccountView, Query

if TYPE_CHECKING:  # what is seldom needed is loaded when it is: the desk opens sooner
    from tui.account_acts import Saved
    from tui.account_form import AccountForm
    from vault.engine import Snapshot

_OF_ONE = ("sync", "account.check", "account.edit", "account.remove", "account.secrets")
"""Commands that need an account under the cursor."""


class AccountsScreen(ModeScreen):
    """A table, and the current account in full."""

    MODE = "accounts"
    CSS_PATH = sheet("accounts")
    BINDINGS: ClassVar[list[Binding]] = bindings("accounts")  # type: ignore[assignment]  # Textual's own type is wider
    AUTO_FOCUS = "#list"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._acts = Acts(context, self.say)
        self._syncing: frozenset[str] = frozenset()
        self._tests: dict[str, Tested] = {}
        self._wanted = ""
        """The account that the cursor is to go to, once it is listed."""
        self._shown = ""

    def body(self) -> Iterable[Widget]:
        """Above and below."""
        yield Vertical(Table(account_columns(self.context), id="list"), Lines(id="about"), id="body")

    @property
    def table(self) -> "Table[AccountView]":
        """The accounts."""
        return self.query_one("#list", Table)

    # Reading -----------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read them."""
        self.attempt(self._look, "look", exclusive=True, opens=not self.table.is_filled)

    async def _look(self) -> None:
        accounts = await self.context.read(self.context.desk.accounts)
        self.table.empty = empty_words(self.context, accounts, Query())
        names = [view.name for view in accounts]
        if self._wanted in names:
            self.table.aim(self._wanted)
            self._wanted = ""
        self.table.show(ListSource(accounts, lambda view: view.name))
        self._tests = {name: tested for name, tested in self._tests.items() if name in names}

    def see(self, snapshot: "Snapshot", *, changed: bool) -> None:
        """Read again what changed."""
        if changed:
            self.look()
        if snapshot.syncing != self._syncing:
            self._syncing = snapshot.syncing
            self.table.recolour()
            self._tell()

    def on_table_moved(self) -> None:
        """The current one in full."""
        self._tell()
        self.refresh_keys()

    def _tell(self, *, top: bool = False) -> None:
        view, context = self.table.current, self.context
        name = view.name if view else ""
        tested = self._tests.get(name)
        syncing = name in self._syncing
        top, self._shown = top or name != self._shown, name
        self.query_one("#about", Lines).show(
            lambda width: (
                account_rows(
                    view,
                    width,
                    context.glyphs,
                    context.now(),
                    syncing=syncing,
                    test=step_rows(tested, width, context.glyphs),
                )
                if view
                else []
            ),
            top=top,
        )

    # Moving ------------------------------------------------------------------------------------------------------

    def on_table_opened(self) -> None:
        """Enter edits."""
        self.action_perform("account.edit")

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
        """Nothing to do without an account."""
        if command in _OF_ONE and self.table.current is None:
            return "there is no account here: n adds one"
        if command == "account.check" and self._is_testing:
            return "it is being tested now"
        return why_not_demo(command, self.context) or super().why_not(command)

    # Testing -----------------------------------------------------------------------------------------------------

    @property
    def _is_testing(self) -> bool:
        view = self.table.current
        tested = self._tests.get(view.name) if view else None
        return tested is not None and not tested.ended

    def do_sync(self) -> None:
        """Ask this account."""
        view = self.table.current
        if view is not None:
            self.attempt(lambda: self._acts.sync(view.name), "sync")

    def do_account_check(self) -> None:
        """Every step of a test, as it ends."""
        view = self.table.current
        if view is not None:
            self._test(view.name)

    def _test(self, name: str) -> None:
        self.attempt(partial(self._run_test, name), f"test of {name}", exclusive=True)

    async def _run_test(self, name: str) -> None:
        tested = self._tests[name] = Tested(self.context.now())
        self.say(f"testing {name}", "info")
        self._tell(top=True)
        loop, within = asyncio.get_running_loop(), contextvars.copy_context()

        def on_step(step: Step) -> None:  # on the engine's loop
            with contextlib.suppress(RuntimeError):  # the desk is closed meanwhile
                loop.call_soon_threadsafe(self._stepped, name, tested, step, context=within)

        try:
            steps = await self.context.ask(lambda desk: desk.test(name, on_step))
        except FAULTS as error:
            ended = replace(self._tests.get(name, tested), ended=True, fault=words_of(error))
        else:
            ended = replace(tested, steps=steps, ended=True)
        self._tests[name] = ended
        self.say(*summary(name, ended))
        self.look()
        self._tell()

    def _stepped(self, name: str, tested: Tested, step: Step) -> None:
        now = self._tests.get(name)
        if now is not None and now.at is tested.at and not now.ended and self.is_mounted:
            self._tests[name] = replace(now, steps=(*now.steps, step))
            self._tell()

    # Adding and editing ------------------------------------------------------------------------------------------

    def do_account_add(self) -> None:
        """Choose the service, then its form."""
        from tui.screens.provider_choice import ProviderChoiceScreen

        infos = [registry.info(name) for name in registry.names()]
        self.app.push_screen(ProviderChoiceScreen(infos), self._chosen_provider)

    def _chosen_provider(self, name: str | None) -> None:
        if name:
            self.attempt(partial(self._open_form, name), "form", exclusive=True, opens=True)

    def do_account_edit(self) -> None:
        """Its form, as config.toml says."""
        view = self.table.current
        if view is not None:
            self.table.hold()
            self.attempt(partial(self._open_form, view.provider, view.name), "form", exclusive=True, opens=True)

    async def _open_form(self, provider: str, name: str = "") -> None:
        from tui.screens.account_form import AccountFormScreen

        config = self.context.desk.config
        form = await self.context.read(_form_of, self.context, provider, name, tuple(config.accounts))
        self.app.push_screen(AccountFormScreen(self.context, form, self._saved))

    def _saved(self, saved: "Saved") -> None:
        self._wanted = saved.account
        self.say(kept_words(saved.account, saved.lies, new=saved.new), "good")
        self.look()
        self._test(saved.account)

    def do_account_remove(self) -> None:
        """Ask, then remove it."""
        from tui.screens.account_remove import AccountRemoveScreen

        view = self.table.current
        if view is None:
            return
        config = self.context.desk.config
        lines = remove_lines(view, str(config.path), str(config.vault_path), str(config.ledger_path))
        question = AccountRemoveScreen(view.name, lines, has_secrets=bool(view.secrets))

        def answered(yes: bool | None) -> None:
            if yes:
                self.attempt(partial(self._remove, view.name, forget=question.forget))
            else:
                self.say("nothing was removed")

        self.app.push_screen(question, answered)

    async def _remove(self, name: str, *, forget: bool) -> None:
        words = await self.context.ask(lambda desk: desk.managing.remove(name, forget_secrets=forget))
        self.say(f"{name} is removed; {words}", "good")
        await self._look()
        self.refresh_keys()

    # Secrets -----------------------------------------------------------------------------------------------------

    def do_account_secrets(self) -> None:
        """Where each of its secrets lies."""
        from tui.screens.secrets import SecretsScreen

        view = self.table.current
        if view is not None:
            self.table.hold()
            self.app.push_screen(SecretsScreen(self.context, view.name))

    def do_secret_lock(self) -> None:
        """Lock or unlock the sealed file."""
        from tui.unlocking import lock_or_unlock

        lock_or_unlock(self)


def _form_of(context: Context, provider: str, name: str, taken: tuple[str, ...]) -> "AccountForm":
    from tui.account_form import AccountForm
    from vault import accounts

    written = accounts.written(context.desk.config.path, name) if name else {}
    written.pop("provider", None)
    return AccountForm(registry.info(provider), name, written, taken, accounts.problem_with_name, accounts.host_to_type)

"""Mode 4, the recording notifications: a form over what is set at the service; what will be sent stands beside it."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Static

from providers.models import Capability, NotificationSettings
from tui import form
from tui.commands import bindings
from tui.context import FAULTS, Context, words_of
from tui.describe import fields, heading, words
from tui.label import label, plain
from tui.screens.base import sheet
from tui.screens.confirm import ConfirmScreen
from tui.screens.filling import FillingScreen
from tui.widgets.bars import Bar
from tui.widgets.lines import Lines, Row
from tui.widgets.secret_input import SecretInput
from vault.inbox.addresses import without_secret


class NotificationsScreen(FillingScreen):
    """Nothing is sent but by ctrl+s; unsaved changes are asked about."""

    MODE = "notifications"
    CSS_PATH = sheet("notifications")
    BINDINGS: ClassVar[list[Binding]] = bindings("notifications")
    AUTO_FOCUS = "#preview"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._account = ""
        self._stored: NotificationSettings | None = None
        self._saved: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        self._preview = ""
        self._error = ""
        self._asking = False

    def body(self) -> Iterable[Widget]:
        """The form, and what it means."""
        rows: list[Widget] = [Checkbox(label(_switch(False)), id="notify", compact=True)]
        for name, words_, hint in form.FIELDS:
            field = SecretInput(placeholder=form.NONE, id=name) if name == form.SECRET else _input(name, hint)
            field.cursor_blink = False
            rows.append(Horizontal(Static(label(words_), classes="name"), field, classes="field"))
            rows.append(Static("", id=f"{name}-problem", classes="problem", markup=False))
        yield Bar(id="title")
        yield Horizontal(VerticalScroll(*rows, id="form", can_focus=False), Lines(id="preview"), id="body")

    # Reading -----------------------------------------------------------------------------------------------------

    @property
    def accounts(self) -> list[str]:
        """The accounts that have notifications."""
        desk = self.context.desk
        return [name for name in desk.config.accounts if Capability.NOTIFICATIONS in desk.capabilities(name)]

    def look(self) -> None:
        """Ask the service, unless something is being edited."""
        names = self.accounts
        if names and self._account not in names:
            self._account = names[0]
        if names and not self.dirty:
            self._reload()
        self._draw()

    def _reload(self) -> None:
        self.attempt(self._ask, "ask", exclusive=True)

    async def _ask(self) -> None:
        account, self._asking, self._error = self._account, True, ""
        self._draw()
        try:
            settings = await self.context.ask(lambda desk: desk.notifications(account))
        except FAULTS as error:
            self._error, self._stored = words_of(error), None
        else:
            self._fill(settings)
        finally:
            self._asking = False
        await self._consider()

    def _fill(self, settings: NotificationSettings) -> None:
        self._stored, self._saved = settings, form.filled(settings)
        self.query_one("#notify", Checkbox).value = settings.notify
        for name, _, _ in form.FIELDS:
            self.query_one(f"#{name}", Input).value = self._saved[name]
        self.query_one(f"#{form.SECRET}", Input).placeholder = form.KEEP if settings.has_s3_secret else form.NONE

    @property
    def values(self) -> dict[str, str]:
        """What is typed."""
        typed = {name: self.query_one(f"#{name}", Input).value for name, _, _ in form.FIELDS}
        return {"notify": "true" if self.query_one("#notify", Checkbox).value else "false", **typed}

    @property
    def dirty(self) -> bool:
        """Whether something was typed that is not saved."""
        return self._stored is not None and self.values != self._saved

    # As one types ------------------------------------------------------------------------------------------------

    def on_input_changed(self) -> None:
        """Problems and the preview follow each letter."""
        self.attempt(self._consider, "consider", exclusive=True)

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """Likewise; the label says what the tick tells by its colour alone."""
        event.checkbox.label = label(_switch(event.value))
        self.on_input_changed()

    async def _consider(self) -> None:
        stored, account = self._stored, self._account
        values = form.whole(self.values, stored)
        self._problems = self.context.desk.notification_problems(values, stored)
        for name, _, _ in form.FIELDS:
            problem = self.query_one(f"#{name}-problem", Static)
            problem.update(label(self._problems.get(name, "")))
            problem.display = name in self._problems
        self._preview = ""
        if account and stored is not None and not self._problems:
            change = form.change_of(values)
            self._preview = without_secret(
                await self.context.read(self.context.desk.preview_notifications, account, change, exists=stored.exists)
            )
        self._draw()

    # Drawing -----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        several = (
            f"  ({self.accounts.index(self._account) + 1} of {len(self.accounts)}, [ ])"
            if len(self.accounts) > 1
            else ""
        )
        runs: tuple[tuple[str, str], ...] = (
            (f" {plain(self._account) or 'Notifications'}", "strong"),
            (several, "dim"),
        )
        if self.dirty:
            runs += (("  not saved yet", "warn"),)
        if self._asking:
            runs += (("  asking the service", "info"),)
        self.query_one("#title", Bar).say(runs)
        self.query_one("#form").display = self._stored is not None
        self.query_one("#preview", Lines).show(self._rows)
        self.refresh_keys()

    def _rows(self, width: int) -> list[Row]:
        glyphs = self.context.glyphs
        if not self.accounts:
            rows = words("No account has recording notifications.", width)
            return rows + words("A Temasys account does: 6, then n adds one.", width, "dim")
        if self._error:
            rows = words("What is set at the service could not be read:", width)
            return rows + words(self._error, width, "bad") + words("r asks again; 6 shows the account.", width, "dim")
        if self._stored is None:
            return words("Asking the service what is set.", width, "dim")
        rows = heading("At the service now", width, glyphs)[1:] + fields(form.told(self._stored), width)
        rows += heading("ctrl+s would send", width, glyphs)
        if self._problems:
            return rows + words("nothing: what is marked in the form must be put right first", width, "warn")
        if not self.dirty:
            rows += words("nothing was changed; this would be sent again:", width, "dim")
        return rows + words(self._preview, width)

    # Acting ------------------------------------------------------------------------------------------------------

    def why_not(self, command: str) -> str:
        """Nothing to save without an answer of the service."""
        if command in ("form.save", "form.edit", "form.reload") and not self.accounts:
            return "no account has recording notifications"
        if command in ("form.save", "form.edit") and self._stored is None:
            return "what is set at the service is not known yet: r asks again"
        if command == "form.save" and self._problems:
            name, problem = next(iter(self._problems.items()))
            return f"{name}: {problem}"
        if command.startswith("account."):
            return "" if len(self.accounts) > 1 else "no other account has recording notifications"
        return super().why_not(command)

    def do_form_save(self) -> None:
        """Send it."""
        self.attempt(self._save, "save", exclusive=True)

    async def _save(self) -> None:
        account, change = self._account, form.change_of(form.whole(self.values, self._stored))
        self.say("saving", "info")
        self._fill(await self.context.ask(lambda desk: desk.save_notifications(account, change)))
        await self._consider()
        self.say("saved; what the service now says stands in the pane", "good")

    def do_form_edit(self) -> None:
        """Into the first field."""
        self.query_one("#url", Input).focus()

    def on_lines_opened(self) -> None:
        """Enter on the pane, too."""
        if self._stored is not None:
            self.do_form_edit()

    def focus_first(self) -> None:
        """Out of the inputs."""
        self.query_one("#preview", Lines).focus()

    def do_back(self) -> None:
        """Out of the form, then to the desk."""
        if isinstance(self.focused, (Input, Checkbox)):
            self.focus_first()
        else:
            super().do_back()

    def _unless_dirty(self, go: Callable[[], None], leave: str) -> None:
        if not self.dirty:
            go()
            return
        lines = ["What you typed is not at the service. ctrl+s would send it."]
        question = ConfirmScreen("Leave what is not saved?", lines, leave, "Stay")

        def answered(yes: bool | None) -> None:
            if yes and self._stored is not None:
                self._fill(self._stored)
                go()

        self.app.push_screen(question, answered)

    def do_form_reload(self) -> None:
        """Read again."""
        self._unless_dirty(self._reload, "Discard and read again")

    def _mode(self, mode: str) -> None:
        self._unless_dirty(lambda: super(NotificationsScreen, self)._mode(mode), "Discard and leave")

    def do_quit(self) -> None:
        """Asks here, too."""
        self._unless_dirty(super().do_quit, "Discard and quit")

    def _step(self, by: int) -> None:
        names = self.accounts

        def go() -> None:
            self._account = names[(names.index(self._account) + by) % len(names)]
            self._stored = None
            self._reload()

        self._unless_dirty(go, "Discard and change")

    def do_account_next(self) -> None:
        """The next account that has them."""
        self._step(1)

    def do_account_previous(self) -> None:
        """The one before."""
        self._step(-1)


def _switch(on: bool) -> str:
    return f"send notifications: {'yes' if on else 'no'}"


def _input(name: str, hint: str) -> Input:
    # What stands there is kept when one begins to type: most changes add an address.
    return Input(placeholder=hint, id=name, compact=True, select_on_focus=False)

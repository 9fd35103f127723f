"""The form of an account, over mode 6: generated from what the provider declares. Nothing is saved but by ctrl+s."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Static

from providers.declaring import SecretField
from tui.account_acts import AccountActs, Saved
from tui.account_fields import entry_rows, placeholder
from tui.account_form import DEFAULT, HOST, NAME, AccountForm, Entry
from tui.account_words import missing_lines
from tui.commands import bindings
from tui.context import Context
from tui.label import count, label, plain
from tui.screens.base import sheet
from tui.screens.confirm import ConfirmScreen
from tui.screens.filling import FillingScreen
from tui.screens.unlock import SHORTENED
from tui.widgets.bars import Bar
from tui.widgets.choice import Choice
from tui.widgets.lines import Lines
from tui.widgets.secret_input import SecretInput

_SAVING = "it is being saved, a moment"
RARE = "account-rare"
"""The tick that shows what is rarely needed."""


class AccountFormScreen(FillingScreen):
    """`saved` is told when config.toml and the secrets are as the form had them; the screen is gone then."""

    MODE = "account-form"
    PART_OF = "accounts"
    CSS_PATH = sheet("account_form")
    BINDINGS: ClassVar[list[Binding]] = bindings("account-form")

    def __init__(self, context: Context, form: AccountForm, saved: Callable[[Saved], None]) -> None:
        super().__init__(context)
        self._form = form
        self._acts = AccountActs(context, form)
        self._saved = saved
        self._begun = form.begun
        self._entries = {entry.id: entry for entry in form.entries}
        self._kept: Mapping[str, str] = {}
        """Names of secrets that are there already, and where."""
        self._problems: dict[str, str] = {}
        self._touched: set[str] = set()
        """What was typed in or left: only there a missing value is told before one saves."""
        self._rare = form.has_rare
        self._saving = False
        self._left: Widget | None = None
        """What had the focus when saving began."""

    # Made of -----------------------------------------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """The fields, and what the one with the focus is for."""
        rows: list[Widget] = []
        split = False
        applying = {entry.id for entry in self._form.applying(self._begun)}
        for entry in self._entries.values():
            if self._form.is_rare(entry) and not split:
                split = True
                rows.append(Checkbox(label(self._rare_words(self._rare)), self._rare, id=RARE, compact=True))
            rows += self._row(entry, shown=self._shows(entry, applying))
        yield Bar(id="title")
        yield Horizontal(
            VerticalScroll(*rows, id="form", can_focus=False), Lines(id="about", focusable=False), id="body"
        )

    def _shows(self, entry: Entry, applying: Collection[str]) -> bool:
        return entry.id in applying and (self._rare or not self._form.is_rare(entry))

    def _row(self, entry: Entry, *, shown: bool) -> Iterable[Widget]:
        name = Static(label(entry.field.label), classes="name")
        row = Horizontal(name, self._field(entry), classes="field", id=f"{entry.id}-row")
        row.display = shown
        yield row
        yield Static("", id=f"{entry.id}-problem", classes="problem", markup=False)

    def _field(self, entry: Entry) -> Widget:
        begun = self._begun[entry.id]
        if entry.choices:
            return Choice(entry.choices, begun or DEFAULT, id=entry.id)
        if entry.ticked:
            return Checkbox(label(_tick(begun == "true")), begun == "true", id=entry.id, compact=True)
        if isinstance(entry.field, SecretField):
            field: Input = SecretInput(placeholder=placeholder(entry, self._kept), id=entry.id)
        else:
            # What stands there is kept when one begins to type; the suggested name alone is typed over.
            over = entry.id == NAME
            hint = placeholder(entry, {})
            field = Input(begun, placeholder=hint, id=entry.id, compact=True, select_on_focus=over)
        field.cursor_blink = False
        return field

    def _rare_words(self, on: bool) -> str:
        number = sum(self._form.is_rare(entry) for entry in self._entries.values())
        return f"{count(number - 1, 'setting')} rarely needed: {'shown' if on else 'not shown'}"

    def on_mount(self) -> None:
        """The first field has the focus; where secrets lie is looked up beside."""
        super().on_mount()
        self.query_one(f"#{next(iter(self._entries))}").focus()
        self._consider()
        self.attempt(self._look_for_secrets, "secrets", exclusive=True)

    # What is known of its secrets --------------------------------------------------------------------------------

    async def _look_for_secrets(self) -> None:
        self._kept = await self._acts.kept(self.values)
        for entry in self._entries.values():
            if isinstance(entry.field, SecretField):
                self.query_one(f"#{entry.id}", Input).placeholder = placeholder(entry, self._kept)
        self._consider()

    # As one types ------------------------------------------------------------------------------------------------

    @property
    def values(self) -> dict[str, str]:
        """What is typed, ticked and chosen, by the entries' ids."""
        found = {NAME: "", HOST: ""}
        for id_ in self._entries:
            field = self.query_one(f"#{id_}")
            if isinstance(field, Checkbox):
                found[id_] = "true" if field.value else "false"
            elif isinstance(field, Choice):
                found[id_] = "" if field.value == DEFAULT else field.value
            elif isinstance(field, Input):
                found[id_] = field.value
        return found

    @property
    def dirty(self) -> bool:
        """Whether something is not as it was."""
        return self.values != self._begun

    def on_input_changed(self, event: Input.Changed) -> None:
        """Problems follow each key."""
        id_ = event.input.id or ""
        if event.value != self._begun.get(id_):
            self._touched.add(id_)
        if id_ == NAME:
            self.attempt(self._look_for_secrets, "secrets", exclusive=True)
        self._consider()

    def on_choice_changed(self, event: Choice.Changed) -> None:
        """Other fields may apply now."""
        self._consider()

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """Likewise; the label says what the tick tells by its colour alone."""
        if event.checkbox.id == RARE:
            self._rare = event.value
            event.checkbox.label = label(self._rare_words(event.value))
        else:
            event.checkbox.label = label(_tick(event.value))
        self._consider()

    def on_secret_input_shortened(self) -> None:
        """Several lines were pasted."""
        self.say(SHORTENED, "warn")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """What the field is for; and what stands in it from its beginning, filled in before it had a size."""
        super().on_descendant_focus(event)
        self._draw()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """What was left empty is told from now on."""
        if event.widget.id in self._entries and not self._saving:
            self._touched.add(event.widget.id)
            self._consider()

    def _consider(self) -> None:
        if not self.is_mounted or not self.query("#form"):
            return
        values = self.values
        self._problems = self._form.problems(values, self._kept)
        applying = {entry.id for entry in self._form.applying(values)}
        for id_, entry in self._entries.items():
            shown = self._shows(entry, applying)
            self.query_one(f"#{id_}-row").display = shown
            problem = self.query_one(f"#{id_}-problem", Static)
            told = self._problems.get(id_, "") if self._tells(id_, values) else ""
            problem.update(label(told))
            problem.display = shown and bool(told)
        self._draw()

    def _tells(self, id_: str, values: Mapping[str, str]) -> bool:
        return id_ in self._touched or id_ == HOST or bool(values.get(id_, "").strip())

    # Drawing -----------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        info, name = self._form.info, self._form.name
        runs: tuple[tuple[str, str], ...] = (
            (f" Edit {plain(name)}" if name else " Add an account", "strong"),
            (f"  {plain(info.label)}", "dim"),
        )
        if self.dirty:
            runs += (("  not saved yet", "warn"),)
        for bar in self.query("#title").results(Bar):
            bar.say(runs)
        focused = self.focused
        entry = self._entries.get(focused.id or "") if focused else None
        for about in self.query("#about").results(Lines):
            about.show(lambda width: entry_rows(entry, info, self._kept, width), top=True)
        self.refresh_keys()
        self.call_after_refresh(self._keep_in_sight)

    def _keep_in_sight(self) -> None:
        """The field with the focus and what is wrong in it."""
        focused = self.focused
        if focused is None or not self.is_mounted:
            return
        focused.scroll_visible(animate=False, immediate=True)
        for problem in self.query(f"#{focused.id}-problem").results(Static):
            if problem.display:
                problem.scroll_visible(animate=False, immediate=True)

    # Acting ------------------------------------------------------------------------------------------------------

    def why_not(self, command: str) -> str:
        """Saving twice at once is not offered."""
        if command == "account.save" and self._saving:
            return _SAVING
        return super().why_not(command)

    def do_account_rare(self) -> None:
        """Show or hide what is rarely needed."""
        tick = self.query_one(f"#{RARE}", Checkbox)
        tick.value = not tick.value
        tick.focus()

    def do_account_save(self) -> None:
        """Save, or go to the first problem; after the field has taken in what was typed before the key."""
        (self.focused or self).call_later(self._try_to_save)

    def _try_to_save(self) -> None:
        self._touched |= set(self._entries)
        self._consider()
        missing = self._form.only_secrets_missing(self.values, self._problems)
        if missing:
            self._ask_without(missing)
        elif self._problems:
            self._go_to_problem()
        else:
            self._begin()

    def _go_to_problem(self) -> None:
        id_, words = next(iter(self._problems.items()))
        entry = self._entries[id_]
        if self._form.is_rare(entry) and not self._rare:
            self.query_one(f"#{RARE}", Checkbox).value = True
            self.call_after_refresh(self._go_to_problem)
            return
        self.query_one(f"#{id_}").focus()
        self.say(f"not saved: {entry.field.label} {words}", "bad")

    def _ask_without(self, missing: tuple[SecretField, ...]) -> None:
        lines = missing_lines(self._form.account(self.values), missing)
        question = ConfirmScreen("Save the account without a secret that it needs?", lines, "Save without", "Stay")

        def answered(yes: bool | None) -> None:
            if yes:
                self._begin()
            else:
                self._go_to_problem()

        self.app.push_screen(question, answered)

    def _begin(self) -> None:
        self._saving = True
        self._left = self.focused
        self.set_focus(None)  # what is typed now is meant for a question that comes
        self.say("saving", "info")
        self.refresh_keys()
        self.attempt(self._save, "save")

    async def _save(self) -> None:
        from tui.unlocking import unlocked

        values = self.values
        try:
            saved = await unlocked(
                self, lambda: self._acts.save(values), keep=lambda: self._acts.save(values, for_run=True)
            )
        finally:
            self._saving = False
            self.set_focus(self._left)
            self.refresh_keys()
        if saved is None:
            self.say("nothing was saved", "warn")
        else:
            self._saved(saved)
            self.dismiss()

    # Leaving -----------------------------------------------------------------------------------------------------

    def _unless_dirty(self, go: Callable[[], object], leave: str) -> None:
        if self._saving:
            self.say(_SAVING, "warn")
            return
        if not self.dirty:
            go()
            return
        lines = ["What you typed is not saved. ctrl+s would save it."]

        def answered(yes: bool | None) -> None:
            if yes:
                go()

        self.app.push_screen(ConfirmScreen("Leave what is not saved?", lines, leave, "Stay"), answered)

    def do_account_leave(self) -> None:
        """To the accounts."""
        self._unless_dirty(self.dismiss, "Discard and leave")

    def do_quit(self) -> None:
        """Asks here, too."""
        self._unless_dirty(super().do_quit, "Discard and quit")

    def _mode(self, mode: str) -> None:
        def go() -> None:
            self.dismiss()
            self.app.call_later(self.app.switch_mode, mode)

        self._unless_dirty(go, "Discard and leave")


def _tick(on: bool) -> str:
    return "yes" if on else "no"

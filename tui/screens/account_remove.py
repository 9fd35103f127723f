"""The question before an account is removed: whether its secrets go, too."""

from collections.abc import Iterable, Sequence

from textual.widget import Widget
from textual.widgets import Checkbox

from tui.label import label
from tui.screens.confirm import ConfirmScreen


class AccountRemoveScreen(ConfirmScreen):
    """Like any question; `forget`: whether the tick for the secrets was set."""

    def __init__(self, account: str, lines: Sequence[str], *, has_secrets: bool) -> None:
        super().__init__(f"Remove the account {account}?", lines, "Remove")
        self._has_secrets = has_secrets
        self.forget = False

    def extra(self) -> Iterable[Widget]:
        """The tick, where there are secrets."""
        if self._has_secrets:
            yield Checkbox(label(_tick(False)), id="forget", compact=True)

    def on_checkbox_changed(self, event: Checkbox.Changed) -> None:
        """The label says what the tick tells by its colour alone."""
        self.forget = event.value
        event.checkbox.label = label(_tick(event.value))


def _tick(on: bool) -> str:
    return f"remove its secrets from where they are kept, too: {'yes' if on else 'no'}"

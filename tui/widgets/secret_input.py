"""An input for a credential: shown as dots, never copied, never in a log of messages."""

import rich.repr
from textual import events
from textual.message import Message
from textual.widgets import Input


class SecretInput(Input):
    """Like a password input, but its text leaves it only as `value`, or by `take`."""

    class Changed(Input.Changed, namespace="input"):
        """The text changed; its repr, which message logs print, is without it."""

        def __repr__(self) -> str:
            return "SecretInput.Changed(…)"

        def __rich_repr__(self) -> rich.repr.Result:
            yield self.input.id

    class Submitted(Input.Submitted, namespace="input"):
        """Enter; likewise."""

        def __repr__(self) -> str:
            return "SecretInput.Submitted(…)"

        def __rich_repr__(self) -> rich.repr.Result:
            yield self.input.id

    class Blurred(Input.Blurred, namespace="input"):
        """The focus went elsewhere; likewise."""

        def __repr__(self) -> str:
            return "SecretInput.Blurred(…)"

        def __rich_repr__(self) -> rich.repr.Result:
            yield self.input.id

    class Shortened(Message):
        """Several lines were pasted, and only the first that has any text was taken."""

    def __init__(self, *, placeholder: str, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(placeholder=placeholder, password=True, id=id, compact=True, select_on_focus=False)

    def take(self) -> str:
        """The text, which is then no longer here."""
        value = self.value
        self.value = ""
        return value

    def _on_paste(self, event: events.Paste) -> None:
        # Textual's own takes the first line, and so nothing at all of what begins with an empty one.
        event.prevent_default()
        event.stop()
        lines = [line for line in event.text.splitlines() if line.strip()]
        if lines:
            self.replace(lines[0], *self.selection)
        if len(lines) > 1:
            self.post_message(self.Shortened())

    def action_copy(self) -> None:
        """Nothing: a credential does not go to a clipboard."""

    def action_cut(self) -> None:
        """Nothing; it can be deleted."""

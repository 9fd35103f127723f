"""An input for a credential: shown as dots, never copied, never in a log of messages."""

import rich.repr
from textual.widgets import Input


class SecretInput(Input):
    """Like a password input, but its text leaves it only as `value`."""

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

    def __init__(self, *, placeholder: str, id: str) -> None:  # noqa: A002  # Textual's own name
        super().__init__(placeholder=placeholder, password=True, id=id, compact=True, select_on_focus=False)

    def action_copy(self) -> None:
        """Nothing: a credential does not go to a clipboard."""

    def action_cut(self) -> None:
        """Nothing; it can be deleted."""

"""What every mode says while an account's TLS certificate is not checked."""

from collections.abc import Sequence

from tui import label
from tui.label import plain
from vault.options import UNCHECKED


def badge(unchecked: Sequence[str]) -> tuple[str, str]:
    """What stands in every mode while accounts have `verify = false`: in full, and where there is little room."""
    if not unchecked:
        return "", ""
    whose = unchecked[0] if len(unchecked) == 1 else label.count(len(unchecked), "account")
    return f"{UNCHECKED}: {plain(whose)}", "TLS unchecked"

"""The themes. States are told by glyph and word; colour only repeats them."""

from textual.theme import Theme

DARK = Theme(
    name="reeldesk-dark",
    primary="#6cb6ff",
    secondary="#9db2c9",
    accent="#f0b85a",
    warning="#f0b85a",
    error="#ff7b72",
    success="#7ec98f",
    foreground="#d8dee6",
    background="#11161d",
    surface="#171d26",
    panel="#1f2733",
    dark=True,
    variables={"cursor": "#2b4a6b", "cursor-blurred": "#232c39", "faint": "#8593a3"},
)

LIGHT = Theme(
    name="reeldesk-light",
    primary="#0b5cad",
    secondary="#46586b",
    accent="#8a5300",
    warning="#8a5300",
    error="#b3261e",
    success="#1f6b35",
    foreground="#1b232c",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e8e5de",
    dark=False,
    variables={"cursor": "#bcd9f5", "cursor-blurred": "#e0e3e6", "faint": "#5d6975"},
)

THEMES = (DARK, LIGHT)
NO_COLOR = "ansi-dark"
"""Textual's own theme in the terminal's colours; with NO_COLOR set it sends none at all."""


def variables_for_others() -> dict[str, str]:
    """What our sheets use and Textual's own themes do not define."""
    return {"cursor": "#3a4a5a", "cursor-blurred": "#2a323c", "faint": "#8593a3"}

"""Containers that draw nothing themselves: Textual would take each of their lines through filters, with every frame."""

from textual.containers import Horizontal, Vertical


class Row(Horizontal):
    """Widgets side by side."""

    BLANK = True


class Column(Vertical):
    """Widgets one below the other."""

    BLANK = True

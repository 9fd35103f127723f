"""The modes, and their screens: a mode's module is loaded when it is first opened, or once the desk has painted."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.screens.base import ModeScreen

MODES = ("desk", "transfers", "rooms", "notifications", "webhooks", "accounts")
"""In the order of their keys."""


def screen_of(mode: str) -> "type[ModeScreen]":
    """What is shown in a mode."""
    found: type[ModeScreen] = getattr(import_module(f"tui.screens.{mode}"), f"{mode.capitalize()}Screen")
    return found

"""The terminal's clipboard, with honest words: nobody can know from here whether the terminal took it."""

from textual.app import App

MOST = 74_000
"""Bytes that terminals commonly take in one OSC 52."""


def send(app: App[None], text: str, what: str) -> str:
    """Send text to the terminal's clipboard, and say what was done."""
    if len(text.encode()) > MOST:
        return f"the {what} is too long for a terminal's clipboard"
    app.copy_to_clipboard(text)
    return f"{what} sent to the terminal's clipboard, if it allows that"

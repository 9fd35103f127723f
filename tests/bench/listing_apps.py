"""What a list of ours stands beside: `python listing_apps.py minimal|datatable|fastdatatable ROWS`.

It imports nothing of reeldesk, so that it runs in an environment that has only Textual (and textual-fastdatatable).
"""

import sys
from typing import Any

from textual.app import App, ComposeResult

FIRST = "meeting 0 of"
_COLUMNS = ("title", "account", "state", "size")


def _row(number: int, rows: int) -> tuple[str, str, str, str]:
    return (f"meeting {number} of {rows}", f"account{number % 5}", "available", f"{number % 900} MB")


class Minimal(App[None]):
    """A DataTable, and nothing else."""

    rows = 50

    def compose(self) -> ComposeResult:
        """It alone."""
        from textual.widgets import DataTable

        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        """All of its rows."""
        from textual.widgets import DataTable

        table = self.query_one(DataTable)
        table.add_columns(*_COLUMNS)
        table.add_rows(_row(number, self.rows) for number in range(self.rows))


class Fast(App[None]):
    """A table of textual-fastdatatable."""

    rows = 50

    def compose(self) -> ComposeResult:
        """It alone."""
        from textual_fastdatatable import ArrowBackend, DataTable  # type: ignore[import-not-found,unused-ignore]

        columns: Any = zip(*(_row(number, self.rows) for number in range(self.rows)), strict=True)
        backend = ArrowBackend.from_pydict(dict(zip(_COLUMNS, map(list, columns), strict=True)))
        yield DataTable(backend=backend, cursor_type="row")


def main() -> None:
    """Run it."""
    app: Minimal | Fast = Fast() if sys.argv[1] == "fastdatatable" else Minimal()
    app.rows = int(sys.argv[2])
    app.run()


if __name__ == "__main__":
    main()

"""The commands over the served demo, in processes of their own."""

import sys
from pathlib import Path

from tests.e2e.served import play, served

CHECKOUT = Path(__file__).parents[2]


def test_commands_over_the_served_demo(tmp_path: Path) -> None:
    with served([sys.executable, "-P", "-c", _run()], tmp_path / "demo") as session:
        play(session)


def _run() -> str:
    return f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from tui.cli import entry; sys.exit(entry())"

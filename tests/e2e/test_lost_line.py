"""A line that is lost without a signal: the terminal is not the program's own (sudo, a container): no SIGHUP comes."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.served import clean_environment

CHECKOUT = Path(__file__).parents[2]
SHOWN = b"Desk"


@pytest.mark.e2e
def test_the_desk_ends_when_its_terminal_is_gone(tmp_path: Path) -> None:
    environ = {**clean_environment(), "REELDESK_DATA": str(tmp_path), "HOME": str(tmp_path), "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tui"]
    desk = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=CHECKOUT, env=environ, start_new_session=True
    )
    try:
        os.close(theirs)
        seen = b""
        while SHOWN not in seen:
            seen += os.read(ours, 65_536)
        os.close(ours)
        assert desk.wait(20) == 129
    finally:
        desk.kill()
        desk.wait()

"""What a handed-over process writes of faults that nobody foresaw: a traceback for a person, without a secret."""

import os
import subprocess
import sys
from pathlib import Path

from tests.tui.cli.conftest import Place
from tui.commandline import takeover
from vault import handover
from vault.desk import Desk

ENDS_S = 60.0
BREAKS = """
import asyncio, gc, sys, threading
from tui import cli
from tui.commandline import takeover

def on_a_thread():
    raise RuntimeError("it broke with token=" + "THREAD" + "SECRET \\x1b[2J")

async def in_a_task():
    raise RuntimeError("it broke with CRN_" + "TASK" + "SECRET")

async def finish(desk, out):
    thread = threading.Thread(target=on_a_thread)
    thread.start()
    thread.join()
    asyncio.create_task(in_a_task())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    try:
        raise KeyError("https://b.example/o?X-Amz-Signature=" + "LINK" + "SECRET")
    except KeyError as fault:
        raise RuntimeError("refused: Authorization: Bearer " + "MAIN" + "SECRET") from fault

takeover.finish = finish
try:
    sys.exit(cli.main(["work", "--drain", "--handed-over"]))
finally:
    print("LOADED", *sorted({"textual"} & set(sys.modules)), file=sys.stderr)
"""


def test_no_secret_gets_into_the_log(place: Place) -> None:
    place.configure({})
    desk = Desk.open(os.environ)
    known = handover.knowledge(desk, os.environ)
    starting = handover.starting_environment(os.environ, Path(takeover.__file__).parents[2])
    process = handover.hand_over(known, (sys.executable, "-c", BREAKS), starting, desk.config.data)
    desk.close()
    ended(process)
    log = (place.root / "data" / "work.log").read_text("utf-8")
    for where in ("THREAD", "TASK", "LINK", "MAIN"):
        assert f"{where}SECRET" not in log
    assert "Authorization: …" in log
    assert "RuntimeError: it broke with token=…" in log
    assert "RuntimeError: it broke with CRN_…" in log
    assert "KeyError: 'https://b.example/o?…" in log
    assert log.count("Traceback (most recent call last)") == 4
    assert "in finish" in log
    assert "\x1b" not in log
    assert "LOADED\n" in log, "Textual is the screen's alone"


def ended(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(ENDS_S) == 1

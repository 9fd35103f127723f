"""Makes the pictures of the README: plays the demo on a clock that stands still, and photographs each mode.

python tools/screenshots.py           writes screenshots/*.svg, and *.png where rsvg-convert is there
python tools/screenshots.py --check   fails when a picture no longer fits the desk (but for what moves while one looks)
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from textual.pilot import Pilot  # noqa: E402 - the checkout comes first

import vault.desk  # noqa: E402
import vault.ledger  # noqa: E402
import vault.risk  # noqa: E402
from providers.demo import Demo  # noqa: E402
from tui.app import DeskApp  # noqa: E402
from tui.commandline.demo import BANNER  # noqa: E402
from vault.desk import Desk  # noqa: E402
from vault.engine import Engine  # noqa: E402
from vault.views import Query  # noqa: E402

FOLDER = ROOT / "screenshots"
STAGE = Path("/tmp/reeldesk-demo")
"""Always the same, since paths are in the pictures."""
STORY_TIME = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MEETINGS = 57
LIVE = frozenset({"live"})
"""Rates and times are of the moment: these are not checked."""
WAIT_S = 60.0
STILL_S = 0.6
"""A desk looks at its engine twice a second: what is as it was after this is drawn to its end."""

Stage = dict[str, str]


_CELL = 12.2
_LEADING = re.compile(r' x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>((?:&#160;)+)(?=[^<])')


def _moved_in(found: re.Match[str]) -> str:
    """Leading blanks as a place further right: rsvg-convert and some browsers drop the blanks."""
    x, y, length, rest, blanks = found.groups()
    shift = _CELL * blanks.count(";")
    return f' x="{float(x) + shift:g}" y="{y}" textLength="{float(length) - shift:g}"{rest}>'


class Camera:
    """Takes pictures of a running desk into a dictionary, name to SVG."""

    def __init__(self, app: DeskApp, pilot: Pilot[None], engine: Engine) -> None:
        self.app, self.pilot, self.engine = app, pilot, engine
        self.taken: Stage = {}

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other, each once the one before was handled."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def until(self, what: Callable[[], bool], words: str) -> None:
        """Wait for something to be so. Raises TimeoutError naming it."""
        end = time.monotonic() + WAIT_S
        while not what():
            if time.monotonic() > end:
                raise TimeoutError(words)
            await self.pilot.pause(0.1)
        await self.pilot.pause(1.2)  # the desk looks at the engine twice a second

    async def take(self, name: str) -> None:
        """Photograph what is shown, when it stands still. Raises TimeoutError when it never does."""
        await self.pilot.pause()
        end, before, svg = time.monotonic() + WAIT_S, "", self._photograph()
        while name not in LIVE and svg != before:
            if time.monotonic() > end:
                raise TimeoutError(f"{name} does not stand still")
            await self.pilot.pause(STILL_S)
            before, svg = svg, self._photograph()
        self.taken[name] = svg

    def _photograph(self) -> str:
        svg = self.app.export_screenshot(title="reeldesk")
        svg = re.sub(r"127\.0\.0\.1:\d{5}", "127.0.0.1:18080", svg)
        svg = re.sub(r"terminal-\d+", "terminal", svg)  # a hash of what stood there before
        svg = re.sub(r",\s*url\([^)]*\) format\([^)]*\)", "", svg)  # no fonts from elsewhere
        return _LEADING.sub(_moved_in, svg)

    def text(self) -> str:
        """What is shown, as plain text."""
        lines = self.app.screen._compositor.render_strips()  # as the pictures themselves are made
        return "\n".join(line.text for line in lines)

    def settled(self) -> bool:
        """Everything is known, and nothing runs."""
        snapshot = self.engine.snapshot()
        return self.engine.desk.count(Query()) == MEETINGS and not snapshot.syncing and not snapshot.active


async def wide(camera: Camera) -> None:
    """Every mode at 120x36."""
    await camera.until(camera.settled, "the first sync")
    await camera.press("slash", *"advice", "enter", "g")
    await camera.until(lambda: "1 of 25" in camera.text(), "the archives")
    await camera.press(*["j"] * 4, *["space"] * 5, "d")
    await camera.until(camera.settled, "five archives")
    await camera.press("escape", "escape", "g", *["j"] * 14)
    await camera.take("desk")
    await camera.press("f")
    await camera.take("faults")
    await camera.press("f", "R")
    await camera.until(lambda: "free" in camera.text(), "what is at risk")
    await camera.take("risk")
    await camera.press("escape", "2")
    await camera.take("transfers")
    await camera.press("3")
    await camera.until(lambda: bool(camera.engine.desk.catchup_history("standup", "town-hall")), "the catch-up")
    await camera.take("rooms")
    await camera.press("4")
    await camera.until(lambda: not camera.engine.snapshot().syncing, "the form")
    await camera.take("notifications")
    await camera.press("5", "right_square_bracket", "right_square_bracket", "j")
    await camera.take("webhooks")
    await camera.press("left_square_bracket", "left_square_bracket", "tab", "j", "j")
    await camera.until(lambda: "● ours" in camera.text(), "the subscriptions")
    await camera.take("addresses")
    await camera.press("6")
    await camera.take("accounts")
    await camera.press("1", "question_mark")
    await camera.take("help")
    await camera.press("escape", "slash", *"board meeting", "enter", "g")
    await camera.until(lambda: "1 of 1 " in camera.text(), "the meeting")
    await camera.press("d")
    await camera.until(lambda: any(t.received > 4_000_000 for t in camera.engine.snapshot().active), "a live transfer")
    await camera.take("live")


async def narrow(camera: Camera) -> None:
    """The desk and a meeting at 80x24."""
    await camera.until(camera.settled, "the first sync")
    await camera.press(*["j"] * 12)
    await camera.take("desk-80x24")
    await camera.press("enter")
    events = camera.engine.desk.custody.log_size
    await camera.until(lambda: f"whole, {events()} events" in camera.text(), "the log is followed again")
    await camera.take("meeting-80x24")
    await camera.press("escape", "R")
    await camera.until(lambda: "At risk: all" in camera.text(), "the list")
    await camera.press("right_square_bracket")
    await camera.until(lambda: "At risk: advice" in camera.text() and "1 of 20" in camera.text(), "twenty archives")
    await camera.take("risk-80x24")


def any_machine() -> None:
    """Who works where, and how much room there is, stand in the pictures."""
    vault.desk.this_process = vault.ledger.this_process = lambda: "anna@desk"
    vault.risk.free_bytes = lambda folder: 64_000_000_000


async def play(size: tuple[int, int], script: Callable[[Camera], Awaitable[None]], theme: str = "") -> Stage:
    """Run a script over a demo of its own."""
    shutil.rmtree(STAGE, ignore_errors=True)
    any_machine()
    with Demo(STAGE, now=STORY_TIME.timestamp, hook_secret=lambda: "made-up-for-the-pictures") as demo:
        config = demo.folder / "config.toml"  # nobody is asked by itself: a picture could show just that
        config.write_text(config.read_text("utf-8").replace("poll_s = 3", "poll_s = 0"), "utf-8")
        engine = Engine(Desk.open(demo.environ, now=lambda: STORY_TIME))
        app = DeskApp(engine, banner=BANNER, now=lambda: STORY_TIME, environ={"LANG": "C.UTF-8"}, theme=theme)
        async with app.run_test(size=size) as pilot:
            camera = Camera(app, pilot, engine)
            await script(camera)
            app.exit()
        engine.desk.close()
    shutil.rmtree(STAGE)
    return camera.taken


async def light(camera: Camera) -> None:
    """The desk in the light theme."""
    await camera.until(camera.settled, "the first sync")
    await camera.take("desk-light")


async def everything() -> Stage:
    """All pictures."""
    return {
        **await play((120, 36), wide),
        **await play((80, 24), narrow),
        **await play((120, 36), light, "reeldesk-light"),
    }


def check(taken: Stage) -> int:
    """Compare with the pictures that are there; 1 when any differs."""
    drifted = 0
    for name, svg in taken.items():
        kept = (FOLDER / f"{name}.svg").read_text("utf-8")
        if name not in LIVE and kept != svg:
            drifted += 1
            place = next((n for n, (one, other) in enumerate(zip(kept, svg, strict=False)) if one != other), 0)
            print(f"screenshots/{name}.svg does not fit the desk any more: `make screenshots`, and look at it")
            print(
                *(f"  {sign} …{text[max(place - 60, 0) : place + 100]!r}" for sign, text in (("-", kept), ("+", svg)))
            )
    return 1 if drifted else 0


def write(taken: Stage) -> int:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, svg in taken.items():
        path = FOLDER / f"{name}.svg"
        path.write_text(svg, "utf-8")
        if shutil.which("rsvg-convert"):
            subprocess.run(["rsvg-convert", "--width", "1400", "-o", path.with_suffix(".png"), path], check=True)
    return 0


def main() -> int:
    """Make the pictures, or check them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    os.environ.pop("NO_COLOR", None)
    taken = asyncio.run(everything())
    return check(taken) if args.check else write(taken)


if __name__ == "__main__":
    sys.exit(main())

"""Plays a script in an open desk: types its keys, with captions; a person's key pauses it, and then ends it."""

import asyncio
from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.widgets import Static

from tui.app import DeskApp
from tui.beside import beside
from tui.play import Step

LOOK_S = 0.05
PATIENCE_S = 60.0
"""So long something may take to become so."""
LETTERS_A_SECOND = 22.0
"""How fast a caption is read."""
PAUSED = "Paused. space goes on; any other key ends the play and leaves you the desk."
ENDED = "The play has ended: the desk is yours. ? shows every key, q leaves."


class PlayedKey(events.Key):
    """A key that the play types; to whoever gets it, it is any other key."""


PlayedKey.handler_name = events.Key.handler_name


class Caption(Static):
    """Two lines over everything."""

    DEFAULT_CSS = "Caption { dock: top; height: 2; background: $primary; color: $background; padding: 0 1; }"


class PlayingApp(DeskApp):
    """A desk in which a script is played once. `pace_s`: between two keys; captions stay for as long as they take."""

    script: Sequence[Step] = ()
    pace_s: float = 1.0

    def on_mount(self) -> None:
        """Begin when the desk has its rows."""
        super().on_mount()
        self._playing = True
        self._going = asyncio.Event()
        self._going.set()
        beside(self, self._play, "play")

    async def on_event(self, event: events.Event) -> None:
        """A person's key or click is for the play, as long as it plays."""
        if self._plays(event):
            self._steer(event)
            return
        await super().on_event(event)

    def _plays(self, event: events.Event) -> bool:
        person = isinstance(event, events.Key | events.MouseDown | events.Paste) and not isinstance(event, PlayedKey)
        return person and getattr(self, "_playing", False)

    def _steer(self, event: events.Event) -> None:
        if self._going.is_set():
            self._going.clear()
            self._caption(PAUSED)
        elif isinstance(event, events.Key) and event.key == "space":
            self._going.set()
        else:
            self._end()
            self._going.set()

    def _end(self) -> None:
        self._playing = False
        self._caption("")
        self.say(ENDED, "info")

    async def _play(self) -> None:
        for step in self.script:
            if not await self._step(step):
                return
        self._end()

    async def _step(self, step: Step) -> bool:
        """One step; False when the play has ended."""
        if not await self._goes_on():
            return False
        self._caption(step.caption)
        await self._wait(len(step.caption) / LETTERS_A_SECOND * min(self.pace_s, 1.0))
        for key in step.keys:
            if not await self._goes_on():
                return False
            self._caption(step.caption)
            self.post_message(PlayedKey(key, " " if key == "space" else None))
            await self._wait(self.pace_s)
        waited = 0.0
        while self._playing and not step.is_done(self):
            if waited > PATIENCE_S:
                self._end()
                self.say(f"the play stopped: this never came to pass: {step.caption}", "bad")
                return False
            await asyncio.sleep(LOOK_S)
            waited += LOOK_S if self._going.is_set() else 0
        return self._playing

    async def _goes_on(self) -> bool:
        await self._going.wait()
        return self._playing

    async def _wait(self, seconds: float) -> None:
        """So long, unless somebody interferes."""
        while seconds > 0 and self._playing and self._going.is_set():
            await asyncio.sleep(min(seconds, LOOK_S))
            seconds -= LOOK_S

    def _caption(self, words: str) -> None:
        """Words over whatever is shown; none anywhere else."""
        for screen in self.screen_stack:
            for old in screen.query(Caption):
                if screen is self.screen and words:
                    old.update(Text(words))
                    return
                old.remove()
        if words:
            self.screen.mount(Caption(Text(words)))

"""How a person leaves the desk: at once, with what is not done stopped or handed over, or for the demo."""

import asyncio

from rich.text import Text
from textual.app import App

from tui.beside import beside
from tui.leaving import Answer, Leaving
from tui.screens.base import ModeScreen


class LeavesDesk(App[None]):
    """Asks before transfers end with the desk."""

    leave: Leaving
    _told: str = ""
    """What is said in the terminal once the desk has gone."""
    wants_demo: bool = False
    """Whether a person left for the demo: whoever opened the desk opens that."""

    def mode_screen(self) -> ModeScreen | None:
        """The screen of the mode, whatever lies over it."""
        raise NotImplementedError

    def say(self, words: str, ink: str = "bad") -> None:
        """Tell a person."""
        raise NotImplementedError

    def action_quit_here(self) -> None:
        """Ctrl+q: a screen with something that is not saved asks first."""
        if isinstance(self.screen, ModeScreen):
            self.screen.do_quit()
        else:
            beside(self, self.action_quit, "quit")

    async def action_quit(self) -> None:
        """Leave at once when nothing is left to do, else as was chosen, else ask."""
        from tui.screens.leave import LeaveScreen

        if isinstance(self.screen, LeaveScreen) or self.leave.handing_over:
            return
        transfers = await self.leave.look()
        answer = self.leave.answer(transfers)
        self._told = await self.leave.releases()
        if answer is None:
            self.push_screen(LeaveScreen(self.leave.title(transfers), self.leave.why_not), self._answered)
        else:
            self._answered(answer)

    def _answered(self, answer: Answer | None) -> None:
        screen = self.mode_screen()
        if answer is Answer.STOP:
            self.exit(message=Text(self._told) if self._told else None)
        elif answer is Answer.HAND_OVER and screen is not None:
            screen.attempt(self._hand_over, "leave")

    async def _hand_over(self) -> None:
        self.say("handing over, a moment", "info")
        words = await asyncio.to_thread(self.leave.hand_over)
        self.exit(message=Text("\n".join(filter(None, [words, self._told]))))

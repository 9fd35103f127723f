"""The engine beside the desk: in a thread, begun once the desk is painted."""

from textual import events
from textual.worker import Worker, WorkerState

from tui.context import words_of
from tui.unlock_offer import OffersUnlocking


class RunsEngine(OffersUnlocking):
    """Runs the engine of its context. What the engine loads (clients, keyrings) would compete with the first paint."""

    engine_begun: bool = False
    _gives_way = False

    def first_painted(self) -> None:
        """Begin it."""
        super().first_painted()
        self._begin_engine()

    async def on_event(self, event: events.Event) -> None:
        """Whoever acts already needs the engine, and an answer before the transfers go on."""
        if isinstance(event, events.InputEvent | events.Paste):
            self._begin_engine()
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self.give_way()
        await super().on_event(event)

    def heard(self) -> None:
        """A key was read, on the thread that reads: transfers give way before it comes to its turn here."""
        self.context.engine.give_way()

    def give_way(self) -> None:
        """There is something to draw: transfers give way until the next frame."""
        self.context.engine.give_way()
        self._gives_way = True

    def post_display_hook(self) -> None:
        """A frame was drawn."""
        if self._gives_way:
            self._gives_way = False
            self.context.engine.drawn()

    def _begin_engine(self) -> None:
        if not self.engine_begun:
            self.engine_begun = True
            self.run_worker(self.context.engine.run, thread=True, name="engine", group="engine", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """An engine that stops by itself is told, never hidden."""
        if event.worker.name == "engine" and event.state is WorkerState.ERROR and event.worker.error is not None:
            self.say(f"the engine stopped, nothing is fetched any more: {words_of(event.worker.error)}")

    def say(self, words: str, ink: str = "bad") -> None:
        """Tell a person."""
        raise NotImplementedError

"""What an engine does about webhooks: it processes what waits, always, and receives while that is switched on."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from vault.errors import VaultError
from vault.inbox.views import ReceiverState, ReceiverView
from vault.inbox.webhooks import Webhooks
from vault.presence import Presence

if TYPE_CHECKING:  # an HTTP server is loaded when there is one to run
    from vault.inbox.receiver import Receiver
    from vault.inbox.worker import Worker

_AGAIN_S = 5.0


class Receiving:
    """Runs on the engine's loop until cancelled; what is being answered then is answered first."""

    def __init__(self, webhooks: Webhooks, workers: Path) -> None:
        self._webhooks = webhooks
        self._workers = workers
        self._worker: Worker | None = None
        self._receiver: Receiver | None = None
        self._running: asyncio.Task[None] | None = None
        self._switching = asyncio.Lock()
        self.is_told = False
        """Whether `nudge` is called whenever the ledger was written; set before `run`."""
        self._trouble = ""
        """Why nothing is processed, in words, while there is no worker."""

    @property
    def trouble(self) -> str:
        """Why nothing can be processed, in words; "" when it can."""
        return self._trouble if self._worker is None else self._worker.trouble

    def view(self) -> ReceiverView:
        """How the receiver stands."""
        return self._receiver.view() if self._receiver else ReceiverView()

    async def run(self, *, on: bool) -> None:
        """Process, and receive from the start if `on`."""
        try:
            if on:
                await self.switch(on)
            while True:
                await self._process()
        finally:
            await asyncio.shield(self._stop())

    async def _process(self) -> None:
        """Process until cancelled, or until a fault of ours: the delivery that met it has failed, the rest goes on."""
        try:
            presence = await asyncio.to_thread(Presence, self._workers)
        except VaultError as error:
            self._trouble = error.words
            await asyncio.sleep(_AGAIN_S)
            return
        self._trouble = ""
        self._worker = self._webhooks.new_worker(presence)
        self._worker.is_told = self.is_told
        working = asyncio.create_task(self._worker.run())
        try:
            await asyncio.wait((working,))
        finally:
            working.cancel()
            await asyncio.wait((working,))
            self._worker = None
            presence.close()
        await self._pause_after(working)

    async def _pause_after(self, working: "asyncio.Task[None]") -> None:
        fault = None if working.cancelled() else working.exception()
        if fault is not None:
            name = type(fault).__name__
            self._trouble = f"a fault of reeldesk broke off the processing of webhooks ({name}); it begins again"
            told = {"message": "the processing of webhooks broke off", "exception": fault}
            asyncio.get_running_loop().call_exception_handler(told)
        await asyncio.sleep(_AGAIN_S)

    async def switch(self, on: bool) -> str:
        """Switch the receiver on or off; gives words of how it stands then. Never raises for what keeps it off."""
        async with self._switching:
            if on and self._running is None:
                await self._start()
            elif not on:
                await self._stop()
        view = self.view()
        if view.state is ReceiverState.ON:
            return f"webhooks are received on {view.address}"
        return f"webhooks are not received: {view.words}" if view.words else "webhooks are not received"

    async def _start(self) -> None:
        self._receiver = self._webhooks.new_receiver(self._webhooks.listening(), kept=self.nudge)
        started = asyncio.Event()
        self._running = asyncio.create_task(self._receive(self._receiver, started))
        await started.wait()

    async def _receive(self, receiver: "Receiver", started: asyncio.Event) -> None:
        def listens() -> None:
            self._webhooks.listens_on = receiver.view().address
            started.set()

        try:
            with contextlib.suppress(VaultError):  # the receiver's view says why
                await receiver.run(listens)
        finally:
            self._webhooks.listens_on = ""
            self._running = None
            started.set()

    async def _stop(self) -> None:
        running = self._running
        if running is None or self._receiver is None:
            return
        self._receiver.stop()
        await asyncio.wait((running,))

    def nudge(self) -> None:
        """Something was written to the ledger: look at once."""
        if self._worker is not None:
            self._worker.nudge()

"""The receiver: listens, keeps, and says how it stands. It can be switched off and on while everything else goes on."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime

from vault.connections import Connections
from vault.errors import VaultError
from vault.inbox.app import ReceiverApp
from vault.inbox.gate import Gate
from vault.inbox.holder import Holder
from vault.inbox.intake import Intake
from vault.inbox.rates import Rates
from vault.inbox.serving import Limits, Listening, Serving
from vault.inbox.tally import Entry, Tally
from vault.inbox.views import ReceiverState, ReceiverView
from vault.inbox.writer import Writer
from vault.ledger import Ledger

LIMITS = Limits(request_s=45.0)
"""A summary is made while one waits for it; everything else is answered within seconds."""
MAX_WAITING = 100_000
"""Deliveries that may wait to be processed; beyond that services are asked to try again."""
_LOOK_S = 1.0
_BURST_S = 2.0
_EVERYONE = 2.0


class Receiver:
    """Receives for every account that has a door, on one event loop. `kept` is called whenever one is on disk."""

    def __init__(
        self,
        listening: Listening,
        rate_per_s: float,
        gate: Gate,
        connections: Connections,
        intake: Intake,
        ledger: Ledger,
        catchup: Callable[[str, str], Awaitable[str]],
        now: Callable[[], datetime],
        *,
        holder: Holder,
        kept: Callable[[], None] = lambda: None,
        tell: Callable[[Entry], None] = lambda entry: None,
        broke: Callable[[BaseException], None] = lambda fault: None,
    ) -> None:
        self.gate = gate
        self._listening = listening
        self._rate_per_s = rate_per_s
        self._connections = connections
        self._intake = intake
        self._ledger = ledger
        self._catchup = catchup
        self._now = now
        self._holder = holder
        self._kept = kept
        self._tally = Tally(self._noted)
        self._tell = tell
        self._broke = broke
        self._state = ReceiverState.OFF
        self._words = ""
        self._address = ""
        self._waiting = 0
        self._ending: asyncio.Event | None = None

    def view(self) -> ReceiverView:
        """How it stands."""
        tally = self._tally
        return ReceiverView(
            state=self._state,
            words=self._words,
            address=self._address,
            accepted=tally.accepted,
            repeated=tally.repeated,
            refused=dict(tally.refused),
            catchups=tally.catchups,
            waiting=self._waiting,
        )

    def _noted(self, entry: Entry) -> None:
        self._tell(entry)
        if entry.topic:
            self._kept()

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Receive until `stop`, or until cancelled; what is under way is answered first.

        Raises VaultError when it cannot listen, with the reason and what to do about it.
        """
        if self._ending is not None:
            raise VaultError("the receiver is on already")
        self._ending, self._state, self._words = asyncio.Event(), ReceiverState.STARTING, ""
        writer = Writer(self._ledger.deliveries.keep)
        everyone = self._rate_per_s * _EVERYONE
        rates = Rates(self._rate_per_s, max(1.0, self._rate_per_s * _BURST_S), everyone)
        app = ReceiverApp(
            *(self.gate, self._connections, self._intake, writer, self._catchup, rates, self._tally, self._now)
        )
        serving = Serving(app, self._listening, LIMITS, broke=self._broke)
        try:
            await self.gate.open()
            await serving.start()
            self._state, self._address = ReceiverState.ON, serving.address
            await asyncio.to_thread(self._holder.hold, self._address)
            started()
            await self._keep_looking(app, self._ending)
            self._state = ReceiverState.OFF
        except VaultError as error:
            other = await asyncio.to_thread(self._holder.other)
            if not other.endswith(f":{self._listening.port}"):
                other = ""  # on another port it is in nobody's way
            self._state = ReceiverState.ELSEWHERE if other else ReceiverState.FAILED
            self._words = f"another process of this ledger receives: {other}" if other else error.words
            raise VaultError(self._words) from None
        except asyncio.CancelledError:
            self._state = ReceiverState.OFF
            raise
        finally:
            if self._state in (ReceiverState.STARTING, ReceiverState.ON):  # a fault of ours ended it
                self._state, self._words = ReceiverState.FAILED, "a fault of reeldesk ended it; switch it on again"
            self._ending, self._address = None, ""
            self._holder.release()
            await asyncio.shield(_close(serving, app, writer))

    def stop(self) -> None:
        """Ask `run` to end."""
        if self._ending is not None:
            self._ending.set()

    async def _keep_looking(self, app: ReceiverApp, ending: asyncio.Event) -> None:
        """See what waits and which secrets stand, until it is to end. A ledger that cannot be read is told, no more."""
        while not ending.is_set():
            try:
                self._waiting = await asyncio.to_thread(self._ledger.deliveries.waiting)
                await self.gate.follow()
                await self.gate.reread()
                self._words = ""
            except VaultError as error:
                self._words = error.words
            app.full = self._waiting >= MAX_WAITING
            if app.full:
                self._words = f"{self._waiting} deliveries wait to be processed: more are turned away until some are"
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await ending.wait()


async def _close(serving: Serving, app: ReceiverApp, writer: Writer) -> None:
    await serving.stop()
    await app.aclose()
    await asyncio.to_thread(writer.close)

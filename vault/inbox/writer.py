"""Writing deliveries down: one thread, and whatever waits goes into one transaction, so that many share one fsync."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence

from vault.errors import VaultError
from vault.ledger.deliveries import Kept, Receipt

ROOM = 1024
"""Deliveries that may wait to be written; more than that are refused."""
_BATCH = 128


class Busy(VaultError):
    """More is waiting to be written than the disk keeps up with."""


class Writer:
    """Keeps receipts, from one event loop. `keep` must put them on disk, all or none, and raise VaultError else."""

    def __init__(self, keep: Callable[[Sequence[Receipt]], tuple[Kept, ...]]) -> None:
        self._keep = keep
        self._waiting: deque[tuple[Receipt, asyncio.Future[Kept]]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = self._started()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="inbox writer", daemon=True)
        thread.start()
        return thread

    async def keep(self, receipt: Receipt) -> Kept:
        """Keep a receipt; it is on disk when this returns. Raises VaultError when it is not; Busy among them.

        Whoever is cancelled while waiting may find the receipt kept all the same.
        """
        kept: asyncio.Future[Kept] = self._loop.create_future()
        with self._changed:
            if self._closed or len(self._waiting) >= ROOM:
                raise Busy("more deliveries come in than can be written")
            if not self._thread.is_alive():  # a fault that nobody foresaw ended it, and one batch with it
                self._thread = self._started()
            self._waiting.append((receipt, kept))
            self._changed.notify()
        return await kept

    def close(self) -> None:
        """Write what waits, and end. Blocks until then."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            failure: VaultError | None = VaultError("the deliveries could not be written")
            kept: Sequence[Kept] = ()
            try:
                kept, failure = self._keep([receipt for receipt, _ in batch]), None
            except VaultError as error:
                failure = error
            finally:
                with contextlib.suppress(RuntimeError):  # the loop ended: nobody waits any more
                    self._loop.call_soon_threadsafe(_answer, [future for _, future in batch], kept, failure)


def _answer(futures: Sequence[asyncio.Future[Kept]], kept: Sequence[Kept], failure: VaultError | None) -> None:
    for place, future in enumerate(futures):
        if future.done():
            continue  # it was cancelled
        if failure is not None:
            future.set_exception(failure)
        else:
            future.set_result(kept[place])

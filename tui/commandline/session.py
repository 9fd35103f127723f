"""How a command runs: over an opened desk, on a loop that a signal ends cleanly, with faults named in words."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from providers.base import ProviderError
from tui.commandline.bringing_up import desk_of
from tui.commandline.output import Output
from vault.errors import VaultError

if TYPE_CHECKING:  # it is loaded when a desk is opened, not for --help
    from vault.desk import Desk
    from vault.secrets import Secrets

FAULTS = (ProviderError, VaultError, OSError)
"""What goes wrong outside of the program: the service, the network, the vault, the disk."""
LOCK_S = 60.0
"""Between two looks whether the sealed file was idle for long."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_T = TypeVar("_T")


class Usage(Exception):
    """What was asked for cannot be meant; nothing was done. The text is for a person."""


def words(fault: BaseException) -> str:
    """A fault in words for a person."""
    if isinstance(fault, OSError) and fault.strerror:
        return f"{fault.filename}: {fault.strerror}" if fault.filename else fault.strerror
    return str(fault)


def with_desk(environ: Mapping[str, str], work: "Callable[[Desk], int]") -> int:
    """Open the configured desk, do something quick with it, and close it."""
    desk = desk_of(environ)
    try:
        return work(desk)
    finally:
        desk.secrets.close()
        desk.close()


def on_loop(
    environ: Mapping[str, str],
    work: "Callable[[Desk], Awaitable[int]]",
    first: "Callable[[Desk], None] | None" = None,
) -> int:
    """Open the configured desk and do something that takes its time; the providers are signed out at the end.

    `first` comes before the loop: there a prompt may wait for a person, whom Ctrl+C still ends.
    """

    async def signing_out(desk: "Desk") -> int:
        try:
            with keeping_secrets(desk.secrets):
                return await work(desk)
        finally:
            await desk.aclose()

    def over(desk: "Desk") -> int:
        if first:
            first(desk)
        return supervise(signing_out(desk))

    return with_desk(environ, over)


@contextmanager
def keeping_secrets(secrets: "Secrets", every_s: float = LOCK_S) -> Iterator[None]:
    """While something works on a loop: the sealed file is locked when idle. Then nobody waits for a store any more."""

    async def lock() -> None:
        while True:
            await asyncio.sleep(every_s)
            secrets.lock_if_idle()

    locking = asyncio.create_task(lock())
    try:
        yield
    finally:
        locking.cancel()
        secrets.close()


def supervise(work: Coroutine[Any, Any, int]) -> int:
    """Run `work` and give its status. SIGINT, SIGTERM or SIGHUP cancels it: then 128 + the signal's number.

    A second signal does not wait for the end of the first one's work.
    """

    async def watched() -> int:
        loop, task, caught = asyncio.get_running_loop(), asyncio.current_task(), list[int]()
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        watching = [each for each in _ENDING if each is not signal.SIGHUP or not nohup]

        def unwatch() -> None:
            while watching:
                loop.remove_signal_handler(watching.pop())

        def stop(number: int) -> None:
            unwatch()
            caught.append(number)
            if task:
                task.cancel()

        for each in watching:
            loop.add_signal_handler(each, stop, each)
        try:
            return await work
        except asyncio.CancelledError:
            if not caught:
                raise
            return 128 + caught[0]
        finally:
            unwatch()

    return asyncio.run(watched())


@contextmanager
def unwinding() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind what is inside, as Ctrl+C does, so that nothing temporary stays behind."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """What is inside is the end already: a line that breaks sends more than one signal."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def each(items: Iterable[_T], at_once: int, work: Callable[[_T], Awaitable[None]]) -> None:
    """Do `work` for every item, `at_once` of them at a time, in their order."""
    rest = iter(items)

    async def worker() -> None:
        for item in rest:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None  # a full disk under stdout, for one, fails them all


async def attempt(out: Output, subject: object, work: Awaitable[_T]) -> _T | None:
    """What `work` gives; None where it failed, which is then named as `subject`'s fault."""
    try:
        return await work
    except FAULTS as fault:
        out.fail(str(subject), words(fault))
        return None

"""A process with credentials: shut off from others of the same user, silent about its secrets when it breaks."""

import contextlib
import getpass
import logging
import resource
import sys
import threading
from collections.abc import Iterator

from providers.redaction import RedactedLog, told
from vault.errors import VaultError

_PR_SET_DUMPABLE = 4
_PROMPTS = ("getpass", "unix_getpass", "fallback_getpass")
_KEPT = 10
"""Reports of broken threads that are kept while the desk is drawn."""


def harden() -> None:
    """For the begin of a process: no core dumps, no look into its memory, and no secret in what it reports."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform.startswith("linux"):
        _not_dumpable()
    report_without_secrets()


def _not_dumpable() -> None:
    # https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html: others of the user can neither attach to it nor
    # read its memory or environment in /proc; a core dump that is piped to a program heeds this, and not the limit.
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes  # 5 ms, and not there in every build of Python

        zero = ctypes.c_ulong(0)
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, zero, zero, zero, zero)


def report_without_secrets() -> None:
    """What nobody foresaw, on whatever thread or task, is reported redacted and without local variables."""

    def in_a_thread(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_value is not None:
            _report(fault.exc_value)

    def unraisable(fault: "sys.UnraisableHookArgs") -> None:
        if fault.exc_value is not None:
            _report(fault.exc_value)

    sys.excepthook = lambda kind, fault, trace: _report(fault)
    threading.excepthook = in_a_thread
    sys.unraisablehook = unraisable
    if logging.lastResort is not None:  # it writes what no handler takes: asyncio's, of tasks that failed unheard
        logging.lastResort.setFormatter(RedactedLog())


def _report(fault: BaseException) -> None:
    if not isinstance(fault, KeyboardInterrupt):
        _say(told(fault))


def _say(words: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # nobody hears, or stderr is gone already
        sys.stderr.write(words + "\n")
        sys.stderr.flush()


@contextlib.contextmanager
def drawn_on() -> Iterator[list[str]]:
    """While the desk is drawn on the terminal: nothing may ask for a password there, and nothing reports there.

    Gives the reports of threads that broke, as they come; they are told when the block ends.
    """
    kept: list[str] = []

    def keep(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_value is not None and len(kept) < _KEPT:
            kept.append(told(fault.exc_value))

    prompts, hook = {name: getattr(getpass, name) for name in _PROMPTS}, threading.excepthook
    for name in prompts:
        setattr(getpass, name, _no_prompt)
    threading.excepthook = keep
    try:
        yield kept
    finally:
        threading.excepthook = hook
        for name, function in prompts.items():
            setattr(getpass, name, function)
        for words in kept:
            _say(words)


def _no_prompt(*args: object, **named: object) -> str:
    raise VaultError("it asks for a password in the terminal, where the desk is drawn; it is not used")

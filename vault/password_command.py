"""A command that prints a secret (`pass show`, `keepassxc-cli`, ...), run so that it disturbs no desk.

It gets no shell, no stdin and no terminal: a desk is drawn there. Its environment has none of our secrets.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vault.errors import VaultError

DEADLINE_S = 10.0
_PLACE = "{name}"
_MOST = 64 * 1024
_LOOK_S = 0.05
_OURS = ("REELDESK_SECRET_", "REELDESK_PASSPHRASE")
_TERMINAL = frozenset({"GPG_TTY", "SSH_TTY"})
"""gpg hands the first to its agent, whose pinentry would then draw over the desk."""


class CommandFailed(VaultError):
    """It ended with another status than 0: it has no such secret, or something is wrong with it."""


def label(argv: Sequence[str]) -> str:
    """The command in words: its program alone, since its arguments may say more than they should."""
    return f"password command {Path(argv[0]).name}" if argv else "password command"


def check(argv: Sequence[str]) -> str:
    """What is wrong with a configured command, in words; "" when nothing is."""
    if not argv or not argv[0]:
        return "is empty"
    if any("\0" in part for part in argv):
        return "has a NUL character"
    if not any(_PLACE in part for part in argv[1:]):
        return "must have {name} in one of its arguments: it is asked for each of the account's secrets"
    return ""


def run(
    argv: Sequence[str],
    name: str,
    environ: Mapping[str, str],
    *,
    deadline_s: float = DEADLINE_S,
    given_up: Callable[[], bool] = lambda: False,
) -> str:
    """The first line that the command prints for the secret `name`.

    Raises CommandFailed when it ends with another status than 0; VaultError when it cannot be run, is late (it is
    killed, with what it started), or prints nothing usable, and as soon as `given_up` says so.
    """
    command = label(argv)
    if wrong := check(argv):
        raise VaultError(f"the {command} {wrong}")
    try:
        process = subprocess.Popen(
            [argv[0], *(part.replace(_PLACE, name) for part in argv[1:])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # nobody knows what it writes there; it can be run by hand to see
            env=scrubbed(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it has characters that no command can have"
        raise VaultError(f"the {command} cannot be run: {reason}") from None
    with process:
        try:
            content = _output(process, command, time.monotonic() + deadline_s, deadline_s, given_up)
        except BaseException:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise CommandFailed(f"the {command} {_ending(process.returncode)} when asked for {name}")
    return _first_line(content, command)


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command: none of our secrets, and no terminal."""
    return {k: v for k, v in environ.items() if not k.startswith(_OURS) and k not in _TERMINAL}


def _output(
    process: "subprocess.Popen[bytes]", command: str, end: float, deadline_s: float, given_up: Callable[[], bool]
) -> bytes:
    """What it prints until it ends. What it leaves running in the background (an agent) may keep the pipe."""
    assert process.stdout is not None
    content, open_ = b"", True
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            exited = process.poll() is not None
            if open_ and selector.select(0 if exited else _LOOK_S):
                block = os.read(process.stdout.fileno(), _MOST)
                content, open_ = content + block, bool(block)
                if len(content) > _MOST:
                    raise VaultError(f"the {command} prints more than {_MOST} bytes")
            elif exited:
                return content
            elif not open_:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_S)
            if given_up():
                raise VaultError(f"the {command} was given up")
            if time.monotonic() > end:
                raise VaultError(f"the {command} did not end within {deadline_s:g} s")


def _ending(status: int) -> str:
    if status > 0:
        return f"ended with status {status}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"


def _first_line(content: bytes, command: str) -> str:
    line = content.split(b"\n", 1)[0].removesuffix(b"\r")
    if not line:
        raise VaultError(f"the {command} printed an empty line" if content else f"the {command} printed nothing")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise VaultError(f"the {command} printed something that is not text") from None

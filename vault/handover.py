"""Handing transfers over to a process that outlives the desk: the side that gives, and the side that takes.

Whoever may read `/proc` sees a process's arguments and its environment. So what the taking process must know,
credentials among it, goes over its stdin, as one line of JSON. It answers on its stdout, and begins when the pipe ends:
then the desk has let go of its transfers, however it ended.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from providers import registry
from providers.discreet import Discreet
from vault.errors import NotHandedOver as NotHandedOver
from vault.errors import VaultError
from vault.secrets import variable

if TYPE_CHECKING:
    from vault.desk import Desk

READY = "ready"
READY_S = 5.0
"""How long the taking process may need to start and to open the ledger."""
LET_GO_S = 30.0
"""How long it waits for the desk to end. After that it begins all the same: claims keep the two apart."""
LOG = "work.log"
_MOST = 8 * 1024 * 1024
"""Bytes of the line that is handed over: more than any environment has."""
_SECRETS = "REELDESK_SECRET_"
_SENT_FROM = ("REELDESK_", "XDG_", "LC_", "SSL_CERT_", "KEYRING_")
_SENT = frozenset(
    {"HOME", "PATH", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "DBUS_SESSION_BUS_ADDRESS"}
    | {"CREDENTIALS_DIRECTORY", "PYTHON_KEYRING_BACKEND"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
)
_TO_START = frozenset(
    {"HOME", "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
    | {"PYTHONHOME", "PYTHONUSERBASE", "PYTHONUTF8"}
)
_PLACES = ("_FILE", "_DIR", "_DIRECTORY", "TMPDIR")
"""How variables end that name a place, which may be relative to the desk's working folder."""


class Knowledge(Discreet, frozen=True):
    """What a process must know to go on with a desk's transfers."""

    UNSHOWN: ClassVar = ("environ",)

    config: Path
    environ: Mapping[str, str]
    """The variables that the desk was opened with, secrets among them."""

    @property
    def for_libraries(self) -> dict[str, str]:
        """The variables that others in the process read, too: all but our own secrets."""
        return {name: value for name, value in self.environ.items() if not name.startswith(_SECRETS)}

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps({"config": str(self.config), "environ": dict(self.environ)}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Knowledge":
        """Read it back. Raises VaultError for anything else, which is never repeated."""
        try:
            known = json.loads(line)
            return cls(Path(known["config"]), {str(name): str(value) for name, value in known["environ"].items()})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise VaultError("nothing was handed over: only a desk that is left starts this") from None


def knowledge(desk: "Desk", environ: Mapping[str, str]) -> Knowledge:
    """What is to be known of a desk that was opened with `environ`.

    Secrets that it found elsewhere go along as variables: a keyring may close with the login.
    """
    sent = {name: _absolute(name, value) for name, value in environ.items() if _is_sent(name)}
    for account in desk.config.accounts.values():
        for each in registry.info(account.settings.provider).secrets:
            secret = desk.secrets.known(account.name, each.name)
            if secret is not None:
                sent[variable(account.name, each.name)] = secret.reveal()
    sent["REELDESK_DATA"] = str(desk.config.data)
    return Knowledge(desk.config.path, sent)


def _is_sent(name: str) -> bool:
    return name.startswith(_SENT_FROM) or name in _SENT or name.upper() in _SENT


def _absolute(name: str, value: str) -> str:
    return os.path.abspath(value) if value and name.endswith(_PLACES) else value


def starting_environment(environ: Mapping[str, str], packages: Path) -> dict[str, str]:
    """The little that Python needs to start and to find reeldesk in `packages`; no secret, nothing of the desk's."""
    own = {name: value for name, value in environ.items() if name in _TO_START}
    paths = [os.path.abspath(each) for each in environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    if packages.name not in ("site-packages", "dist-packages"):  # a checkout, an archive: Python does not look there
        paths.insert(0, str(packages))
    searched = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
    # What lies in the working folder must never be taken for a module.
    return {**own, **searched, "PYTHONSAFEPATH": "1"}


def hand_over(
    known: Knowledge, program: Sequence[str], environ: Mapping[str, str], folder: Path, ready_s: float = READY_S
) -> "subprocess.Popen[bytes]":
    """Start `program` in a session of its own, with `environ` and nothing else, and tell it what is known.

    Its working folder is `folder`, its stderr goes to the file LOG in it. Gives the process once it is ready: keep it
    until the transfers are let go of, which the end of its stdin says. Raises NotHandedOver; nothing is left running.
    """
    try:
        log = _open_log(folder / LOG)
        try:
            process = subprocess.Popen(
                list(program),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=dict(environ),
                start_new_session=True,
            )
        finally:
            os.close(log)
    except OSError as error:
        raise NotHandedOver(f"no process could be started: {error.strerror}") from None
    said = _answer(process, known.to_line(), ready_s)
    if said == READY:
        return process
    process.kill()
    process.communicate()
    raise NotHandedOver(said or f"the process ended at once; {folder / LOG} may say why")


def _open_log(path: Path) -> int:
    """The log begins anew with every hand-over, so it stays small."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    os.fchmod(log, 0o600)
    return log


def _answer(process: "subprocess.Popen[bytes]", line: bytes, ready_s: float) -> str:
    """Tell the process, and give its one line of answer; "" when it ended without one."""
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Event()

    def give_up() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(ready_s, give_up)
    timer.start()
    try:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(line)
            process.stdin.flush()
        said = process.stdout.readline(_MOST).decode("utf-8", "replace").strip()
    finally:
        timer.cancel()
        timer.join()
    if late.is_set():
        return f"the process was not ready within {ready_s:g} s"
    process.stdout.close()
    return said


# The side that takes over ------------------------------------------------------------------------------------------


def receive(stream: BinaryIO) -> Knowledge:
    """What is handed over on stdin. Raises VaultError when nothing is."""
    return Knowledge.from_line(stream.readline(_MOST))


def answer(words: str, descriptor: int = 1) -> None:
    """Answer the desk: READY, or words why not; it may be gone already. Afterwards the descriptor is stderr's."""
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, f"{words}\n".encode())
    os.dup2(2, descriptor)


async def let_go(descriptor: int = 0, within_s: float = LET_GO_S) -> bool:
    """Wait until the desk has let go of its transfers: the pipe ends. Whether it did in time."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        async with asyncio.timeout(within_s):
            await ended.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True

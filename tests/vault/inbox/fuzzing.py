"""Requests that nobody in his right mind would send, a receiver in a process of its own to take them, and its books.

`python -m tests.vault.inbox.fuzzing` is the receiver: the desk that its environment names, everything logged, asked
and ended by lines on its standard input.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
from msgspec.structs import replace

from tests.vault.inbox.house import TOKENS, House, Services
from vault.desk import Desk
from vault.presence import Presence

CANARY = "SIGNATURE-OF-A-LINK-THAT-NOBODY-MAY-SEE"
"""What makes a recording's link work."""
EXTRA = {"signed": "g" * 40, "broken": "b" * 40, "shut": "too-short"}
"""Further accounts' tokens: a Cronofy account with a secret address, a ProCONF whose service is down, a weak one."""
HEAD_BYTES = 16 * 1024
_ANSWER_S = 20.0
_REFUSAL_S = 0.2


class Trouble(AssertionError):
    """The receiver did what it must not."""


# What is sent, and what HTTP says that it is


@dataclass(frozen=True)
class Asked:
    """A whole request, as a parser of its own reads it."""

    method: str
    target: bytes
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Heard:
    """What bytes are: whole requests, and whether what follows them is no HTTP (`broken`) or not all there."""

    asked: tuple[Asked, ...]
    broken: bool
    partial: bool


def heard(raw: bytes) -> Heard:
    """Read bytes as HTTP/1.1."""
    found: list[Asked] = []
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    connection.receive_data(raw)
    head: h11.Request | None = None
    body = b""
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                return Heard(tuple(found), False, head is not None or bool(connection.trailing_data[0]))
            if event is h11.PAUSED:
                if connection.our_state is h11.SEND_RESPONSE or connection.their_state is not h11.DONE:
                    return Heard(tuple(found), False, False)
                connection.start_next_cycle()
            elif isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                found.append(_asked(head, body))
                head = None
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE or connection.their_state is not h11.DONE:
                    return Heard(tuple(found), False, False)
            else:
                return Heard(tuple(found), False, False)
    except h11.RemoteProtocolError:
        return Heard(tuple(found), True, head is not None)
    except h11.LocalProtocolError:  # nothing more is read from this connection
        return Heard(tuple(found), False, False)


def _asked(head: h11.Request, body: bytes) -> Asked:
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Asked(head.method.decode("latin-1"), head.target, headers, body)


def exchange(port: int, raw: bytes) -> tuple[Heard, tuple[Told, ...]]:
    """Send bytes over a connection of their own; gives the answers to the whole requests among them.

    What is not all there is left hanging: the connection is closed when all else was answered.
    """
    what = heard(raw)
    answers: list[Told] = []
    with socket.create_connection(("127.0.0.1", port), _ANSWER_S) as sock, sock.makefile("rb") as stream:
        with contextlib.suppress(ConnectionError):  # it may have had enough before all was sent
            sock.sendall(raw)
        with contextlib.suppress(ConnectionError):
            for asked in what.asked:
                told = _told(stream, asked.method == "HEAD")
                if told is None:
                    return what, tuple(answers)
                answers.append(told)
            sock.settimeout(_REFUSAL_S)
            with contextlib.suppress(TimeoutError):  # what is no HTTP is answered, or cut when its time is over
                if what.broken and (told := _told(stream, bodiless=False)):
                    answers.append(told)
    return what, tuple(answers)


def _told(stream: Any, bodiless: bool) -> Told | None:
    """The next answer; None at the end."""
    while True:
        line = stream.readline()
        if not line:
            return None
        status, headers = int(line.split()[1]), {}
        while (field_line := stream.readline()) not in (b"\r\n", b""):
            name, _, value = field_line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if status >= 200:
            break
    if bodiless or status == 204:
        return Told(status, headers, b"")
    if "content-length" in headers:
        return Told(status, headers, stream.read(int(headers["content-length"])))
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(stream.readline() or b"0", 16):  # nothing at all: it answers a HEAD that it refused
            body += stream.read(size)
            stream.readline()
        stream.readline()
        return Told(status, headers, body)
    return Told(status, headers, stream.read())


# The receiver


class Fuzzed(House):
    """A house with doors of every kind, and a clock that nobody moves."""

    @property
    def environ(self) -> dict[str, str]:
        """The variables that name it."""
        extra = {f"REELDESK_SECRET_{name.upper()}_HOOK_SECRET": token for name, token in EXTRA.items()}
        return super().environ | extra | {"REELDESK_SECRET_SIGNED_API_KEY": self.services.cronofy.api_key}

    def write(self, dead_port: int) -> None:
        """Write the configuration."""
        services = self.services
        cronofy = f'provider = "cronofy"\nbase_url = "{services.cronofy.base_url}"'
        tables = {
            "advice": f'provider = "flexperto"\nbase_url = "{services.flexperto.base_url}"',
            "shut": f'provider = "flexperto"\nbase_url = "{services.flexperto.base_url}"',
            "agents": cronofy,
            "signed": cronofy,
            "keyless": cronofy,
            "rooms": f'provider = "temasys"\nbase_url = "{services.temasys.base_url}"\nusername = "temasys"',
            "standup": f'provider = "proconf"\nbase_url = "{services.proconf.base_url}/api"\nrooms = ["town-hall"]',
            "broken": f'provider = "proconf"\nbase_url = "http://127.0.0.1:{dead_port}/api"\nrooms = ["dead"]',
        }
        text = '[vault]\npath = "vault"\n[receiver]\nrate_per_s = 100000000\ntrusted_proxies = ["127.0.0.1"]\n'
        for name, table in tables.items():
            text += f"[accounts.{name}]\n{table}\npoll_s = 0\nauto_fetch = false\n"
        (self.folder / "config.toml").write_text(text)

    def secrets_given(self) -> dict[str, str]:
        """What may be in no log, and not in clear on the disk."""
        keys = {"cronofy": self.services.cronofy.api_key, "temasys": self.services.temasys.app_key}
        return {**TOKENS, **{k: v for k, v in EXTRA.items() if len(v) >= 16}, **keys, "link": CANARY}


@dataclass
class Process:
    """The receiver's process."""

    popen: subprocess.Popen[str]
    port: int
    log: Path

    def ask(self, line: str) -> dict[str, Any]:
        """Have it say something. Raises Trouble when it is gone."""
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        try:
            self.popen.stdin.write(f"{line}\n")
            self.popen.stdin.flush()
        except BrokenPipeError:
            raise Trouble(f"the receiver is gone: {self.popen.wait(10)}") from None
        said = self.popen.stdout.readline()
        if not said:
            raise Trouble(f"the receiver is gone: {self.popen.wait(10)}\n{self.logged()[-3000:]}")
        result: dict[str, Any] = json.loads(said)
        return result

    def logged(self) -> str:
        """All that was logged or printed."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


@contextlib.contextmanager
def receiver(house: Fuzzed, dead_port: int) -> Iterator[Process]:
    """The receiver in a process of its own until the end of the block; its status must then be 0."""
    house.write(dead_port)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REELDESK_", "COV_"))}
    log = house.folder / "log"
    with log.open("w") as stderr:
        popen = subprocess.Popen(
            [sys.executable, "-W", "always", "-m", "tests.vault.inbox.fuzzing"],
            env=kept | house.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        assert popen.stdout is not None
        yield Process(popen, int(popen.stdout.readline()), log)
        popen.communicate("", 30)
        if popen.returncode:
            raise Trouble(f"the receiver ended with {popen.returncode}\n{log.read_text()[-3000:]}")
    finally:
        popen.kill()
        popen.communicate()


def services_on(net: Any) -> Services:
    """The four services, with rooms that answer each in its own way."""
    services = Services.serve(net)
    services.proconf.script("daily", [(0, "Words."), (5, "More words.")])
    return services


def main() -> None:
    """Receive until standard input ends."""
    logging.basicConfig(level=logging.DEBUG)  # on standard error, which is the log
    desk = Desk.open(dict(os.environ))
    try:
        asyncio.run(_serve(desk))
    finally:
        desk.close()


async def _serve(desk: Desk) -> None:
    loop = asyncio.get_running_loop()
    presence = Presence(desk.config.data / "workers")
    worker = desk.webhooks.new_worker(presence)
    receiver = desk.webhooks.new_receiver(replace(desk.webhooks.listening(), port=0), kept=worker.nudge)
    lines: asyncio.Queue[str] = asyncio.Queue()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line.strip())
        loop.call_soon_threadsafe(lines.put_nowait, "")

    working = loop.create_task(worker.run(), name="worker")
    running = loop.create_task(
        receiver.run(lambda: print(receiver.view().address.rpartition(":")[2], flush=True)), name="receiver"
    )
    threading.Thread(target=read, daemon=True).start()
    while await lines.get():
        view = receiver.view()
        said = {
            "state": view.state,
            "words": view.words,
            "accepted": view.accepted,
            "repeated": view.repeated,
            "waiting": await asyncio.to_thread(desk._ledger.deliveries.waiting),
            "tasks": sorted(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()),
            "rss": _resident(),
            "files": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "trouble": worker.trouble,
        }
        print(json.dumps(said), flush=True)
    receiver.stop()
    await running
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    presence.close()
    await desk.aclose()


def _resident() -> int:
    """Bytes resident now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    main()

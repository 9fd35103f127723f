"""One cell's stage: an emulator behind real sockets that spoil its answers, another origin beside it, and a desk."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote

import pytest

from providers.emulation import Emulator
from providers.flexperto.emulator import FlexpertoEmulator
from tests.vault.faults.model import PLAIN, Call, Fault, Half, Spoil
from tests.vault.faults.services import Service
from tests.vault.rawserver import RawServer, Reply, Seen
from tests.vault.world import Clock
from vault.desk import Desk
from vault.transfers.retrying import Rhythm
from vault.views import TransferView

QUICK = Rhythm(beat_s=0.05, backoff_s=0.001, busy_s=0.05)
"""Short waits between attempts; breaks of an account and of the whole queue are as long as they are."""
CREDENTIALS = ("authorization", "cookie", "api-key", "guid", "x-api-key")
_OURS = ("content-length", "transfer-encoding", "connection")
_RANGES = ("etag", "last-modified", "accept-ranges")


async def ask(emulator: Emulator, seen: Seen) -> Reply:
    """What the emulator's application answers to a request."""
    path, _, query = seen.target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": seen.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in seen.headers.items()],
        "server": None,
        "client": None,
    }
    sent: list[Any] = []
    over = asyncio.Event()
    given = [{"type": "http.request", "body": seen.body, "more_body": False}]

    async def receive() -> Any:
        if given:
            return given.pop()
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await emulator.app(scope, receive, send)
    over.set()
    start, *parts = sent
    headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    body = b"".join(part.get("body", b"") for part in parts)
    return Reply(start["status"], {k: v for k, v in headers.items() if k not in _OURS}, body)


class Front:
    """A socket before an emulator: hands on what it is asked, and spoils the answers that bring the file."""

    def __init__(self, emulator: Emulator, stage: "Stage") -> None:
        self._emulator = emulator
        self._stage = stage
        self.server = RawServer(self._answer)
        self.files: list[tuple[Seen, Reply]] = []
        """Requests for the file since `Stage.arm`, and what was answered."""
        self.spoil: Spoil | None = None
        self.call_spoil: Spoil | None = None
        """What becomes of the answers to all other requests."""
        self.refusal: Reply | None = None
        """What is answered to them by somebody in between: the emulator is not asked."""
        self.refusals = 0
        """How many of them."""
        self._ranged = 0
        self._calls = 0

    async def _answer(self, seen: Seen, number: int) -> Reply:
        is_file = self._stage.service.is_file(seen.target.partition("?")[0])
        if not self._stage.armed:
            return await ask(self._emulator, seen)
        return await (self._answer_file(seen) if is_file else self._answer_call(seen))

    async def _answer_call(self, seen: Seen) -> Reply:
        self._calls += 1
        if self.refusal is not None and self._calls <= self.refusals:
            return self.refusal
        honest = await ask(self._emulator, seen)
        spoil = self.call_spoil
        return honest if spoil is None else spoil(Call(seen, self._calls - 1, None, honest, self._stage))

    async def _answer_file(self, seen: Seen) -> Reply:
        plain = self._stage.mode == PLAIN
        wanted = {k: v for k, v in seen.headers.items() if not (plain and k in ("range", "if-range"))}
        honest = await ask(self._emulator, replace(seen, headers=wanted))
        if plain:
            honest = replace(honest, headers={k: v for k, v in honest.headers.items() if k not in _RANGES})
        ranged = None
        if "range" in seen.headers:
            ranged, self._ranged = self._ranged, self._ranged + 1
        reply = honest
        if self.spoil is not None:
            reply = self.spoil(Call(seen, len(self.files), ranged, honest, self._stage))
        self.files.append((seen, reply))
        self._stage.served.append((seen, reply))
        return reply


NO_FAULT = Fault("none", "", {})


class Stage:
    """What a cell runs on. `arm` switches the fault on; `clock` is the desk's."""

    def __init__(
        self, service: Service, mode: str, folder: Path, fault: Fault = NO_FAULT, *, timeout_s: float = 5.0
    ) -> None:
        self.service = service
        self._fault = fault
        self._timeout_s = timeout_s
        self.mode = mode
        self.folder = folder
        self.vault = folder / "vault"
        self.clock = Clock()
        self.armed = False
        self.half = Half()
        self.content = service.make(1)
        self.other = service.make(2)
        self.api = Front(service.emulator, self)
        self.files = self.api if service.store is None else Front(service.store, self)
        """Where the file comes from: the service itself, or its store."""
        self.elsewhere = RawServer(self._answer_elsewhere)
        self._mounted = False
        self.foreign: Path | None = None
        """A file that is not ours, under the final name."""
        self.served: list[tuple[Seen, Reply]] = []
        """Requests for the file, wherever they came, and what was answered."""
        self.desk: Desk

    async def __aenter__(self) -> "Stage":
        await self.api.server.__aenter__()
        self.service.emulator.base_url = self.api.server.url
        if self.service.store is not None:
            await self.files.server.__aenter__()
            self.service.store.base_url = self.files.server.url
        await self.elsewhere.__aenter__()
        self.desk = self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.desk.aclose()
        self.desk.close()
        for server in {self.api.server, self.files.server, self.elsewhere}:
            await server.__aexit__(None, None, None)
        self._unmount()

    def _open(self) -> Desk:
        service = self.service
        text = f"""[vault]\npath = "vault"\nworkers = 1\n[accounts.{service.account}]\nprovider = "{service.name}"
base_url = "{self.api.server.url}{service.path}"\npoll_s = 0\ntimeout_s = {self._timeout_s}\n{service.options}\n"""
        (self.folder / "config.toml").write_text(text)
        return Desk.open(self.environ, now=self.clock, rhythm=QUICK)

    @property
    def environ(self) -> Mapping[str, str]:
        """Of the desk."""
        held = {
            f"REELDESK_SECRET_{self.service.account}_{name}".upper(): value
            for name, value in self.service.secrets.items()
        }
        places = {"REELDESK_CONFIG": str(self.folder / "config.toml"), "REELDESK_DATA": str(self.folder / "data")}
        return {**places, "REELDESK_KEYRING": "off", **held}

    def _answer_elsewhere(self, seen: Seen, number: int) -> Reply:
        reply = self._fault.elsewhere(self, seen) if self._fault.elsewhere else Reply(404)
        self.served.append((seen, reply))
        return reply

    def arm(self) -> None:
        """Switch the fault on; from now on requests are counted."""
        self.armed = True
        self.files.spoil = self._fault.spoil

    def disarm(self) -> None:
        """Everything is honest again."""
        self.files.spoil = self.api.call_spoil = self.api.refusal = None
        self.half.go.set()

    def view(self) -> TransferView:
        """The transfer as the ledger tells it."""
        found = self.desk.transfer(self.service.identity)
        assert found is not None
        return found

    def parts(self) -> list[Path]:
        """What is incomplete in the vault, sidecars too."""
        return [path for path in self._all() if ".part" in path.name]

    def finals(self) -> list[Path]:
        """What lies in the vault under a final name."""
        return [path for path in self._all() if ".part" not in path.name and ".damaged" not in path.name]

    def _all(self) -> list[Path]:
        return sorted(path for path in self.vault.rglob("*") if not path.is_dir())

    def mount(self, size: str) -> None:
        """Put a small disk under the vault."""
        self.vault.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.vault)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.decode().strip()}")
        self._mounted = True

    def _unmount(self) -> None:
        if self._mounted:
            subprocess.run(["umount", "-l", str(self.vault)], check=True)

    def remount(self, options: str) -> None:
        """Change the small disk."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.vault)], check=True, capture_output=True)

    def remove_vault(self) -> None:
        """The folder is gone, with all that is in it."""
        shutil.rmtree(self.vault)

    def free(self) -> int:
        """Bytes that can still be written below the vault."""
        space = os.statvfs(self.vault)
        return space.f_bavail * space.f_frsize

    def refuse_calls(self, reply: Reply, times: int = 1_000) -> None:
        """Whatever is asked beside the file is answered so, by somebody in between."""
        self.api.refusal, self.api.refusals = reply, times

    async def state_checksum(self, stated: str | None) -> None:
        """What flexperto states of its archive (None: the right one), and the desk learns it."""
        assert isinstance(self.service.emulator, FlexpertoEmulator)
        self.service.emulator.archives["one"].stated_sha256 = stated
        await self.service.learn(self.desk)

    def leaks(self) -> list[str]:
        """Credentials that came to another origin than the account's own."""
        servers = {self.elsewhere, self.files.server} - {self.api.server}
        requests = [seen for server in servers for seen in server.seen]
        hidden = self.service.hidden()
        return [
            name
            for seen in requests
            for name, value in [*seen.headers.items(), ("target", seen.target), ("body", seen.body.decode("latin-1"))]
            if name in CREDENTIALS or any(secret in value for secret in hidden)
        ]

"""A tenant whose calls fail where a test says so, and desks over it as processes that were started anew."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from providers import registry
from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import Subscription
from tests.vault.test_secrets import Ring
from tests.vault.world import ACCOUNT, Clock
from vault import config
from vault.desk import Desk
from vault.inbox.gate import SECRET, Gate, digest
from vault.inbox.views import Rotation
from vault.ledger import Ledger
from vault.secrets import KeyringThread, Secrets, variable

OLD = "old-secret-of-forty-characters-at-the-least"
AVAILABLE, CLOSE = registry.info("flexperto").topics
MISSPELT = "communciation.archives.archive.available"
PUBLIC = "https://hooks.example.org"


HEADERS = [(b"content-type", b"application/json")]


HOUR_S = 3_600.0


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


class Picky(FlexpertoEmulator):
    """A tenant that refuses single calls, or does what is asked and loses the answer."""

    def __init__(self) -> None:
        self.refuse: Callable[[str], int | None] = lambda call: None
        """The status for a call (`POST /path`) that is refused, with what was sent repeated; None: it is answered."""
        self.lose: Callable[[str], bool] = lambda call: False
        """Whether a call is done, and its answer becomes a 503."""
        self.asked: list[str] = []
        super().__init__()
        self.allow_private_targets = True
        self.app = self._picky(self.app)

    def _picky(self, inner: Any) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            call = f"{scope['method']} {scope['path']}"
            self.asked.append(call)
            refused = self.refuse(call)
            status = 503 if self.lose(call) else None

            async def spoilt(message: Any) -> None:
                if message["type"] == "http.response.start" and status:
                    message = {**message, "status": status}
                await send(message)

            if refused:
                await send({"type": "http.response.start", "status": refused, "headers": HEADERS})
                said = (await receive())["body"].decode()
                body = json.dumps({"message": f"refused on purpose: {said}"}).encode()
                await send({"type": "http.response.body", "body": body})
                return
            await inner(scope, receive, spoilt)

        return app

    def calls(self, method: str) -> list[str]:
        """The calls about subscriptions with a method."""
        return [line for line in self.asked if line.startswith(method) and "subscriptions" in line]


@dataclass
class Tenant:
    """An account, and desks over it. `secret`: hook_secret as the environment has it."""

    folder: Path
    emulator: Picky
    secret: str = OLD
    public_url: str = PUBLIC
    clock: Clock = field(default_factory=Clock)
    ring: Ring | None = None
    more: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        found = {
            "REELDESK_DATA": str(self.folder / "data"),
            variable(ACCOUNT, "api_key"): self.emulator.api_key,
            **({variable(ACCOUNT, SECRET): self.secret} if self.secret else {}),
            **({} if self.ring else {"REELDESK_KEYRING": "off"}),
        }
        return found | dict(self.extra)

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """A desk of a process of its own: nothing is remembered but what the ledger and the keyring have."""
        text = f"""[vault]\npath = "vault"\n[receiver]\npublic_url = "{self.public_url}"
[accounts.{ACCOUNT}]\nprovider = "flexperto"\nbase_url = "{self.emulator.base_url}"\npoll_s = 0\n{self.more}\n"""
        (self.folder / "config.toml").write_text(text)
        known = config.parse(text, self.folder / "config.toml", self.folder / "data")
        ring = self.ring
        secrets = Secrets(self.environ, KeyringThread(lambda: ring) if ring else None)
        desk = Desk(known, Ledger(known.ledger_path), secrets, self.clock)
        try:
            yield desk
        finally:
            await desk.aclose()
            desk.close()

    def old_address(self, token: str = OLD) -> str:
        return f"{self.public_url}/hooks/{ACCOUNT}/{token}"

    def register(self, topic: str = AVAILABLE, token: str = OLD) -> str:
        """Registered before the test; gives its id."""
        return self.emulator.subscribe(topic, self.old_address(token)).id

    @property
    def urls(self) -> list[str]:
        """What is registered at the service, oldest first."""
        return [one.url for one in self.emulator.registered.values()]

    def token(self, url: str) -> str:
        return urlsplit(url).path.rpartition("/")[2]


def tenant(net: Loopback, folder: Path) -> Tenant:
    emulator = Picky()
    net.serve(emulator)
    return Tenant(folder, emulator)


def gate_of(desk: Desk, clock: Clock) -> Gate:
    """A receiver's gate, as this desk's process would have it."""
    return Gate(desk.config.accounts, desk._connections, desk._ledger.hooks, clock)


async def opens(gate: Gate, token: str | None, account: str = ACCOUNT) -> bool:
    """Whether a delivery with this secret part comes in."""
    return await gate.of_hook(account, token) is not None


def is_current(desk: Desk, token: str, account: str = ACCOUNT) -> bool:
    return desk._ledger.hooks.current(account) == digest(token)


def whole(one: Subscription) -> str:
    """Everything that a subscription could give away."""
    return repr(one) + one.url + one.raw + one.warning


def words(rotation: Rotation) -> str:
    return "\n".join(rotation.steps)


def revealed(rotation: Rotation) -> str:
    assert rotation.address is not None, words(rotation)
    return rotation.address.reveal()

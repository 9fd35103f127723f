"""A desk that receives on loopback, over the emulators of all services that call back; and a client to call it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from providers.cronofy.emulator import COMPLETE, CronofyEmulator
from providers.emulation import Loopback, ObjectStore
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import Delivery
from providers.proconf.emulator import ProconfEmulator
from providers.temasys.emulator import TemasysEmulator
from tests.vault.world import QUICK, Clock, until
from vault.desk import Desk
from vault.inbox.binding import Listening
from vault.inbox.receiver import Receiver
from vault.inbox.tally import Entry
from vault.inbox.views import ReceiverState
from vault.inbox.worker import Worker
from vault.presence import Presence
from vault.views import DeliveryState, DeliveryView

TOKENS = {"advice": "a" * 40, "rooms": "r" * 40, "standup": "s" * 40}
AGENTS, ADVICE, ROOMS = "/hooks/agents", f"/hooks/advice/{TOKENS['advice']}", f"/hooks/rooms/{TOKENS['rooms']}"
BEARER = {"authorization": f"Bearer {TOKENS['standup']}"}
OPEN = frozenset({DeliveryState.WAITING, DeliveryState.WORKING})


@dataclass(frozen=True)
class Said:
    """What the receiver answered."""

    status: int
    body: bytes
    headers: dict[str, str]


@dataclass
class Services:
    """The four services."""

    flexperto: FlexpertoEmulator
    cronofy: CronofyEmulator
    temasys: TemasysEmulator
    proconf: ProconfEmulator

    @classmethod
    def serve(cls, net: Loopback) -> "Services":
        made = cls(FlexpertoEmulator(), CronofyEmulator(ObjectStore()), TemasysEmulator(), ProconfEmulator())
        for each in (made.flexperto, made.cronofy, made.cronofy.store, made.temasys, made.temasys.store, made.proconf):
            net.serve(each)
        made.proconf.script("town-hall", [(0, "The call began.")])
        return made

    def agent(self, number: int = 1) -> Delivery:
        """A completed agent's webhook."""
        sub = self.cronofy.add_agent(f"Meeting {number}", sub=f"agt_{number:024d}")
        self.cronofy.complete(sub)
        return self.cronofy.deliveries(sub, COMPLETE)[0]

    def recording(self, room: str = "town-hall") -> Delivery:
        """A mixed recording's callback."""
        return self.temasys.finish_recording(room)

    def archive(self, name: str = "a") -> Delivery:
        """An available archive's webhook."""
        self.flexperto.add_archive(name)
        return self.flexperto.deliveries_for(name)[0]


@dataclass
class House:
    """The desk, its receiver and its worker, on this loop."""

    folder: Path
    services: Services
    options: dict[str, str] = field(default_factory=dict)
    """More lines for the accounts' tables."""
    secrets: dict[str, str] = field(default_factory=dict)
    """More variables; None of the tokens' are left out but by an empty text."""
    clock: Clock = field(default_factory=Clock)
    entries: list[Entry] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        tokens = {f"REELDESK_SECRET_{name.upper()}_HOOK_SECRET": token for name, token in TOKENS.items()}
        keys = {
            "REELDESK_SECRET_ADVICE_API_KEY": self.services.flexperto.api_key,
            "REELDESK_SECRET_AGENTS_API_KEY": self.services.cronofy.api_key,
            "REELDESK_SECRET_ROOMS_PASSWORD": self.services.temasys.password,
            "REELDESK_SECRET_ROOMS_API_KEY": self.services.temasys.app_key,
            "REELDESK_CONFIG": str(self.folder / "config.toml"),
            "REELDESK_DATA": str(self.folder / "data"),
            "REELDESK_KEYRING": "off",
        }
        return {name: value for name, value in (tokens | keys | self.secrets).items() if value}

    def desk(self) -> Desk:
        services = self.services
        tables = {
            "advice": f'provider = "flexperto"\nbase_url = "{services.flexperto.base_url}"',
            "agents": f'provider = "cronofy"\nbase_url = "{services.cronofy.base_url}"',
            "rooms": f'provider = "temasys"\nbase_url = "{services.temasys.base_url}"\nusername = "temasys"',
            "standup": f'provider = "proconf"\nbase_url = "{services.proconf.base_url}/api"\nrooms = ["town-hall"]',
        }
        text = "[vault]\npath = 'vault'\n" + self.options.get("", "")
        for name, table in tables.items():
            text += f"[accounts.{name}]\n{table}\npoll_s = 0\n{self.options.get(name, '')}\n"
        (self.folder / "config.toml").write_text(text)
        return Desk.open(self.environ, now=self.clock, rhythm=QUICK)

    @asynccontextmanager
    async def receiving(self, *, process: bool = True) -> AsyncIterator["Receiving"]:
        """Open the desk and receive, on a free port."""
        desk = self.desk()
        presence = Presence(desk.config.data / "workers")
        worker = desk.webhooks.new_worker(presence)
        receiver = desk.webhooks.new_receiver(
            Listening("127.0.0.1", 0, None, None), kept=worker.nudge, tell=self.entries.append
        )
        tasks = [asyncio.ensure_future(receiver.run())]
        if process:
            tasks.append(asyncio.ensure_future(worker.run()))
        try:
            await until(lambda: receiver.view().state is not ReceiverState.OFF and receiver.view().address)
            async with aiohttp.ClientSession(auto_decompress=False) as session:
                yield Receiving(desk, receiver, worker, session)
        finally:
            receiver.stop()
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            presence.close()
            await desk.aclose()
            desk.close()


@dataclass
class Receiving:
    """What `House.receiving` opened."""

    desk: Desk
    receiver: Receiver
    worker: Worker
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Said:
        address = f"{self.receiver.view().address}{path}"
        from yarl import URL

        async with self.session.request(
            method, URL(address, encoded=True), headers=headers, data=body or None
        ) as answer:
            return Said(answer.status, await answer.read(), {k.lower(): v for k, v in answer.headers.items()})

    async def post(self, path: str, delivery: Delivery) -> Said:
        return await self.ask("POST", path, dict(delivery.headers), delivery.body)

    def deliveries(self) -> tuple[DeliveryView, ...]:
        return self.desk.webhooks.deliveries()

    async def processed(self) -> tuple[DeliveryView, ...]:
        """All that came, once none of it waits."""
        return await until(  # type: ignore[no-any-return]  # whatever the condition gives
            lambda: (
                (found := self.deliveries())
                and not any(d.state in OPEN and d.again_at is None for d in found)
                and found
            )
        )

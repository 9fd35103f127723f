"""All five emulators on loopback, with a story in them, and a folder with everything to work on them.

Nothing of the user's is touched: configuration, ledger, vault and secrets are the demo's own.
"""

import asyncio
import contextlib
import json
import random
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe
from types import TracebackType

from providers.emulation import Clock, Loopback
from providers.models import Delivery
from providers.sending import Sender, SendingEmulator
from providers.story import ROOMS, SPOILT, Services, secrets

TICK_S = 0.5
PUBLIC = "https://hooks.studio.example"
HOOK_SECRETS = ("advice", "rooms", "standup")
"""Accounts whose webhooks nothing else protects. Those of `agents` are signed."""
_SPOOLS = ("agents", "rooms")
"""flexperto's archives are in its list, too; what these two send is told only once."""
_PORTS = range(20_000, 30_000)
"""Not where a system takes the ports of outgoing connections from: one of those could have it when it is needed."""
_CONFIG = """\
# reeldesk demo: five emulated services on this machine
[vault]
path = {vault}

[receiver]
on = true
host = "127.0.0.1"
port = {port}
public_url = "{public}"

[accounts.advice]
provider = "flexperto"
base_url = "{flexperto}"
keep_days_at_service = 6
poll_s = 3

[accounts.agents]
provider = "cronofy"
base_url = "{cronofy}"
spool = {agents_spool}
poll_s = 3

[accounts.rooms]
provider = "temasys"
base_url = "{temasys}"
username = "temasys"
auto_fetch = false
spool = {rooms_spool}
poll_s = 3

[accounts.calls]
provider = "huawei"
base_url = "{huawei}"
agent_id = "1001"
phone = "40038"
watch = true

[accounts.standup]
provider = "proconf"
base_url = "{proconf}/api"
rooms = {rooms}
poll_s = 3
"""


class Demo:
    """The services, served while the context is entered.

    `folder`: where everything lies; without one a temporary folder is made, and removed at the end. `hook_secret`
    makes the secrets in the receiver's addresses; `chance` picks its port. `decays`: the disk spoils one held file.

    What the services sent before is saved in the accounts' spool folders, where a sync takes it in. What they send
    from then on goes to the receiver that the configuration describes, and to the spool folder when nobody takes it.
    """

    def __init__(
        self,
        folder: Path | None = None,
        now: Clock = time.time,
        hook_secret: Callable[[], str] = lambda: token_urlsafe(32),
        chance: random.Random | None = None,
        *,
        decays: bool = False,
    ) -> None:
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="reeldesk-demo-")) if folder is None else folder.absolute()
        self.services = Services.make(now)
        self.hook_secrets = {account: hook_secret() for account in HOOK_SECRETS}
        self.port = free_port(chance or random.Random())
        """Where webhooks are to be received, on 127.0.0.1."""
        self._net = Loopback()
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="demo", daemon=True)
        self._sender = Sender(now=now, fronts=self._fronts)
        self._sending: set[asyncio.Task[None]] = set()
        self._saved = 0
        self._decays = decays

    @property
    def hooks(self) -> dict[str, str]:
        """Where the services send webhooks, by account: a made-up public host, as a reverse proxy would give it."""
        return {
            "advice": f"{PUBLIC}/hooks/advice/{self.hook_secrets['advice']}",
            "agents": f"{PUBLIC}/hooks/agents",
            "rooms": f"{PUBLIC}/recordings",
        }

    @property
    def _fronts(self) -> dict[str, str]:
        """What stands behind that host: the receiver. Temasys is not told the secret; the proxy adds it."""
        base = f"http://127.0.0.1:{self.port}"
        return {self.hooks["rooms"]: f"{base}/hooks/rooms/{self.hook_secrets['rooms']}", PUBLIC: base}

    @property
    def environ(self) -> dict[str, str]:
        """The variables that point reeldesk to the demo, secrets among them."""
        named = {
            f"REELDESK_SECRET_{account}_{name}".upper().replace("-", "_"): secret
            for account, name, secret in secrets(self.services, self.hook_secrets)
        }
        places = {"REELDESK_CONFIG": "config.toml", "REELDESK_DATA": "data"}
        return {**{key: str(self.folder / name) for key, name in places.items()}, "REELDESK_KEYRING": "off", **named}

    def __enter__(self) -> "Demo":
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._net.__enter__()
        services = self.services
        self._net.serve(services.cronofy.store)
        self._net.serve(services.temasys.store)
        for emulator in (services.flexperto, services.cronofy, services.temasys, services.huawei, services.proconf):
            self._net.serve(emulator)
        self._net.call(lambda: services.tell(self.hooks))
        self._write_config()
        for account, emulator in (("agents", services.cronofy), ("rooms", services.temasys)):
            for delivery in self._net.call(emulator.due_deliveries):
                self._save(account, delivery)
        self._ticker.start()
        return self

    def _write_config(self) -> None:
        services = self.services
        text = _CONFIG.format(
            vault=json.dumps(str(self.folder / "vault")),
            port=self.port,
            public=PUBLIC,
            agents_spool=json.dumps(str(self.folder / "spool" / "agents")),
            rooms_spool=json.dumps(str(self.folder / "spool" / "rooms")),
            flexperto=services.flexperto.base_url,
            cronofy=services.cronofy.base_url,
            temasys=services.temasys.base_url,
            huawei=services.huawei.base_url,
            proconf=services.proconf.base_url,
            rooms=json.dumps(ROOMS),
        )
        path = self.folder / "config.toml"
        path.touch(0o600)
        path.write_text(text, "utf-8")

    def _tick(self) -> None:
        while not self._ended.wait(TICK_S):
            self._net.call(self._begin_sending)
            if self._decays:
                self._decays = not spoil(self.folder / "vault", SPOILT)

    def _begin_sending(self) -> None:
        """Have every service send what is due by now, without waiting for a receiver. On the emulators' loop."""
        services = self.services
        for account, emulator in (
            ("advice", services.flexperto),
            ("agents", services.cronofy),
            ("rooms", services.temasys),
        ):
            task = asyncio.get_running_loop().create_task(self._send(account, emulator))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, account: str, emulator: SendingEmulator) -> None:
        sent = await emulator.deliver_due(self._sender)
        if account not in _SPOOLS:
            return
        taken = {one.parcel.delivery.body for one in sent if one.delivered}
        left = {one.parcel.delivery.body: one.parcel.delivery for one in sent}
        for body, delivery in left.items():
            if body not in taken:
                with contextlib.suppress(OSError):  # the folder was removed under us: the demo is over
                    self._save(account, delivery)

    def _save(self, account: str, delivery: Delivery) -> None:
        """Save a delivery, complete before it is found."""
        self._saved += 1
        save_delivery(self.folder / "spool" / account, f"{self._saved:05d}", delivery)

    async def _stop_sending(self) -> None:
        tasks = list(self._sending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sender.close()

    def close(self) -> None:
        """Stop the services; a temporary folder is removed."""
        self._ended.set()
        if self._ticker.ident is not None:
            self._ticker.join(10)
            self._net.call(self._stop_sending)
        self._net.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def free_port(chance: random.Random) -> int:
    """A port of 127.0.0.1 on which nobody listens. Raises OSError when there is none."""
    for port in chance.sample(_PORTS, len(_PORTS)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")


def spoil(vault: Path, conference: str) -> bool:
    """Change a byte of a conference's held archive, as a bad disk does: nothing tells of it. False: it is not held."""
    for path in vault.rglob("*.zip"):
        if f"[{conference}]" not in path.parent.name:
            continue
        with contextlib.suppress(OSError), path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 0xFF]))
            return True
    return False


def save_delivery(folder: Path, name: str, delivery: Delivery) -> None:
    """Save a webhook as an account's `spool` keeps them: the body, and beside it its headers (0600)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = "".join(f"{key}: {value}\n" for key, value in delivery.headers.items())
    for suffix, content in ((".json.headers", lines.encode()), (".json", delivery.body)):
        temporary = folder / f"{name}{suffix}.new"
        temporary.touch(0o600)
        temporary.write_bytes(content)
        temporary.replace(folder / f"{name}{suffix}")

"""All five emulators on loopback, with a story in them, and a folder with everything to work on them.

Nothing of the user's is touched: configuration, ledger, vault and secrets are the demo's own.
"""

import json
import shutil
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

from providers.emulation import Clock, Loopback
from providers.models import Delivery
from providers.story import ROOMS, Services, secrets

TICK_S = 0.5
_CONFIG = """\
# reeldesk demo: five emulated services on this machine
[vault]
path = {vault}

[accounts.advice]
provider = "flexperto"
base_url = "{flexperto}"
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

    `folder`: where everything lies; without one a temporary folder is made, and removed at the end. Webhooks that the
    services send are saved in the accounts' spool folders, where a sync takes them in as it would real ones.
    """

    def __init__(self, folder: Path | None = None, now: Clock = time.time) -> None:
        self._temporary = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="reeldesk-demo-")) if folder is None else folder.absolute()
        self.services = Services.make(now)
        self._net = Loopback()
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="demo", daemon=True)
        self._saved = 0

    @property
    def environ(self) -> dict[str, str]:
        """The variables that point reeldesk to the demo, secrets among them."""
        named = {
            f"REELDESK_SECRET_{account}_{name}".upper().replace("-", "_"): secret
            for account, name, secret in secrets(self.services)
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
        self._net.call(services.tell)
        self._write_config()
        self._deliver()
        self._ticker.start()
        return self

    def _write_config(self) -> None:
        services = self.services
        text = _CONFIG.format(
            vault=json.dumps(str(self.folder / "vault")),
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
            self._deliver()

    def _deliver(self) -> None:
        """Save what the services send by now, each delivery complete before it is found."""
        senders = (("agents", self.services.cronofy), ("rooms", self.services.temasys))
        for account, emulator in senders:
            for delivery in self._net.call(emulator.due_deliveries):
                self._saved += 1
                save_delivery(self.folder / "spool" / account, f"{self._saved:05d}", delivery)

    def close(self) -> None:
        """Stop the services; a temporary folder is removed."""
        self._ended.set()
        if self._ticker.ident is not None:
            self._ticker.join(10)
        self._net.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def save_delivery(folder: Path, name: str, delivery: Delivery) -> None:
    """Save a webhook as an account's `spool` keeps them: the body, and beside it its headers (0600)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = "".join(f"{key}: {value}\n" for key, value in delivery.headers.items())
    for suffix, content in ((".json.headers", lines.encode()), (".json", delivery.body)):
        temporary = folder / f"{name}{suffix}.new"
        temporary.touch(0o600)
        temporary.write_bytes(content)
        temporary.replace(folder / f"{name}{suffix}")

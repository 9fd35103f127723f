"""kill -9 while webhooks come in: what was answered 2xx is in the ledger, and is processed once.

`REELDESK_KILLS` is the number of kills (a soak takes hundreds), `REELDESK_SEED` draws other moments.
"""

import contextlib
import hashlib
import http.client
import json
import os
import queue
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from providers.cronofy.emulator import CronofyEmulator
from providers.demo import free_port
from providers.emulation import Blob, Loopback, ObjectStore
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import Delivery

KILLS = int(os.environ.get("REELDESK_KILLS", "10"))
SEED = int(os.environ.get("REELDESK_SEED", "7"))
SENDERS = 4
A_LIFE = 40
"""New webhooks in the life of a process, at most."""
HUNG_S = 30.0
ALL_S = 300.0
HOOK = "hook-secret-of-thirty-two-letters"
LINK = "one-letter-of-this-link-is-too-many"
CONFIG = """\
[vault]
path = "vault"
[receiver]
on = true
port = {port}
[accounts.advice]
provider = "flexperto"
base_url = "{flexperto}"
poll_s = 0
auto_fetch = false
[accounts.agents]
provider = "cronofy"
base_url = "{nowhere}"
poll_s = 0
auto_fetch = false
[accounts.rooms]
provider = "temasys"
base_url = "{nowhere}"
auth = "none"
poll_s = 0
auto_fetch = true
"""


@dataclass(frozen=True, eq=False)
class Sending:
    """A webhook, where it goes, and the asset that it announces."""

    path: str
    delivery: Delivery
    asset: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.delivery.body).hexdigest()


@dataclass(frozen=True)
class Row:
    """A delivery as the ledger tells it."""

    digest: str
    state: str
    duplicates: int


class Services:
    """Makes the webhooks of three services: signed ones, forms, and hints that are to be confirmed."""

    def __init__(self, net: Loopback, nowhere: str) -> None:
        self.nowhere = nowhere
        self.flexperto = FlexpertoEmulator()
        self.cronofy = CronofyEmulator(ObjectStore())
        net.serve(self.flexperto)
        self._blob = Blob.of(b"PK", "application/zip")
        self._net = net

    def make(self, number: int) -> Sending:
        return (self._archive, self._agent, self._recording)[number % 3](number)

    def _archive(self, number: int) -> Sending:
        name = f"a{number}"
        self._net.call(lambda: self.flexperto.add_archive(name, f"c{number}", blob=self._blob))
        (delivery,) = self.flexperto.deliveries_for(name)
        return Sending(f"/hooks/advice/{HOOK}", delivery, f"advice/c{number}/archive.{name}")

    def _agent(self, number: int) -> Sending:
        sub = f"agt_{number:024x}"
        url = f"{self.nowhere}/v1/meeting_agents/{sub}/resources/transcript/cronofy"
        resources = [{"category": "transcript", "type": "cronofy", "url": url}]
        payload = {
            "notification": {"type": "event_subscription", "interactions": [{"type": "meeting_agent_complete"}]},
            "meeting_agent": {"sub": sub, "state": "complete", "resources": resources},
        }
        return Sending("/hooks/agents", self.cronofy.signed(payload), f"agents/{sub}/transcript")

    def _recording(self, number: int) -> Sending:
        at = 1_790_000_000 + number
        fields = {
            "meetingId": f"m{number}",
            "apiKey": "app-key",
            "unixTime": at,
            "roomId": f"room {number}",
            "participants": 3,
            "startTime": "2026-11-20T12:40:00Z",
            "endTime": "2026-11-20T12:51:00Z",
            "retrievalUrl": f"{self.nowhere}/m{number}.mp4?X-Amz-Signature={LINK}",
        }
        delivery = Delivery({"content-type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())
        return Sending(f"/hooks/rooms/{HOOK}", delivery, f"rooms/m{number}/video.{at}")


class Campaign:
    """The process that receives, those who send, and what they were answered."""

    def __init__(self, process: "subprocess.Popen[str]", net: Loopback, folder: Path, nowhere: str) -> None:
        self.process = process
        self.folder = folder
        self.port = free_port(random.Random(os.getpid()))
        self.services = Services(net, nowhere)
        text = CONFIG.format(port=self.port, flexperto=self.services.flexperto.base_url, nowhere=nowhere)
        (folder / "config.toml").write_text(text)
        self.environ = {
            "REELDESK_CONFIG": str(folder / "config.toml"),
            "REELDESK_DATA": str(folder / "data"),
            "REELDESK_KEYRING": "off",
            "REELDESK_SECRET_ADVICE_API_KEY": self.services.flexperto.api_key,
            "REELDESK_SECRET_ADVICE_HOOK_SECRET": HOOK,
            "REELDESK_SECRET_AGENTS_API_KEY": self.services.cronofy.api_key,
            "REELDESK_SECRET_ROOMS_HOOK_SECRET": HOOK,
        }
        self.made = 0
        self.acknowledged: dict[Sending, int] = {}
        """How often each was answered 2xx."""
        self.unheard: list[Sending] = []
        """Sent without an answer: to be sent again, as the services do."""
        self.kept_unanswered: set[Sending] = set()
        self.counts: Counter[str] = Counter()

    def live(
        self,
        chance: random.Random,
        new: int,
        *,
        die_at: int = 0,
        after: int = 0,
        for_s: float | None = None,
        until: Callable[[], bool] | None = None,
    ) -> int:
        """Send to a process until its end; gives its exit code.

        It is killed at a moment of its own, right `after` so many answers, after so many seconds of load, or when
        something holds.
        """
        life = _Life(self, self._to_send(chance, new), after, for_s, until)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"environ": self.environ, "die_at": die_at}) + "\n")
        self.process.stdin.flush()
        life.begin(int(self.process.stdout.readline()))
        code = int(self.process.stdout.readline())
        self.unheard = life.end()
        return code

    def _to_send(self, chance: random.Random, new: int) -> list[Sending]:
        """What got no answer before, new ones, and some of the answered ones once more."""
        again = [one for one in list(self.acknowledged)[-A_LIFE:] if chance.random() < 0.2]
        fresh = [self.services.make(number) for number in range(self.made, self.made + new)]
        self.made += new
        found = [*self.unheard, *fresh, *again]
        chance.shuffle(found)
        return found

    def rows(self) -> dict[str, Row]:
        """The deliveries in the ledger, by their digest."""
        found = [Row(*row) for row in self.ask("SELECT digest, state, duplicates FROM deliveries")]
        rows = {row.digest: row for row in found}
        assert len(rows) == len(found), "a delivery is there twice"
        return rows

    def ask(self, sql: str) -> list[tuple[str, str, int]]:
        if not (self.folder / "data" / "ledger.db").exists():
            return []
        ledger = sqlite3.connect(self.folder / "data" / "ledger.db")
        with contextlib.closing(ledger):
            assert ledger.execute("PRAGMA quick_check").fetchone() == ("ok",)
            return ledger.execute(sql).fetchall()

    def check_after_a_kill(self) -> None:
        """Nothing that was acknowledged is missing; count what the kill hit."""
        rows = self.rows()
        missing = [one.asset for one in self.acknowledged if one.digest not in rows]
        assert not missing, f"acknowledged, and not in the ledger: {missing}"
        states = Counter(row.state for row in rows.values())
        assert states.keys() <= {"waiting", "working", "done"}, states
        self.counts["kills with deliveries not processed"] += bool(states["waiting"] + states["working"])
        self.counts["kills in the middle of processing"] += bool(states["working"])
        self.kept_unanswered |= {one for one in self.unheard if one.digest in rows and one not in self.acknowledged}
        self.counts["kept, but killed before the answer"] = len(self.kept_unanswered)

    def is_done(self) -> bool:
        """Whether all were answered and processed."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "ledger.db")) as ledger:
            (left,) = ledger.execute("SELECT count(*) FROM deliveries WHERE state != 'done'").fetchone()
        return len(self.acknowledged) == self.made and not left

    def check_end(self) -> None:
        """Each is there once, was processed, and brought its asset once."""
        rows = self.rows()
        sent = {one.digest: one for one in self.acknowledged}
        assert rows.keys() == sent.keys()
        assert {row.state for row in rows.values()} == {"done"}
        for one, times in self.acknowledged.items():
            assert rows[one.digest].duplicates >= times - 1, one.asset
        assets = {asset for asset, _, _ in self.ask("SELECT identity, '', 0 FROM assets")}
        assert assets == {one.asset for one in sent.values()}
        events = self.ask("SELECT identity, what, count(*) FROM events GROUP BY 1, 2")
        assert {asset: times for asset, what, times in events if what == "seen"} == dict.fromkeys(assets, 1)
        automatic = {asset for asset in assets if asset.startswith("rooms/")}
        transfers = self.ask("""SELECT a.identity, '', count(*) FROM transfers t
            JOIN assets a ON a.id = t.asset_id GROUP BY 1""")
        assert {asset: times for asset, _, times in transfers} == dict.fromkeys(automatic, 1)
        for path in (self.folder / "data").iterdir():
            assert not path.is_file() or LINK.encode() not in path.read_bytes(), "a link lies there in clear"


class _Life:
    """Senders over the life of one process."""

    def __init__(
        self,
        campaign: Campaign,
        sendings: list[Sending],
        after: int,
        for_s: float | None,
        until: Callable[[], bool] | None,
    ) -> None:
        self._campaign = campaign
        self._waiting: queue.SimpleQueue[Sending] = queue.SimpleQueue()
        for one in sendings:
            self._waiting.put(one)
        self._after = after
        self._for_s = for_s
        self._until = until
        self._guard = threading.Lock()
        self._answers = 0
        self._over = threading.Event()
        self._unheard: list[Sending] = []
        self._killers: list[threading.Timer] = []
        self._child = 0
        self._threads = [threading.Thread(target=self._send_all) for _ in range(SENDERS)]
        if until is not None:
            self._threads.append(threading.Thread(target=self._wait_until))

    def begin(self, child: int) -> None:
        self._child = child
        self._kill_in(HUNG_S if self._until is None else ALL_S)
        for thread in self._threads:
            thread.start()

    def end(self) -> list[Sending]:
        """After the process: what was sent without an answer."""
        self._over.set()
        for each in (*self._threads, *self._killers):
            if isinstance(each, threading.Timer):
                each.cancel()
            each.join()
        while not self._waiting.empty():
            self._unheard.append(self._waiting.get())
        return self._unheard

    def _kill_in(self, seconds: float) -> None:
        self._killers.append(threading.Timer(seconds, self._kill))
        self._killers[-1].start()

    def _kill(self) -> None:
        if not self._over.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)

    def _wait_until(self) -> None:
        assert self._until is not None
        while not self._until() and not self._over.wait(0.05):
            pass
        self._kill()

    def _send_all(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._campaign.port, timeout=HUNG_S)
        while not self._over.is_set():
            try:
                one = self._waiting.get(timeout=0.01)
            except queue.Empty:
                continue
            try:
                connection.request("POST", one.path, one.delivery.body, dict(one.delivery.headers))
                status = connection.getresponse()
                status.read()
            except ConnectionRefusedError:  # it does not listen yet
                connection.close()
                self._waiting.put(one)
                self._over.wait(0.01)
            except (OSError, http.client.HTTPException):
                connection.close()
                with self._guard:
                    self._unheard.append(one)
            else:
                self._note(one, status.status)
        connection.close()

    def _note(self, one: Sending, status: int) -> None:
        with self._guard:
            self._answers += 1
            last = self._answers == self._after
            if last:
                self._kill()
            counts = self._campaign.counts
            counts[f"answered {status}"] += 1
            if status in (200, 204):
                acknowledged = self._campaign.acknowledged
                acknowledged[one] = acknowledged.get(one, 0) + 1
            elif self._until is None:
                self._unheard.append(one)
            else:
                self._waiting.put(one)
            if self._answers == 1 and self._for_s is not None:
                self._kill_in(self._for_s)


@pytest.fixture
def campaign(net: Loopback, tmp_path: Path) -> Iterator[Campaign]:
    with (
        socket.socket() as nobody,
        subprocess.Popen(
            [sys.executable, "-m", "tests.vault.receiving"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as process,
    ):
        nobody.bind(("127.0.0.1", 0))  # and does not listen: whoever comes is refused
        yield Campaign(process, net, tmp_path, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert process.stdin is not None
        process.stdin.close()


def test_killed_under_load(campaign: Campaign) -> None:
    """A third right after an answer, a third by the clock, a third inside an operation of ledger and disk."""
    chance, counts = random.Random(SEED), campaign.counts
    for kill in range(KILLS):
        how = kill % 3
        if how == 0:
            code = campaign.live(chance, A_LIFE, after=chance.randint(1, A_LIFE))
        elif how == 1:
            code = campaign.live(chance, A_LIFE, for_s=chance.uniform(0.0, 0.4))
        else:
            code = campaign.live(chance, A_LIFE, die_at=int(10 ** chance.uniform(0.5, 2.5)), for_s=1.0)
        assert code == -signal.SIGKILL
        counts[("killed right after an answer", "killed by the clock", "killed in an operation")[how]] += 1
        campaign.check_after_a_kill()

    assert campaign.live(chance, 0, until=campaign.is_done) == -signal.SIGKILL
    campaign.check_end()
    print(campaign.made, "webhooks;", dict(counts))
    assert counts["answered 204"] + counts["answered 200"] == sum(counts[name] for name in counts if "answered" in name)
    assert counts["kills with deliveries not processed"] >= KILLS // 4, counts

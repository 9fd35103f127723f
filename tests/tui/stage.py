"""A desk to look at: a real `Desk` over a ledger in a folder, filled through the ledger's own verbs; the clock stands.

The engine on stage runs use cases on a loop of its own, as the real one does, but moves no queue by itself: what the
screens show stands still.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec.structs import replace

from providers.models import Asset, AssetId, AssetKind, Catchup, Checksum, Listing, Meeting, RemoteState
from providers.text import safe_text
from tui.app import DeskApp
from vault.desk import Desk
from vault.engine import Engine, Snapshot
from vault.inbox.receiving import Receiving
from vault.ledger.claiming import Claim, Terms
from vault.proof import Check, Outcome, Proof

T = TypeVar("T")
NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)

CONFIG = """
[vault]
path = "{folder}/vault"

[accounts.advice]
provider = "flexperto"
base_url = "http://127.0.0.1:9"

[accounts.agents]
provider = "cronofy"
data_center = "de"

[accounts.rooms]
provider = "temasys"
base_url = "http://127.0.0.1:9"

[accounts.calls]
provider = "huawei"
base_url = "http://127.0.0.1:9"
agent_id = "1001"

[accounts.standup]
provider = "proconf"
base_url = "http://127.0.0.1:9"
rooms = ["town-hall", "night-watch"]
"""

HOSTILE = (
    "Quarterly [/b] review",
    "[@click=app.quit]Free coffee[/]",
    "Budget [$foo] [draft]",
    "[link=https://evil.example]claim[/link] [/nope]",
    "clear \x1b[2J\x1b[H screen",
    "title \x1b]0;PWNED\x07 set",
    "clip \x1b]52;c;cHduZWQ=\x07 board",
    "C1 \x9b31m csi \x9d0;x\x9c",
    "bidi \u202egnp.exe \u2066x\u2069",
    "naïve café — 東京の定例会議 第三回",
    "한국어 주간 회의",
    "اجتماع الفريق الأسبوعي",
    "पाठ्यक्रम समीक्षा",
    "party 🎉👩‍👩‍👧‍👦 ❤️ done",
    "z" + "\u0301" * 40 + "algo",
    "long " + "x" * 5000,
    "tab\tnew\nline\r\nend",
    "\\[escaped] \\",
)
ORDINARY = (
    "Claims hearing Müller ./. Allianz",
    "Onboarding: second session",
    "Mortgage advice, Frau Yılmaz",
    "Weekly planning",
    "Incident review 2026-11",
    "Interview: Site Reliability Engineer",
)


def meetings(account: str, number: int) -> Listing:
    """Meetings of an account, each with assets in various states."""
    listing = Listing()
    for n in range(number):
        title = HOSTILE[n // 3 % len(HOSTILE)] if n % 3 == 1 else f"{ORDINARY[n % len(ORDINARY)]} {n}"
        start = NOW - timedelta(hours=7 * n + 1)
        meeting = Meeting(
            id=f"{account}-{n:03d}",
            title=safe_text(title),
            started_at=start,
            ended_at=start + timedelta(minutes=45),
            people=("Ana Petrović", "王小明"),
            provider_state="ENDED",
            origin="listed by the service",
            details={"language": "de"},
            raw=f'{{"id":"{account}-{n:03d}","apiKey":"…"}}',
        )
        listing += Listing((meeting,), assets(account, meeting.id, n))
    return listing


def assets(account: str, meeting: str, n: int) -> tuple[Asset, ...]:
    """The assets of a meeting, by its account's habits."""
    states = (RemoteState.AVAILABLE, RemoteState.AVAILABLE, RemoteState.PROCESSING, RemoteState.FAILED)
    state = states[n % len(states)]
    error = "TRANSCODING_FAILED: the recorder lost the audio" if state is RemoteState.FAILED else ""
    ready = state is RemoteState.AVAILABLE
    common: dict[str, Any] = {"state": state, "provider_state": str(state).upper(), "error": error}
    if account == "advice":
        deadline = NOW + timedelta(hours=11 + 23 * n) if ready else None
        stated = Checksum("ab" * 32, "ab" * 32) if ready else None
        size = 1_420_000_000 + n * 7_000_000 if ready else None
        return (
            Asset(
                meeting,
                AssetKind.ARCHIVE,
                "ARCHIVE",
                size=size,
                deadline=deadline,
                checksum=stated,
                extension="zip",
                **common,
            ),
        )
    if account == "agents":
        link = f"https://app.example.com/dashboards/{n}"
        return (
            Asset(meeting, AssetKind.VIDEO, size=310_000_000, extension="mp4", **common),
            Asset(meeting, AssetKind.AUDIO, size=21_000_000, extension="mp3", **common),
            Asset(meeting, AssetKind.TRANSCRIPT, size=48_200, extension="json", **common),
            Asset(meeting, AssetKind.DASHBOARD, state=RemoteState.AVAILABLE, link=link),
        )
    return (Asset(meeting, AssetKind.VIDEO, f"{1_700_000_000 + n}", size=88_000_000 + n, extension="mp4", **common),)


def fill(desk: Desk, folder: Path) -> None:
    """Three accounts with meetings, one silent, one in trouble; three held, four queued, one failed."""
    now = NOW.timestamp()
    ledger = desk._ledger
    for account, provider, number in (("advice", "flexperto", 18), ("agents", "cronofy", 24), ("rooms", "temasys", 18)):
        ledger.recorder.record(account, provider, meetings(account, number), now, authoritative=True)
        ledger.history.asked(account, "", now - 240)
    ledger.history.asked("calls", "the name gateway.internal cannot be resolved; is the VPN up?", now)
    for minutes, text in (
        (40, "Ana opened.\nBudget is open."),
        (6, "Ana opened.\nBudget is agreed: 40 k.\nNext: hiring."),
    ):
        listing = Listing(catchups=(Catchup("town-hall", text),))
        ledger.recorder.record("standup", "proconf", listing, now - minutes * 60, authoritative=True)
    for name in ("advice/advice-000/archive.ARCHIVE", "agents/agents-000/video", "agents/agents-000/transcript"):
        hold(desk, folder, AssetId.parse(name))
    wrong = AssetId.parse("agents/agents-004/video")
    desk.enqueue([wrong])
    words = "the service answers HTTP 503: [maintenance] until 15:00"
    ledger.claims.fail(claimed(desk, wrong), words, now, None, attempts=1)
    desk.enqueue(AssetId.parse(f"agents/agents-{n:03d}/{kind}") for n in (1, 5) for kind in ("video", "audio"))


def claimed(desk: Desk, identity: AssetId, owner: str = "desk:1:token") -> Claim:
    """An asset's transfer, claimed by a process."""
    claims = desk._ledger.claims
    (claim,) = claims.take(Terms(owner, 9, only=claims.ids([identity])), NOW.timestamp(), 1)
    return claim


def hold(desk: Desk, folder: Path, identity: AssetId) -> None:
    """Have an asset held, with a proof that says what was checked."""
    now = NOW.timestamp()
    desk.enqueue([identity])
    claim, claims = claimed(desk, identity), desk._ledger.claims
    checks = (
        Check("length", Outcome.PASSED, "1420000000 bytes, as stated"),
        Check("checksum", Outcome.NOT_STATED, "the service states no checksum"),
        Check("container", Outcome.PASSED, "3 files in the zip, every CRC right"),
    )
    proof = Proof(1_420_000_000, "cd" * 32, checks, NOW, "https://acme.example")
    claims.fix_path(claim, f"/srv/reeldesk/{identity.account}/2026-11-22/{identity.meeting}-{identity.kind}.zip")
    claims.prepare(claim, proof)
    claims.commit(claim, proof, now)


class StageEngine:
    """Like the engine, but its queue stands still and its snapshot is what the test says."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.stopped = threading.Event()
        self.loop = asyncio.new_event_loop()
        self._began, self._up, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._running: frozenset[AssetId] = frozenset()
        self._made = Snapshot(revision=1, online=True)
        self._receiving: Receiving | None = None
        self.transfers_from_ledger()

    def run(self) -> None:
        self._began.set()
        self.loop.call_soon(self._up.set)
        self.loop.run_forever()
        self.loop.run_until_complete(self.desk.aclose())
        self.loop.close()
        self._ended.set()

    def give_way(self) -> None:
        """Nothing moves here."""

    def drawn(self) -> None:
        """Nothing moved here."""

    def close(self) -> None:
        """Stop, and let the loop be closed by whoever ran it."""
        self.stop()
        if self._began.is_set():
            assert self._ended.wait(10), "the engine ends"
        else:
            self.loop.close()

    def stop(self) -> None:
        if not self.stopped.is_set() and not self.loop.is_closed():
            if self._receiving is not None and self.loop.is_running():
                asyncio.run_coroutine_threadsafe(self._receiving.switch(False), self.loop).result(5)
            self.loop.call_soon_threadsafe(self.loop.stop)
        self.stopped.set()

    def do(self, call: Callable[[Desk], Coroutine[Any, Any, T]]) -> "concurrent.futures.Future[T]":
        self._up.wait(5)
        return asyncio.run_coroutine_threadsafe(call(self.desk), self.loop)

    async def receive(self, on: bool) -> str:
        """Switch a real receiver; nothing is processed."""
        if self._receiving is None:
            self._receiving = Receiving(self.desk.webhooks, self.desk.config.data / "workers")
        words = await self._receiving.switch(on)
        self.set(receiver=self._receiving.view())
        return words

    def snapshot(self) -> Snapshot:
        return self._made

    def fresh(self) -> Snapshot:
        return self._made

    def set(self, **changes: Any) -> None:
        """Change the snapshot; `revision` grows."""
        self._made = replace(self._made, revision=self._made.revision + 1, **changes)

    def transfers_from_ledger(self, running: dict[str, tuple[int, int, float]] | None = None) -> None:
        """The ledger's queue; `running` names those under way: received, total (bytes), rate."""
        from vault.views import TransferState

        views = []
        for view in self.desk.transfers():
            moving = (running or {}).get(str(view.asset))
            if moving:
                received, total, rate = moving
                left = (total - received) / rate
                view = replace(
                    view,
                    state=TransferState.RUNNING,
                    received=received,
                    total=total,
                    rate=rate,
                    eta_s=left,
                    attempts=1,
                    owner="desk:1",
                )
            views.append(view)
        self.set(transfers=tuple(views))


RUNNING = {
    "agents/agents-001/video": (141_000_000, 310_000_000, 8_400_000.0),
    "agents/agents-001/audio": (2_000_000, 21_000_000, 950_000.0),
}


def trouble(engine: StageEngine) -> None:
    """One on its third try in another process, one being proven, one waiting, one behind a service that fails."""
    from vault.views import TransferState

    down, soon = "the service answers HTTP 503", NOW + timedelta(seconds=40)
    video, audio, waits, queued, *rest = engine.snapshot().transfers
    engine.set(
        transfers=(
            replace(video, attempts=3, owner="attic:4711", words="resumed at 96468992 bytes"),
            replace(audio, received=21_000_000, eta_s=0.0),
            replace(
                waits,
                state=TransferState.WAITING,
                received=96_000_000,
                total=310_000_000,
                attempts=2,
                words=down,
                again_at=soon,
            ),
            replace(queued, words=down, again_at=soon),
            *rest,
        )
    )


@contextmanager
def stage(
    folder: Path, *, config: str = CONFIG, filled: bool = True, secrets: Mapping[str, str] | None = None
) -> Iterator[StageEngine]:
    """A desk and its engine in a folder. `secrets`: `ACCOUNT/NAME` to value."""
    path = folder / "config.toml"
    path.write_text(config.format(folder=folder))
    environ = {"REELDESK_CONFIG": str(path), "REELDESK_DATA": str(folder / "data")}
    for name, value in (secrets or {}).items():
        environ["REELDESK_SECRET_" + name.upper().replace("-", "_").replace("/", "_")] = value
    desk = Desk.open(environ, now=lambda: NOW)
    try:
        if filled:
            fill(desk, folder)
        engine = StageEngine(desk)
        yield engine
        engine.close()
    finally:
        desk.close()


def app_on(engine: StageEngine, **options: Any) -> DeskApp:
    """The application over it."""
    options.setdefault("environ", {})
    options.setdefault("now", lambda: NOW)
    return DeskApp(cast(Engine, engine), **options)

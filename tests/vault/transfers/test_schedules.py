"""No schedule of a server's behaviours, restarts and damage on the disk leads to a wrong file.

A file under the final name is, byte for byte, the whole of what the last answers were of; with a checksum stated it
is what that says. The only exemption are lies that nobody could notice, and `told.Made` says which those are:

1. no length was stated, no checksum, and the body ended early in a way that HTTP lets a body end;
2. every length that was stated is that of the piece, and there is no checksum;
3. another version came under the same validators and length, with the same bytes where they were asked for again.

`HYPOTHESIS_PROFILE=soak` plays 2,000 examples.
"""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, Phase, event, example, given, settings

from providers.base import AccountSettings, BadAnswer, Head, ProviderError, Source
from providers.http import Http
from providers.models import Checksum
from providers.origin import Origin
from tests.vault.rawserver import RawServer, Reply
from tests.vault.transfers.behaviours import Fate, Harm, Service, Step, Version
from tests.vault.transfers.schedules import CASES, Case
from tests.vault.transfers.told import Made, possible
from vault.errors import VaultError
from vault.proof import Outcome, Proof
from vault.transfers import pouring
from vault.transfers.fetch import Work, fetch
from vault.transfers.part import Part
from vault.transfers.pouring import Meter

EXAMPLES = 2_000 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 150
TIMEOUT_S = 0.15
"""Of a server that falls silent."""
NAME = PurePosixPath("folder/a file.bin")
JUNK: tuple[object, ...] = (
    None,
    -1,
    0,
    1,
    70_000,
    1 << 70,
    1.5,
    "1",
    '"junk"',
    [],
    {},
    True,
    float("nan"),
    "é\r\n",
    "\0",
)


def judge(head: Head) -> None:
    """Words are no file."""
    kind = head.headers.get("content-type", "")
    if kind.startswith(("text/html", "application/json")) or head.prefix.startswith((b"<html", b'{"status"')):
        raise BadAnswer("words instead of the file")


class Stage:
    """One event loop, two servers and one client for all examples."""

    def __init__(self, runner: asyncio.Runner, home: RawServer, elsewhere: RawServer, http: Http, root: Path) -> None:
        self.runner = runner
        self.home = home
        self.elsewhere = elsewhere
        self.http = http
        self.root = root
        self.numbers = itertools.count()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    async def enter(server: RawServer) -> RawServer:
        return await server.__aenter__()

    with asyncio.Runner() as runner:
        home, elsewhere = (runner.run(enter(RawServer(lambda seen, number: Reply(500)))) for _ in range(2))
        origin = Origin.of(home.url)
        assert origin is not None
        http = Http(AccountSettings("advice", "flexperto", {}, timeout_s=TIMEOUT_S), (origin,), dict)
        patch = pytest.MonkeyPatch()
        # So that a few kilobytes are many blocks, and worth continuing after.
        patch.setattr(pouring, "PREFIX_BYTES", 1_024)
        patch.setattr(pouring, "BLOCK_BYTES", 4_096)
        patch.setattr(pouring, "CHECKPOINT_BYTES", 16_384)
        yield Stage(runner, home, elsewhere, http, tmp_path_factory.mktemp("schedules"))
        patch.undo()
        runner.run(http.aclose())
        for server in (home, elsewhere):
            runner.run(server.__aexit__(None, None, None))


class Play:
    """One example on the stage."""

    def __init__(self, stage: Stage, case: Case) -> None:
        self.stage = stage
        self.case = case
        self.root = stage.root / str(next(stage.numbers))
        self.service = Service(
            case.versions, case.switch, case.steps, stage.elsewhere.url, self.size_there, self.interrupt
        )
        stage.home.answer = stage.elsewhere.answer = self.service.answer
        self.refusals = case.refusals
        self.stated = case.stated
        self.prepared: list[Proof] = []
        self.committed: list[Proof] = []
        self.notes: list[bytes] = []
        """What the side file said, whenever it was looked at."""
        self.killed: dict[Path, bytes] | None = None
        """What lay on the disk when the process was killed."""
        self.task: asyncio.Task[Proof] | None = None

    @property
    def final(self) -> Path:
        return self.root / NAME

    @property
    def part(self) -> Path:
        return self.root / f"{NAME}.part"

    @property
    def side(self) -> Path:
        return self.root / f"{NAME}.part.json"

    def size_there(self) -> int:
        if self.side.exists():
            self.notes.append(self.side.read_bytes())
        return self.part.stat().st_size

    def interrupt(self, fate: Fate) -> None:
        assert self.task is not None
        self.task.cancel()
        if fate is Fate.KILLED:
            self.killed = {path: path.read_bytes() for path in (self.part, self.side) if path.exists()}

    def checksum(self) -> Checksum | None:
        sums = [hashlib.sha256(version.content).hexdigest() for version in self.case.versions]
        if self.stated == "unreadable":
            return Checksum("", "crc32:9")
        now = hashlib.sha256(self.service.now.content).hexdigest()
        value = {"first": sums[0], "last": sums[-1], "now": now, "wrong": "ab" * 32}.get(self.stated)
        return Checksum(value, value) if value else None

    async def resolve(self) -> Source:
        self.checked = self.checksum()
        return Source(f"{self.stage.home.url}/file", judge, {}, None, self.checked, self.case.resumable)

    def prepare(self, proof: Proof) -> None:
        assert not self.final.exists()
        if self.refusals:
            self.refusals -= 1
            raise VaultError("the ledger is full")
        self.prepared.append(proof)

    def commit(self, proof: Proof) -> None:
        assert self.final.exists()
        self.committed.append(proof)

    async def attempt(self) -> Proof | None:
        """One attempt as the queue makes it. None: the process did not see its end."""
        part = await asyncio.to_thread(Part, self.root, NAME)
        work = Work(self.resolve, self.stage.http, "bin", self.prepare, self.commit, lambda: datetime.now(UTC))
        self.task = asyncio.create_task(fetch(work, part, Meter()))
        try:
            return await self.task
        except asyncio.CancelledError:
            return None
        finally:
            await asyncio.to_thread(part.close)
            self.service.release.set()
            self.service.release = asyncio.Event()
            self.after_attempt()

    def after_attempt(self) -> None:
        if self.killed is not None:
            for path in (self.part, self.side):
                path.unlink(missing_ok=True)
            for path, content in self.killed.items():
                path.write_bytes(content)
            self.killed = None
        step = self.service.latest
        if step is not None and not self.final.exists():
            rng = random.Random(step.by)
            harm(step.harm, step.at, rng, self)

    async def run(self) -> Proof | None:
        """Attempts, as long as another may help. None: it ended with an error."""
        for _ in range(len(self.case.steps) + self.case.refusals + 2):
            try:
                proof = await self.attempt()
            except ProviderError as error:
                assert not self.final.exists()
                if not error.transient:
                    event("a person asks again")
            except VaultError as error:
                assert not self.final.exists()
                if not error.words:
                    return None
            else:
                if proof is not None:
                    return proof
        return None

    def check(self, proof: Proof) -> bool:
        """What must be true of a file under its final name. Whether it is one that nobody could know to be wrong."""
        file = self.final.read_bytes()
        assert (proof.size, proof.sha256) == (len(file), hashlib.sha256(file).hexdigest())
        assert self.prepared == self.committed == [proof]
        assert [path.name for path in self.final.parent.iterdir()] == [NAME.name]
        self.check_words(proof)
        if file == self.service.told[-1].content:
            return False
        if self.checked is not None and self.checked.readable:  # what it says was compared above
            assert file in [version.content for version in self.case.versions]
            return False
        made = possible(self.service.told)
        assert any(each.could_be(file) for each in made), self.words(file, made)
        return True

    def check_words(self, proof: Proof) -> None:
        outcome = {check.name: check.outcome for check in proof.checks}
        assert proof.source == self.stage.home.url
        assert outcome["container"] is Outcome.NOT_STATED
        if self.checked is None:
            assert outcome["checksum"] is Outcome.NOT_STATED
        else:
            assert outcome["checksum"] is (Outcome.PASSED if self.checked.readable else Outcome.UNREADABLE)
            assert not self.checked.readable or proof.sha256 == self.checked.value
        lengths = [told.length for told in self.service.told]
        assert outcome["length"] in (Outcome.PASSED, Outcome.NOT_STATED)
        assert outcome["length"] is Outcome.NOT_STATED or proof.size in lengths

    def words(self, file: bytes, made: set[Made]) -> str:
        known = [v.content for v in self.case.versions]
        same = [next((n for n, (a, b) in enumerate(zip(file, v, strict=False)) if a != b), "all") for v in known]
        return f"{len(file)} bytes; as the versions up to {same}; told {self.service.told}; could be {made}"


def harm(kind: Harm, at: float, rng: random.Random, play: Play) -> None:
    """Damage what lies on the disk."""
    part, side = play.part, play.side
    if kind is Harm.NOTE_JUNK and part.exists():
        side.write_bytes(rng.choice((b"", b"{", b"[" * 5_000, b"null", b"\xff\x00", b"7", b"{}", rng.randbytes(50))))
    elif kind is Harm.NOTE_OLDER and play.notes:
        side.write_bytes(rng.choice(play.notes))
    elif kind is Harm.NOTE_DELETED:
        side.unlink(missing_ok=True)
    elif kind is Harm.NOTE_SPOILT and side.exists():
        _spoil_note(side, rng)
    elif kind is Harm.DELETED:
        part.unlink(missing_ok=True)
    elif part.exists() and (content := part.read_bytes()):
        place = min(len(content) - 1, int(at * len(content)))
        part.write_bytes(
            {
                Harm.TRUNCATED: content[:place],
                Harm.ZEROED: content[:place] + bytes(len(content) - place),
                Harm.FLIPPED: content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :],
                Harm.APPENDED: content + rng.randbytes(1_000),
            }.get(kind, content)
        )


def _spoil_note(side: Path, rng: random.Random) -> None:
    with contextlib.suppress(ValueError):
        note = json.loads(side.read_bytes())
        if isinstance(note, dict) and note:
            name = rng.choice(sorted(note))
            junk = rng.choice(JUNK)
            if rng.random() < 0.2:
                del note[name]
            elif not (name in ("etag", "last_modified") and not junk):
                note[name] = junk
            side.write_text(json.dumps(note))


async def play(stage: Stage, case: Case) -> None:
    it = Play(stage, case)
    proof = await it.run()
    event("continued" if it.service.ranges else "never continued")
    if proof is not None:
        event("a lie that nobody could notice" if it.check(proof) else "the right file")
        return
    event("ended with an error")
    assert not it.final.exists()
    await check_recovery(it)


async def check_recovery(it: Play) -> None:
    """After whatever ended with an error, an honest server gives the right file at the first attempt."""
    now = it.service.now
    it.service.versions = (replace(now, etag='"honest"' if now.etag else ""),)
    it.service.steps = ()
    it.stated = "last"
    it.refusals = 0
    it.case = Case(it.service.versions, 0, "last", it.case.resumable, 0, ())
    proof = await it.attempt()
    assert proof is not None
    assert it.final.read_bytes() == now.content
    assert not it.check(proof)


def schedule(*steps: Step, etag: str = '"one"') -> Case:
    return Case((Version(40_000, 0, etag, ""),), 1, "none", True, 0, steps)


def breaks_off(act: str) -> Step:
    """In the middle, with a reset."""
    return Step(act, 0.5, pick=1)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(case=CASES)
@example(schedule(breaks_off("chunked"), Step("starred", 0.7, pick=1)))
@example(schedule(breaks_off("chunked"), Step("starred", 0.7, pick=3)))
@example(schedule(Step("unframed", 0.5, pick=1)))
@example(schedule(Step("cut", 0.5), etag='"é"'))
@example(schedule(Step("cut", 0.5), etag='"\x01"'))
def test_no_schedule_ends_with_a_wrong_file(stage: Stage, case: Case) -> None:
    stage.runner.run(play(stage, case))

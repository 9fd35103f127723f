"""What generated histories of releases are played on: a tenant that judges each call, and two desks on one ledger."""

import asyncio
import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.responses import Response

from providers.base import ProviderError
from providers.emulation import Blob, Loopback
from providers.flexperto.emulated import EmulatedArchive, archive_zip
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import AssetId
from tests.vault.world import Clock, World, archive
from vault.desk import Desk
from vault.errors import VaultError
from vault.ledger import facets
from vault.ledger.events import first_link, link
from vault.proof import Proof
from vault.transfers.retrying import Rhythm
from vault.triage.states import Flag

RHYTHM = Rhythm(beat_s=0.01, backoff_s=0.01, hold_s=0.05, busy_s=0.01, settle_s=0.02, look_s=0.02)
KINDS = 3
"""Different contents that an archive can have."""


class Killed(BaseException):
    """Stands for kill -9: from the n-th transaction on, the process writes nothing any more."""


class Judge(FlexpertoEmulator):
    """A tenant that looks, with every call that deletes, whether it might have been sent."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Path()
        self.clock = Clock()
        self.wrong: list[str] = []
        self.calls = 0
        self.blobs = [archive_zip(f"kind {number}", video_bytes=200) for number in range(KINDS)]

    def begin(self, ledger: Path) -> None:
        """A new history."""
        self.ledger, self.clock, self.calls = ledger, Clock(), 0
        self.now = lambda: self.clock().timestamp()
        for known in (self.archives, self.abandon_calls, self.wrong):
            known.clear()
        self.faults.status = None

    def _abandon(self, family: str, given_id: str, found: list[EmulatedArchive]) -> Response:
        self.calls += 1
        going = [one for one in found if one.status == "AVAILABLE"]
        if not going:
            self.wrong.append(f"{given_id} was told again: {[one.status for one in found]}")
        with contextlib.closing(sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            for one in going:
                self.wrong += [f"{one.id}: {words}" for words in self._judge(connection, one)]
            self.wrong += self._judge_release(connection, given_id)
        return super()._abandon(family, given_id, found)

    def _judge(self, connection: sqlite3.Connection, one: EmulatedArchive) -> Iterator[str]:
        identity = archive(one.id, one.conference_id)
        row = connection.execute("SELECT * FROM assets WHERE identity = ?", (str(identity),)).fetchone()
        if row is None or not row["proof"]:
            yield "nothing of it was ever proven"
            return
        proof = Proof.from_json(row["proof"])
        if row["kept"] != "held":
            yield f"its copy is {row['kept']}"
        if proof.missing:
            yield f"its proof is not complete: {proof.missing}"
        if proof.sha256 != one.sha256():
            yield "the proof is of other bytes than the service's"
        if one.stated_sha256 not in (None, proof.sha256):
            yield "the service states another checksum"
        try:
            held = hashlib.sha256(Path(row["path"]).read_bytes()).hexdigest()
        except OSError:
            held = "no file"
        if held != one.sha256():
            yield f"the file is of other bytes than the service's: {held}"
        if row["flags"] & facets.FLAGS[Flag.HOLD]:
            yield "it is on hold"

    def _judge_release(self, connection: sqlite3.Connection, conference: str) -> Iterator[str]:
        sql = """SELECT r.* FROM releases r JOIN assets a ON a.id = r.asset_id JOIN meetings m ON m.id = a.meeting_id
            WHERE m.meeting = ? AND r.state = 'sending'"""
        rows = connection.execute(sql, (conference,)).fetchall()
        if len(rows) != 1:
            yield f"{conference}: {len(rows)} releases are noted as being sent"
        for row in rows:
            if row["due_at"] > self.now():
                yield f"{conference}: {row['due_at'] - self.now():.1f} s before its time"


def broken_link(ledger: Path) -> int | None:
    """The number of the first event that is not chained to the one before it; None when all are."""
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        name, count, head = connection.execute("SELECT ledger, count, head FROM log").fetchone()
        before, number = first_link(name), 0
        for number, (found, body, chain) in enumerate(
            connection.execute("SELECT number, body, chain FROM events ORDER BY number"), 1
        ):
            before = link(before, body)
            if (found, bytes(chain)) != (number, before):
                return number
        return None if (count, bytes(head)) == (number, before) else number + 1


class Play:
    """One history: two desks on one ledger, and what can happen to them."""

    def __init__(self, judge: Judge, folder: Path, template: Path) -> None:
        shutil.copytree(template, folder / "data")
        self.judge = judge
        judge.begin(folder / "data" / "ledger.db")
        self.it = World(folder, judge, judge.clock, rhythm=RHYTHM)
        self.runner = asyncio.Runner()
        self.desks = [self.it.desk(), self.it.desk()]

    def close(self) -> None:
        """The end of it."""
        for desk in self.desks:
            self._close(desk)
        self.runner.close()

    def _close(self, desk: Desk) -> None:
        self.runner.run(desk.aclose())
        desk.close()

    def restart(self, which: int) -> None:
        """A desk ends and another begins."""
        self._close(self.desks[which])
        self.desks[which] = self.it.desk()

    def attempt(self, *work: Coroutine[Any, Any, Any]) -> None:
        """Do things, all at once; what goes wrong is told, and no matter here."""

        async def each() -> None:
            for result in await asyncio.gather(*work, return_exceptions=True):
                if isinstance(result, BaseException) and not isinstance(result, VaultError | ProviderError | Killed):
                    raise result

        self.runner.run(each())

    def kill_while_working(self, which: int, writes: int) -> None:
        """Let a desk work until its n-th transaction, and end there."""
        desk = self.desks[which]
        database = desk._ledger._database
        write, left = database.write, [writes]

        @contextmanager
        def until_killed(*args: Any, **more: Any) -> Iterator[Any]:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            with write(*args, **more) as connection:
                yield connection

        database.write = until_killed  # type: ignore[method-assign]  # of this one alone
        self.attempt(desk.releasing.drain())
        self.restart(which)

    def add(self, name: str, conference: str, kind: int) -> None:
        """The service has another archive."""
        self.judge.add_archive(name, conference, blob=self.judge.blobs[kind])

    def replace(self, name: str, kind: int) -> None:
        """The service has other bytes under the same id."""
        one = self.judge.archives[name]
        one.blob, one._sha256, one.stated_sha256 = self.judge.blobs[kind], "", None

    def path(self, identity: AssetId) -> Path | None:
        """Where a file lies, if it is there."""
        view = self.desks[0].asset(identity)
        path = Path(view.path) if view is not None and view.path else None
        return path if path is not None and path.exists() else None


def template(net: Loopback, judge: Judge, folder: Path) -> Path:
    """An empty ledger, to be copied."""
    net.serve(judge)
    folder.mkdir()
    World(folder, judge).desk().close()
    return folder / "data"


def other(blob: Blob) -> bytes:
    """Bytes of the same length, one of them another one."""
    content = blob.read(0, blob.size)
    return content[:-1] + bytes([content[-1] ^ 1])

"""kill -9 at any moment of a release: it is sent once, with the right id, after its grace.

In a process that dies at the n-th operation on the disk or the ledger (`REELDESK_KILLS` >= 100: at every one), and in
a real `reeldesk work` that is killed by what the service hears from it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from providers.emulation import Loopback
from providers.flexperto.emulated import EmulatedArchive
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import AssetId
from tests.vault.world import World, archive, until
from vault.desk import Desk
from vault.triage.states import ReleaseState

HOUSE = Path(__file__).parents[3]
KILLS = int(os.environ.get("REELDESK_KILLS", "20"))
SEED = int(os.environ.get("REELDESK_SEED", "7"))
GRACE_S = 0.3


class Watched(FlexpertoEmulator):
    """Notes when it was told to abandon what, and can kill whoever says or asks something of a conference."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, float]] = []
        self.victim = 0
        self.kills: dict[str, str] = {}
        """Conference to the moment: `asked` for the record, `told`, or `carried out`. Once each."""

    def _kill(self, moment: str, conference: str) -> bool:
        if self.kills.get(conference) != moment:
            return False
        del self.kills[conference]
        os.kill(self.victim, signal.SIGKILL)
        return True

    async def _get(self, request: Request) -> Response:
        known = self.archives.get(request.path_params["archive_id"])
        if known is not None:
            self._kill("asked", known.conference_id)
            if known.status == "ABANDONED":
                self._kill("answered", known.conference_id)
        return await super()._get(request)

    def _abandon(self, family: str, given_id: str, found: list[EmulatedArchive]) -> Response:
        if self._kill("told", given_id):
            return Response(status_code=503)  # it was not carried out, and nobody hears that
        self.told.append((given_id, time.time()))
        answer = super()._abandon(family, given_id, found)
        self._kill("carried out", given_id)
        return answer


@pytest.fixture
def world(net: Loopback, tmp_path: Path) -> World:
    emulator = Watched()
    net.serve(emulator)
    made = World(tmp_path, emulator)
    made.write()
    return made


def watched(it: World) -> Watched:
    assert isinstance(it.emulator, Watched)
    return it.emulator


async def hold(it: World, desk: Desk, *names: str) -> list[AssetId]:
    """Have archives held, each of a conference of its own."""
    for name in names:
        it.emulator.add_archive(name, f"c-{name}")
    await desk.sync("advice")
    identities = [archive(name, f"c-{name}") for name in names]
    await desk.fetch_all(identities)
    await desk.aclose()
    return identities


def check(it: World, desk: Desk, identities: list[AssetId]) -> None:
    """Each was told once, after its grace, and is confirmed with a receipt."""
    told = dict(watched(it).told)
    assert sorted(conference for conference, _ in watched(it).told) == sorted(i.meeting for i in identities)
    for identity in identities:
        view = desk.releasing.release_of(identity)
        assert view is not None
        assert view.state is ReleaseState.CONFIRMED, (identity, view)
        assert told[identity.meeting] >= view.due_at.timestamp()
        [receipt] = desk.releasing.receipts(identity)
        assert receipt.sha256 == it.emulator.archives[identity.variant].sha256()
        what = [event.what for event in desk.trail(identity)]
        assert what.count("release confirmed") == 1
        assert what.index("release asked") < what.index("release sent") < what.index("release confirmed")


@contextmanager
def forked() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.vault.fetcher"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HOUSE,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def live(process: "subprocess.Popen[str]", it: World, die_at: int = 0) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"environ": it.environ, "die_at": die_at, "release": True}) + "\n")
    process.stdin.flush()
    process.stdout.readline()
    return int(process.stdout.readline())


async def test_killed_at_every_operation(world: World) -> None:
    """Each moment with an archive of its own, which the next process sees through."""
    step = 1 if KILLS >= 100 else 9
    states: set[ReleaseState] = set()
    desk = world.desk()
    with forked() as process:
        # The first of all is in every sample: whatever is killed there has done nothing of a release yet.
        for die_at in sorted({1, *range(1 + SEED % step, 400, step)}):
            [identity] = await hold(world, desk, f"a{die_at}")
            watched(world).told.clear()
            [asked] = desk.releasing.ask([identity], GRACE_S).release
            code = live(process, world, die_at)  # it may be over before anything is due
            if code == 0 and not watched(world).told:
                await until(lambda due=asked.due_at: world.clock() >= due)  # type: ignore[misc]  # bound early
                code = live(process, world, die_at)
            view = desk.releasing.release_of(identity)
            assert view is not None
            states.add(view.state)
            if code == 0:
                break
            assert code == -signal.SIGKILL
            await until(lambda due=asked.due_at: world.clock() >= due)  # type: ignore[misc]  # bound early
            assert live(process, world) == 0
            check(world, desk, [identity])
        else:
            pytest.fail("it never got to its end")
    desk.close()
    assert die_at > 30
    assert states >= {ReleaseState.WAITING, ReleaseState.CHECKING, ReleaseState.CONFIRMED}
    if step == 1:  # a sample may step over the short ones
        assert states >= {ReleaseState.SENDING, ReleaseState.ANSWERED}


def working(it: World) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "tui.cli", "work"]
    return subprocess.Popen(words, cwd=HOUSE, env=os.environ | it.environ, stderr=subprocess.PIPE)


async def test_a_real_process_that_is_killed_again_and_again(world: World) -> None:
    """By what the service hears: in the grace, before the call, with the call, with its answer, after it."""
    emulator, desk = watched(world), world.desk()
    names = ("grace", "asked", "told", "done", "answered", "quiet")
    identities = await hold(world, desk, *names)
    asked = desk.releasing.ask(identities, 6)
    assert len(asked.release) == len(names)
    emulator.kills = {"c-asked": "asked", "c-told": "told", "c-done": "carried out", "c-answered": "answered"}
    lives = 0
    while len(desk.releasing.receipts()) < len(names):
        lives += 1
        assert lives < 10
        with working(world) as process:
            emulator.victim = process.pid
            if lives == 1:  # it lives, and nothing is due
                await until(lambda: list((world.folder / "data" / "workers").glob("*")))
                assert emulator.told == []
                process.kill()
            else:
                await until(
                    lambda: process.poll() is not None or len(desk.releasing.receipts()) == len(names),
                    30,
                )
                process.kill()
    assert lives == 6
    assert emulator.kills == {}
    check(world, desk, identities)
    desk.close()

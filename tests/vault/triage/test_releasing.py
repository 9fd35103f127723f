"""What is held is released only against its proof: once, with the right id, and with a receipt."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from starlette.responses import Response

from providers.base import Provider
from providers.emulation import zip_blob
from providers.flexperto.emulated import EmulatedArchive
from providers.models import AssetId, RemoteState
from tests.vault.world import World, archive
from vault.desk import Desk
from vault.errors import NotReleased, ReleaseBusy, VaultError
from vault.ledger import facets
from vault.ledger.releases import Turn
from vault.passphrase import SealedLocked
from vault.presence import Presence
from vault.triage.states import Flag, ReleaseState

A, B = archive("a", "c1"), archive("b", "c1")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


async def learn(it: World, desk: Desk, *names: str, **more: object) -> None:
    for name in names:
        it.emulator.add_archive(name, "c1", **more)  # type: ignore[arg-type]  # tests give what fits
    await desk.sync("advice")


def path_of(desk: Desk, identity: AssetId = A) -> Path:
    asset = desk.asset(identity)
    assert asset is not None
    return Path(asset.path)


def what(desk: Desk) -> list[str]:
    return [event.what for event in desk.trail(A)]


def state(desk: Desk, identity: AssetId = A) -> tuple[ReleaseState, str]:
    view = desk.releasing.release_of(identity)
    assert view is not None
    return view.state, view.words


# At once


async def test_released_once_with_the_right_id(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    asset = await desk.fetch_now(A)
    released = await desk.release(A)
    assert (released.state, released.provider_state) == (RemoteState.ABANDONED, "ABANDONED")
    assert [(call.id, call.status) for call in it.emulator.abandon_calls] == [("c1", 200)]
    assert what(desk)[-6:] == [
        "release asked",
        "verified",
        "release sent",
        "release answered",
        "state",
        "release confirmed",
    ]
    assert asset.sha256 in desk.trail(A)[-1].words
    [receipt] = desk.releasing.receipts()
    assert (receipt.asset, receipt.sha256, receipt.along) == (A, asset.sha256, False)
    assert receipt.answer == "HTTP 200 to POST /api/v2/communication/conferences/conferences/c1/archive/abandon"
    assert receipt.deadline == released.deadline
    assert receipt.proof == released.proof
    with pytest.raises(VaultError, match="released already"):
        await desk.release(A)
    assert len(it.emulator.abandon_calls) == 1


async def test_every_archive_of_the_conference_must_be_held(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    it.emulator.add_archive("c", "c1", "PROCESSING")
    it.emulator.add_archive("d", "c2")
    await desk.sync("advice")
    await desk.fetch_now(A)
    with pytest.raises(VaultError, match=r"advice/c1/archive.b keeps it from being released: no proven copy"):
        await desk.release(A)
    assert it.emulator.abandon_calls == []
    await desk.fetch_now(B)
    await desk.release(A)
    assert [call.id for call in it.emulator.abandon_calls] == ["c1"]
    assert it.emulator.archives["c"].status == "PROCESSING"
    assert it.emulator.archives["d"].status == "AVAILABLE"


async def test_another_archive_of_the_conference_is_damaged(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", "b")
    await desk.fetch_now(A)
    asset = await desk.fetch_now(B)
    path_of(desk, B).write_bytes(b"damaged")
    assert path_of(desk, B) == Path(asset.path)
    with pytest.raises(VaultError, match=r"archive.b keeps it from being released: the file has 7 bytes"):
        await desk.release(A)
    assert it.emulator.abandon_calls == []


async def refused(it: World, desk: Desk, words: str) -> None:
    with pytest.raises(VaultError, match=words):
        await desk.release(A)
    assert it.emulator.abandon_calls == []
    assert "release sent" not in what(desk)
    assert desk.releasing.receipts() == ()
    assert desk.releasing.due() == ()


async def test_not_without_a_copy(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    await refused(it, desk, r"no proven copy is held here \(absent\)")
    await desk.fetch_now(A)
    content = path_of(desk).read_bytes()
    path_of(desk).write_bytes(content[:-1])  # nobody looked at it since
    await refused(it, desk, "the file has")
    await refused(it, desk, r"no proven copy is held here \(damaged\)")
    path_of(desk).unlink()
    await desk.verify(A)
    await refused(it, desk, r"no proven copy is held here \(lost\)")


async def test_not_with_a_checksum_that_cannot_be_read(it: World, desk: Desk) -> None:
    it.emulator.checksum_encoding = "garbage"
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    await refused(it, desk, "the service's checksum cannot be read")


async def test_not_with_an_empty_archive(it: World, desk: Desk) -> None:
    await learn(it, desk, "a", blob=zip_blob({}))
    await desk.fetch_now(A)
    await refused(it, desk, "what is inside the file was not checked")


@pytest.mark.parametrize("status", ["PROCESSING", "FAILED", "EXPIRED"])
async def test_not_what_is_not_available(it: World, desk: Desk, status: str) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    it.emulator.set_status("a", status)
    await desk.sync("advice")
    await refused(it, desk, f"the service says {status}")


async def test_not_what_has_changed_at_the_service_since(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    it.emulator.set_status("a", "PROCESSING")
    await refused(it, desk, "the service says PROCESSING")
    it.emulator.set_status("a", "AVAILABLE")
    await desk.sync("advice")
    it.emulator.archives["a"].stated_sha256 = "cd" * 32
    await refused(it, desk, "the service states another checksum")
    await refused(it, desk, "not what the service states")


async def test_the_service_does_not_do_it(it: World, desk: Desk) -> None:
    await learn(it, desk, "a")
    await desk.fetch_now(A)
    it.emulator.faults.status = 503
    await refused(it, desk, "503")
    it.emulator.faults.status = None
    it.emulator.archives["a"].extra = {"status": "AVAILABLE"}  # whatever it is told, it says this
    with pytest.raises(VaultError, match="took the request but still says AVAILABLE"):
        await desk.release(A)
    assert "release confirmed" not in what(desk)
    assert state(desk)[0] is ReleaseState.ANSWERED  # it goes on: the record is read again until it says so
    it.emulator.archives["a"].extra = {}
    it.clock.skip(1)
    await desk.releasing.drain()
    assert state(desk) == (ReleaseState.CONFIRMED, "the service says ABANDONED")
    assert len(it.emulator.abandon_calls) == 1


async def test_released_while_it_was_not_looked_at(it: World, desk: Desk) -> None:
    """A second archive of a conference that was abandoned with the first."""
    await learn(it, desk, "a", "b")
    await desk.fetch_now(A)
    await desk.fetch_now(B)
    await desk.release(A)
    assert (await desk.release(B)).state is RemoteState.ABANDONED
    assert len(it.emulator.abandon_calls) == 1
    assert {(receipt.asset, receipt.along) for receipt in desk.releasing.receipts()} == {(A, False), (B, True)}


# In grace


async def held(it: World, desk: Desk, *names: str) -> None:
    await learn(it, desk, *names)
    for name in names:
        await desk.fetch_now(archive(name, "c1"))


async def test_nothing_is_sent_before_the_grace_is_over(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    [view] = desk.releasing.ask([A]).release
    assert view.state is ReleaseState.WAITING
    assert 595 < view.left_s(it.clock()) <= 600
    asset = desk.asset(A)
    assert asset is not None
    assert (asset.release, asset.release_due) == (ReleaseState.WAITING, view.due_at)
    it.clock.skip(590)
    await desk.releasing.drain()
    assert it.emulator.abandon_calls == []
    it.clock.skip(11)
    await desk.releasing.drain()
    assert [call.id for call in it.emulator.abandon_calls] == ["c1"]
    asset = desk.asset(A)
    assert asset is not None
    assert (asset.release, asset.state) == (None, RemoteState.ABANDONED)


async def test_stopped_in_its_grace(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A])
    assert desk.releasing.stop(A)
    assert not desk.releasing.stop(A)
    it.clock.skip(601)
    await desk.releasing.drain()
    assert it.emulator.abandon_calls == []
    assert state(desk)[0] is ReleaseState.STOPPED
    assert what(desk)[-1] == "release stopped"
    await desk.release(A)  # asked anew
    assert len(it.emulator.abandon_calls) == 1


async def test_asking_twice_is_one_release_and_the_earlier_moment_holds(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    [first] = desk.releasing.ask([A, A], 100).release
    [second] = desk.releasing.ask([A], 50).release
    [third] = desk.releasing.ask([A], 200).release
    assert (first.number, second.number) == (second.number, third.number)
    assert third.due_at == second.due_at < first.due_at
    assert len(desk.releasing.due()) == 1


async def test_both_of_a_conference_are_one_call(it: World, desk: Desk) -> None:
    await held(it, desk, "a", "b")
    desk.releasing.ask([A, B], 10)
    it.clock.skip(11)
    await desk.releasing.drain()
    assert [call.id for call in it.emulator.abandon_calls] == ["c1"]
    assert state(desk, A)[0] is state(desk, B)[0] is ReleaseState.CONFIRMED
    assert len(desk.releasing.receipts()) == 2


async def test_on_the_older_paths_each_is_a_call_of_its_own(it: World, desk: Desk) -> None:
    it.emulator.families = {"legacy"}
    await held(it, desk, "a", "b")
    desk.releasing.ask([A, B], 10)
    it.clock.skip(11)
    await desk.releasing.drain()
    assert [(call.family, call.id) for call in it.emulator.abandon_calls] == [("legacy", "a"), ("legacy", "b")]
    assert {(receipt.asset, receipt.along) for receipt in desk.releasing.receipts()} == {(A, False), (B, False)}


def spoil(it: World, desk: Desk) -> None:
    path_of(desk).write_bytes(path_of(desk).read_bytes()[:-1] + b"?")


def lose(it: World, desk: Desk) -> None:
    path_of(desk).unlink()


def hold(it: World, desk: Desk) -> None:
    desk.flagging.set([A], Flag.HOLD, "legal")


def restate_size(it: World, desk: Desk) -> None:
    it.emulator.archives["a"].extra = {"size": 12}


def restate_checksum(it: World, desk: Desk) -> None:
    it.emulator.archives["a"].stated_sha256 = "ab" * 32


def move_conference(it: World, desk: Desk) -> None:
    it.emulator.archives["a"].conference_id = "c9"


def add_another(it: World, desk: Desk) -> None:
    it.emulator.add_archive("z", "c1")


def abandon_elsewhere(it: World, desk: Desk) -> None:
    it.emulator.advance("a")


def expire(it: World, desk: Desk) -> None:
    it.emulator.set_status("a", "EXPIRED")


@pytest.mark.parametrize(
    ("change", "end", "words"),
    [
        (spoil, ReleaseState.REFUSED, "the bytes changed"),
        (lose, ReleaseState.REFUSED, "the file is gone"),
        (hold, ReleaseState.STOPPED, "archive.a is on hold"),
        (restate_size, ReleaseState.REFUSED, "states another size than when"),
        (restate_checksum, ReleaseState.REFUSED, "states another checksum than"),
        (move_conference, ReleaseState.REFUSED, "names another conference"),
        (add_another, ReleaseState.REFUSED, "archive.z keeps it from being released: no proven copy"),
        (abandon_elsewhere, ReleaseState.REFUSED, "released elsewhere; nothing was sent"),
        (expire, ReleaseState.REFUSED, "released elsewhere; nothing was sent"),
    ],
)
async def test_what_changes_in_the_grace_keeps_it_from_being_sent(
    it: World, desk: Desk, change: Callable[[World, Desk], None], end: ReleaseState, words: str
) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A])
    change(it, desk)
    it.clock.skip(601)
    await desk.releasing.drain()
    assert it.emulator.abandon_calls == []
    found, said = state(desk)
    assert found is end
    assert words in said
    assert desk.releasing.receipts() == ()
    assert desk.releasing.due() == ()
    assert what(desk)[-1] == f"release {end}"


async def test_a_copy_that_was_fetched_anew_in_the_grace(it: World, desk: Desk) -> None:
    """Other bytes than those that the operator saw proven."""
    it.emulator.checksum_encoding = "hex"
    await held(it, desk, "a")
    desk.releasing.ask([A])
    it.emulator.archives["a"].blob = zip_blob({"other": b"content"})
    it.emulator.archives["a"]._sha256 = ""
    await desk.sync("advice")
    assert (await desk.verify(A)).proof is None
    await desk.fetch_now(A)
    it.clock.skip(601)
    await desk.releasing.drain()
    assert it.emulator.abandon_calls == []
    assert state(desk)[0] is ReleaseState.REFUSED


async def test_another_tenant_is_told_nothing(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A])
    it.options = 'paths = "current"'
    await desk.aclose()
    desk.close()
    base = it.emulator.base_url
    it.emulator.base_url = base.replace("127.0.0.1", "localhost")
    other = it.desk()
    it.clock.skip(601)
    await other.releasing.drain()
    it.emulator.base_url = base
    assert it.emulator.abandon_calls == []
    assert state(other) == (
        ReleaseState.REFUSED,
        "its account leads elsewhere than when the release was asked for; ask anew",
    )
    await other.aclose()
    other.close()


async def test_a_service_that_is_down_is_waited_out(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A], 1)
    it.clock.skip(2)
    it.emulator.faults.status = 503
    await desk.releasing.drain()
    [view] = desk.releasing.due()
    assert (view.state, view.sent_at) == (ReleaseState.WAITING, None)
    assert "503" in view.words
    assert view.again_at is not None
    it.emulator.faults.status = None
    it.clock.skip(60)
    await desk.releasing.drain()
    assert len(it.emulator.abandon_calls) == 1
    assert state(desk)[0] is ReleaseState.CONFIRMED


async def test_a_file_that_is_touched_while_the_service_is_asked(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    path = path_of(desk)

    def touch(line: str) -> None:
        if line.endswith("/archives/a"):  # its record, after the file was read again
            path.write_bytes(path.read_bytes())

    class Seen(list[str]):
        def append(self, line: str) -> None:
            touch(line)
            super().append(line)

    it.emulator.faults.seen = Seen()
    with pytest.raises(VaultError, match="was changed while it was being released"):
        await desk.release(A)
    assert it.emulator.abandon_calls == []


# Others of the same conference


async def begun(it: World, desk: Desk, identity: AssetId, *, sent: bool) -> None:
    """Have a process begin an asset's release, and die."""
    desk.releasing.ask([identity], 0)
    other = it.desk()
    presence = Presence(other.config.data / "workers")
    release = other._ledger.releases.take(Turn(presence.name), it.clock().timestamp())
    assert release is not None
    assert release.identity == identity
    if sent:
        copies = {each: view.sha256 for each in (A, B) if (view := other.asset(each)) is not None}
        other._ledger.releases.send(release, copies, it.clock().timestamp())
    presence.close()
    other.close()


@pytest.mark.parametrize("sent", [False, True])
async def test_one_that_somebody_began_before_dying_stands_in_nobodys_way(it: World, desk: Desk, sent: bool) -> None:
    await held(it, desk, "a", "b")
    await begun(it, desk, A, sent=sent)
    assert (await desk.release(B)).state is RemoteState.ABANDONED
    await desk.releasing.drain()
    assert [call.id for call in it.emulator.abandon_calls] == ["c1"]
    assert state(desk, A)[0] is state(desk, B)[0] is ReleaseState.CONFIRMED


async def test_one_whose_record_does_not_follow_keeps_the_other_waiting(it: World, desk: Desk) -> None:
    await held(it, desk, "a", "b")
    for name in "ab":
        it.emulator.archives[name].extra = {"status": "AVAILABLE"}
    with pytest.raises(VaultError, match="took the request but still says"):
        await desk.release(A)
    with pytest.raises(VaultError, match=r"waits for the release of advice/c1/archive.a, which is not over: the serv"):
        await desk.release(B)
    assert len(it.emulator.abandon_calls) == 1
    it.clock.skip(3_700)
    await desk.releasing.drain()
    assert state(desk, A)[0] is ReleaseState.FAILED


async def test_two_at_the_same_moment_are_told_apart_by_the_last_look(it: World, desk: Desk) -> None:
    """A process that stood still while another took the other one of its conference."""
    await held(it, desk, "a", "b")
    desk.releasing.ask([A, B], 0)
    now, releases = it.clock().timestamp(), desk._ledger.releases
    first = releases.take(Turn("elsewhere:1:a"), now)
    assert first is not None
    assert releases.take(Turn("elsewhere:1:b"), now) is None  # the other one of it comes after the first
    second = releases.take(Turn("elsewhere:1:b", dead=frozenset({"elsewhere:1:a"}), only=frozenset({2})), now)
    assert second is not None
    copies = {each: view.sha256 for each in (A, B) if (view := desk.asset(each)) is not None}
    releases.send(second, copies, now)
    with pytest.raises(ReleaseBusy):
        releases.send(first, copies, now)


async def test_which_accounts_are_busy(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    seen: list[frozenset[str]] = []

    class Seen(list[str]):
        def append(self, line: str) -> None:
            seen.append(desk.releasing.busy)
            super().append(line)

    it.emulator.faults.seen = Seen()
    await desk.release(A)
    assert set(seen) == {frozenset({"advice"})}
    assert desk.releasing.busy == frozenset()


# What comes in between


class Between(list[str]):
    """Does something when the service is asked for a thing whose line ends so."""

    def __init__(self, ending: str, do: Callable[[], object]) -> None:
        super().__init__()
        self.ending = ending
        self.do = do

    def append(self, line: str) -> None:
        if line.endswith(self.ending):
            self.do()
        super().append(line)


async def test_stopped_while_it_is_checked(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A], 0)
    it.emulator.faults.seen = Between("/conferences/archives", lambda: desk.releasing.stop(A))
    await desk.releasing.drain()
    assert it.emulator.abandon_calls == []
    assert state(desk)[0] is ReleaseState.STOPPED


async def test_a_hold_while_it_is_checked(it: World, desk: Desk) -> None:
    """The check finds it as well: it is stopped, and that is no fault of whoever carries it out."""
    await held(it, desk, "a")
    desk.releasing.ask([A], 0)
    it.emulator.faults.seen = Between("/conferences/archives", lambda: desk.flagging.set([A], Flag.HOLD))
    await desk.releasing.drain()
    assert it.emulator.abandon_calls == []
    assert state(desk)[0] is ReleaseState.STOPPED


async def test_a_worker_that_ends_while_it_checks_leaves_it_to_the_next(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A], 0)
    working = asyncio.create_task(desk.releasing.drain())
    loop = asyncio.get_running_loop()
    it.emulator.faults.seen = Between("/conferences/archives", lambda: loop.call_soon_threadsafe(working.cancel))
    with pytest.raises(asyncio.CancelledError):
        await working
    assert it.emulator.abandon_calls == []
    assert state(desk) == (ReleaseState.WAITING, "")
    it.emulator.faults.seen = []
    await desk.releasing.drain()
    assert state(desk)[0] is ReleaseState.CONFIRMED


@pytest.mark.parametrize(("status", "carried_out"), [(409, True), (403, False), (503, True), (503, False)])
async def test_what_the_service_answers_and_what_its_record_says(
    it: World, desk: Desk, status: int, carried_out: bool
) -> None:
    """The record decides, whatever was answered."""
    await held(it, desk, "a")
    original = it.emulator._abandon

    def abandon(family: str, given_id: str, found: list[EmulatedArchive]) -> Response:
        if carried_out:
            original(family, given_id, found)
        it.emulator._abandon = original  # type: ignore[method-assign]  # the next one is as ever
        return Response(status_code=status)

    it.emulator._abandon = abandon  # type: ignore[method-assign]  # of this one alone
    desk.releasing.ask([A], 0)
    await desk.releasing.drain()
    if status == 503:
        assert state(desk)[0] is ReleaseState.SENDING  # nobody knows
        it.clock.skip(1)
        await desk.releasing.drain()
    expected = ReleaseState.FAILED if status == 403 else ReleaseState.CONFIRMED
    assert state(desk)[0] is expected
    assert len(it.emulator.abandon_calls) == (status != 403)
    assert len(desk.releasing.receipts()) == (status != 403)


async def test_a_locked_secret_is_waited_for(it: World, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A], 0)

    async def locked(account: str) -> Provider:
        raise SealedLocked("the sealed file is locked")

    with monkeypatch.context() as patch:
        patch.setattr(desk._connections, "connect", locked)
        await desk.releasing.drain()
    assert state(desk) == (ReleaseState.WAITING, "the sealed file is locked")
    it.clock.skip(1)
    await desk.releasing.drain()
    assert state(desk)[0] is ReleaseState.CONFIRMED


async def test_an_account_that_is_gone(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A], 0)
    desk.managing._accounts.replace({})
    await desk.releasing.drain()
    assert state(desk)[0] is ReleaseState.REFUSED
    assert "there is no account" in state(desk)[1]
    assert "offers no way" in desk.releasing.ask([A], 0).refused[0][1]


async def test_the_last_look_is_in_the_transaction_that_notes_it(it: World, desk: Desk) -> None:
    await held(it, desk, "a")
    desk.releasing.ask([A], 60)
    now, ledger = it.clock().timestamp(), desk._ledger
    release = ledger.releases.take(Turn("elsewhere:1:a"), now + 61)
    assert release is not None
    sha256 = release.sha256

    def refuses(words: str, copies: dict[AssetId, str] | None = None, at: float = 61) -> None:
        with pytest.raises(NotReleased, match=words):
            ledger.releases.send(release, {A: sha256} if copies is None else copies, now + at)

    refuses("its grace is not over", at=59)
    refuses("another one than when the release was asked for", {})
    refuses("another one than the one that was read again", {A: "ab" * 32})
    it.emulator.set_status("a", "FAILED")
    await desk.sync("advice")
    refuses("the service says FAILED")
    it.emulator.set_status("a", "AVAILABLE")
    it.emulator.archives["a"].stated_sha256 = "cd" * 32
    await desk.sync("advice")
    refuses("states another checksum")
    spoil(it, desk)
    await desk.verify(A)
    refuses("its copy here is damaged")
    with sqlite3.connect(desk.config.ledger_path) as connection:  # by nobody who would have stopped it
        connection.execute("UPDATE assets SET flags = ? WHERE identity = ?", (facets.FLAGS[Flag.HOLD], str(A)))
    refuses("it is on hold")
    connection.close()

"""Accounts that come, change and go while a desk is open, and its secrets."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from providers.secret import Secret
from tests.vault.secret_place import QUICK, SEALED_WORDS
from tests.vault.test_engine import A, Running, quick
from tests.vault.test_killed import stored_zip
from tests.vault.test_secrets import Ring, thread
from tests.vault.world import World
from vault.desk import Desk
from vault.errors import ConfigError, VaultError
from vault.passphrase import SealedLocked
from vault.sealed_file import SealedKeyring
from vault.secrets import Secrets, secrets_of
from vault.views import LocalState, TransferState

__all__ = ["quick"]
KEY = "right-key-of-the-second-one"


@pytest.fixture
def desk(it: World) -> Iterator[Desk]:
    opened = it.desk()
    yield opened
    opened.close()


def second(it: World) -> dict[str, object]:
    return {"base_url": it.emulator.base_url, "poll_s": 0.0}


async def _add(name: str, options: Mapping[str, object], secrets: dict[str, Secret], desk: Desk) -> None:
    await desk.managing.add(name, "flexperto", options, secrets, for_run=False)


def keyed(it: World, ring: Ring) -> Desk:
    """The world's desk, with a keyring instead of the environment."""
    opened = it.desk()
    return Desk(opened.config, opened._ledger, Secrets({}, thread(ring)), it.clock, it.rhythm)


def test_an_added_account_is_synced_and_a_removed_one_is_not_asked_any_more(it: World) -> None:
    ring = Ring()
    desk = keyed(it, ring)
    desk.secrets.keep_for_run("advice", "api_key", Secret(it.emulator.api_key))
    it.emulator.add_archive("a")
    with Running(desk) as running:
        before = running.until(lambda s: desk.asset(A)).revision
        secrets = {"api_key": Secret(it.emulator.api_key)}
        lies = running.do(lambda d: d.managing.add("second", "flexperto", second(it), secrets, for_run=False))
        assert lies == {"api_key": "keyring Ring"}
        running.until(lambda s: s.revision > before and desk.asset(A.parse(str(A).replace("advice", "second"))))
        assert [view.name for view in desk.accounts()] == ["advice", "second"]
        assert "[accounts.second]" in desk.config.path.read_text()
        words = running.do(lambda d: d.managing.remove("second", forget_secrets=True))
        assert "removed from the keyring Ring" in words
        assert ring.kept == {}
        assert list(desk.config.accounts) == ["advice"]
        with pytest.raises(VaultError, match="there is no account 'second'"):
            running.do(lambda d: d.sync("second"))
    desk.close()


def test_what_cannot_be_added_leaves_nothing_behind(it: World) -> None:
    ring = Ring()
    desk = keyed(it, ring)
    text = desk.config.path.read_text()
    secrets = {"api_key": Secret(KEY)}
    with Running(desk, sync_at_start=False) as running:
        wrong: list[tuple[str, Mapping[str, object]]] = [("advice", second(it)), ("Not a name", second(it))]
        wrong.append(("third", {"base_url": "ftp://x"}))
        for name, options in wrong:
            adding = partial(_add, name, options, secrets)
            with pytest.raises(ConfigError):
                running.do(adding)
    assert desk.config.path.read_text() == text
    assert ring.kept == {}
    assert list(desk.config.accounts) == ["advice"]
    desk.close()


def test_an_edit_beside_the_desk_is_followed(it: World, desk: Desk) -> None:
    path = desk.config.path
    with Running(desk, sync_at_start=False) as running:
        first = running.until(lambda s: s.revision)
        path.write_text(
            path.read_text() + f'[accounts.other]\nprovider = "flexperto"\nbase_url = "{it.emulator.base_url}"\n'
        )
        seen = running.until(lambda s: s.revision > first.revision)
        assert list(desk.config.accounts) == ["advice", "other"]
        assert seen.trouble == ""
        path.write_text("[accounts.other]\nprovider = 7\n")
        broken = running.until(lambda s: s.trouble)
        assert "must be one of" in broken.trouble
        assert broken.trouble.endswith("the accounts stay as they were")
        assert list(desk.config.accounts) == ["advice", "other"]
        it.write()
        running.until(lambda s: not s.trouble and s.revision > broken.revision)
        assert list(desk.config.accounts) == ["advice"]
        path.unlink()
        running.until(lambda s: running.engine.do(lambda d: d.managing.follow()).exception() is None)


@pytest.mark.parametrize("options", [{"poll_s": 77.0}, {"timeout_s": 21.0}], ids=["beside", "of the client"])
def test_a_transfer_goes_through_a_change_of_its_account(it: World, desk: Desk, options: dict[str, float]) -> None:
    it.emulator.add_archive("a", blob=stored_zip(500_000, 1))
    it.emulator.faults.bytes_per_s = 400_000
    with Running(desk) as running:
        running.until(lambda s: desk.asset(A))
        desk.enqueue([A])
        running.until(lambda s: s.rate > 0)
        running.do(lambda d: d.managing.change("advice", options, {}, for_run=False))
        it.emulator.faults.bytes_per_s = None
        running.until(lambda s: s.transfers[0].state is TransferState.DONE)
    asset = desk.asset(A)
    assert asset is not None
    assert asset.local is LocalState.HELD


def test_a_secret_that_was_wrong_is_set_right(it: World) -> None:
    desk = keyed(it, Ring())
    it.emulator.add_archive("a")
    desk.secrets.keep_for_run("advice", "api_key", Secret("wrong-key"))
    with Running(desk) as running:
        running.until(lambda s: desk.accounts()[0].error)
        where = running.do(lambda d: d.managing.store("advice", "api_key", Secret(it.emulator.api_key), for_run=True))
        assert where == "in memory, for this run only"
        running.until(lambda s: desk.asset(A) and not desk.accounts()[0].error)
        words = running.do(lambda d: d.managing.forget("advice", "api_key"))
        assert "memory of this run" in words
        running.until(lambda s: "api_key" in desk.accounts()[0].error)
    desk.close()


async def test_a_secret_that_another_process_stored_is_found(it: World) -> None:
    ring = Ring()
    desk = keyed(it, ring)
    with pytest.raises(Exception, match="api_key"):
        await desk.sync("advice")
    Secrets({}, thread(ring)).store("advice", "api_key", Secret(it.emulator.api_key))
    await desk.sync("advice")
    assert desk.accounts()[0].secrets["api_key"].words == "keyring Ring"
    await desk.aclose()
    desk.close()


def test_unlocking_lets_the_accounts_begin(it: World, tmp_path: Path) -> None:
    it.write()
    opened = it.desk()
    sealed = SealedKeyring(tmp_path / "secrets.sealed", kdf=QUICK)
    sealed.create(SEALED_WORDS)
    sealed.lock()
    environ = {"REELDESK_KEYRING": "off"}
    desk = Desk(opened.config, opened._ledger, Secrets(environ, sealed=sealed), it.clock)
    it.emulator.add_archive("a", blob=stored_zip(100_000, 1))
    with Running(desk) as running:
        running.until(lambda s: "is locked" in desk.accounts()[0].error)
        with pytest.raises(SealedLocked):
            running.do(lambda d: d.managing.store("advice", "api_key", Secret(it.emulator.api_key), for_run=False))
        assert running.do(lambda d: d.managing.unlock(SEALED_WORDS)) == {"advice"}
        running.do(lambda d: d.managing.store("advice", "api_key", Secret(it.emulator.api_key), for_run=False))
        running.until(lambda s: desk.asset(A) and not desk.accounts()[0].error)
        running.do(lambda d: d.managing.lock())
        assert desk.secrets.known("advice", "api_key") is None
        assert isinstance(running.engine.do(lambda d: d.sync("advice")).exception(10), SealedLocked)
        desk.enqueue([A])
        [waiting] = running.until(lambda s: s.transfers and s.transfers[0].state is TransferState.WAITING).transfers
        assert "is locked" in waiting.words
        assert running.do(lambda d: d.managing.unlock(SEALED_WORDS)) == {"advice"}
        running.until(lambda s: not desk.accounts()[0].error)
        running.until(lambda s: s.transfers[0].state is TransferState.DONE)
    desk.close()


def test_a_new_password_command_is_asked(it: World, tmp_path: Path) -> None:
    it.write()
    path = it.folder / "config.toml"
    environ = {"REELDESK_KEYRING": "off", "PATH": "/usr/bin:/bin"}
    opened = it.desk()
    desk = Desk(opened.config, opened._ledger, secrets_of(opened.config, environ), it.clock)
    it.emulator.add_archive("a")
    (tmp_path / "api_key").write_text(it.emulator.api_key)
    with Running(desk) as running:
        running.until(lambda s: desk.accounts()[0].error)
        command = ["cat", f"{tmp_path}/{{name}}"]
        running.do(lambda d: d.managing.change("advice", {"password_command": command}, {}, for_run=False))
        running.until(lambda s: desk.asset(A) and not desk.accounts()[0].error)
        assert "cat" in desk.accounts()[0].secrets["api_key"].words
    assert "password_command" in path.read_text()
    desk.close()

"""The passphrase is asked for when it is needed, over a desk that goes on; what is typed goes nowhere else."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from providers.demo import Demo
from providers.story import secrets
from tests.tui.sealed_stage import KEY, WORDS, burst, seal, sealed_stage, type_in
from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import ready, seen, settled, shows, until
from tests.vault.secret_place import forbid_getpass
from tui.app import DeskApp
from tui.screens.desk import DeskScreen
from tui.screens.secrets import SecretsScreen
from tui.screens.unlock import LEFT_OUT, Purpose, UnlockScreen
from tui.unlock_offer import QUIET_S
from tui.widgets.lines import Lines
from vault.desk import Desk
from vault.engine import Engine
from vault.passphrase import Passphrase
from vault.rules import why_not_fetch
from vault.sealed_file import SealedKeyring
from vault.secrets import SEALED_NAME
from vault.views import Query

WRONG = "the passphrase is wrong"
OFFERED = "Without a secret until then: advice"
LATER = "6, then L, unlocks the sealed file"


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_getpass(monkeypatch)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[StageEngine]:
    with sealed_stage(tmp_path, {"advice/api_key": KEY}) as engine:
        yield engine


def is_unlocked(engine: StageEngine) -> bool:
    return engine.desk.secrets.stores()[1].state == "available"


def modal(pilot: Pilot[None]) -> UnlockScreen:
    assert isinstance(pilot.app.screen, UnlockScreen)
    return pilot.app.screen


async def later(pilot: Pilot[None]) -> None:
    """The desk with the offer put off."""
    await ready(pilot)
    await shows(pilot, OFFERED)
    await until(pilot, lambda: modal(pilot).focused is modal(pilot).field)
    await pilot.press("escape")
    await shows(pilot, LATER)


async def asked(pilot: Pilot[None]) -> UnlockScreen:
    """The passphrase is asked for by key."""
    await later(pilot)
    await pilot.press("6", "L")
    await shows(pilot, "enter unlocks")
    await until(pilot, lambda: modal(pilot).focused is modal(pilot).field)
    return modal(pilot)


# At the start


async def test_the_desk_opens_first_and_asks_once(locked: StageEngine) -> None:
    app = app_on(locked)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await shows(pilot, OFFERED)
        assert "Claims hearing" in seen(pilot), "the desk is there behind it"
        await until(pilot, lambda: modal(pilot).focused is modal(pilot).field)
        await type_in(pilot, "incorrect horse", "enter")
        await shows(pilot, WRONG)
        assert modal(pilot).field.value == ""
        await type_in(pilot, WORDS, "enter")
        await shows(pilot, "unlocked; asking advice")
        assert is_unlocked(locked)
        assert locked.desk.secrets.known("advice", "api_key") is not None
        assert len(app.screen_stack) == 1


async def test_put_off_it_is_not_asked_again(locked: StageEngine) -> None:
    async with app_on(locked).run_test(size=(80, 24)) as pilot:
        await later(pilot)
        await settled(pilot)
        assert isinstance(pilot.app.screen, DeskScreen)
        assert not is_unlocked(locked)


async def test_who_is_at_work_already_is_only_told(locked: StageEngine) -> None:
    app = app_on(locked)
    async with app.run_test(size=(80, 24)) as pilot:
        burst(app, "j")
        await shows(pilot, LATER)
        await settled(pilot)
        assert isinstance(app.screen, DeskScreen)


async def test_keys_that_were_on_their_way_reach_neither_field_nor_desk(locked: StageEngine) -> None:
    app = app_on(locked)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, UnlockScreen) and app.screen.is_mounted)
        burst(app, "d", "q", "1")
        await shows(pilot, LEFT_OUT)
        assert modal(pilot).field.value == ""
        began = time.monotonic()
        await until(pilot, lambda: modal(pilot).focused is modal(pilot).field)
        assert time.monotonic() - began < QUIET_S + 5
        await type_in(pilot, WORDS, "enter")
        await until(pilot, lambda: not isinstance(app.screen, UnlockScreen))
        assert is_unlocked(locked)


async def test_nobody_is_asked_without_a_file_or_without_need(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with sealed_stage(tmp_path / "none", None) as engine:
        async with app_on(engine).run_test(size=(80, 24)) as pilot:
            await ready(pilot)
            await settled(pilot)
            assert isinstance(pilot.app.screen, DeskScreen)
            assert LATER not in seen(pilot)
    (tmp_path / "given").mkdir()
    config = '[accounts.advice]\nprovider = "flexperto"\nbase_url = "http://127.0.0.1:9"\n'
    given = {"REELDESK_SECRET_ADVICE_API_KEY": "k"}
    with sealed_stage(tmp_path / "given", {"advice/api_key": KEY}, config=config, environ=given) as engine:
        async with app_on(engine).run_test(size=(80, 24)) as pilot:
            await ready(pilot)
            await settled(pilot)
            assert isinstance(pilot.app.screen, DeskScreen)


async def test_a_passphrase_in_a_file_unlocks_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.touch(0o600)
    path.write_text(f"{WORDS}\n")
    given = {"REELDESK_PASSPHRASE_FILE": str(path)}
    config = '[accounts.advice]\nprovider = "flexperto"\nbase_url = "http://127.0.0.1:9"\n'
    with sealed_stage(tmp_path, {"advice/api_key": KEY}, config=config, environ=given) as engine:
        async with app_on(engine).run_test(size=(80, 24)) as pilot:
            await ready(pilot)
            await settled(pilot)
            assert isinstance(pilot.app.screen, DeskScreen)
            assert is_unlocked(engine)


# By key


async def test_what_is_typed_in_one_burst_with_the_key_is_for_the_field(locked: StageEngine) -> None:
    app = app_on(locked)
    async with app.run_test(size=(80, 24)) as pilot:
        await later(pilot)
        await pilot.press("6")
        await settled(pilot)
        burst(app, "L", *WORDS, "enter")
        await shows(pilot, "the sealed file is unlocked")
        assert is_unlocked(locked)
        assert len(app.screen_stack) == 1, "no key was a command of the screen beneath"


async def test_a_pasted_passphrase(locked: StageEngine) -> None:
    app = app_on(locked)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await asked(pilot)
        app.post_message(events.Paste(f"\n{WORDS}\nmore\n"))
        await until(pilot, lambda: screen.field.value == WORDS)
        await shows(pilot, "only the first line")
        await pilot.press("enter")
        await shows(pilot, "the sealed file is unlocked")


async def test_nothing_is_not_a_passphrase(locked: StageEngine) -> None:
    async with app_on(locked).run_test(size=(80, 24)) as pilot:
        await asked(pilot)
        await pilot.press("enter")
        await shows(pilot, "the passphrase is empty")
        await pilot.press("escape")
        await shows(pilot, "nothing was changed")


async def test_lock_while_the_desk_runs(locked: StageEngine) -> None:
    async with app_on(locked).run_test(size=(80, 24)) as pilot:
        await asked(pilot)
        await type_in(pilot, WORDS, "enter")
        await shows(pilot, "the sealed file is unlocked")
        await pilot.press("L")
        await shows(pilot, "the sealed file is locked: advice")
        assert locked.desk.secrets.known("advice", "api_key") is None


async def test_locked_elsewhere_while_the_key_is_derived(locked: StageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP, or another key, at the worst moment: what was derived is not kept."""
    app = app_on(locked)
    original = SealedKeyring._remember

    def locked_first(self: SealedKeyring, *args: object) -> None:
        self.lock()
        original(self, *args)  # type: ignore[arg-type]  # passed on as they came

    async with app.run_test(size=(80, 24)) as pilot:
        await asked(pilot)
        monkeypatch.setattr(SealedKeyring, "_remember", locked_first)
        await type_in(pilot, WORDS, "enter")
        await shows(pilot, "the sealed file is locked: unlock it with L")
        assert isinstance(app.screen, UnlockScreen)
        assert not is_unlocked(locked)


# Nothing leaks


async def test_what_is_typed_is_nowhere_to_be_read(locked: StageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_on(locked)
    copied: list[str] = []
    messages: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
    async with app.run_test(size=(80, 24), message_hook=lambda each: messages.append(repr(each))) as pilot:
        screen = await asked(pilot)
        field = screen.field
        await type_in(pilot, WORDS)
        await pilot.press("home", "shift+end", "ctrl+c", "ctrl+x", "super+c", "tab", "shift+tab")
        assert field.value == WORDS
        assert copied == []
        told = [repr(app), repr(screen), repr(field), seen(pilot), app.export_screenshot()]
        changed, submitted = field.Changed(field, WORDS), field.Submitted(field, WORDS)
        told += [repr(changed), repr(submitted), str(changed), repr(Passphrase(WORDS))]
        await pilot.press("enter")
        told += [f"{each!r} {each.name} {each.description}" for each in app.workers]
        await shows(pilot, "the sealed file is unlocked")
        told += [seen(pilot), *messages]
        assert "SecretInput.Changed(…)" in messages
        assert "SecretInput.Blurred(…)" in messages
        assert "correct" not in " ".join(told)
        assert KEY not in " ".join(told)
        assert field.value == ""


# A new one


async def test_a_new_file_wants_a_long_passphrase_twice(tmp_path: Path) -> None:
    with sealed_stage(tmp_path, None) as engine:
        async with app_on(engine).run_test(size=(80, 24)) as pilot:
            await ready(pilot)
            await pilot.press("6", "L")
            await shows(pilot, "enter makes it")
            assert modal(pilot)._path == str(engine.desk.config.data / SEALED_NAME)
            assert "secrets.sealed" in "".join(modal(pilot).query_one("#about", Lines).text.split())
            await type_in(pilot, "short", "enter")
            await shows(pilot, "at least 12 characters: whoever")
            await pilot.press("ctrl+u")
            await type_in(pilot, WORDS, "enter")
            await type_in(pilot, "another one", "enter")
            await shows(pilot, "two different passphrases")
            await type_in(pilot, WORDS, "enter")
            await shows(pilot, "the sealed file is made")
            assert is_unlocked(engine)
    SealedKeyring(tmp_path / "data" / SEALED_NAME).unlock(Passphrase(WORDS))


async def test_another_passphrase(locked: StageEngine) -> None:
    app = app_on(locked)
    async with app.run_test(size=(80, 24)) as pilot:
        await asked(pilot)
        await type_in(pilot, WORDS, "enter")
        await shows(pilot, "the sealed file is unlocked")
        app.push_screen(SecretsScreen(app.context, "advice"))
        await shows(pilot, "open")
        await pilot.press("P")
        await shows(pilot, "enter changes it")
        await type_in(pilot, "staple of the new year", "enter")
        await type_in(pilot, "staple of the new year", "enter")
        await shows(pilot, "the passphrase was changed")
    ring = SealedKeyring(locked.desk.config.data / SEALED_NAME)
    ring.unlock(Passphrase("staple of the new year"))
    assert ring.get_password("reeldesk", "advice/api_key") == KEY


# With the real engine


async def test_accounts_are_asked_at_once_and_transfers_go_on_beneath(tmp_path: Path) -> None:
    with Demo(tmp_path) as demo:
        path = tmp_path / "config.toml"
        slow = path.read_text().replace("[vault]\n", "[vault]\nmax_bytes_per_s = 60000\n")
        path.write_text(slow.replace("poll_s = 3", "poll_s = 600"))  # nobody is asked but for the passphrase
        kept = {f"{account}/{name}": value for account, name, value in secrets(demo.services, demo.hook_secrets)}
        seal(tmp_path / "data", kept)
        places = {name: value for name, value in demo.environ.items() if not name.startswith("REELDESK_SECRET_")}
        desk = Desk.open(places)
        try:
            await _walk(DeskApp(Engine(desk)), desk)
        finally:
            desk.secrets.close()
            desk.close()


async def _walk(app: DeskApp, desk: Desk) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await shows(pilot, OFFERED)
        await until(pilot, lambda: modal(pilot).focused is modal(pilot).field)
        await type_in(pilot, WORDS, "enter")
        await ready(pilot)
        for account in ("advice", "agents", "rooms"):
            await until(pilot, lambda name=account: _is_well(desk, name), f"{account} being asked")  # type: ignore[misc]
        desk.enqueue(each.identity for each in desk.assets(Query(account="advice")) if not why_not_fetch(each))
        await until(pilot, lambda: _received(app) > 0, "a transfer")
        app.push_screen(UnlockScreen(app.context, Purpose.CHANGE))
        await shows(pilot, "enter changes it")
        before = _received(app)
        await until(pilot, lambda: _received(app) > before, "bytes while it is asked")
        await type_in(pilot, WORDS, "enter")
        await type_in(pilot, WORDS)
        screen, ticks = modal(pilot), 0
        burst(app, "enter")
        while app.screen is screen:
            ticks += 1
            await asyncio.sleep(0.005)
        assert ticks > 3, "the screen lives while the key is derived"


def _is_well(desk: Desk, name: str) -> bool:
    return next(view for view in desk.accounts() if view.name == name).error == ""


def _received(app: DeskApp) -> int:
    return sum(view.received for view in app.context.engine.snapshot().transfers)

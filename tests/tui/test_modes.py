"""Walkthroughs of modes 2, 3, 4 and 6; 3 and 4 against the services' emulators over loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from textual.widgets import Button, Input

from providers.emulation import Loopback
from providers.models import AssetId, NotificationSettings
from providers.notifications import problems
from providers.proconf.emulator import ProconfEmulator
from providers.temasys.emulator import TemasysEmulator
from tests.tui.sealed_stage import burst
from tests.tui.stage import CONFIG, NOW, StageEngine, app_on, stage
from tests.tui.walk import ready, screen_of, seen, shows, until
from tui import form
from tui.screens import rooms
from tui.screens.confirm import ConfirmScreen
from tui.screens.notifications import NotificationsScreen
from tui.screens.rooms import history_rows, text_rows, title_line
from tui.widgets.ink import text_of
from tui.widgets.lines import Lines
from tui.widgets.secret_input import SecretInput
from vault.views import CatchupView, TransferState

SIZES = [(80, 24), (120, 36)]
SECRET = "wJalrXUtnFEMI-K7MDENG"


@pytest.mark.parametrize("size", SIZES)
async def test_the_queue_is_steered(engine: StageEngine, size: tuple[int, int]) -> None:
    async with app_on(engine).run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press("2")
        await shows(pilot, "2 queued, 2 running, 1 failed, 3 done")
        for words in ("45 %", "8.4 MB/s", "✗ failed"):
            assert words in seen(pilot)
        screen = screen_of(pilot)
        await pilot.press("t")
        assert "it is running: nothing to try again" in screen.said
        await pilot.press("J")
        assert "only what waits has a place in the queue" in screen.said
        await pilot.press("g", "j", "j", "j", "j", "x")
        assert "it has ended: failed" in screen.said
        await shows(pilot, "the service answers HTTP 503: [maintenance] until 15:00")
        await pilot.press("t")
        await until(pilot, lambda: screen.said == "queued again")
        view = engine.desk.transfer(AssetId.parse("agents/agents-004/video"))
        assert view is not None
        assert view.state is TransferState.QUEUED
        await pilot.press("y")
        assert pilot.app.clipboard.startswith("agents/")
        await pilot.press("escape")
        await shows(pilot, "All accounts")


async def test_a_queued_transfer_moves_pauses_and_is_cancelled(engine: StageEngine) -> None:
    engine.transfers_from_ledger()
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("2")
        await shows(pilot, "4 queued")
        screen = screen_of(pilot)
        first = engine.desk.transfers()[0].asset
        await pilot.press("J")
        await until(pilot, lambda: "moved down" in screen.said)
        assert engine.desk.transfers()[1].asset == first
        await pilot.press("p")
        await until(pilot, lambda: screen.said == "paused")
        view = engine.desk.transfer(first)
        assert view is not None
        assert view.state is TransferState.PAUSED


@pytest.mark.parametrize("size", SIZES)
async def test_accounts_say_where_secrets_are_kept(engine: StageEngine, size: tuple[int, int]) -> None:
    async with app_on(engine).run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press("6")
        await shows(pilot, "api_key not looked up yet")
        assert "can fetch, list, release" in seen(pilot)
        await pilot.press("j", "j", "j")
        await shows(pilot, "the name gateway.internal cannot be resolved")
        await pilot.press("g", "c")
        screen = screen_of(pilot)
        await until(pilot, lambda: screen.said.startswith("advice: connection failed: "))
        assert "credential not checked" in " ".join(screen.query_one("#about", Lines).text.split())
        await pilot.press("r")
        await until(pilot, lambda: screen.said.startswith("advice: no api_key"))
        await pilot.press("tab")
        assert screen.focused is screen.query_one("#about", Lines)
        await pilot.press("escape")
        assert screen.focused is screen.query_one("#list")


# Rooms ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def services(net: Loopback, tmp_path: Path) -> Iterator[tuple[StageEngine, ProconfEmulator, TemasysEmulator]]:
    """A filled desk whose ProCONF and Temasys are emulators."""
    proconf, temasys = ProconfEmulator(), TemasysEmulator()
    temasys.auth = "none"
    net.serve(proconf)
    net.serve(temasys)
    config = CONFIG.replace(
        '"temasys"\nbase_url = "http://127.0.0.1:9"', f'"temasys"\nauth = "none"\nbase_url = "{temasys.base_url}"'
    )
    config = config.replace(
        '"proconf"\nbase_url = "http://127.0.0.1:9"', f'"proconf"\nbase_url = "{proconf.base_url}/api"'
    )
    with stage(tmp_path, config=config) as engine:
        yield engine, proconf, temasys


def test_new_lines_have_a_plus_in_the_margin() -> None:
    view = CatchupView("standup", "town-hall", NOW, "Ana opened.\nBudget is agreed.")
    lines = [text_of(row.line) for row in text_rows(view, "Ana opened.\nBudget is open.", (), 40)]
    assert lines == ["  Ana opened.", "+ Budget is agreed."]
    assert [text_of(row.line)[:2] for row in text_rows(view, None, (), 40)] == ["  ", "  "]
    empty = CatchupView("standup", "town-hall", NOW, "")
    assert text_of(text_rows(empty, None, ("No summary yet.",), 40)[0].line) == " No summary yet."


def test_a_room_s_title_and_history_say_when_and_what_went_wrong() -> None:
    view = CatchupView("standup", "town-hall", NOW, "Ana opened.\nNext: hiring.")
    said = text_of(title_line(("standup", "town-hall"), view, "no answer", NOW, past=False))
    assert said.split("  ") == [" town-hall", "just now", "no answer"]
    assert "as it was at 2026-11-22 14:05 UTC" in text_of(title_line(("s", "t"), view, "", NOW, past=True))
    assert text_of(history_rows((view,), 40)[0].line) == " 14:05:00  Next: hiring."


async def test_a_room_is_read_and_its_history_kept(
    services: tuple[StageEngine, ProconfEmulator, TemasysEmulator],
) -> None:
    engine, _, _ = services
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("3")
        await shows(pilot, "Budget is agreed: 40 k.")
        screen = screen_of(pilot)
        await pilot.press("r")
        await until(pilot, lambda: bool(screen.said) and not screen.said.startswith("asking"))
        await pilot.press("tab", "tab")
        await until(pilot, lambda: screen.focused is not None and screen.focused.id == "history")
        await pilot.press("G", "enter")
        await shows(pilot, "as it was at 2026-11-22 13:25 UTC")
        assert "Budget is open." in seen(pilot)
        await pilot.press("l")
        await shows(pilot, "Budget is agreed: 40 k.")
        await pilot.press("y")
        assert "Budget is agreed" in pilot.app.clipboard
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: " night-watch" in seen(pilot) and "Budget is agreed" not in seen(pilot))


async def test_what_is_asked_by_hand_is_told_at_a_slow_service_too(
    services: tuple[StageEngine, ProconfEmulator, TemasysEmulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text renews itself many times while nothing comes; then one is at another room when it comes."""
    engine, proconf, _ = services
    monkeypatch.setattr(rooms, "REFRESH_S", 0.03)
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("3")
        await shows(pilot, "Budget is agreed: 40 k.")
        screen = screen_of(pilot)
        proconf.faults.latency_s = 1.0
        await pilot.press("r")
        await until(pilot, lambda: screen.said == "asked just now")
        await pilot.press("r")
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: " night-watch" in seen(pilot))
        await until(pilot, lambda: screen.said == "town-hall: asked just now")


# Notifications --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_notifications_are_created_then_updated(
    services: tuple[StageEngine, ProconfEmulator, TemasysEmulator], size: tuple[int, int]
) -> None:
    engine, _, _ = services
    async with app_on(engine).run_test(size=size) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await shows(pilot, "nothing is set there yet: saving")
        screen = cast(NotificationsScreen, screen_of(pilot))
        await pilot.press("enter", *"hooks.example/r")
        await shows(pilot, "must begin with http")
        assert "not saved yet" in seen(pilot)
        await pilot.press("ctrl+s")
        assert screen.said.startswith("url: must begin")
        await pilot.press("home", *"https://")
        await shows(pilot, "POST")
        assert '"https://hooks.example/r"' in screen.query_one("#preview", Lines).text
        await pilot.press("ctrl+s")
        await until(pilot, lambda: screen.said.startswith("saved"))
        await shows(pilot, "URL https://hooks.example/r")
        assert not screen.dirty
        assert "PUT" in screen.query_one("#preview", Lines).text


async def test_what_comes_in_one_burst_lands_in_its_own_field(
    services: tuple[StageEngine, ProconfEmulator, TemasysEmulator],
) -> None:
    engine, _, _ = services
    app = app_on(engine)
    async with app.run_test(size=(120, 36)) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await shows(pilot, "nothing is set there yet: saving")
        screen = cast(NotificationsScreen, screen_of(pilot))
        await pilot.press("enter")
        burst(app, *"https", "tab", *"a@b.example", "enter", "tab", "tab", *"s3-CANARY")
        await until(pilot, lambda: screen.values[form.SECRET] == "s3-CANARY")
        assert screen.values["url"] == "https"
        assert "CANARY" not in seen(pilot)
        await pilot.press("shift+tab", "up")
        assert isinstance(app.focused, Input)
        assert app.focused.id != form.SECRET


async def test_a_long_address_is_shown_where_one_types(
    services: tuple[StageEngine, ProconfEmulator, TemasysEmulator],
) -> None:
    engine, _, temasys = services
    temasys.settings["temasys"] = {"notify": True, "url": "https://hooks.studio.example/" + "a" * 70 + "/the-end"}
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await shows(pilot, "At the service now")
        url = screen_of(pilot).query_one("#url", Input)
        await pilot.press("enter")
        await until(pilot, lambda: url.scroll_offset.x > 0)
        line = next(line for line in seen(pilot).splitlines() if "Callback URL" in line)
        assert "/the-end" in line


async def test_unsaved_changes_are_asked_about(
    services: tuple[StageEngine, ProconfEmulator, TemasysEmulator],
) -> None:
    engine, _, _ = services
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await shows(pilot, "At the service now")
        await pilot.press("enter", "x", "1", "escape", "1")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert cast(Button, pilot.app.focused).id == "no"
        await pilot.press("enter")
        screen = cast(NotificationsScreen, screen_of(pilot))
        assert screen.values["url"] == "x1"
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("right", "enter")
        await until(pilot, lambda: screen.values["url"] == "")
        assert not screen.dirty


async def test_the_secret_is_never_shown_copied_or_logged(
    services: tuple[StageEngine, ProconfEmulator, TemasysEmulator],
) -> None:
    engine, _, _ = services
    logged: list[str] = []
    app = app_on(engine)
    async with app.run_test(size=(120, 36), message_hook=lambda message: logged.append(repr(message))) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await shows(pilot, "At the service now")
        screen = cast(NotificationsScreen, screen_of(pilot))
        screen.query_one("#s3_arn", Input).value = "arn:aws:s3:::bucket/path"
        screen.query_one("#s3_access_key_id", Input).value = "AKIAEXAMPLE"
        field = screen.query_one(f"#{form.SECRET}", SecretInput)
        field.value = SECRET
        field.focus()
        await shows(pilot, "POST")
        field.action_select_all()
        await pilot.press("ctrl+c", "ctrl+x")
        assert pilot.app.clipboard == ""
        assert SECRET not in seen(pilot)
        assert SECRET not in screen.query_one("#preview", Lines).text
        assert not [text for text in logged if SECRET in text]
        await pilot.press("ctrl+s")
        await until(pilot, lambda: screen.said.startswith("saved"))
        assert field.value == ""
        assert field.placeholder == form.KEEP
        assert "S3 secret set (never shown)" in screen.query_one("#preview", Lines).text


async def test_a_service_that_does_not_answer_is_told(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        await pilot.press("4")
        await shows(pilot, "What is set at the service could not be read:")
        assert "REELDESK_SECRET_ROOMS_PASSWORD" in seen(pilot)
        await pilot.press("ctrl+s")
        assert "not known yet: r asks again" in screen_of(pilot).said


def test_the_form_s_values_become_a_change() -> None:
    stored = NotificationSettings(exists=True, notify=True, emails=("a@b.example", "c@d.example"))
    values = form.filled(stored)
    assert values["email"] == "a@b.example, c@d.example"
    change = form.change_of(values | {"email": " a@b.example; c@d.example a@b.example", "url": " https://x "})
    assert change.emails == ("a@b.example", "c@d.example")
    assert change.url == "https://x"
    assert change.s3_secret_access_key is None
    assert dict(form.told(NotificationSettings(exists=False)))["state"].endswith("(POST)")


def test_our_own_address_is_shown_without_its_secret() -> None:
    url = "https://desk.example/hooks/rooms/a-secret-of-twenty-letters?x=1"
    stored = NotificationSettings(exists=True, notify=True, url=url)
    values = form.filled(stored)
    assert values["url"] == "https://desk.example/hooks/rooms/a-se…?x=1"
    assert dict(form.told(stored))["URL"] == values["url"]
    assert form.change_of(form.whole(values, stored)).url == url
    edited = values | {"url": values["url"] + "2"}
    assert form.whole(edited, stored)["url"] == edited["url"]
    assert problems(edited, stored)["url"].endswith("type the whole address")

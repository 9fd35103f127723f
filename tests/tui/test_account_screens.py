"""Mode 6 by its keys: an account is added, tested, edited and removed, against an emulator over loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from textual.widgets import Button, Checkbox, Input

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.secret import Secret
from tests.tui.account_walk import (
    KEY,
    SIZES,
    about,
    accounts,
    config_for,
    emulated,
    field,
    fill_in,
    form_of,
    listed,
    new_form,
    problem,
    written,
)
from tests.tui.sealed_stage import WORDS, at_work, burst, sealed_stage
from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import screen_of, seen, settled, shows, until
from tui.account_words import remove_lines
from tui.acts import Acts
from tui.screens.account_form import AccountFormScreen
from tui.screens.account_remove import AccountRemoveScreen
from tui.screens.accounts import AccountsScreen
from tui.screens.confirm import ConfirmScreen
from vault.options import UNCHECKED
from vault.passphrase import Passphrase

Served = tuple[StageEngine, FlexpertoEmulator]
FLEXPERTO = "4"


@pytest.fixture
def served(net: Loopback, tmp_path: Path) -> Iterator[Served]:
    """Five accounts, one of which an emulator answers; an unlocked sealed file with its key."""
    service = emulated(net)
    with sealed_stage(tmp_path, {"advice/api_key": KEY}, config=config_for(service)) as engine:
        engine.desk.secrets.unlock(Passphrase(WORDS))
        yield engine, service


@pytest.fixture
def bare(net: Loopback, tmp_path: Path) -> Iterator[Served]:
    """Nothing configured; an unlocked, empty sealed file."""
    service = emulated(net)
    with sealed_stage(tmp_path, {}, config="", filled=False) as engine:
        engine.desk.secrets.unlock(Passphrase(WORDS))
        yield engine, service


# First start ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_first_account_is_added_from_the_desk_and_tested_by_itself(bare: Served, size: tuple[int, int]) -> None:
    engine, service = bare
    async with app_on(engine).run_test(size=size) as pilot:
        await shows(pilot, "No account is configured yet.")
        assert "n adds one" in seen(pilot)
        assert "`reeldesk demo` shows" in seen(pilot)
        form = await new_form(pilot, FLEXPERTO)
        await fill_in(pilot, form, name="advice", base_url=service.base_url, api_key=KEY)
        assert KEY not in seen(pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "advice works" in screen_of(pilot).said, "the test")
        screen = cast(AccountsScreen, screen_of(pilot))
        assert not isinstance(pilot.app.screen, AccountFormScreen)
        assert screen.table.current is not None
        assert screen.table.current.name == "advice"
        for words in ("configuration passed", "connection passed", "credential passed", "clock "):
            assert words in about(pilot)
        await until(pilot, lambda: "api_key" in about(pilot) and "sealed file" in about(pilot))
    assert written(engine, "advice") == {"provider": "flexperto", "base_url": service.base_url}
    assert list(engine.desk.config.accounts) == ["advice"]


async def test_the_demo_is_named_where_nothing_is_configured(bare: Served, capsys: pytest.CaptureFixture[str]) -> None:
    app = app_on(bare[0])
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(pilot, "No account is configured yet.")
        await pilot.press("D")
        await until(pilot, lambda: not app.is_running, "the end")
    assert app.wants_demo


async def test_the_demo_is_not_offered_beside_accounts(served: Served) -> None:
    async with app_on(served[0]).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        await pilot.press("D")
        assert "the demo is offered while no account is configured" in screen_of(pilot).said


# The form -------------------------------------------------------------------------------------------------------------


async def test_problems_follow_each_key_and_saving_goes_to_the_first(bare: Served) -> None:
    async with app_on(bare[0]).run_test(size=(80, 24)) as pilot:
        await accounts(pilot)
        form = await new_form(pilot, FLEXPERTO)
        assert "is needed" not in seen(pilot), "nothing is wrong before one has begun"
        await pilot.press(*"Ab")
        assert "no account name" in problem(form, "name")
        await pilot.press("backspace", "backspace", *"ab", "enter", "h")
        assert problem(form, "name") == ""
        assert "must be an address" in problem(form, "base_url")
        await pilot.press("ctrl+s")
        await shows(pilot, "not saved: Address must be an address")
        assert form.focused is field(form, "base_url")
        await pilot.press("tab", "tab", "shift+tab", "shift+tab")
        assert form.focused is field(form, "base_url")


async def test_the_field_with_the_focus_and_its_problem_stay_in_sight(bare: Served) -> None:
    async with app_on(bare[0]).run_test(size=(80, 24)) as pilot:
        await accounts(pilot)
        form = await new_form(pilot, "2")
        await pilot.press("ctrl+o")
        await settled(pilot)
        region = form.query_one("#form").content_region
        for _ in range(len(form.focus_chain)):
            focused = form.focused
            assert focused is not None
            if isinstance(focused, Input) and focused.id != "account-name":
                focused.value = "://"
                await pilot.pause()
                told = form.query_one(f"#{focused.id}-problem")
                assert region.contains_region(focused.region), focused
                assert not told.display or region.contains_region(told.region), focused
            await pilot.press("tab")
            await pilot.pause()


async def test_what_comes_in_one_burst_lands_in_its_own_field(bare: Served) -> None:
    app = app_on(bare[0])
    async with app.run_test(size=(120, 36)) as pilot:
        await accounts(pilot)
        form = await new_form(pilot, FLEXPERTO)
        burst(app, *"ab", "tab", *"https", "tab", "tab", *KEY, "ctrl+s")
        await until(pilot, lambda: "not saved" in form.said)
        assert (field(form, "name").value, field(form, "base_url").value) == ("ab", "https")
        assert field(form, "api_key").value == KEY
        assert KEY not in seen(pilot)


async def test_a_passphrase_typed_ahead_falls_into_no_field(net: Loopback, tmp_path: Path) -> None:
    service = emulated(net)
    with sealed_stage(tmp_path, config="", filled=False) as engine:
        app = app_on(engine)
        async with app.run_test(size=(80, 24)) as pilot:
            await accounts(pilot)
            form = await new_form(pilot, FLEXPERTO)
            await fill_in(pilot, form, name="advice", base_url=service.base_url, api_key=KEY)
            await pilot.press("ctrl+s")
            await shows(pilot, "Where is it to be kept?")
            burst(app, "s", *WORDS)
            await shows(pilot, "enter makes it")
            assert field(form, "api_key").value == KEY
            await pilot.press("ctrl+u", "ctrl+k")  # what of it came too early is typed again
            burst(app, *WORDS, "tab", *WORDS, "enter")
            await until(pilot, lambda: "advice works" in screen_of(pilot).said, "the test")
        assert engine.desk.secrets.known("advice", "api_key") == Secret(KEY)


async def test_an_account_without_its_secret_is_added_only_when_that_is_meant(bare: Served) -> None:
    engine, service = bare
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        await accounts(pilot)
        form = await new_form(pilot, FLEXPERTO)
        await fill_in(pilot, form, name="advice", base_url=service.base_url)
        await pilot.press("ctrl+s")
        await shows(pilot, "Save the account without a secret that it needs?")
        assert cast(Button, pilot.app.focused).id == "no"
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is form)
        assert form.focused is field(form, "api_key")
        assert "advice" not in engine.desk.config.accounts
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("right", "enter")
        await until(pilot, lambda: "secrets failed" in screen_of(pilot).said, "the test")
        assert written(engine, "advice")["base_url"] == service.base_url


async def test_unsaved_changes_are_asked_about(served: Served) -> None:
    async with app_on(served[0]).run_test(size=(80, 24)) as pilot:
        await listed(pilot)
        form = await form_of(pilot, "enter")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, AccountFormScreen))
        form = await form_of(pilot, "e")
        await pilot.press("x", "escape")
        await shows(pilot, "Leave what is not saved?")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is form)
        for key in ("escape", "ctrl+q"):
            await pilot.press(key)
            await shows(pilot, "Leave what is not saved?")
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is form)
        await pilot.press("escape")
        await shows(pilot, "Leave what is not saved?")
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, AccountsScreen))


# Editing --------------------------------------------------------------------------------------------------------------


async def test_an_edit_writes_what_was_changed_and_keeps_the_secret(served: Served) -> None:
    engine, service = served
    before = engine.desk.config.path.read_text()
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        await listed(pilot)
        form = await form_of(pilot, "e")
        await until(pilot, lambda: "leave empty to keep" in field(form, "api_key").placeholder)
        await pilot.press("ctrl+o")
        await fill_in(pilot, form, timeout_s="7.5")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "advice works" in screen_of(pilot).said, "the test")
    line = f'base_url = "{service.base_url}"\n'
    assert engine.desk.config.path.read_text() == before.replace(line, f"{line}timeout_s = 7.5\n", 1)
    assert engine.desk.config.accounts["advice"].settings.timeout_s == 7.5


async def test_a_wrong_secret_is_saved_and_the_test_says_so(served: Served) -> None:
    async with app_on(served[0]).run_test(size=(120, 36)) as pilot:
        await listed(pilot)
        form = await form_of(pilot, "e")
        await fill_in(pilot, form, api_key="wr0ng-CANARY")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "credential failed" in screen_of(pilot).said, "the test")
        assert "credential FAILED" in about(pilot)
        assert "CANARY" not in seen(pilot)


async def test_unchecked_tls_wants_the_host_typed_and_is_never_overlooked(served: Served) -> None:
    engine, _ = served
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        await listed(pilot)
        form = await form_of(pilot, "e")
        await pilot.press("ctrl+o")
        verify = next(entry for entry in form._entries.values() if entry.field.name == "verify")
        form.query_one(f"#{verify.id}", Checkbox).focus()
        await pilot.press("space")
        await pilot.press("ctrl+s")
        await shows(pilot, "must be 127.0.0.1, as a sign that this is meant")
        assert engine.desk.config.accounts["advice"].settings.verify
        assert form.focused is field(form, "host")
        await pilot.press(*"127.0.0.1", "ctrl+s")
        await until(pilot, lambda: "advice works" in screen_of(pilot).said, "the test")
        assert written(engine, "advice")["verify"] is False
        assert f"TLS {UNCHECKED}" in about(pilot)
        for mode in "612345":
            await pilot.press(mode)
            await shows(pilot, f"{UNCHECKED}: advice")


# Removing and testing -------------------------------------------------------------------------------------------------


async def test_an_account_is_removed_with_its_secrets_only_when_that_is_ticked(served: Served) -> None:
    engine, _ = served
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await listed(pilot)
        await pilot.press("x")
        await shows(pilot, "Remove the account advice?")
        assert cast(Button, pilot.app.focused).id == "no"
        await pilot.press("enter")
        await until(pilot, lambda: screen.said == "nothing was removed")
        assert "advice" in engine.desk.config.accounts
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, AccountRemoveScreen))
        await pilot.press("shift+tab", "space")
        await shows(pilot, "too: yes")
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: screen.said.startswith("advice is removed"))
        assert "api_key of account advice was removed from the" in screen.said
        assert engine.desk.secrets.find("advice", "api_key") is None
        await until(pilot, lambda: screen.table.total == 4)
    assert "advice" not in engine.desk.config.accounts
    assert engine.desk.meeting("advice", "advice-000") is not None, "what is known stays"


async def test_what_may_lie_in_the_locked_file_is_told_before_an_account_is_removed(served: Served) -> None:
    engine, _ = served
    engine.desk.secrets.lock()
    for name in ("api_key", "hook_secret"):
        assert not engine.desk.secrets.look("advice", name).is_found
    async with at_work(engine).run_test(size=(120, 36)) as pilot:
        screen = await listed(pilot)
        assert screen.table.current is not None
        assert remove_lines(screen.table.current, "", "", "")[-2:] == [
            "  api_key: not known: the sealed file is locked",
            "  hook_secret: not known: the sealed file is locked",
        ]
        assert "hook_secret not known: the sealed file is locked: unlock it with L in mode 6" in about(pilot)
        await pilot.press("x")
        await shows(pilot, "Remove the account advice?")
        assert "not set" not in seen(pilot)


async def test_a_refused_key_names_what_tells_more(served: Served) -> None:
    engine, service = served
    service.api_key = "another"
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await listed(pilot)
        await pilot.press("r")
        await until(pilot, lambda: "HTTP 401" in screen.said, "the refusal")
        assert screen.said.endswith("; c in mode 6 tells more")


async def test_what_accounts_answered_is_told_one_by_one(served: Served) -> None:
    engine, _ = served
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await listed(pilot)
        await until(pilot, lambda: screen.table.current is not None and screen.table.current.name == "advice")
        await pilot.press("r")
        await until(pilot, lambda: " new" in screen.said, "what it brought")
        assert screen.said == "advice: 0 known, 0 new"
        said: list[str] = []
        acts = Acts(screen.context, lambda words, ink: said.append(words))
        await acts.sync("rooms")
        assert said[-1].startswith("rooms: 0 known, 0 new (Temasys lists no recordings: ")
        assert said[-1].endswith("takes it in)")


async def test_keys_that_cannot_act_say_why(bare: Served) -> None:
    async with app_on(bare[0]).run_test(size=(80, 24)) as pilot:
        screen = await accounts(pilot)
        for key in "cexsr":
            await pilot.press(key)
            assert screen.said == "there is no account here: n adds one"

"""Mode 5 by its keys: addresses, what is registered for them at flexperto's emulator, and what was missed."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from textual.widgets import Button

from providers.emulation import Loopback
from tests.tui.hook_stage import TOKEN, hook_stage
from tests.tui.hook_walk import SIZES, Hooks, about, addresses, free_port, opened
from tests.tui.stage import app_on
from tests.tui.walk import seen, settled, shows, until
from tui.hook_rows import AddressRow
from tui.screens.confirm import ConfirmScreen
from tui.screens.menu import MenuScreen
from tui.screens.raw import RawScreen

CLOSE = "communication.conferences.conference.close"


@pytest.fixture
def hooks(net: Loopback, tmp_path: Path) -> Iterator[Hooks]:
    """A desk with deliveries, registered webhooks and something missed."""
    with hook_stage(net, tmp_path, free_port()) as made:
        yield made


@pytest.fixture
def port(hooks: Hooks) -> int:
    """Where the receiver listens when it is switched on."""
    return hooks[0].desk.config.receiver.port


# Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_addresses_are_masked_and_say_what_guards_them(hooks: Hooks, port: int, size: tuple[int, int]) -> None:
    logged: list[str] = []
    app = app_on(hooks[0])
    async with app.run_test(size=size, message_hook=lambda message: logged.append(repr(message))) as pilot:
        screen = await addresses(pilot)
        text = seen(pilot)
        for words in (
            "/hooks/advice/s3cr…",
            "/hooks/agents ",
            "secret address",
            "signature",
            "! the topic is",
            "● ours",
        ):
            assert words in text
        assert about(pilot).startswith(f"advice flexperto address http://127.0.0.1:{port}/hooks/advice/s3cr…")
        assert "n registers it at flexperto, for a topic" in about(pilot)
        await pilot.press("y")
        assert pilot.app.clipboard == f"http://127.0.0.1:{port}/hooks/advice/{TOKEN}"
        assert screen.said == "address sent to the terminal's clipboard, if it allows that: it holds a secret"
        await pilot.press("j", "j", "j")
        await until(pilot, lambda: about(pilot).startswith("agents"))
        assert "by hand, where Cronofy Meeting Agents asks" in about(pilot)
        await pilot.press("y")
        assert pilot.app.clipboard == f"http://127.0.0.1:{port}/hooks/agents"
        assert "secret" not in screen.said
        await pilot.press("j")
        await until(pilot, lambda: "4 sets it at Temasys" in about(pilot))
        await pilot.press("j", "y")
        await until(pilot, lambda: "callCatchUp/ROOM" in about(pilot))
        assert pilot.app.clipboard == TOKEN
        assert screen.said.startswith("token sent")
        assert TOKEN not in seen(pilot)
    assert not [text for text in logged if TOKEN in text]


async def test_services_are_asked_when_one_looks_and_no_more_than_that(hooks: Hooks) -> None:
    engine, service = hooks
    listing = "GET /communication/subscriptions/subscriptions"

    def asked(what: str) -> int:
        return len([line for line in service.faults.seen if line.replace("/api/v2", "").startswith(what)])

    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        assert asked(listing) == 0
        await pilot.press("tab")
        await shows(pilot, "● ours")
        assert asked(listing) == 1
        for _ in range(3):
            engine.set()
            await settled(pilot)
        await pilot.press("shift+tab", "tab")
        await settled(pilot)
        assert asked(listing) == 1
        await pilot.press("j", "j")
        await until(pilot, lambda: "delivered 2026-11-22T14:05" in about(pilot))
        assert "HTTP 503, not delivered, attempt 1" in about(pilot)
        await pilot.press("k", "j")
        await settled(pilot)
        assert asked(f"{listing}/subscription-2/reports") == 1
        await pilot.press("r")
        await until(pilot, lambda: screen.said == "asked just now")
        await until(pilot, lambda: asked(f"{listing}/subscription-2/reports") > 1)
        await until(pilot, lambda: "delivered 2026-11-22T14:05" in about(pilot))


async def test_a_service_that_does_not_answer_stands_in_its_own_line(hooks: Hooks) -> None:
    engine, service = hooks
    service.faults.status = 503
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        await pilot.press("tab")
        await shows(pilot, "✗ not known")
        await pilot.press("j")
        await until(pilot, lambda: "Which webhooks are registered for advice is not known:" in about(pilot))
        assert "503" in about(pilot)
        await pilot.press("r")
        await until(pilot, lambda: screen.said == "asked; not everything is known of advice")
        service.faults.status = None
        await pilot.press("r")
        await shows(pilot, "● ours")


async def test_a_webhook_is_registered(hooks: Hooks, port: int) -> None:
    engine, service = hooks
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await addresses(pilot)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, MenuScreen))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await shows(pilot, CLOSE)
        assert f"http://127.0.0.1:{port}/hooks/advice/s3cr…" in seen(pilot)
        assert TOKEN not in seen(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: screen.said == "nothing was registered")
        assert len(service.registered) == 2
        await pilot.press("n", "2")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("enter")
        await until(pilot, lambda: screen.said == f"registered for {CLOSE}")
        await shows(pilot, "conference.close")
        assert [one.topic for one in service.registered.values()][2:] == [CLOSE]
        await pilot.press("n", "2")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "already" in screen.said)
        assert len(service.registered) == 3


async def test_a_webhook_is_deleted_only_when_that_is_confirmed(hooks: Hooks) -> None:
    engine, service = hooks
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await addresses(pilot, 1)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert cast(Button, pilot.app.focused).id == "no"
        await shows(pilot, "What is in flight still comes")
        assert "It leads to another address" in seen(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: screen.said == "nothing was deleted")
        assert len(service.registered) == 2
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("right", "enter")
        await until(pilot, lambda: "is deleted" in screen.said)
        await until(pilot, lambda: "communciation" not in about(pilot))
        assert list(service.registered) == ["subscription-2"]


@pytest.mark.parametrize("size", SIZES)
async def test_a_secret_is_rotated_step_by_step(hooks: Hooks, port: int, size: tuple[int, int]) -> None:
    engine, service = hooks
    async with app_on(engine).run_test(size=size) as pilot:
        screen = await addresses(pilot)
        await pilot.press("T")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert cast(Button, pilot.app.focused).id == "no"
        await pilot.press("enter")
        await until(pilot, lambda: screen.said == "the secret stays as it is")
        await pilot.press("T")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await shows(pilot, "Every webhook at flexperto that leads here is registered anew")
        await pilot.press("right", "enter")
        await until(pilot, lambda: screen.said.startswith("advice has a new secret"))
        await until(pilot, lambda: "A new secret is in use 1. made a new secret" in about(pilot))
        await until(pilot, lambda: "s3cr…" not in about(pilot))
        await settled(pilot)
        assert "y sends the new address to the terminal's clipboard" in about(pilot)
        await pilot.press("y")
        address = pilot.app.clipboard
        assert address.startswith(f"http://127.0.0.1:{port}/hooks/advice/")
        assert TOKEN not in address
        assert address in [one.url for one in service.registered.values()]
        assert address.rpartition("/")[2] not in seen(pilot)
        await pilot.press("r")
        await until(pilot, lambda: screen.said == "asked just now")
        await until(pilot, lambda: "A new secret" not in about(pilot))


async def test_a_rotation_that_fails_says_that_the_secret_stays(hooks: Hooks) -> None:
    engine, service = hooks
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await addresses(pilot)
        service.faults.status = 503
        await pilot.press("T")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("right", "enter")
        await until(pilot, lambda: bool(screen.said) and not screen.said.startswith("making"))
        assert "503" in screen.said or "keeps its secret" in screen.said
        assert len(service.registered) == 2


async def test_a_registered_webhook_s_record_is_shown(hooks: Hooks) -> None:
    async with app_on(hooks[0]).run_test(size=(80, 24)) as pilot:
        screen = await addresses(pilot, 2)
        assert isinstance(screen.current, AddressRow)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, RawScreen))
        await shows(pilot, "As the service gave it")
        assert TOKEN not in seen(pilot)


# Missed ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_what_no_webhook_announced_is_told_with_its_likely_reason(hooks: Hooks, size: tuple[int, int]) -> None:
    async with app_on(hooks[0]).run_test(size=size) as pilot:
        await opened(pilot)
        await pilot.press("shift+tab")
        await shows(pilot, "Mortgage [/b] advice")
        await shows(pilot, "Missed 1")
        await until(pilot, lambda: "likely reason" in about(pilot))
        assert "found by polling, 2026-11-22 13:15 UTC (50m ago)" in about(pilot)
        assert "asset advice/advice-late/archive.ARCHIVE" in about(pilot)
        assert "likely reason registered" in about(pilot)
        await pilot.press("y")
        assert pilot.app.clipboard == "advice/advice-late/archive.ARCHIVE"

"""Mode 5 by its keys: deliveries, keys that cannot act, empty lists; the receiver for real on loopback."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from providers.emulation import Loopback
from tests.tui.hook_stage import AVAILABLE, LAID_OUT, PAYLOAD, SECRETS, TOKEN, deliver, hook_stage, keep
from tests.tui.hook_walk import SIZES, Hooks, about, addresses, free_port, opened, rows_of
from tests.tui.stage import HOSTILE, StageEngine, app_on, stage
from tests.tui.walk import screen_of, seen, settled, shows, until
from tui.screens.raw import RawScreen
from tui.widgets.lines import Lines
from vault.inbox.views import ReceiverState, ReceiverView
from vault.views import DeliveryState, DeliveryView


@pytest.fixture
def hooks(net: Loopback, tmp_path: Path) -> Iterator[Hooks]:
    """A desk with deliveries, registered webhooks and something missed."""
    with hook_stage(net, tmp_path, free_port()) as made:
        yield made


@pytest.fixture
def port(hooks: Hooks) -> int:
    """Where the receiver listens when it is switched on."""
    return hooks[0].desk.config.receiver.port


# Deliveries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_deliveries_stand_newest_first_with_their_outcome(hooks: Hooks, size: tuple[int, int]) -> None:
    async with app_on(hooks[0]).run_test(size=size) as pilot:
        await opened(pilot)
        places = rows_of(pilot, "14:04:00", "14:02:00", "13:56:00", "13:53:00", "13:50:00", "11-21 08:05")
        assert places == sorted(places)
        for words in ("◐ waiting", "● done", "✗ failed", "! unreadable", "archive.available", "2x", "Deliveries 6"):
            assert words in seen(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "archiveId" in about(pilot))
        for words in (
            f"advice: {AVAILABLE}",
            "state ● done: 1 new asset; confirmed by the service",
            "came 2026-11-22 14:02:00 UTC from 203.0.113.7, and 2 times more",
            "verified secret address",
            "kept as it came, sealed; t processes it once more",
            '"apiKey": "…"',
        ):
            assert words in about(pilot)
        await pilot.press("j", "j")
        await until(pilot, lambda: "rooms: recording mixed" in about(pilot))
        assert "next try 14:05:40 UTC, by itself" in about(pilot)


async def test_the_cursor_stays_on_its_row_when_another_delivery_comes(hooks: Hooks) -> None:
    engine, _ = hooks
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("j", "j")
        before = cast(DeliveryView, screen.current)
        keep(engine.desk, 0, "agents", "agent_joined", "HMAC-SHA256 of the body", owner="")
        engine.set()
        await shows(pilot, "agent_joined")
        await shows(pilot, "Deliveries 7")
        assert cast(DeliveryView, screen.current).id == before.id
        assert screen.table.cursor == 3


async def test_only_one_account_is_listed(hooks: Hooks) -> None:
    async with app_on(hooks[0]).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("right_square_bracket")
        await shows(pilot, "only advice")
        await shows(pilot, "Deliveries 2")
        assert "recording mixed" not in seen(pilot)
        await pilot.press("tab")
        await shows(pilot, "● ours")
        assert "/hooks/rooms" not in seen(pilot)
        await pilot.press("left_square_bracket", "left_square_bracket")
        await shows(pilot, "only standup")
        await pilot.press("escape")
        await shows(pilot, "all accounts")
        await pilot.press("escape")
        await shows(pilot, "1 of 61")


async def test_enter_scrolls_the_details_and_escape_leaves_them(hooks: Hooks) -> None:
    async with app_on(hooks[0]).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("enter", "G")
        assert screen.query_one("#about", Lines).has_focus
        await pilot.press("escape")
        assert screen.table.has_focus


@pytest.mark.parametrize("row", [1, 2, 4, 5])
async def test_a_delivery_is_processed_again(hooks: Hooks, row: int) -> None:
    engine, _ = hooks
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press(*["j"] * row)
        chosen = cast(DeliveryView, screen.current)
        await pilot.press("t")
        await until(pilot, lambda: screen.said.startswith("processed once more"))
        (view,) = [each for each in engine.desk.webhooks.deliveries() if each.id == chosen.id]
        assert view.state is DeliveryState.WAITING
        await until(pilot, lambda: cast(DeliveryView, screen.current).state is DeliveryState.WAITING)
        await pilot.press("t")
        assert screen.said == "it waits to be processed already"


async def test_what_is_not_kept_is_not_processed_again(hooks: Hooks) -> None:
    engine, _ = hooks
    with engine.desk._ledger._database.write() as connection:
        connection.execute("UPDATE deliveries SET sealed = NULL")
    async with app_on(engine).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await pilot.press("j", "t")
        assert screen.said == "it is no longer kept as it came"
        assert "no longer as it came: it cannot be processed again" in about(pilot)


@pytest.mark.parametrize("body", [PAYLOAD, LAID_OUT], ids=["as it is kept", "as older versions kept it"])
async def test_the_payload_is_shown_in_full_and_copied(hooks: Hooks, body: str) -> None:
    keep(hooks[0].desk, 0, "advice", AVAILABLE, "secret address", body=body, key="the newest", owner="")
    async with app_on(hooks[0]).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await until(pilot, lambda: '"topic": "communication' in about(pilot))
        await pilot.press("w")
        await until(pilot, lambda: isinstance(pilot.app.screen, RawScreen))
        await shows(pilot, '"archiveId": "advice-000"')
        await pilot.press("w", "y")
        assert pilot.app.clipboard == LAID_OUT
        assert screen_of(pilot).said.startswith("payload sent to the terminal's clipboard")


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_payloads_are_only_text(hooks: Hooks, size: tuple[int, int]) -> None:
    engine, _ = hooks
    body = "\n".join(HOSTILE) + "\n" + "x" * 256 * 1024
    topic, verified = "[@click=app.quit]\x1b[2Jtopic\u202e[/nope]", "\x1b]0;PWNED\x07[/b] verified"
    keep(engine.desk, 0, "advice", topic, verified, body=body, owner="")
    async with app_on(engine).run_test(size=size) as pilot:
        screen = await opened(pilot)
        await until(pilot, lambda: "Free coffee" in about(pilot))
        assert "[@click=app.quit]Free coffee[/]" in about(pilot)
        assert "characters more: w shows them" in about(pilot)
        await pilot.press("w")
        await shows(pilot, "Quarterly [/b] review")
        await pilot.press("G")
        await shows(pilot, "x" * 60)
        for shown in (seen(pilot), screen.query_one("#about", Lines).text):
            assert not [sign for sign in ("\x1b", "\x07", "\x9b", "\u202e") if sign in shown]
        await pilot.press("escape", "y")
        assert screen.said == "the payload is too long for a terminal's clipboard"


async def test_deliveries_that_come_while_one_looks_move_nothing_else(hooks: Hooks) -> None:
    engine, _ = hooks
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await addresses(pilot, 2)
        before = screen.current
        deliver(engine.desk)
        keep(engine.desk, 0, "agents", "agent_joined", "signed", owner="")
        engine.set()
        await shows(pilot, "Deliveries 7")
        assert screen.current == before
        assert screen.table.has_focus


# The receiver ---------------------------------------------------------------------------------------------------------


def post(port: int, account: str, topic: str) -> int:
    """A delivery, as flexperto sends one."""
    body = json.dumps({"topic": topic, "payload": {"archive_id": "a1", "conference_id": "c1"}})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", f"/hooks/{account}/{TOKEN}", body, {"content-type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("size", SIZES)
async def test_the_receiver_is_switched_on_and_takes_a_delivery(hooks: Hooks, port: int, size: tuple[int, int]) -> None:
    engine, _ = hooks
    async with app_on(engine).run_test(size=size) as pilot:
        screen = await opened(pilot)
        assert "○ off: l receives webhooks" in seen(pilot)
        await pilot.press("l")
        await until(pilot, lambda: screen.said == f"webhooks are received on http://127.0.0.1:{port}")
        await shows(pilot, f"● on http://127.0.0.1:{port}  0 received, 0 repeated, 0 turned away, 0 waiting")
        assert post(port, "advice", AVAILABLE) == 204
        assert post(port, "nobody", AVAILABLE) == 404
        assert engine._receiving is not None
        engine.set(receiver=engine._receiving.view())
        await shows(pilot, "1 received")
        await shows(pilot, "1 turned away")
        await shows(pilot, "Deliveries 7")
        assert ("1 404 no such address" in seen(pilot)) == (size[0] == 120)
        await pilot.press("l")
        await until(pilot, lambda: screen.said == "webhooks are not received")
        await shows(pilot, "○ off")


async def test_a_busy_port_is_told(hooks: Hooks, port: int) -> None:
    engine, _ = hooks
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        async with app_on(engine).run_test(size=(120, 36)) as pilot:
            screen = await opened(pilot)
            await pilot.press("l")
            await until(pilot, lambda: screen.said.startswith("webhooks are not received:"))
            assert str(port) in screen.said
            await shows(pilot, f"✗ cannot listen on 127.0.0.1:{port}")
            await pilot.press("tab")
            await shows(pilot, "○ receiver off")
            assert "receiver ✗ cannot listen on" in about(pilot)


# Keys that cannot act, and empty lists --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "key", "reason"),
    [
        ((), "t", "it waits to be processed already"),
        ((), "n", "a webhook is registered for an address: tab goes to the addresses"),
        ((), "x", "what can be deleted is a registered webhook: tab goes to the addresses"),
        ((), "T", "a secret belongs to an address: tab goes to the addresses"),
        (("tab",), "t", "only a delivery can be processed again"),
        (("tab",), "w", "there is no record here: a delivery has one, and a registered webhook"),
        (("tab",), "x", "this is an address: what can be deleted is a webhook registered for it"),
        (("tab", "j"), "y", "the service shows this address to nobody as a whole, so it is not known here"),
        (("tab", "G"), "n", "late joiners ask there: nothing is registered for it"),
        (("tab", "G", "k"), "n", "Temasys takes no registrations from here"),
    ],
)
async def test_a_key_that_cannot_act_says_why(hooks: Hooks, steps: tuple[str, ...], key: str, reason: str) -> None:
    async with app_on(hooks[0]).run_test(size=(120, 36)) as pilot:
        screen = await opened(pilot)
        for step in steps:
            await pilot.press(step)
            await settled(pilot)
        await pilot.press(key)
        assert screen.said.startswith(reason)
        assert pilot.app.screen is screen


async def test_an_address_without_a_known_secret_cannot_be_copied_or_registered(net: Loopback, tmp_path: Path) -> None:
    with stage(tmp_path) as engine:
        async with app_on(engine).run_test(size=(80, 24)) as pilot:
            screen = await opened(pilot)
            await pilot.press("tab")
            await shows(pilot, "✗ it has no")
            for key in ("y", "n"):
                await pilot.press(key)
                assert screen.said.startswith("it has no hook_secret yet, so nothing can come in")
            assert "to register T makes a new secret first" in about(pilot)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (ReceiverView(), "Nothing was received yet, and the receiver is off here."),
        (ReceiverView(ReceiverState.FAILED, "port 8787 is taken"), "Nothing was received: the receiver cannot listen."),
        (ReceiverView(ReceiverState.ON, "", "http://127.0.0.1:8787"), "http://127.0.0.1:8787/hooks/advice/s3cr…"),
    ],
)
async def test_an_empty_list_says_what_to_do(tmp_path: Path, view: ReceiverView, words: str) -> None:
    with stage(tmp_path, secrets=SECRETS) as engine:
        engine.set(receiver=view)
        async with app_on(engine).run_test(size=(80, 24)) as pilot:
            await opened(pilot)
            await shows(pilot, words)
            await pilot.press("shift+tab")
            await shows(pilot, "Nothing was missed.")


async def test_without_an_account_that_receives_the_desk_says_so(empty_engine: StageEngine) -> None:
    async with app_on(empty_engine).run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: bool(pilot.app.screen_stack))
        await pilot.pause()
        await pilot.press("5")
        await shows(pilot, "No account receives anything.")
        screen = screen_of(pilot)
        for key, reason in (
            ("l", "no account receives anything"),
            ("y", "there is nothing to copy"),
            ("t", "only a delivery can be processed again"),
            ("r", "there is no account to ask"),
            ("right_square_bracket", "no other account receives anything"),
        ):
            await pilot.press(key)
            assert screen.said == reason
        await pilot.press("tab")
        await shows(pilot, "▸Addresses 0")
        assert "No account receives anything." in seen(pilot)

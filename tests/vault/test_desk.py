"""The one door: every question and use case of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from providers.base import Unsupported
from providers.emulation import Loopback
from providers.models import NotificationChange
from providers.secret import Secret
from tests.providers.cronofy.box import box as cronofy_box
from tests.providers.temasys.box import box as temasys_box
from tests.vault.test_secrets import Ring, thread
from tests.vault.test_syncing import _desk_over
from tests.vault.world import World, archive, until
from vault.desk import Desk, utc_now
from vault.errors import ConfigError, VaultError
from vault.secrets import Secrets
from vault.views import Query, Totals

A = archive("a")


@pytest.fixture
async def desk(it: World) -> AsyncIterator[Desk]:
    opened = it.desk()
    yield opened
    await opened.aclose()
    opened.close()


async def test_questions(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a", title="Board")
    await desk.sync("advice")
    [row] = desk.page(Query(), 0, 9)
    assert row.title == "Board"
    assert desk.position(Query(), row.key) == 0
    meeting = desk.meeting(*row.key)
    assert meeting is not None
    assert [asset.identity for asset in meeting.assets] == [A]
    assert desk.totals() == Totals(1, 1, 0, 0)
    assert desk.rooms() == ()
    assert utc_now().tzinfo is not None


def test_opening_needs_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Desk.open({"REELDESK_DATA": str(tmp_path)}, config_path=tmp_path / "none.toml")


async def test_secrets_are_stored_where_they_are_found(it: World) -> None:
    it.write()
    opened = it.desk()
    ring = Ring()
    desk = Desk(opened.config, opened._ledger, Secrets({}, thread(ring)), it.clock)
    assert await desk.managing.store("advice", "api_key", Secret(it.emulator.api_key)) == "keyring Ring"
    await desk.sync("advice")
    assert desk.accounts()[0].secrets["api_key"].words == "keyring Ring"
    with pytest.raises(VaultError, match=r"has no secret 'password'; it has api_key, hook_secret"):
        await desk.managing.store("advice", "password", Secret("x"))
    await desk.aclose()
    opened.close()


async def test_notifications(net: Loopback, tmp_path: Path) -> None:
    box = temasys_box(net)
    options = box.settings.options
    username = f"username = '{options['username']}'"
    desk = _desk_over(tmp_path, "rooms", "temasys", options["base_url"], box.secrets, username)
    before = await desk.notifications("rooms")
    assert not before.exists
    change = NotificationChange(notify=True, url="https://hooks.example/x")
    assert "https://hooks.example/x" in desk.preview_notifications("rooms", change, exists=False)
    saved = await desk.save_notifications("rooms", change)
    assert (saved.exists, saved.url) == (True, "https://hooks.example/x")
    assert desk.notification_problems({"url": "nonsense"}, saved)
    with pytest.raises(Unsupported):
        await desk.catchup("rooms", "town-hall")
    await desk.aclose()
    desk.close()


async def test_agents(net: Loopback, tmp_path: Path) -> None:
    box = cronofy_box(net)
    desk = _desk_over(tmp_path, "agents", "cronofy", box.settings.options["base_url"], box.secrets)
    await desk.dispatch_agent("agents", "https://meet.example/abc")
    await desk.schedule_agent("agents", "https://meet.example/abc", "board", utc_now() + timedelta(hours=1))
    await desk.cancel_agent("agents", "board")
    assert box.emulator.faults.seen
    await desk.aclose()
    desk.close()


async def test_closing_one_and_going_on(it: World, desk: Desk) -> None:
    it.emulator.add_archive("a")
    await desk.sync("advice")
    await desk.rest("advice")
    await desk.rest("advice")
    await desk.sync("advice")
    await until(lambda: desk.asset(A))

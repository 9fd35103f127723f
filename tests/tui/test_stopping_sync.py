"""`x` where nothing is fetched: the services are asked no more."""

from pathlib import Path

from providers.emulation import Blob, Loopback
from tests.tui.account_walk import KEY, config_for, emulated
from tests.tui.stage import app_on, stage
from tests.tui.walk import desk_of, until


async def test_a_long_sync_is_stopped_by_key_and_what_came_is_kept(net: Loopback, tmp_path: Path) -> None:
    service, many = emulated(net), 60
    for number in range(many):
        service.add_archive(f"a{number}", blob=Blob(10))
    service.envelope, service.page_size = "data", 2
    service.faults.latency_s = 0.05
    secrets = {"advice/api_key": KEY}
    with stage(tmp_path, config=config_for(service), filled=False, secrets=secrets) as engine:
        async with app_on(engine).run_test(size=(120, 36)) as pilot:
            await until(pilot, lambda: bool(desk_of(pilot).query("#modes") and desk_of(pilot)._accounts), "the desk")
            screen = desk_of(pilot)
            await pilot.press("right_square_bracket")
            await until(pilot, lambda: screen.base.account == "advice")
            await pilot.press("r")
            await until(pilot, lambda: engine.desk.totals().meetings >= 4, f"some came: {screen.said}")
            await pilot.press("x")
            await until(pilot, lambda: "stopped asking" in screen.said)
            kept = engine.desk.totals().meetings
            assert 4 <= kept < many
            service.faults.latency_s = 0.0
            await pilot.press("r")
            await until(pilot, lambda: engine.desk.totals().meetings == many)

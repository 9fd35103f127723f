"""Steps of a walk through mode 6 and an account's form."""

import tomllib
from typing import Any, cast

from textual.pilot import Pilot
from textual.widgets import Input, Static

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.stage import CONFIG, NOW, StageEngine
from tests.tui.walk import ready, screen_of, seen, settled, shows, until
from tui.screens.account_form import AccountFormScreen
from tui.screens.accounts import AccountsScreen
from tui.widgets.lines import Lines

SIZES = [(80, 24), (120, 36)]
KEY = "flx-CANARY-0f-the-f0rm"
NOWHERE = 'provider = "flexperto"\nbase_url = "http://127.0.0.1:9"'


def emulated(net: Loopback, key: str = KEY) -> FlexpertoEmulator:
    """A flexperto tenant on loopback that takes this key."""
    service = FlexpertoEmulator(now=NOW.timestamp)
    service.api_key = key
    net.serve(service)
    return service


def config_for(service: FlexpertoEmulator) -> str:
    """The stage's accounts, flexperto's an emulator."""
    assert NOWHERE in CONFIG
    return CONFIG.replace(NOWHERE, NOWHERE.replace("http://127.0.0.1:9", service.base_url))


async def accounts(pilot: Pilot[None]) -> AccountsScreen:
    """Mode 6."""
    await until(pilot, lambda: bool(screen_of(pilot).query("#modes")), "the desk")
    await pilot.press("6")
    await until(pilot, lambda: screen_of(pilot).MODE == "accounts" and screen_of(pilot).is_mounted, "mode 6")
    await settled(pilot)
    return cast(AccountsScreen, screen_of(pilot))


async def listed(pilot: Pilot[None]) -> AccountsScreen:
    """Mode 6 with its accounts."""
    await ready(pilot)
    screen = await accounts(pilot)
    await until(pilot, lambda: screen.table.total > 0, "accounts")
    return screen


async def form_of(pilot: Pilot[None], *keys: str) -> AccountFormScreen:
    """The form that these keys open."""
    await pilot.press(*keys)
    await until(pilot, lambda: isinstance(pilot.app.screen, AccountFormScreen), "the form")
    await settled(pilot)
    return cast(AccountFormScreen, pilot.app.screen)


async def new_form(pilot: Pilot[None], digit: str) -> AccountFormScreen:
    """The form of a new account at the service with this digit."""
    await pilot.press("n")
    await shows(pilot, "Add an account at which service?")
    return await form_of(pilot, digit)


def field(form: AccountFormScreen, name: str) -> Input:
    """An input, by its option's or secret's name; the one that is shown."""
    entries = [entry for entry in form._entries.values() if entry.field.name == name]
    entry = next(entry for entry in entries if form.query_one(f"#{entry.id}-row").display)
    return form.query_one(f"#{entry.id}", Input)


def problem(form: AccountFormScreen, name: str) -> str:
    """What stands under a field."""
    id_ = field(form, name).id
    words = form.query_one(f"#{id_}-problem", Static)
    return str(words.content) if words.display else ""


async def fill_in(pilot: Pilot[None], form: AccountFormScreen, **values: str) -> None:
    """Type into fields, by their names."""
    for name, value in values.items():
        field(form, name).focus()
        await pilot.pause()
        field(form, name).value = value
    await pilot.pause()


def about(pilot: Pilot[None]) -> str:
    """What the details of mode 6 say, whatever is scrolled away, its lines joined."""
    return " ".join(screen_of(pilot).query_one("#about", Lines).text.split())


def written(engine: StageEngine, name: str) -> dict[str, Any]:
    """What config.toml says of an account."""
    found: dict[str, Any] = tomllib.loads(engine.desk.config.path.read_text())["accounts"][name]
    return found


__all__ = [
    "KEY", "SIZES", "about", "accounts", "config_for", "emulated", "field", "fill_in", "form_of", "listed", "new_form",
    "problem", "ready", "seen", "settled", "shows", "until", "written",
]  # fmt: skip

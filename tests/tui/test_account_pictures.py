"""Pictures of mode 6 and of an account's form: in both sizes; with what is wrong also in light and without colours."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Checkbox

from providers.steps import Outcome, Step
from tests.tui.account_walk import fill_in, listed, new_form
from tests.tui.stage import CONFIG, NOW, RUNNING, StageEngine, app_on, stage
from tests.tui.walk import settled, shows
from tui import account_words

Compare = Callable[..., bool]
Walk = Callable[[Pilot[None]], Awaitable[None]]
SIZES = [(80, 24), (120, 36)]
NAMES = ["80x24", "120x36"]
LOOKS = {"dark": "reeldesk-dark", "light": "reeldesk-light", "no colour": ""}
UNCHECKED = CONFIG.replace('data_center = "de"', 'data_center = "de"\nverify = false')
STEPS = (
    Step("configuration", Outcome.PASSED, "Cronofy Meeting Agents at https://api-de.cronofy.com; no proxy"),
    Step("name", Outcome.PASSED, "api-de.cronofy.com is 203.0.113.7"),
    Step("connection", Outcome.PASSED, "port 443: 203.0.113.7 answered in 12 ms"),
    Step("TLS", Outcome.WARNING, "the certificate was not checked (verify = false)"),
    Step("secrets", Outcome.PASSED, "api_key: sealed file"),
    Step("credential", Outcome.FAILED, "the service refuses the API key: HTTP 401 [b]no[/b]"),
    Step("clock", Outcome.NOT_CHECKED, "the service was not asked: see credential"),
)


@pytest.fixture
def careless(tmp_path: Path) -> Iterator[StageEngine]:
    """A filled desk, one of whose accounts has `verify = false`."""
    with stage(tmp_path, config=UNCHECKED) as made:
        made.transfers_from_ledger(RUNNING)
        yield made


@pytest.fixture
def look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the app is given for a look."""
    theme = LOOKS[request.param]
    if not theme:
        monkeypatch.setenv("NO_COLOR", "1")
    return {"theme": theme}


async def new(pilot: Pilot[None]) -> None:
    await listed(pilot)
    await new_form(pilot, "2")
    await settled(pilot)


async def wrong(pilot: Pilot[None]) -> None:
    await listed(pilot)
    form = await new_form(pilot, "4")
    await pilot.press("ctrl+o")
    await fill_in(pilot, form, name="rooms", base_url="https://acme.example", api_key="CRN-not-shown")
    verify = next(entry for entry in form._entries.values() if entry.field.name == "verify")
    form.query_one(f"#{verify.id}", Checkbox).focus()
    await pilot.press("space", "tab", "a")
    await shows(pilot, "must be acme.example")
    await settled(pilot)


async def choice(pilot: Pilot[None]) -> None:
    await listed(pilot)
    await pilot.press("n")
    await shows(pilot, "Add an account at which service?")
    await settled(pilot)


async def after_a_test(pilot: Pilot[None]) -> None:
    screen = await listed(pilot)
    screen._tests["agents"] = account_words.Tested(NOW, STEPS, ended=True)
    await pilot.press("j")
    await shows(pilot, "HTTP 401 [b]no[/b]")
    await settled(pilot)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
@pytest.mark.parametrize("walk", [new, wrong, choice], ids=["new", "wrong", "choice"])
def test_form(snap_compare: Compare, engine: StageEngine, walk: Walk, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(engine), terminal_size=size, run_before=walk)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_accounts_with_a_test(snap_compare: Compare, careless: StageEngine, size: tuple[int, int]) -> None:
    assert snap_compare(app_on(careless, banner="demo"), terminal_size=size, run_before=after_a_test)


@pytest.mark.parametrize("look", ["light", "no colour"], indirect=True)
def test_looks(snap_compare: Compare, careless: StageEngine, look: dict[str, str]) -> None:
    assert snap_compare(app_on(careless, **look), terminal_size=(120, 36), run_before=after_a_test)


@pytest.mark.parametrize("look", ["light", "no colour"], indirect=True)
def test_looks_of_the_form(snap_compare: Compare, engine: StageEngine, look: dict[str, str]) -> None:
    assert snap_compare(app_on(engine, **look), terminal_size=(120, 36), run_before=wrong)


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_the_badge_on_the_desk(snap_compare: Compare, careless: StageEngine, size: tuple[int, int]) -> None:
    async def go(pilot: Pilot[None]) -> None:
        await listed(pilot)
        await pilot.press("1")
        await shows(pilot, "TLS is not checked: agents")
        await settled(pilot)

    assert snap_compare(app_on(careless, banner="demo"), terminal_size=size, run_before=go)

"""An account's secrets by keys: where each lies, set, moved, forgotten; never shown."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.sealed_stage import KEY, WORDS, at_work, burst, sealed_stage, type_in
from tests.tui.stage import StageEngine
from tests.tui.walk import ready, seen, settled, shows, until
from tests.vault.test_secrets import Ring
from tui.screens.secrets import SecretsScreen
from tui.secret_words import problem_with_new
from vault.given import variable
from vault.keyrings import SealedThread, StoreView
from vault.secrets import SEALED_NAME

NEW = "flx-CANARY-typed-anew"
TYPED = "typed or pasted"
Compare = Callable[..., bool]


@pytest.fixture
def ring() -> Ring:
    return Ring()


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[StageEngine]:
    with sealed_stage(tmp_path, {"advice/api_key": KEY}) as engine:
        yield engine


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[StageEngine]:
    """Neither keyring nor sealed file."""
    with sealed_stage(tmp_path, None) as engine:
        yield engine


@pytest.fixture
def both(tmp_path: Path, ring: Ring) -> Iterator[StageEngine]:
    """A keyring and a sealed file."""
    with sealed_stage(tmp_path, {"agents/api_key": "agt-CANARY"}, ring=ring) as engine:
        yield engine


async def opened(pilot: Pilot[None]) -> SecretsScreen:
    """The secrets of the first account, from mode 6."""
    await ready(pilot)
    await pilot.press("6")
    await shows(pilot, "Account ")
    await settled(pilot)
    await pilot.press("s")
    await until(pilot, lambda: isinstance(pilot.app.screen, SecretsScreen) and pilot.app.screen.is_mounted)
    screen = pilot.app.screen
    assert isinstance(screen, SecretsScreen)
    await until(pilot, lambda: bool(screen._stores), "the stores")
    await settled(pilot)
    return screen


def kept(engine: StageEngine, name: str) -> str | None:
    found = engine.desk.secrets.find("advice", name)
    return found.secret.reveal() if found else None


async def set_to(pilot: Pilot[None], value: str) -> None:
    await pilot.press("e")
    await shows(pilot, "API token  ")
    await type_in(pilot, value, "enter")


async def test_what_lies_where(locked: StageEngine) -> None:
    async with at_work(locked).run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        shown = seen(pilot)
        assert re.search(r"api_key +yes +not known: the sealed file is locked", shown)
        assert "not set" not in shown
        assert "the system keyring is switched off" in shown
        assert "sealed file  locked" in shown
        assert variable("advice", "api_key") in shown
        await pilot.press("L")
        await shows(pilot, "enter unlocks")
        await type_in(pilot, WORDS, "enter")
        await shows(pilot, "sealed file  open")
        await until(pilot, lambda: bool(re.search(r"api_key +yes +sealed file", seen(pilot))))
        assert KEY not in seen(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, SecretsScreen))


async def test_set_asks_for_the_passphrase_first(locked: StageEngine) -> None:
    async with at_work(locked).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await set_to(pilot, NEW)
        await shows(pilot, "enter unlocks")
        assert screen._field.value == ""
        await type_in(pilot, WORDS, "enter")
        await shows(pilot, "api_key is kept: sealed file")
        assert kept(locked, "api_key") == NEW
        assert NEW not in seen(pilot)


async def test_set_and_given_up(locked: StageEngine) -> None:
    async with at_work(locked).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await set_to(pilot, NEW)
        await shows(pilot, "enter unlocks")
        await pilot.press("escape")
        await shows(pilot, "api_key was not kept anywhere")
        await pilot.press("e", "x", "escape")
        await shows(pilot, "nothing was kept")
        assert isinstance(pilot.app.screen, SecretsScreen)


async def test_without_any_store_there_is_a_choice(bare: StageEngine) -> None:
    async with at_work(bare).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await set_to(pilot, NEW)
        await shows(pilot, "Where is it to be kept?")
        await pilot.press("escape")
        await shows(pilot, "was not kept anywhere")
        await set_to(pilot, NEW)
        await shows(pilot, "Where is it to be kept?")
        await pilot.press("m")
        await shows(pilot, "in memory, for this run only")
        assert kept(bare, "api_key") == NEW
        assert not (bare.desk.config.data / SEALED_NAME).exists()
        await settled(pilot)
        await pilot.press("m")  # from memory into a store: there is none, and one can be made
        await shows(pilot, "Where is it to be kept?")
        assert "in memory, until" not in seen(pilot)
        await pilot.press("s")
        await shows(pilot, "enter makes it")
        await type_in(pilot, WORDS, "enter")
        await type_in(pilot, WORDS, "enter")
        await shows(pilot, "api_key: it lies in the sealed file")
    assert kept(bare, "api_key") == NEW


async def test_move_there_and_back(both: StageEngine, ring: Ring) -> None:
    async with at_work(both).run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await set_to(pilot, NEW)
        await shows(pilot, "api_key is kept: keyring Ring")
        assert ring.kept["reeldesk", "advice/api_key"] == NEW
        await settled(pilot)
        await pilot.press("m")
        await shows(pilot, "enter unlocks")
        await type_in(pilot, WORDS, "enter")
        await until(pilot, lambda: "it was removed from the keyring Ring" in " ".join(seen(pilot).split()))
        assert ("reeldesk", "advice/api_key") not in ring.kept
        await settled(pilot)
        await pilot.press("m")
        await shows(pilot, "it lies in the keyring Ring")
        assert ring.kept["reeldesk", "advice/api_key"] == NEW


async def test_forget_asks_first(both: StageEngine, ring: Ring) -> None:
    ring.kept["reeldesk", "advice/api_key"] = KEY
    async with at_work(both).run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("x")
        await shows(pilot, "Forget this secret?")
        await pilot.press("enter")  # the harmless answer has the focus
        await shows(pilot, "nothing was removed")
        assert ring.kept
        await pilot.press("x")
        await shows(pilot, "Forget this secret?")
        await pilot.press("l", "enter")
        await shows(pilot, "was removed from the keyring Ring")
        assert not ring.kept


async def test_what_is_given_hides_the_stores(tmp_path: Path) -> None:
    given = {variable("advice", "api_key"): "from-outside"}
    with sealed_stage(tmp_path, {"advice/api_key": KEY}, environ=given) as engine:
        async with at_work(engine).run_test(size=(120, 36)) as pilot:
            screen = await opened(pilot)
            assert "is read before any store, and hides what lies there" in seen(pilot)
            await pilot.press("m")
            assert "nothing to move" in screen.said
            await pilot.press("e")
            await shows(pilot, "is read before what is kept here")
            assert "from-outside" not in seen(pilot)


async def test_every_key_that_cannot_act_says_why(bare: StageEngine) -> None:
    async with at_work(bare).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        for key, reason in (("m", "api_key lies in no store"), ("x", "lies in no store"), ("P", "L makes one")):
            await pilot.press(key)
            assert reason in screen.said
        await pilot.press("question_mark")
        await shows(pilot, "Keys: secrets")


async def test_an_unusable_secret_is_refused_in_words(locked: StageEngine) -> None:
    async with at_work(locked).run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        await set_to(pilot, "schlüssel")
        await shows(pilot, "has characters that a credential cannot have")
        assert "schl" not in seen(pilot)
        assert screen._setting is not None, "it can be typed again"


async def test_typed_and_pasted_in_one_burst(locked: StageEngine) -> None:
    app = at_work(locked)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot)
        burst(app, "e", "q", "x", "P")
        await until(pilot, lambda: screen._field.value == "qxP")
        app.post_message(events.Paste("\r\nrest\r\nanother"))
        await until(pilot, lambda: screen._field.value == "qxPrest")
        await shows(pilot, "only the first line")
        assert isinstance(app.focused, Input)


def test_a_new_passphrase_must_be_long() -> None:
    assert "at least 12 characters" in problem_with_new("a" * 11)
    assert problem_with_new("a" * 12) == ""
    assert problem_with_new(" " * 12 + "short")


# Pictures

SHOWN = Path("/home/ana/.local/share/reeldesk/secrets.sealed")
SIZES = [(80, 24), (120, 36)]
NAMES = ["80x24", "120x36"]
LOOKS = {"dark": "reeldesk-dark", "light": "reeldesk-light", "no colour": ""}
PLACES = {
    "secrets": (),
    "typing": ("e", "a", "b", "c"),
    "unlock": ("L",),
    "change": ("P",),
    "choice": ("e", "a", "enter"),
}


@pytest.fixture
def same_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The path in a picture is the same everywhere."""
    view = SealedThread.view

    def shown(self: SealedThread) -> StoreView:
        return replace(view(self), path=SHOWN)

    monkeypatch.setattr(SealedThread, "view", shown)
    monkeypatch.setattr(SealedThread, "describe", lambda self: f"sealed file {SHOWN}")


def going(place: str) -> Callable[[Pilot[None]], object]:
    async def go(pilot: Pilot[None]) -> None:
        screen = await opened(pilot)
        if place != "unlock":
            await pilot.press("j", "k")
        if place == "change":
            await pilot.press("L")
            await shows(pilot, "enter unlocks")
            await type_in(pilot, WORDS, "enter")
            await until(pilot, lambda: pilot.app.screen is screen)
            await settled(pilot)
        await pilot.press(*PLACES[place])
        waits = {"unlock": "enter unlocks", "change": "enter changes", "choice": "Where is it to be kept?"}
        await shows(pilot, waits.get(place, "Stores"))
        if place == "choice":  # what waits for the answer is no rest
            await pilot.pause(0.1)
        else:
            await settled(pilot)

    return go


@pytest.mark.usefixtures("same_path")
@pytest.mark.parametrize("size", SIZES, ids=NAMES)
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("place", ["secrets", "unlock"])
def test_picture(
    snap_compare: Compare,
    locked: StageEngine,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    look: str,
    size: tuple[int, int],
) -> None:
    if not LOOKS[look]:
        monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(at_work(locked, theme=LOOKS[look]), terminal_size=size, run_before=going(place))


@pytest.mark.usefixtures("same_path")
@pytest.mark.parametrize("place", ["typing", "change"])
def test_picture_of_typing(snap_compare: Compare, locked: StageEngine, place: str) -> None:
    assert snap_compare(at_work(locked), terminal_size=(80, 24), run_before=going(place))


@pytest.mark.usefixtures("same_path")
def test_picture_of_the_choice(snap_compare: Compare, bare: StageEngine) -> None:
    assert snap_compare(at_work(bare), terminal_size=(80, 24), run_before=going("choice"))

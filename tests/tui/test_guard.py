import codecs
from types import ModuleType
from typing import ClassVar, cast

import pytest
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.color import Color
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Button, Checkbox, Input, Static

from providers.redaction import redact
from tests.tui.stage import HOSTILE, StageEngine, app_on
from tests.tui.walk import ready, seen, shows
from tui.app import DeskApp
from tui.guard import AsciiSigns, ControlGuard, crash_report, tolerate_old_mouse
from tui.label import label
from tui.screens.raw import RawScreen
from tui.widgets.ink import INK_CLASSES
from tui.widgets.lines import Lines, text_rows

ACTING = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
MARKUP = ("[/b]", "[@click=app.quit]x[/]", "[$foo]", "[link=https://x]", "\\[x", "[/ y", "[draft]")
BLACK = Color(0, 0, 0)


def drawn(text: str) -> str:
    (segment,) = ControlGuard().apply([Segment(text)], BLACK)
    return segment.text


def test_nothing_a_terminal_acts_on_is_drawn() -> None:
    for char in ACTING:
        assert drawn(f"a{char}b") == "a\ufffdb"
    assert drawn("naïve 東京 🎉") == "naïve 東京 🎉"
    control = Segment("\x1b[2J", None, [(1, 2)])  # type: ignore[list-item]  # Textual's own control segments pass
    assert ControlGuard().apply([control], BLACK) == [control]


def test_ascii_draws_frames_with_ascii_and_leaves_titles() -> None:
    (segment,) = AsciiSigns().apply([Segment("│┌─┐█ 東京… — x")], BLACK)
    assert segment.text == "|+-+# 東京. - x"


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("https://b.example/o?X-Amz-Signature=abc123&x=1", "https://b.example/o?", "abc123"),
        ("Authorization: Bearer CRN_LIVEKEY99", "Authorization", "LIVEKEY99"),
        ("{'api-key': 'topsecret'}", "api-key", "topsecret"),
        ("secret CRN_abcDEF in a text", "CRN_", "abcDEF"),
        ("guid=4711aabb", "guid=", "4711aabb"),
    ],
)
def test_credentials_are_redacted(text: str, kept: str, gone: str) -> None:
    assert kept in redact(text)
    assert gone not in redact(text)


def test_a_crash_report_has_no_locals_and_no_escapes() -> None:
    api_key = "CRN_LIVEKEY99"
    try:
        raise RuntimeError(f"it broke \x1b[2J with Bearer {api_key[:4]}X{len(api_key)}")
    except RuntimeError as error:
        text = crash_report(error).plain
    assert "RuntimeError: it broke" in text
    assert "\x1b" not in text
    assert "LIVEKEY" not in text.replace('api_key = "CRN_LIVEKEY99"', "")
    assert "unknown reason" in crash_report(None).plain


async def test_a_crash_in_the_desk_is_reported_safely(engine: StageEngine) -> None:
    app = app_on(engine)
    hidden = {"Authorization": "Bearer CRN_HIDDEN42"}

    def fails() -> None:
        assert hidden
        raise RuntimeError("broken \x1b]0;PWNED\x07 here")

    async def crash() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await ready(pilot)
            app.call_later(fails)
            await pilot.pause(0.2)

    with pytest.raises(RuntimeError, match="broken"):
        await crash()
    report = "".join(str(each) for each in app._exit_renderables)
    assert app.return_code == 1
    assert "CRN_HIDDEN42" not in report
    assert "\x1b" not in report
    assert engine.stopped.is_set()


def test_old_mouse_bytes_do_not_end_the_reader() -> None:
    driver = ModuleType("driver")
    driver.getincrementaldecoder = codecs.getincrementaldecoder  # type: ignore[attr-defined]
    tolerate_old_mouse(driver)
    decode = driver.getincrementaldecoder("utf-8")().decode
    assert decode(b"\x1b[M \xe5\x21") == "\x1b[M \ufffd!"
    assert decode("é".encode()[:1]) == ""
    assert decode("é".encode()[1:], final=True) == "é"
    before = driver.getincrementaldecoder
    tolerate_old_mouse(driver)
    assert driver.getincrementaldecoder is before


class Inked(Screen[None]):
    COMPONENT_CLASSES: ClassVar[set[str]] = set(INK_CLASSES)


class Widgets(App[None]):
    """Every kind of widget that shows remote text, as the screens use it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.remote = text
        self._filters.append(ControlGuard())

    def get_default_screen(self) -> Screen[None]:
        return Inked()

    def compose(self) -> ComposeResult:
        yield Static(label(self.remote))
        yield Static(Content(self.remote))
        yield Button(label(self.remote))
        yield Checkbox(label(self.remote))
        yield Input(self.remote)
        yield Lines(id="lines")

    def on_mount(self) -> None:
        self.query_one(Lines).styles.height = 3
        self.query_one(Lines).show(lambda width: text_rows([((self.remote, ""),)]))
        self.notify(self.remote, markup=False)


@pytest.mark.parametrize("text", [*HOSTILE, *MARKUP, "".join(sorted(ACTING))])
async def test_no_widget_crashes_or_lets_anything_through(text: str) -> None:
    app = Widgets(text)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        filters = [each for each in app.get_line_filters() if isinstance(each, ControlGuard)]
        assert filters
        strips = [strip.apply_filter(filters[0], BLACK) for strip in app.screen._compositor.render_strips()]
        shown = "".join(segment.text for strip in strips for segment in strip if not segment.control)
        assert not set(shown) & ACTING
        assert app.is_running


async def test_hostile_titles_walk_through_every_screen(engine: StageEngine) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        for _ in range(60):
            await pilot.press("j")
        shown = ""
        for place in range(0, 60, 15):
            screen.table.move_to(place)
            await pilot.pause(0.1)
            shown += seen(pilot)
        for mode in "236":
            await pilot.press(mode)
            await pilot.pause(0.2)
            shown += seen(pilot)
        assert not set(shown.replace("\n", "")) & ACTING
        assert "[@click=app.quit]" in shown
        pilot.app.push_screen(RawScreen("[/b] \x1b]0;x\x07", "[$foo] \x1b[2J\n\x9b31m"))
        await shows(pilot, "[$foo] ␛[2J")
        assert cast(DeskApp, pilot.app).is_running


async def test_the_desk_has_the_guard_as_its_last_filter(engine: StageEngine) -> None:
    app = app_on(engine)
    assert isinstance(app.get_line_filters()[-1], ControlGuard)
    ascii_app = app_on(engine, environ={"REELDESK_ASCII": "1"})
    assert isinstance(ascii_app.get_line_filters()[-1], AsciiSigns)

"""Lines that are kept and inks that are remembered are those that would be drawn now."""

import pytest
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tests.tui.stage import StageEngine, app_on
from tests.tui.walk import ready, until
from tui.widgets.ink import Inked


def shown(widget: Inked, crop: Region) -> list[list[Segment]]:
    return [list(strip) for strip in widget.render_lines(crop)]


def fresh(widget: Inked, crop: Region) -> list[list[Segment]]:
    """As if the widget had never been drawn before."""
    widget._inks.clear()
    widget._strips_of = None
    widget._rich_style_cache.clear()
    widget._styles_cache.clear()
    return shown(widget, crop)


@pytest.mark.parametrize(
    "keys",
    [
        ("j", "j", "k"),
        ("pagedown", "G", "k", "g"),
        ("space", "j", "enter", "j", "escape"),
        ("slash", *"weekly", "enter", "j", "escape"),
        ("s", "s", "j"),
    ],
    ids=" ".join,
)
async def test_lines_that_are_kept_are_as_they_would_be_drawn(engine: StageEngine, keys: tuple[str, ...]) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        for theme in ("", "reeldesk-light", "ansi-dark"):
            pilot.app.theme = theme or pilot.app.theme
            await pilot.pause()
            for widget in screen.query(Inked):
                crop = Region(0, 0, *widget.region.size)
                if widget.display and crop:
                    assert shown(widget, crop) == fresh(widget, crop), (widget, theme)


def watched(widget: Widget, monkeypatch: pytest.MonkeyPatch) -> list[Region]:
    """What is drawn of it from now on."""
    drawn, draw = list[Region](), Widget.render_lines

    def watching(each: Widget, crop: Region) -> list[Strip]:
        if each is widget:
            drawn.append(crop)
        return draw(each, crop)

    monkeypatch.setattr(Widget, "render_lines", watching)
    return drawn


async def test_a_line_that_changes_is_drawn_alone(engine: StageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_on(engine).run_test(size=(120, 36)) as pilot:
        screen = await ready(pilot)
        table = screen.table
        await until(pilot, lambda: table._loads is None and not table._styles_cache._dirty_lines)
        drawn = watched(table, monkeypatch)
        await pilot.press("j")
        await until(pilot, lambda: bool(drawn))
        await pilot.pause()
        assert sorted(y for region in drawn for y in region.line_range) == [1, 2]


async def test_a_scrollbar_is_drawn_when_it_moves_and_not_with_the_cursor(
    engine: StageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app_on(engine).run_test(size=(120, 16)) as pilot:
        screen = await ready(pilot)
        table = screen.table
        bar = table.vertical_scrollbar
        await until(pilot, lambda: table._loads is None and bar.display)
        drawn = watched(bar, monkeypatch)
        await pilot.press("j")
        await until(pilot, lambda: table.cursor == 1)
        await pilot.pause()
        assert not drawn
        crop = Region(0, 0, *bar.region.size)
        for _ in range(2):
            await pilot.press("pagedown")
        await until(pilot, lambda: bool(drawn))
        await pilot.pause()
        kept = [list(strip) for strip in bar.render_lines(crop)]
        bar._styles_cache.clear()
        assert kept == [list(strip) for strip in bar.render_lines(crop)]

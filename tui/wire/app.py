"""An app whose frames go through the wire."""

from typing import TYPE_CHECKING, Protocol

from rich.console import RenderableType
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from tui.wire.driver import WireDriver
from tui.wire.glass import Glass, Update, understood
from tui.wire.line import Line

if TYPE_CHECKING:
    from tui.shown_frame import ShownFrame


class Follows(Protocol):
    """What is told of each frame."""

    def painting(self, screen: Screen[object], update: Update, glass: Glass) -> None:
        """It is painted on the glass now."""


class WiredApp(App[None]):
    """Draws on a terminal by difference. `line`: how it behaves there, set before it runs."""

    line: Line = Line()
    shows_rate: bool = False
    """Whether `bytes_a_second` is to be seen."""
    shown: "ShownFrame | None" = None
    """A frame that stands on the terminal before the app begins, set before it runs: no other one is written and no key
    is heard before `show_live`."""
    follower: Follows | None = None

    def get_driver_class(self) -> type[Driver]:
        """Ours where it would be Textual's own for a terminal."""
        own = super().get_driver_class()
        return WireDriver if own is LinuxDriver else own

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        # Private, and held by a test: Textual has no public place between its compositor and its driver.
        driver = self._driver
        if not isinstance(driver, WireDriver) or not understood(renderable):
            super()._display(screen, renderable)
            return
        try:
            if not self._batch_count and self._running and not self._closed:
                if self.follower is not None and self.glass is not None:
                    self.follower.painting(screen, renderable, self.glass)
                driver.paint(renderable)
        finally:
            self.post_display_hook()

    @property
    def glass(self) -> Glass | None:
        """What the terminal is to show; None where there is none."""
        return self._driver.glass if isinstance(self._driver, WireDriver) else None

    @property
    def bytes_a_second(self) -> float:
        """What was sent to the terminal over the last seconds; 0.0 where there is none."""
        return self._driver.meter.rate() if isinstance(self._driver, WireDriver) else 0.0

    def show_live(self) -> None:
        """Put the app's own frames in the place of the one that stood there before."""
        if isinstance(self._driver, WireDriver):
            self._driver.show_live()

    def redraw(self) -> None:
        """Write the whole frame again."""
        if isinstance(self._driver, WireDriver):
            self._driver.repaint()

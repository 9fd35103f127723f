"""An app whose frames go through the wire."""

from rich.console import RenderableType
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from tui.wire.driver import WireDriver
from tui.wire.glass import understood
from tui.wire.line import Line


class WiredApp(App[None]):
    """Draws on a terminal by difference. `line`: how it behaves there, set before it runs."""

    line: Line = Line()
    shows_rate: bool = False
    """Whether `bytes_a_second` is to be seen."""

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
                driver.paint(renderable)
        finally:
            self.post_display_hook()

    @property
    def bytes_a_second(self) -> float:
        """What was sent to the terminal over the last seconds; 0.0 where there is none."""
        return self._driver.meter.rate() if isinstance(self._driver, WireDriver) else 0.0

    def redraw(self) -> None:
        """Write the whole frame again."""
        if isinstance(self._driver, WireDriver):
            self._driver.repaint()

"""The transfers dock: one line a transfer under the desk, there only while something is."""

from rich.cells import cell_len

from tui import label
from tui.label import Glyphs, plain
from tui.rows import TRANSFER_INKS, progress_words
from tui.widgets.lines import Row
from vault.views import TransferState, TransferView


def dock_rows(transfers: tuple[TransferView, ...], width: int, glyphs: Glyphs, most: int) -> list[Row]:
    """What is under way or went wrong, as many as fit, and how many more there are."""
    shown = [view for view in transfers if not view.state.ended or view.state is TransferState.FAILED]
    # Running ones first; failed ones after what still moves.
    shown.sort(key=lambda view: (view.state is TransferState.FAILED, view.state is not TransferState.RUNNING))
    rows = [_row(view, width, glyphs) for view in shown[: most if len(shown) <= most else most - 1]]
    if len(shown) > len(rows):
        rows.append(Row(((f"  and {len(shown) - len(rows)} more: 2 shows the queue", "dim"),)))
    return rows


def _row(view: TransferView, width: int, glyphs: Glyphs) -> Row:
    ink = TRANSFER_INKS[view.state]
    name = f"{plain(view.title) or plain(view.asset.meeting)} {view.asset.kind}"
    sign = (f" {glyphs.transfer[view.state]} ", ink)
    if view.state is not TransferState.RUNNING:
        said = f"{view.state}: {plain(view.words)}" if view.words else str(view.state)
        room = max(width - 4 - min(cell_len(said) + 2, width // 2), 8)
        shown = label.cut(name, room, glyphs.cut)
        return Row((sign, (shown, ""), ("  ", ""), (label.cut(said, width - cell_len(shown) - 6, glyphs.cut), ink)))
    figures = f" {progress_words(view):>7} {label.rate(view.rate):>9} {label.duration(view.eta_s):>7} "
    bar_width = 16 if width >= 90 else 8
    room = max(width - 3 - bar_width - len(figures) - 1, 4)
    shown = label.cut(name, room, glyphs.cut)
    pad = " " * (room - cell_len(shown) + 1)
    return Row(
        (sign, (shown + pad, ""), (label.bar(view.received, view.total, bar_width, glyphs), "info"), (figures, ""))
    )

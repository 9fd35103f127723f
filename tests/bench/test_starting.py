"""The bench of starts: its figures, its section, and that its two programs are what they say."""

from pathlib import Path

import pytest

from tests.bench import starting
from tests.bench.page import drawn, renewed, section_of
from tests.bench.results import BenchError
from tests.bench.starting import ENVIRONMENT, MOST, SEALED, WITHOUT, Start, Started, bars, section, text
from tests.bench.starting_program import ABSENT
from tests.e2e.terminal import MARKS

LATER = (
    # what speaks to services and stores
    "httpx", "aiohttp", "keyring", "cryptography", "starlette", "providers.flexperto.client",
    # what acts on recordings, and what the engine works with
    "vault.syncing", "vault.fetching", "vault.keeping", "vault.reconciling", "vault.risk", "vault.connections",
    "vault.managing", "vault.testing", "vault.transfers", "vault.custody", "vault.inbox.webhooks", "vault.inbox.worker",
    "vault.triage.releasing", "vault.triage.carrying", "vault.handover", "vault.transcripts", "vault.behind",
    "vault.ledger.recording", "vault.ledger.releases", "vault.ledger.deliveries", "vault.ledger.claiming",
    "vault.ledger.checking", "vault.ledger.flags", "vault.ledger.indexing",
    # every other screen, every question, every command
    "tui.screens.transfers", "tui.screens.rooms", "tui.screens.notifications", "tui.screens.webhooks",
    "tui.screens.accounts", "tui.screens.risk", "tui.screens.reconcile", "tui.screens.modal", "tui.screens.help",
    "tui.screens.palette", "tui.commandline.families", "tui.commandline.listing", "tui.commandline.takeover",
    # what libraries bring along for these
    "textual.widgets._text_area", "textual.widgets._checkbox", "email.utils", "zipfile", "importlib.metadata",
    "pathvalidate",
)  # fmt: skip
"""Nothing of it is to be seen when the list is first painted."""


def started(slower: float = 1.02) -> Started:
    """Two rounds in which the whole program takes so much longer."""
    starts = [
        Start(variant, number, 0.5 * number * (1 if variant == WITHOUT else slower), 0.4)
        for number in (1, 2)
        for variant in starting.VARIANTS
    ]
    return Started("2026-11-23", 2, tuple(starts))


@pytest.mark.parametrize(("slower", "met"), [(1.0, True), (1.049, True), (1.06, False)])
def test_the_bar_is_a_ratio_of_medians(slower: float, met: bool) -> None:
    found = bars(started(slower))
    assert [bar.limit for bar in found] == [MOST] * 4
    assert [bar.figure for bar in found] == pytest.approx([slower, 1.0] * 2)
    assert [bar.met for bar in found] == [met, True] * 2
    assert (found[0].rounds.low, found[0].rounds.high) == pytest.approx((slower, slower))


def test_the_section_is_renewed_alone() -> None:
    page = "# Benchmarks\n\n## Receiving webhooks\n\nfigures\n\n## The machine\n\n- CPU\n"
    once = renewed(page, section(started(), "", drawn))
    again = renewed(once, section(started(), "It was quiet.", drawn))
    assert "It was quiet." in section_of(again, starting.TITLE)
    assert section_of(again, "Receiving webhooks") == section_of(page, "Receiving webhooks")
    assert again.replace(section_of(again, starting.TITLE) + "\n", "") == page
    assert ENVIRONMENT in text(started())


def test_figures_are_kept(tmp_path: Path) -> None:
    starting.save(started(), tmp_path / "figures.json")
    assert starting.load(tmp_path / "figures.json") == started()
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(BenchError, match="holds no starts"):
        starting.load(tmp_path / "other.json")


class TestPrograms:
    """Both are started for real, once."""

    pytestmark = MARKS

    @pytest.mark.parametrize("variant", [SEALED, WITHOUT])
    def test_it_paints_with_what_it_says(self, tmp_path: Path, variant: str) -> None:
        starting.prepare(tmp_path, sealed=variant == SEALED)
        note = tmp_path / "modules"
        wall_s, cpu_s = starting.start(starting.command(variant, str(note)), starting.environ_of(tmp_path, variant))
        assert 0 < cpu_s < 10 * wall_s
        loaded = set(note.read_text().splitlines())
        assert {"tui.app", "vault.desk", "textual"} <= loaded
        stood_in = {name for name in ABSENT if name in loaded}
        assert (stood_in == set(ABSENT)) is (variant == WITHOUT)
        assert ("resource" in loaded) is (variant != WITHOUT)  # what hardening brings along

    def test_the_first_paint_waits_for_nothing_that_it_does_not_show(self, tmp_path: Path) -> None:
        starting.prepare(tmp_path, sealed=False)
        note = tmp_path / "modules"
        starting.start(starting.command(ENVIRONMENT, str(note)), starting.environ_of(tmp_path, ENVIRONMENT))
        loaded = set(note.read_text().splitlines())
        assert "tui.screens.desk" in loaded
        assert sorted(loaded.intersection(LATER)) == []
        assert len({name for name in loaded if name.startswith(("tui.", "vault.", "providers."))}) < 150

    def test_one_that_ends_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(BenchError, match="ended before it painted"):
            starting.start(["/bin/true"], starting.environ_of(tmp_path, ENVIRONMENT))

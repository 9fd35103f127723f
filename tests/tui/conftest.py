from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tests.tui.stage import RUNNING, StageEngine, stage


@pytest.fixture(scope="session", autouse=True)
def _sheets_parsed_once() -> Iterator[None]:
    """What each of hundreds of desks would parse anew, several times: the rules of a sheet under certain colours."""
    parse = Stylesheet._parse_rules
    known: dict[Any, list[RuleSet]] = {}

    def remembered(self: Stylesheet, *sheet: Any, **more: Any) -> list[RuleSet]:
        key = (frozenset(self._variables.items()), sheet, frozenset(more.items()))
        if key not in known:
            known[key] = parse(self, *sheet, **more)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", remembered)
        yield


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "REELDESK_ASCII", "TMUX"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who works where, and how much room there is, stand in pictures."""
    monkeypatch.setattr("vault.desk.this_process", lambda: "anna@desk")
    monkeypatch.setattr("vault.ledger.this_process", lambda: "anna@desk")
    monkeypatch.setattr("vault.risk.free_bytes", lambda folder: 64_000_000_000)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[StageEngine]:
    """A filled desk with two transfers under way, always in the same folder name's worth of characters."""
    with stage(tmp_path) as made:
        made.transfers_from_ledger(RUNNING)
        yield made


@pytest.fixture
def empty_engine(tmp_path: Path) -> Iterator[StageEngine]:
    """Nothing configured."""
    with stage(tmp_path, config="", filled=False) as made:
        yield made

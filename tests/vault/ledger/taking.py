"""Words for taking transfers from a ledger, and for what became of them."""

import pytest

from tests.vault.ledger.filling import NOW, claim, identity
from vault.ledger import Ledger
from vault.ledger.claiming import STALE_AFTER_S, Beat, Claim
from vault.views import TransferView

LATER = NOW + STALE_AFTER_S + 1


def view(ledger: Ledger, meeting: str = "c1") -> TransferView:
    found = ledger.reader.transfer(identity(meeting))
    assert found is not None
    return found


def taken(ledger: Ledger, **more: object) -> Claim:
    found = claim(ledger, **more)  # type: ignore[arg-type]  # tests give what fits
    assert found is not None
    return found


def meetings(found: tuple[Claim, ...]) -> list[str]:
    return [one.identity.meeting for one in found]


def beat(one: Claim, received: int = 1, total: int | None = 2, rate: float | None = None) -> Beat:
    return Beat(one, received, total, rate)


def written(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written from now on: the first statement of each transaction."""
    begun: list[str] = []
    write = ledger.claims._database.write

    def counted(**how: bool) -> object:
        begun.append("BEGIN")
        return write(**how)

    monkeypatch.setattr(ledger.claims._database, "write", counted)
    return begun

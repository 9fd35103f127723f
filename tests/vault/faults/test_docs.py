"""The page shows what is tested."""

from tests.vault.faults.declared import FAULTS
from tests.vault.faults.declared_calls import CALLS, KINDS
from tests.vault.faults.model import End
from tests.vault.faults.services import SERVICES
from tests.vault.faults.table import PAGE, RENEW, cells, columns, page


def test_the_page_shows_what_is_declared() -> None:
    assert PAGE.read_text("utf-8") == page(), f"docs/faults.md is not what the tests declare: run `{RENEW}`"


def test_every_cell_has_an_end_or_a_reason() -> None:
    names = [fault.name for fault in FAULTS] + [fault.name for fault in CALLS]
    assert len(set(names)) == len(names)
    for fault, service, mode in cells():
        assert fault.end(service, mode) in End
    assert len(columns()) == 9
    assert all(fault.kind(service) in KINDS for fault in CALLS for service in SERVICES)

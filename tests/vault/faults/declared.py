"""All faults, in the order of the documentation."""

from tests.vault.faults.declared_answers import ACCESS, CONTENT, REDIRECTS, STATUSES
from tests.vault.faults.declared_machine import CLOCK, DISK, PARTS
from tests.vault.faults.declared_network import CONNECTIONS, LENGTHS
from tests.vault.faults.declared_ranges import CHANGES, RANGES
from tests.vault.faults.model import Fault

GROUPS: dict[str, tuple[Fault, ...]] = {
    "Connections": CONNECTIONS,
    "Lengths": LENGTHS,
    "The rest of a file": RANGES,
    "Files that change": CHANGES,
    "Content": CONTENT,
    "Statuses": STATUSES,
    "Redirects": REDIRECTS,
    "Access": ACCESS,
    "The disk": DISK,
    "What happens to a part": PARTS,
    "The clock": CLOCK,
}
FAULTS = tuple(fault for group in GROUPS.values() for fault in group)

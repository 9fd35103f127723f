"""A tenant with a long list, until stdin ends: `python -m tests.bench.syncing_server RECORDS PAGE [BYTES [PACE]]`.

BYTES: of each archive, whose content is no zip; its SHA-256 is made up. PACE: bytes a second of each, 0: no limit.
"""

import random
import sys
import time

from providers.emulation import Blob, Loopback
from providers.flexperto.emulated import Person
from providers.flexperto.emulator import FlexpertoEmulator

_TOPICS = ("Beratung", "Quarterly review", "Besprechung", "Kontoeröffnung", "Onboarding", "Réunion d'équipe")
_NAMES = ("Müller", "Schmidt", "Weber", "Nguyễn", "García", "O'Brien", "Kowalska", "王小明")
_SIZE = 1_000_000
_DAY_S = 86_400.0


def tenant(records: int, page: int, size: int = _SIZE, pace: int = 0, seed: int = 5) -> FlexpertoEmulator:
    """Archives of the last years, all to be had."""
    emulator, luck = FlexpertoEmulator(), random.Random(seed)
    emulator.envelope, emulator.page_size = "data", page
    emulator.faults.bytes_per_s = pace or None
    now, blob = time.time(), Blob(size, b"PK\x03\x04", bytes(64 << 10))
    for number in range(records):
        person = Person(f"Dr. {luck.choice(_NAMES)}", f"customer{number % 5_000}@customers.example")
        emulator.add_archive(
            f"archive-{number:07}",
            title=f"{luck.choice(_TOPICS)} {person.name} {number % 977}",
            started_at=now - luck.random() * 900 * _DAY_S,
            participants=(person,),
            blob=blob,
            stated_sha256=f"{number:064x}",
        )
    return emulator


def main() -> None:
    """Serve."""
    emulator = tenant(*map(int, sys.argv[1:]))
    with Loopback() as net:
        print(net.serve(emulator), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()

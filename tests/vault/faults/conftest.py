"""What the matrix and the calls share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in memory where there is such a place: what is on disk when is another test's question.

    Nothing here speaks TLS, and reading the machine's certificates for every cell would take most of the time.
    """
    with tempfile.TemporaryDirectory(prefix="reeldesk-faults-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.setenv(variable, str(Path(name) / "none"))
        yield Path(name)

"""What is loaded when the desk is first painted: nothing that only a connection, a store or an editor needs."""

from pathlib import Path

import pytest

from tests.bench import starting
from tests.e2e.terminal import MARKS

pytestmark = MARKS
LATER = {"keyring", "cryptography", "secretstorage", "jeepney", "tomlkit", "httpx", "aiohttp", "uvicorn", "starlette"}


@pytest.mark.parametrize("variant", starting.VARIANTS)
def test_the_first_paint_waits_for_none_of_these(tmp_path: Path, variant: str) -> None:
    starting.prepare(tmp_path, sealed=variant == starting.SEALED)
    note = tmp_path / "modules"
    starting.start(starting.command(variant, str(note)), starting.environ_of(tmp_path, variant))
    loaded = {name.split(".")[0] for name in note.read_text().splitlines()}
    assert "textual" in loaded
    assert loaded & LATER == set()

"""docs/accounts.md says what is declared."""

import re
import subprocess
import sys
from pathlib import Path

from providers import registry
from vault.accounts import options_of
from vault.config import parse

HOUSE = Path(__file__).resolve().parents[2]


def test_the_page_says_what_is_declared() -> None:
    ran = subprocess.run(
        [sys.executable, "tools/accounts_page.py", "--check"], cwd=HOUSE, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_page_names_every_field_and_its_examples_are_valid(tmp_path: Path) -> None:
    page = (HOUSE / "docs" / "accounts.md").read_text("utf-8")
    for provider in registry.names():
        for option in options_of(provider):
            assert f"| `{option.name}` |" in page
        for field in registry.info(provider).secrets:
            assert f"| `{field.name}` |" in page
    examples = re.findall(r"```toml\n(.*?)```", page, re.S)
    found = parse("\n".join(examples), tmp_path / "config.toml", tmp_path)
    assert {account.settings.provider for account in found.accounts.values()} == set(registry.names())

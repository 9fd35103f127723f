"""Renews docs/faults.md."""

from tests.vault.faults.table import PAGE, page

PAGE.parent.mkdir(exist_ok=True)
PAGE.write_text(page(), "utf-8")
print(f"{PAGE} is renewed")

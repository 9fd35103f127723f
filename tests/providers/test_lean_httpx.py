"""httpx as the desk loads it."""

import subprocess
import sys

LOOKED_AT = """
import sys
from providers.lean_httpx import httpx
loaded = {name.partition(".")[0] for name in sys.modules}
print(sorted(loaded & {"click", "pygments", "rich"}), "httpx._main" in sys.modules)
with httpx.Client() as client:
    print(type(client).__name__)
import httpx._main
print(callable(httpx._main.main))
"""


def test_it_comes_without_its_own_command_which_can_still_be_had() -> None:
    done = subprocess.run([sys.executable, "-c", LOOKED_AT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[] False", "Client", "True"]

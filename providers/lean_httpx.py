"""httpx without its own command, which it loads with itself where click is (uvicorn brings it): 70 ms of CPU, 3 MB."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

__all__ = ["httpx"]

_COMMAND = "httpx._main"


def _main() -> None:
    raise SystemExit("httpx was loaded without its own command")


@contextmanager
def _without_its_command() -> Iterator[None]:
    """Have it find something else under its command's name while it is loaded."""
    if "httpx" in sys.modules:
        yield
        return
    stand_in = ModuleType(_COMMAND)
    stand_in.__dict__["main"] = _main
    sys.modules[_COMMAND] = stand_in
    try:
        yield
    finally:
        del sys.modules[_COMMAND]


with _without_its_command():
    import httpx

"""Keys are read as they come, and nobody wakes in between."""

import os
import select
import threading
from collections.abc import Iterator
from queue import Queue

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key
from textual.message import Message

from tui.wire import keys
from tui.wire.keys import Wake, read_keys


class Typed:
    """A reader of keys in a thread, and the end of a pipe to type into."""

    def __init__(self) -> None:
        self.reader, self.typist = os.pipe()
        self.wake = Wake()
        self.told: Queue[Message] = Queue()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        read_keys(self.reader, self.wake, XTermParser(), self.told.put)

    def key(self) -> str:
        told = self.told.get(timeout=10)
        assert isinstance(told, Key)
        return told.key

    def end(self) -> None:
        self.wake.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture
def typed() -> Iterator[Typed]:
    made = Typed()
    yield made
    made.end()
    for descriptor in (made.reader, made.typist):
        os.close(descriptor)
    made.wake.close()


def test_keys_come_as_they_are_typed(typed: Typed) -> None:
    os.write(typed.typist, b"j")
    assert typed.key() == "j"
    os.write(typed.typist, b"\x1b[6~")
    assert typed.key() == "pagedown"
    os.write(typed.typist, "ü".encode()[:1])
    os.write(typed.typist, "ü".encode()[1:])
    assert typed.told.get(timeout=10).character == "ü"  # type: ignore[attr-defined]  # it is a key


def test_an_escape_alone_is_the_key_after_a_moment(typed: Typed) -> None:
    os.write(typed.typist, b"\x1b")
    assert typed.key() == "escape"


def test_bytes_of_an_old_mouse_end_nothing(typed: Typed) -> None:
    os.write(typed.typist, b"\x1b[M \xff\xff" + b"k")
    while typed.key() != "k":
        pass


def test_a_reader_at_rest_never_wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = list[float | None]()
    real = select.select

    def noted(*args: object) -> object:
        waits.append(args[3])  # type: ignore[arg-type]  # seconds, or None for ever
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(select, "select", noted)
    monkeypatch.setattr(keys, "_SETTLED_S", 0.2)
    typed = Typed()
    os.write(typed.typist, b"j")
    assert typed.key() == "j"
    while waits[-1] is not None:
        typed.thread.join(0.01)
    typed.end()
    assert waits[0] is None
    assert waits[-1] is None
    typed.wake.clear()
    assert not typed.wake.is_set()
    typed.wake.close()

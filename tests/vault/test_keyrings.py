"""The stores: which keyring is used, and that a store which hangs, fails or is locked stands in nobody's way."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null
from keyring.errors import InitError, KeyringLocked

from providers.secret import Secret
from tests.vault.secret_place import QUICK
from tests.vault.test_sealed_file import words
from tests.vault.test_secrets import Ring, thread
from tests.vault.world import until_true
from vault import keyrings
from vault.errors import VaultError
from vault.keyrings import KeyringThread, Late, SealedThread, StoreThread, StoreView, system_backend
from vault.sealed_file import SealedKeyring


@pytest.fixture
def ring() -> Ring:
    return Ring()


# The thread


def test_calls_are_made_one_at_a_time_on_one_daemon_thread() -> None:
    it, seen, busy = StoreThread(), set(), threading.Lock()

    def call() -> None:
        assert busy.acquire(blocking=False), "two at a time"
        seen.add(threading.current_thread())
        busy.release()

    askers = [threading.Thread(target=it.ask, args=(call, 5.0)) for _ in range(20)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(10)
    assert len(seen) == 1
    assert next(iter(seen)).daemon
    it.close()


def test_one_that_hangs_is_left_behind() -> None:
    it, hang = StoreThread(), threading.Event()
    before = threading.current_thread()
    with pytest.raises(Late):
        it.ask(lambda: hang.wait(60), 0.1)
    assert it.ask(lambda: threading.current_thread() is not before, 5.0), "the next is not behind it"
    hang.set()
    assert it.ask(lambda: "still there", 5.0) == "still there"


def test_the_deadline_counts_from_when_a_call_begins() -> None:
    """A keyring that waits behind the derivation of a key does not hang."""
    it, slow = StoreThread(), threading.Event()
    derivation = threading.Thread(target=it.ask, args=(lambda: slow.wait(60), 60.0))
    derivation.start()
    answers: list[str] = []
    waiting = threading.Thread(target=lambda: answers.append(it.ask(lambda: "answer", 0.5)))
    waiting.start()
    waiting.join(0.7)
    assert waiting.is_alive()
    slow.set()
    waiting.join(10)
    derivation.join(10)
    assert answers == ["answer"]


def test_closing_waits_for_nobody() -> None:
    it, hang, raised = StoreThread(), threading.Event(), []

    def ask() -> None:
        try:
            it.ask(lambda: hang.wait(60), 60.0)
        except VaultError as error:
            raised.append(error.words)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    end = time.monotonic() + 10
    while it._waiting is None:
        assert time.monotonic() < end
    began = time.monotonic()
    it.close()
    for asker in askers:
        asker.join(10)
    assert time.monotonic() - began < 1
    assert sorted(raised) == ["reeldesk is ending; no store is asked any more"] * 2 + [
        "reeldesk is ending; the store was not waited for"
    ]
    assert it.closed
    hang.set()


def test_what_nobody_foresaw_is_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: ended.append(args.exc_type.__name__))

    class Strange(Exception):
        """No keyring raises this, so far."""

    def fails() -> None:
        raise Strange("CANARY")

    it, began = StoreThread(), time.monotonic()
    with pytest.raises(VaultError, match="failed unexpectedly") as caught:
        it.ask(fails, 30.0)
    assert "CANARY" not in str(caught.value)
    assert it.ask(lambda: 1, 30.0) == 1
    assert time.monotonic() - began < 10
    until_true(lambda: ended == ["Strange"])  # its thread ends a moment later


# What they raise


def test_faults_of_libraries_that_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    class DBusException(Exception):
        """KDE's."""

    module = ModuleType("dbus.exceptions")
    module.DBusException = DBusException  # type: ignore[attr-defined]  # as the library has it
    monkeypatch.setitem(sys.modules, "dbus.exceptions", module)
    it = thread(Ring(DBusException("CANARY")))
    with pytest.raises(VaultError, match=r"cannot be used \(DBusException\)"):
        it.get("a", "key")


@pytest.mark.parametrize(
    ("fault", "state", "said"),
    [
        (None, "available", "it answers"),
        (KeyringLocked("CANARY"), "locked", "the system keyring is locked"),
        (InitError("CANARY"), "locked", "the system keyring cannot be opened: it is locked, or was never set up"),
        (RuntimeError("CANARY"), "none", "the system keyring cannot be used (RuntimeError)"),
    ],
)
def test_the_state_of_a_keyring(ring: Ring, fault: Exception | None, state: str, said: str) -> None:
    ring.fault = fault
    view = thread(ring).view()
    assert (view.name, view.label, view.state, view.words, view.path) == ("keyring", "keyring Ring", state, said, None)


def test_the_state_without_a_keyring() -> None:
    def none() -> KeyringBackend:
        raise VaultError("there is none")

    assert KeyringThread(none).view() == StoreView("keyring", "system keyring", "none", "there is none")
    off = KeyringThread(none, off=True)
    assert off.view().words == "the system keyring is switched off (REELDESK_KEYRING=off)"


def test_removing(ring: Ring) -> None:
    it = thread(ring)
    assert not it.delete("a", "key")
    it.set("a", "key", Secret("v"))
    assert it.delete("a", "key")
    assert ring.kept == {}


def test_the_sealed_file_on_the_thread(tmp_path: Path) -> None:
    it = SealedThread(SealedKeyring(tmp_path / "secrets.sealed", kdf=QUICK), StoreThread())
    assert not it.exists
    assert it.view() == StoreView("sealed", "sealed file", "none", "there is no sealed file yet", it.path)
    it.create(words())
    it.set("a", "key", Secret("v"))
    assert (it.exists, it.get("a", "key"), it.view().state) == (True, "v", "available")
    assert it.delete("a", "key")
    assert not it.delete("a", "key")
    it.lock()
    assert it.view().state == "locked"
    assert it.view().words.startswith("the sealed file is locked: unlock it")


def test_without_a_place_for_a_sealed_file() -> None:
    it = SealedThread(None, StoreThread())
    it.lock()
    assert not it.exists
    assert not it.lock_if_idle()
    assert it.view() == StoreView("sealed", "sealed file", "none", "there is no place for it")
    with pytest.raises(VaultError, match="there is no place"):
        it.create(words())


def test_a_sealed_file_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()
    made = SealedKeyring(tmp_path / "secrets.sealed", kdf=QUICK)
    it = SealedThread(made, StoreThread())
    it.create(words())
    monkeypatch.setattr(keyrings, "DERIVE_S", 0.1)
    monkeypatch.setattr(made, "unlock", lambda passphrase: hang.wait(60))
    with pytest.raises(VaultError, match=r"the sealed file did not answer in 0\.1 s"):
        it.unlock(words())
    assert it.get("a", "key") is None
    it.lock()
    hang.set()


def test_faults_of_the_bus_are_known() -> None:
    pytest.importorskip("jeepney")
    from jeepney.wrappers import DBusErrorResponse

    assert DBusErrorResponse in keyrings._keyring_faults()


def test_without_the_bus_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jeepney.wrappers", None)
    assert RuntimeError in keyrings._keyring_faults()


# The system's own


def choose(monkeypatch: pytest.MonkeyPatch, backend: object) -> None:
    monkeypatch.setattr("keyring.get_keyring", lambda: backend)


class PlaintextKeyring(Ring):
    """Named like the one that keeps secrets in clear."""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (fail.Keyring, "there is no system keyring here"),
        (null.Keyring, "there is no system keyring here"),
        (chainer.ChainerBackend, "may keep secrets in clear"),
        (PlaintextKeyring, "may keep secrets in clear"),
    ],
)
def test_keyrings_that_are_not_used(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], KeyringBackend], words: str
) -> None:
    choose(monkeypatch, make())
    with pytest.raises(VaultError, match=words):
        system_backend()
    assert words in KeyringThread().describe()


def test_keyrings_that_ask_in_the_terminal_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    prompting = type("EncryptedKeyring", (Ring,), {"__module__": "keyrings.alt.file"})
    choose(monkeypatch, prompting())
    with pytest.raises(VaultError, match="asks for its password in the terminal"):
        system_backend()


def test_any_other_is(monkeypatch: pytest.MonkeyPatch, ring: Ring) -> None:
    choose(monkeypatch, ring)
    assert system_backend() is ring


class Wallet(Ring):
    """One that the system brings."""

    priority = -1.0  # so that other tests do not come upon it


Wallet.__module__ = "keyring.backends.wallet"


def test_of_a_chain_the_systems_own_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    chained, wallet = chainer.ChainerBackend(), Wallet()  # type: ignore[no-untyped-call]  # the library's
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [PlaintextKeyring(), wallet])
    choose(monkeypatch, chained)
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)
    assert system_backend() is wallet
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.chainer.ChainerBackend")
    with pytest.raises(VaultError, match="may keep secrets in clear"):
        system_backend()
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [PlaintextKeyring()])
    with pytest.raises(VaultError, match="may keep secrets in clear"):
        system_backend()


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("no.such.module.Keyring", "ModuleNotFoundError"),
        ("keyring.backends.fail.NoSuchClass", "AttributeError"),
        ("", "ValueError"),
        ("keyring.backends.null.Keyring", "there is no system keyring here"),
        ("keyring.backends.chainer.ChainerBackend", "may keep secrets in clear"),
        ("vault.sealed_file.SealedKeyring", "TypeError"),
    ],
)
def test_the_backend_that_is_named(monkeypatch: pytest.MonkeyPatch, named: str, said: str) -> None:
    monkeypatch.setattr("keyring.core._keyring_backend", None)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", named)
    assert said in KeyringThread().view().words


def test_the_backend_that_is_named_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyring.core._keyring_backend", None)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.vault.test_secrets.Ring")
    assert KeyringThread().view().label == "keyring Ring"


def test_many_are_called_keyring() -> None:
    """The Secret Service's, macOS's and others are told apart by their modules."""
    named = type("Keyring", (Ring,), {"__module__": "keyring.backends.SecretService", "priority": -1.0})
    assert thread(named()).describe() == "keyring SecretService"

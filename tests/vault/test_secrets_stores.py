"""Where secrets lie: the sealed file beside the keyring, moving, forgetting, and stores that hang."""

import contextlib
import threading
import time
from pathlib import Path
from typing import Literal

import pytest
from keyring.errors import KeyringLocked, NoKeyringError

from providers.secret import Secret
from tests.vault.secret_place import SEALED_WORDS, Place, forbid_getpass
from tests.vault.test_secrets import HIDDEN, KEY, Ring, thread
from vault.errors import VaultError
from vault.passphrase import Passphrase, SealedLocked, WrongPassphrase
from vault.sealed_file import SealedKeyring
from vault.secret_state import NOT_SET, Knowledge, SecretState
from vault.secrets import Secrets, Source


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, Ring())


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_getpass(monkeypatch)


# The sealed file


def test_a_locked_file_is_said_and_what_is_in_it_is_found_once_it_is_unlocked(place: Place) -> None:
    place.give(Source.SEALED)
    it = place.secrets(place.sealed(unlocked=False))
    assert it.find("my-agents", "api_key") is None
    assert it.find("my-agents", "other") is None
    assert it.where("my-agents", "api_key").startswith("not known: the sealed file is locked: unlock it")
    assert it.state("my-agents", "other").knowledge is Knowledge.NOT_KNOWN
    with pytest.raises(WrongPassphrase):
        it.unlock(Passphrase("wrong"))
    it.unlock(Passphrase("correct horse"))
    assert it.known("my-agents", "api_key") == Secret("of-sealed"), "clients need not ask again"
    assert it.where("my-agents", "api_key") == f"sealed file {place.path}"
    assert it.state("my-agents", "other") == NOT_SET


def test_what_else_is_not_known_stays_so_when_the_file_is_unlocked(place: Place) -> None:
    place.give(Source.SEALED)
    place.ring.fault = KeyringLocked("locked")
    it = place.secrets(place.sealed(unlocked=False))
    assert (it.look("my-agents", "api_key").is_found, it.look("my-agents", "other").is_found) == (False, False)
    assert it.where("my-agents", "other").startswith("not known: the system keyring is locked; the sealed file is")
    it.unlock(SEALED_WORDS)
    assert it.state("my-agents", "api_key") == SecretState(Knowledge.FOUND, f"sealed file {place.path}", Source.SEALED)
    assert it.where("my-agents", "other") == "not known: the system keyring is locked"


def test_where_there_is_no_keyring_a_secret_is_not_set(place: Place) -> None:
    place.ring.fault = NoKeyringError("none")
    state = place.secrets().look("my-agents", "api_key")
    assert (state.knowledge, state.words) == (
        Knowledge.NOT_SET,
        "not set; the system keyring cannot be used (NoKeyringError)",
    )
    assert state.brief == "not set"


def test_one_that_is_unusable_is_neither_set_nor_not(place: Place) -> None:
    place.environ[KEY] = f"{HIDDEN}é"
    state = place.secrets().look("my-agents", "api_key")
    assert (state.knowledge, state.is_found) == (Knowledge.UNUSABLE, False)
    assert state.words.startswith("api_key of account my-agents: ")
    assert HIDDEN not in repr(state)


def test_locking_forgets_what_came_from_it(place: Place) -> None:
    place.give(Source.SEALED)
    place.ring.kept["reeldesk", "my-agents/other"] = "of-keyring"
    it = place.secrets(environ=place.passphrase_file())
    it.find("my-agents", "api_key")
    it.find("my-agents", "other")
    it.lock()
    assert it.known("my-agents", "api_key") is None
    assert it.known("my-agents", "other") == Secret("of-keyring")
    assert it.find("my-agents", "api_key") is None, "it stays locked although its passphrase lies in a file"
    it.unlock(SEALED_WORDS)
    assert it.known("my-agents", "api_key") == Secret("of-sealed")


def test_locked_without_use_what_was_found_stays(place: Place) -> None:
    place.give(Source.SEALED)
    now = [0.0]
    made = SealedKeyring(place.path, clock=lambda: now[0])
    made.unlock(SEALED_WORDS)
    it = place.secrets(made)
    it.find("my-agents", "api_key")
    now[0] = 901.0
    assert it.lock_if_idle()
    assert it.known("my-agents", "api_key") == Secret("of-sealed")
    assert it.find("my-agents", "other") is None
    assert "was locked after 15 minutes without use" in it.where("my-agents", "other")


def test_the_passphrase_in_a_file_unlocks_it_when_it_is_needed(place: Place) -> None:
    place.give(Source.SEALED)
    it = place.secrets(place.sealed(unlocked=False), place.passphrase_file())
    assert it.stores()[1].state == "locked"
    assert it.find("my-agents", "api_key") is not None
    assert it.stores()[1].state == "available"


def test_a_passphrase_file_that_is_wrong_is_tried_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.give(Source.SEALED)
    made = place.sealed(unlocked=False)
    tried: list[Passphrase] = []
    unlock = made.unlock

    def counted(passphrase: Passphrase) -> None:
        tried.append(passphrase)
        unlock(passphrase)

    monkeypatch.setattr(made, "unlock", counted)
    it = place.secrets(made, place.passphrase_file("wrong"))
    for name in ("api_key", "other", "third"):
        assert it.find("my-agents", name) is None
        assert it.where("my-agents", name) == (
            "not known: the passphrase is wrong, or the file was changed (REELDESK_PASSPHRASE_FILE)"
        )
    assert len(tried) == 1
    it.unlock(SEALED_WORDS)
    assert it.known("my-agents", "api_key") == Secret("of-sealed")


def test_without_a_keyring_it_is_stored_in_the_sealed_file(place: Place) -> None:
    place.ring.fault = NoKeyringError("none")
    it = place.secrets()
    with pytest.raises(VaultError, match=f"make a sealed file with a passphrase, or set {KEY}"):
        it.store("my-agents", "api_key", Secret(HIDDEN))
    it.create_sealed(SEALED_WORDS)
    assert it.store("my-agents", "api_key", Secret(HIDDEN)) == f"sealed file {place.path}"
    assert place.sealed().get_password("reeldesk", "my-agents/api_key") == HIDDEN
    it.lock()
    with pytest.raises(SealedLocked, match="the sealed file is locked: unlock it") as caught:
        it.store("my-agents", "api_key", Secret("CANARY-other"))
    assert "CANARY" not in str(caught.value)
    it.unlock(SEALED_WORDS)
    it.rekey(Passphrase("another"))
    with pytest.raises(WrongPassphrase):
        place.sealed()
    assert place.secrets(it._sealed._made).find("my-agents", "api_key") is not None


def test_no_old_copy_is_left_in_the_sealed_file(place: Place) -> None:
    """Over SSH, where there is no keyring, it would be taken for the one in use."""
    place.give(Source.SEALED)
    place.secrets().store("my-agents", "api_key", Secret("newer"))
    assert place.ring.kept == {("reeldesk", "my-agents/api_key"): "newer"}
    assert place.sealed().get_password("reeldesk", "my-agents/api_key") is None


# Moving and forgetting


def test_moving_there_and_back(place: Place) -> None:
    place.give(Source.KEYRING)
    place.sealed()
    it = place.secrets()
    said = it.move("my-agents", "api_key", "sealed")
    assert said == f"it lies in the sealed file {place.path}; it was removed from the keyring Ring"
    assert place.ring.kept == {}
    assert place.sealed().get_password("reeldesk", "my-agents/api_key") == "of-keyring"
    assert it.where("my-agents", "api_key") == f"sealed file {place.path}"
    assert it.move("my-agents", "api_key", "sealed") == f"it lies in the sealed file {place.path}"
    said = it.move("my-agents", "api_key", "keyring")
    assert said == f"it lies in the keyring Ring; it was removed from the sealed file {place.path}"
    assert place.ring.kept == {("reeldesk", "my-agents/api_key"): "of-keyring"}
    assert place.sealed().get_password("reeldesk", "my-agents/api_key") is None


@pytest.mark.parametrize("to", ["keyring", "sealed"])
def test_of_two_the_one_in_use_is_kept(place: Place, to: Literal["keyring", "sealed"]) -> None:
    place.give(Source.KEYRING)
    place.give(Source.SEALED)
    it = place.secrets()
    it.move("my-agents", "api_key", to)
    assert it.known("my-agents", "api_key") == Secret("of-keyring")
    it.forget("my-agents", "api_key")
    found = it.find("my-agents", "api_key")
    assert found is not None
    assert (found.secret.reveal(), found.source) == ("of-keyring", Source(to))
    assert (place.ring.kept == {}) is (to == "sealed")


def test_moving_what_cannot_be_moved(place: Place) -> None:
    it = place.secrets()
    with pytest.raises(VaultError, match="there is no sealed file yet"):
        it.move("my-agents", "api_key", "sealed")
    place.give(Source.KEYRING)
    it = place.secrets(place.sealed(unlocked=False))
    with pytest.raises(SealedLocked):
        it.move("my-agents", "api_key", "sealed")
    assert place.ring.kept != {}
    said = it.move("my-agents", "api_key", "keyring")
    assert said.startswith("it lies in the keyring Ring; whether it lies elsewhere, too, is not known: the sealed file")
    with pytest.raises(SealedLocked):
        it.move("my-agents", "other", "keyring")
    it.unlock(SEALED_WORDS)
    with pytest.raises(VaultError, match="other of account my-agents lies in no store"):
        it.move("my-agents", "other", "keyring")
    it.keep_for_run("my-agents", "other", Secret("typed"))
    assert it.move("my-agents", "other", "sealed") == f"it lies in the sealed file {place.path}"
    assert place.sealed().get_password("reeldesk", "my-agents/other") == "typed"


def test_moving_what_the_environment_hides(place: Place) -> None:
    place.give(Source.ENVIRONMENT)
    place.give(Source.KEYRING)
    place.sealed()
    it = place.secrets()
    it.find("my-agents", "api_key")
    said = it.move("my-agents", "api_key", "sealed")
    assert said.endswith(f"the environment variable {KEY} is read before it")
    assert it.known("my-agents", "api_key") == Secret("of-environment")


def test_moving_that_loses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.give(Source.KEYRING)
    made = place.sealed()
    monkeypatch.setattr(made, "set_password", lambda *args: None)
    with pytest.raises(VaultError, match="did not keep api_key"):
        place.secrets(made).move("my-agents", "api_key", "sealed")
    monkeypatch.undo()
    assert place.ring.kept != {}

    def keeps(*args: object) -> None:
        raise KeyringLocked(HIDDEN)

    monkeypatch.setattr(place.ring, "delete_password", keeps)
    said = place.secrets().move("my-agents", "api_key", "sealed")
    assert said.endswith("; it could not be removed from the keyring Ring: the system keyring is locked")
    assert place.sealed().get_password("reeldesk", "my-agents/api_key") == "of-keyring"


def test_forgetting(place: Place) -> None:
    place.give(Source.KEYRING)
    place.give(Source.SEALED)
    it = place.secrets()
    it.find("my-agents", "api_key")
    said = it.forget_stored("my-agents", "api_key")
    assert said == f"api_key of account my-agents was removed from the keyring Ring and the sealed file {place.path}"
    assert it.known("my-agents", "api_key") is None
    assert it.find("my-agents", "api_key") is None
    with pytest.raises(VaultError, match="api_key of account my-agents lies in no store"):
        it.forget_stored("my-agents", "api_key")
    it.keep_for_run("my-agents", "api_key", Secret("typed"))
    assert it.forget_stored("my-agents", "api_key").endswith("was removed from the memory of this run")


def test_forgetting_where_one_store_cannot_be_asked(place: Place) -> None:
    place.give(Source.KEYRING)
    place.give(Source.SEALED)
    it = place.secrets(place.sealed(unlocked=False))
    said = it.forget_stored("my-agents", "api_key")
    assert "was removed from the keyring Ring; not asked: the sealed file is locked" in said
    with pytest.raises(SealedLocked, match="lies in no store that could be asked: the sealed file is locked"):
        it.forget_stored("my-agents", "api_key")


def test_which_stores_there_are(place: Place) -> None:
    it = place.secrets()
    assert [(one.name, one.state) for one in it.stores()] == [("keyring", "available"), ("sealed", "none")]
    place.ring.fault = KeyringLocked(HIDDEN)
    it.create_sealed(SEALED_WORDS)
    keyring, sealed = it.stores()
    assert (keyring.state, keyring.words) == ("locked", "the system keyring is locked")
    assert (sealed.state, sealed.path) == ("available", place.path)
    off = Secrets({"REELDESK_KEYRING": "off"}, thread(place.ring))
    assert [one.state for one in off.stores()] == ["none", "none"]


# What hangs


def test_a_keyring_that_hangs_does_not_keep_the_sealed_file_closed(place: Place) -> None:
    hang = threading.Event()
    place.ring.hang = hang
    place.give(Source.SEALED)
    it = Secrets({}, thread(place.ring, 0.2), sealed=place.path)
    assert it.find("my-agents", "api_key") is None
    assert "did not answer in 0.2 s; the sealed file is locked" in it.where("my-agents", "api_key")
    it.unlock(SEALED_WORDS)
    assert it.known("my-agents", "api_key") == Secret("of-sealed")
    assert it.store("my-agents", "other", Secret("typed")) == f"sealed file {place.path}"
    assert place.ring.asked == 1
    hang.set()


def test_closing_frees_whoever_waits(place: Place) -> None:
    hang = threading.Event()
    place.ring.hang = hang
    place.commands["other"] = ("sh", "-c", "sleep 60", "sh", "{name}")
    it = Secrets(place.environ, thread(place.ring, 60.0), commands=place.commands)

    def ask(account: str) -> None:
        with contextlib.suppress(VaultError):
            it.find(account, "key")

    it.keep_for_run("b", "password", Secret("typed"))
    askers = [threading.Thread(target=ask, args=(account,)) for account in ("a", "b", "other")]
    for asker in askers:
        asker.start()
    end = time.monotonic() + 10
    while place.ring.asked == 0:
        assert time.monotonic() < end
    began = time.monotonic()
    it.close()
    for asker in askers:
        asker.join(10)
    assert time.monotonic() - began < 1
    assert it.known("b", "password") is not None, "what was found is there to sign out with"
    hang.set()

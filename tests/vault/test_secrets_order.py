"""Which source gives a secret: the first in the order that has it; what the environment and commands give."""

import itertools
import os
import subprocess
import threading
from pathlib import Path

import pytest

from providers.secret import Secret
from tests.vault.secret_place import ORDER, Place, forbid_getpass
from tests.vault.test_secrets import HIDDEN, KEY, Ring, thread
from vault.errors import VaultError
from vault.secrets import Secrets, Source, take_out


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, Ring())


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_getpass(monkeypatch)


HAVING = [having for size in range(len(ORDER) + 1) for having in itertools.combinations(ORDER, size)]


@pytest.mark.parametrize("having", HAVING, ids="+".join)
def test_the_first_that_has_it_gives_it(place: Place, having: tuple[Source, ...]) -> None:
    for source in having:
        place.give(source)
    it = place.secrets()
    before = it.where("my-agents", "api_key")
    found = it.find("my-agents", "api_key")
    where = {
        Source.ENVIRONMENT: f"environment {KEY}",
        Source.FILE: f"file named by {KEY}_FILE",
        Source.SYSTEMD: "systemd credentials",
        Source.COMMAND: "password command sh",
        Source.KEYRING: "keyring Ring",
        Source.SEALED: f"sealed file {place.path}",
    }
    if not having:
        assert (found, it.where("my-agents", "api_key"), it.source("my-agents", "api_key")) == (None, "not set", None)
        assert before == "not looked up yet"
        return
    first = min(having, key=ORDER.index)
    assert found is not None
    assert (found.secret.reveal(), found.source, found.where) == (f"of-{first}", first, where[first])
    assert it.where("my-agents", "api_key") == where[first]
    asked = {Source.COMMAND: "password command sh, not asked yet"}
    unknown = first in (Source.KEYRING, Source.SEALED)
    assert before == ("not looked up yet" if unknown else asked.get(first, where[first]))
    it.keep_for_run("my-agents", "api_key", Secret("of-memory"))
    known = it.known("my-agents", "api_key")
    assert known is not None
    assert known.reveal() == "of-memory"
    assert it.source("my-agents", "api_key") is Source.MEMORY


def test_the_environment_is_read_once_and_taken_out(place: Place) -> None:
    place.environ |= {KEY: HIDDEN, f"{KEY}_FILE": "/somewhere", "REELDESK_DATA": "/data"}
    taken = take_out(place.environ)
    assert place.environ == {"PATH": os.environ["PATH"], "REELDESK_DATA": "/data"}
    it = Secrets(taken, thread(place.ring))
    assert it.find("my-agents", "api_key") is not None
    taken.clear()
    it.forget("my-agents", "api_key")
    found = it.find("my-agents", "api_key")
    assert found is not None
    assert found.secret.reveal() == HIDDEN


def test_a_child_inherits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, HIDDEN)
    take_out(os.environ)
    child = subprocess.run(["env"], capture_output=True, text=True, check=True)
    assert HIDDEN not in child.stdout
    assert KEY not in os.environ


# Commands


def test_a_command_that_has_not_this_one(place: Place) -> None:
    place.give(Source.COMMAND)
    place.ring.kept["reeldesk", "my-agents/hook_secret"] = "of-keyring"
    it = place.secrets()
    found = it.find("my-agents", "hook_secret")
    assert found is not None
    assert found.where == "keyring Ring"
    assert it.find("my-agents", "other") is None
    said = "not known: the password command sh ended with status 1 when asked for other"
    assert it.where("my-agents", "other") == said
    assert it.find("others", "api_key") is None
    assert it.where("others", "api_key") == "not set"


def test_a_command_that_cannot_be_used_is_not_asked_at_once_again(place: Place) -> None:
    counted = place.folder / "counted"
    place.commands["my-agents"] = ("sh", "-c", f"echo x >> {counted}; sleep 60", "sh", "{name}")
    place.give(Source.KEYRING)
    now = [0.0]
    it = Secrets(place.environ, thread(place.ring), commands=place.commands, command_s=0.2, clock=lambda: now[0])
    words = r"the password command sh did not end within 0\.2 s"
    for now[0], count in ((0.0, 1), (29.0, 1), (31.0, 2)):
        with pytest.raises(VaultError, match=words):
            it.find("my-agents", "api_key")
        assert len(counted.read_text().split()) == count
        assert it.where("my-agents", "api_key") == "not known: the password command sh did not end within 0.2 s"
    it.forget("my-agents", "api_key")
    with pytest.raises(VaultError, match=words):
        it.find("my-agents", "api_key")
    assert len(counted.read_text().split()) == 3


def test_a_command_that_prints_no_credential(place: Place) -> None:
    place.commands["my-agents"] = ("printf", f"{HIDDEN}é%s", "{name}")
    with pytest.raises(VaultError, match="api_key of account my-agents: the secret has characters") as caught:
        place.secrets().find("my-agents", "api_key")
    assert HIDDEN not in str(caught.value)


def test_a_command_is_asked_once_however_many_want_it(place: Place) -> None:
    counted = place.folder / "counted"
    place.commands["my-agents"] = ("sh", "-c", f"echo x >> {counted}; sleep 0.2; echo value", "sh", "{name}")
    it = place.secrets()
    askers = [threading.Thread(target=it.find, args=("my-agents", "api_key")) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(10)
    assert it.known("my-agents", "api_key") == Secret("value")
    assert counted.read_text() == "x\n"


def test_what_is_read_before_the_stores(place: Place) -> None:
    assert place.secrets().outranking("my-agents", "api_key") == ""
    place.give(Source.COMMAND)
    it = place.secrets()
    it.find("my-agents", "api_key")
    it.find("my-agents", "hook_secret")
    assert it.outranking("my-agents", "api_key") == "the password command sh"
    assert it.outranking("my-agents", "hook_secret") == ""
    place.give(Source.SYSTEMD)
    assert place.secrets().outranking("my-agents", "api_key") == f"the systemd credential {KEY}"
    place.give(Source.FILE)
    assert place.secrets().outranking("my-agents", "api_key") == f"the file named by {KEY}_FILE"

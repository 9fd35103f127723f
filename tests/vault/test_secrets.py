"""Where credentials come from, in which order, and that a keyring which hangs hangs nothing else."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, NoKeyringError

from providers.secret import Secret
from vault.errors import VaultError
from vault.secret_state import Knowledge
from vault.secrets import KeyringThread, Secrets, variable

KEY = "REELDESK_SECRET_MY_AGENTS_API_KEY"
HIDDEN = "CANARY-3f9a"


class Ring(KeyringBackend):
    """A keyring in memory, which raises or hangs as told."""

    priority = 1.0

    def __init__(self, fault: BaseException | None = None, hang: threading.Event | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library's
        self.kept: dict[tuple[str, str], str] = {}
        self.fault = fault
        self.hang = hang
        self.asked = 0

    def _do(self) -> None:
        self.asked += 1
        if self.hang is not None:
            self.hang.wait(60)
        if self.fault is not None:
            raise self.fault

    def get_password(self, service: str, username: str) -> str | None:
        self._do()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._do()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._do()
        del self.kept[service, username]


def thread(ring: Ring, deadline_s: float = 5.0) -> KeyringThread:
    return KeyringThread(lambda: ring, deadline_s)


@pytest.fixture
def ring() -> Ring:
    return Ring()


def test_variables() -> None:
    assert variable("my-agents", "api_key") == KEY


def test_the_order(tmp_path: Path, ring: Ring) -> None:
    file = tmp_path / "key"
    file.write_text("from-file\n")
    file.chmod(0o600)
    systemd = tmp_path / "systemd"
    systemd.mkdir()
    (systemd / KEY).write_text("from-systemd")
    ring.kept["reeldesk", "my-agents/api_key"] = "from-keyring"
    environ = {KEY: "from-env", f"{KEY}_FILE": str(file), "CREDENTIALS_DIRECTORY": str(systemd)}
    expected = [
        (KEY, "from-env", f"environment {KEY}"),
        (f"{KEY}_FILE", "from-file", f"file named by {KEY}_FILE"),
        ("CREDENTIALS_DIRECTORY", "from-systemd", "systemd credentials"),
    ]
    for name, value, where in expected:
        found = Secrets(dict(environ), thread(ring)).find("my-agents", "api_key")
        assert found is not None
        assert (found.secret.reveal(), found.where) == (value, where)
        del environ[name]
    assert ring.asked == 0
    found = Secrets(environ, thread(ring)).find("my-agents", "api_key")
    assert found is not None
    assert (found.secret.reveal(), found.where) == ("from-keyring", "keyring Ring")


def test_what_was_found_is_kept(ring: Ring) -> None:
    it = Secrets({}, thread(ring))
    assert it.where("a", "key") == "not looked up yet"
    assert it.known("a", "key") is None
    assert it.find("a", "key") is None
    assert it.find("a", "key") is None
    assert it.where("a", "key") == "not set"
    assert it.known("a", "key") is None
    assert ring.asked == 1
    assert it.store("a", "key", Secret("stored")) == "keyring Ring"
    assert ring.kept == {("reeldesk", "a/key"): "stored"}
    known = it.known("a", "key")
    assert known is not None
    assert known.reveal() == "stored"
    assert it.where("a", "key") == "keyring Ring"
    assert it.describe_keyring() == "keyring Ring"


def test_where_without_asking_the_keyring(ring: Ring) -> None:
    it = Secrets({KEY: HIDDEN}, thread(ring))
    assert it.where("my-agents", "api_key") == f"environment {KEY}"
    assert ring.asked == 0


def test_the_keyring_can_be_left_out(ring: Ring) -> None:
    assert Secrets({"REELDESK_KEYRING": "off"}, thread(ring)).find("a", "key") is None
    assert ring.asked == 0


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, ring: Ring, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(HIDDEN)
    file.chmod(mode)
    with pytest.raises(VaultError, match=f"can be read by others: chmod 600 {file}"):
        Secrets({f"{KEY}_FILE": str(file)}, thread(ring)).find("my-agents", "api_key")


def test_files_that_cannot_be_read(tmp_path: Path, ring: Ring) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    for path, words in ((tmp_path / "none", "No such file"), (binary, "not text"), (folder, "Is a directory")):
        with pytest.raises(VaultError, match=words):
            Secrets({f"{KEY}_FILE": str(path)}, thread(ring)).find("my-agents", "api_key")


def test_systemd_without_this_one(tmp_path: Path, ring: Ring) -> None:
    assert Secrets({"CREDENTIALS_DIRECTORY": str(tmp_path)}, thread(ring)).find("my-agents", "api_key") is None


@pytest.mark.parametrize("value", ["", "  ", f"{HIDDEN}\x00", f"{HIDDEN}é", f"a\n{HIDDEN}"])
def test_what_cannot_be_a_credential_is_refused_without_echo(ring: Ring, value: str) -> None:
    it = Secrets({KEY: value}, thread(ring))
    with pytest.raises(VaultError, match="api_key of account my-agents") as caught:
        it.find("my-agents", "api_key")
    assert HIDDEN not in str(caught.value)
    ring.kept["reeldesk", "a/key"] = value
    if value:
        with pytest.raises(VaultError, match="key of account a") as caught:
            Secrets({}, thread(ring)).find("a", "key")
        assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        KeyringLocked(HIDDEN),
        NoKeyringError(HIDDEN),
        RuntimeError(HIDDEN),
        AttributeError(HIDDEN),
        AssertionError(HIDDEN),
        EOFError(),
        OSError(HIDDEN),
        KeyError(HIDDEN),
        TypeError(HIDDEN),
        ModuleNotFoundError(HIDDEN),
        VaultError("there is none here"),
    ],
)
def test_a_keyring_that_raises(ring: Ring, fault: Exception) -> None:
    ring.fault = fault
    it = Secrets({}, thread(ring))
    assert it.find("a", "key") is None
    words = it.where("a", "key")
    is_none = isinstance(fault, NoKeyringError)  # every other one may have it, whoever asks again
    assert words.startswith("not set; " if is_none else "not known: ")
    assert it.state("a", "key").knowledge is (Knowledge.NOT_SET if is_none else Knowledge.NOT_KNOWN)
    assert HIDDEN not in words
    with pytest.raises(VaultError) as caught:
        it.store("a", "key", Secret("CANARY-stored"))
    assert "CANARY" not in str(caught.value)
    ring.fault = None
    assert it.store("a", "key", Secret("stored")) == "keyring Ring"


def test_a_keyring_that_hangs_is_asked_once() -> None:
    hang = threading.Event()
    ring = Ring(hang=hang)
    it = Secrets({}, thread(ring, 0.2))
    began = time.monotonic()
    assert it.find("a", "key") is None
    assert it.where("a", "key") == "not known: the system keyring did not answer in 0.2 s"
    assert it.find("a", "other") is None
    assert it.where("a", "other") == "not known: the system keyring hangs; it is not asked again in this run"
    assert "hangs" in it.describe_keyring()
    assert time.monotonic() - began < 2.0
    assert ring.asked == 1
    hang.set()


HANGING = """
import threading, time
from vault.secrets import KeyringThread, Secrets

class Hangs:
    def get_password(self, service, name):
        threading.Event().wait(60)

it = Secrets({}, KeyringThread(Hangs, 0.2))
assert it.find("a", "key") is None
print(it.where("a", "key"))
"""


def test_quitting_does_not_wait_for_it() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, cwd=Path(__file__).parents[2]
    )
    assert done.stdout == "not known: the system keyring did not answer in 0.2 s\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 20


def test_no_keyring_is_loaded_before_it_is_needed() -> None:
    code = "import sys, vault.secrets; vault.secrets.Secrets({}); sys.exit('keyring' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], env=dict(os.environ))
    assert done.returncode == 0

"""Where a process begins and what it leaves to others: its environment, its memory, its reports, its terminal."""

import getpass
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from providers.secret import Secret
from tests.vault.secret_place import SEALED_WORDS, Place
from tests.vault.test_secrets import Ring
from tui import hardening
from vault.errors import VaultError
from vault.keyrings import KeyringThread
from vault.secrets import Secrets, Source

HOUSE = Path(__file__).resolve().parents[2]
KEY = "REELDESK_SECRET_ADVICE_API_KEY"
VALUE = "kept-from-children"
LOOKS = """
import ctypes, json, os, resource, subprocess, sys
from tui import cli, hardening

LOOK = '''
import json, os, sys
place, found = "/proc/" + sys.argv[1] + "/", {}
for name in ("environ", "mem", "maps"):
    try:
        with open(place + name, "rb") as file:
            file.read(1)
        found[name] = "open"
    except PermissionError:
        found[name] = "refused"
    except OSError:
        found[name] = "open"
print(json.dumps(found))
'''

def looked_at():
    # By another process of the same user, which is not root: root may read everything.
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writing, 1)
        sys.argv = ["-c", str(os.getppid())]
        exec(LOOK, {})
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    return json.loads(os.read(reading, 4096))

def instead(argv=None, environ=None, frame=None):
    prctl = ctypes.CDLL(None).prctl
    dumpable = prctl(3, 0, 0, 0, 0)
    names = [sys.executable, "-c", "import os; print(sorted(os.environ))"]
    child = subprocess.run(names, capture_output=True, text=True)
    after = None
    if sys.platform.startswith("linux"):
        if os.geteuid() == 0:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        prctl(4, 1, 0, 0, 0)
        before = looked_at()
        hardening.harden()
        after = [before, looked_at()]
    print(json.dumps({
        "limit": resource.getrlimit(resource.RLIMIT_CORE), "dumpable": dumpable, "child": child.stdout,
        "own": sorted(os.environ), "handed": (environ or {}).get(sys.argv[1]), "looked": after,
        "files": len(os.listdir("/proc/self/fd")), "mounts": open("/proc/self/mountinfo").read(4),
    }))
    return 0

cli.main = instead
sys.exit(cli.entry())
"""


@pytest.fixture(scope="module")
def begun() -> dict[str, object]:
    """What a process saw that began as `reeldesk` does."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the rest is Linux alone: elsewhere there is only the limit on core dumps")
    environ = {**os.environ, KEY: VALUE, f"{KEY}_FILE": "/nowhere", "REELDESK_DATA": "/data"}
    done = subprocess.run(
        [sys.executable, "-c", LOOKS, KEY], env=environ, cwd=HOUSE, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, object] = json.loads(done.stdout)
    return seen


def test_no_core_is_dumped(begun: dict[str, object]) -> None:
    assert begun["limit"] == [0, 0]
    assert begun["dumpable"] == 0, "a core that is piped to a program does not heed the limit"


def test_another_process_of_the_user_can_look_into_nothing(begun: dict[str, object]) -> None:
    assert begun["looked"] == [
        {"environ": "open", "mem": "open", "maps": "open"},
        {"environ": "refused", "mem": "refused", "maps": "refused"},
    ]


def test_the_process_itself_still_sees_what_it_needs(begun: dict[str, object]) -> None:
    assert int(str(begun["files"])) >= 3
    assert begun["mounts"]


def test_children_inherit_no_secret_and_the_commands_are_handed_it(begun: dict[str, object]) -> None:
    assert begun["handed"] == VALUE
    for names in (begun["own"], begun["child"]):
        assert "REELDESK_DATA" in str(names)
        assert "REELDESK_SECRET" not in str(names)


@pytest.mark.parametrize("program", [["-m", "tui"], ["-m", "tui.cli"], ["-c", "from tui.cli import entry; entry()"]])
def test_a_keyring_s_own_children_inherit_no_secret(program: list[str], tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[accounts.advice]\nprovider = "flexperto"\nbase_url = "http://127.0.0.1:9"\n', "utf-8")
    environ = {**os.environ, "REELDESK_CONFIG": str(config), "REELDESK_DATA": str(tmp_path / "data")}
    environ |= {"PYTHON_KEYRING_BACKEND": "tests.tui.cli.ring.SpawningRing", "REELDESK_TEST_RING": str(tmp_path / "r")}
    environ |= {"REELDESK_SECRET_OTHER_API_KEY": VALUE}
    command = [sys.executable, *program, "secret", "list"]
    done = subprocess.run(command, env=environ, cwd=HOUSE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    inherited = (tmp_path / "r.environ").read_text()
    assert "REELDESK_TEST_RING" in inherited
    assert VALUE not in inherited
    assert "REELDESK_SECRET" not in inherited


def test_nothing_asks_in_the_terminal_while_the_desk_is_drawn(tmp_path: Path) -> None:
    before = getpass.getpass
    with hardening.drawn_on():
        for ask in (getpass.getpass, getpass.unix_getpass, getpass.fallback_getpass):  # type: ignore[attr-defined]  # not in typeshed
            with pytest.raises(VaultError, match="asks for a password in the terminal"):
                ask("password: ")
    assert getpass.getpass is before


class Asking(Ring):
    """Asks for a password before anything."""

    def get_password(self, service: str, username: str) -> str | None:
        getpass.getpass("password: ")
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        getpass.getpass("password: ")


def test_a_keyring_that_asks_is_refused_in_words_and_the_next_place_is_used(tmp_path: Path) -> None:
    place = Place(tmp_path, Ring())
    place.give(Source.SEALED)
    secrets = Secrets(place.environ, KeyringThread(Asking), sealed=place.sealed())
    with hardening.drawn_on():
        found = secrets.find("my-agents", "api_key")
        assert found is not None
        assert found.source is Source.SEALED
        assert secrets.find("my-agents", "hook_secret") is None
        assert "asks for a password in the terminal" in secrets.where("my-agents", "hook_secret")
        assert "sealed file" in secrets.store("my-agents", "api_key", Secret("another"))
        (keyring, _) = secrets.stores()
        assert keyring.state == "none"
        assert "asks for a password in the terminal" in keyring.words
    secrets.close()


def test_no_path_to_a_store_asks_in_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(hardening, "_no_prompt", lambda *args, **named: asked.append(args))
    place = Place(tmp_path, Ring())
    with hardening.drawn_on():
        secrets = place.secrets(place.sealed(unlocked=False))
        assert secrets.find("my-agents", "api_key") is None
        secrets.unlock(SEALED_WORDS)
        secrets.store("my-agents", "api_key", Secret("kept"))
        secrets.move("my-agents", "api_key", "sealed")
        secrets.move("my-agents", "api_key", "keyring")
        secrets.stores()
        secrets.lock()
        secrets.unlock(SEALED_WORDS)
        secrets.rekey(SEALED_WORDS)
        secrets.forget_stored("my-agents", "api_key")
        assert secrets.find("my-agents", "api_key") is None
        secrets.close()
    assert not asked


def test_threads_that_break_are_told_when_the_desk_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    def breaks(number: int) -> None:
        raise RuntimeError(f"thread {number} broke with token=" + "-".join(("very", "secret")))

    before = threading.excepthook
    with hardening.drawn_on() as broken:
        for number in range(12):
            thread = threading.Thread(target=breaks, args=(number,))
            thread.start()
            thread.join()
        assert capsys.readouterr().err == ""
        assert len(broken) == 10, "one that breaks again and again does not fill the memory"
    told = capsys.readouterr().err
    assert "RuntimeError: thread 0 broke with token=…" in told
    assert "very-secret" not in told
    assert threading.excepthook is before

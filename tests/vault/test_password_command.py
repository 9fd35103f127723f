"""Commands that print secrets: real ones, which hang, fail, chatter, or want the terminal."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from vault import password_command
from vault.errors import VaultError
from vault.password_command import CommandFailed, run

HERE = {"PATH": os.environ["PATH"]}


def shell(script: str) -> list[str]:
    return ["sh", "-c", script, "sh", "{name}"]


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script, "{name}"]


def test_the_first_line_is_the_secret() -> None:
    assert run(shell('printf "%s\\nuser: me\\n" "of $1"'), "api_key", HERE) == "of api_key"
    assert run(shell("printf no-newline"), "api_key", HERE) == "no-newline"
    assert run(shell("printf 'from windows\\r\\n'"), "api_key", HERE) == "from windows"
    assert run(["printf", "%s/%s", "{name}", "a-{name}-{name}"], "key", HERE) == "key/a-key-key"


def test_there_is_no_shell(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    said = run(["echo", f"$HOME; touch {marker} `id` {{name}} *"], "x; id", HERE)
    assert said == f"$HOME; touch {marker} `id` x; id *"
    assert not marker.exists()


def test_it_inherits_no_secret_and_no_terminal() -> None:
    environ = HERE | {
        "REELDESK_SECRET_ADVICE_API_KEY": "CANARY",
        "REELDESK_SECRET_ADVICE_API_KEY_FILE": "CANARY",
        "REELDESK_PASSPHRASE_FILE": "CANARY",
        "GPG_TTY": "/dev/pts/CANARY",
        "SSH_TTY": "/dev/pts/CANARY",
        "KEPT": "kept",
    }
    script = "import os; print(sorted(os.environ.items()))"
    said = run(python(script), "key", environ)
    assert "CANARY" not in said
    assert "('KEPT', 'kept')" in said


def test_it_has_no_terminal_and_no_stdin() -> None:
    script = """
import os, sys
own = os.getsid(0) == os.getpid()
try:
    os.open("/dev/tty", os.O_RDWR)
    terminal = True
except OSError:
    terminal = False
print(own, terminal, repr(sys.stdin.read()))
"""
    assert run(python(script), "key", HERE) == "True False ''"


def test_what_it_says_on_stderr_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandFailed) as caught:
        run(shell("echo CANARY; echo CANARY >&2; exit 3"), "api_key", HERE)
    assert caught.value.words == "the password command sh ended with status 3 when asked for api_key"
    assert capfd.readouterr() == ("", "")


def test_ended_by_a_signal() -> None:
    with pytest.raises(CommandFailed, match="was ended by SIGTERM"):
        run(shell("kill -TERM $$"), "api_key", HERE)
    with pytest.raises(CommandFailed, match="was ended by signal 40"):
        run(shell("kill -40 $$"), "api_key", HERE)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["/no/such/program", "{name}"], "the password command program cannot be run: No such file or directory"),
        (["/etc", "{name}"], "cannot be run: Permission denied"),
        (shell("true"), "the password command sh printed nothing"),
        (shell("echo; echo second"), "the password command sh printed an empty line"),
        (shell("printf '\\377\\376\\n'"), "printed something that is not text"),
        (shell("while :; do echo CANARYCANARYCANARYCANARY; done"), "prints more than 65536 bytes"),
        ([], "the password command is empty"),
        ([""], "is empty"),
        (["pass", "show", "advice"], "must have {name} in one of its arguments"),
        (["{name}"], "must have {name} in one of its arguments"),
        (["echo", "{name}\0"], "has a NUL character"),
    ],
)
def test_commands_that_give_nothing(argv: list[str], said: str) -> None:
    with pytest.raises(VaultError) as caught:
        run(argv, "api_key", HERE)
    assert said in caught.value.words
    assert "CANARY" not in caught.value.words
    assert not isinstance(caught.value, CommandFailed)


def test_check() -> None:
    assert password_command.check(["pass", "show", "advice/{name}"]) == ""


def gone(pid: int) -> bool:
    """Whether a process has ended; whoever inherits it may not have asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 10
    while not gone(pid):
        assert time.monotonic() < end


def test_one_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    with pytest.raises(VaultError, match=r"the password command sh did not end within 0\.5 s"):
        run(shell(f"sleep 60 & echo $! $$ > {pids}; echo CANARY; wait"), "key", HERE, deadline_s=0.5)
    assert 0.5 <= time.monotonic() - began < 5
    for pid in map(int, pids.read_text().split()):
        wait_until_gone(pid)


def test_one_that_ignores_what_is_asked_of_it() -> None:
    with pytest.raises(VaultError, match="did not end within"):
        run(shell("trap '' TERM INT HUP; exec >&-; while :; do sleep 1; done"), "key", HERE, deadline_s=0.3)


def test_an_agent_that_it_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    assert run(shell(f"sleep 60 & echo $! > {pids}; echo secret"), "key", HERE) == "secret"
    assert time.monotonic() - began < 5
    agent = int(pids.read_text())
    assert not gone(agent), "an agent is there for the next one who asks"
    os.kill(agent, 9)


def test_given_up_while_it_runs() -> None:
    quitting = threading.Event()
    threading.Timer(0.2, quitting.set).start()
    began = time.monotonic()
    with pytest.raises(VaultError, match="was given up"):
        run(shell("sleep 60"), "key", HERE, given_up=quitting.is_set)
    assert time.monotonic() - began < 5

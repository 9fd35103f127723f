"""Handing over: what is told and what is not, a process that answers or does not, and the two ends of the pipe."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from pathlib import Path

import pytest

from providers.emulation import Loopback
from tests.vault.test_secrets import Ring, thread
from tests.vault.world import world
from vault.desk import Desk
from vault.errors import VaultError
from vault.handover import (
    LOG,
    Knowledge,
    NotHandedOver,
    answer,
    hand_over,
    knowledge,
    let_go,
    receive,
    starting_environment,
)
from vault.secrets import Secrets

CANARY = "canary-8843"
HEARS = "import sys; line = sys.stdin.buffer.readline(); "
SECRET = {"REELDESK_SECRET_ADVICE_API_KEY": CANARY}


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def known(**environ: str) -> Knowledge:
    return Knowledge(Path("/config.toml"), environ)


@contextmanager
def started(code: str, folder: Path, told: Knowledge | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that said it is ready; ended, and waited for, with the block."""
    process = hand_over(told or known(), python(code), starting_environment(os.environ, folder), folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


# What is told ---------------------------------------------------------------------------------------------------------


def test_what_is_told_is_what_is_needed_and_no_more(
    net: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {
        "REELDESK_SECRET_ADVICE_API_KEY_FILE": "key",
        "REELDESK_KEYRING": "off",
        "HOME": "/home/ana",
        "LC_TIME": "de_DE.UTF-8",
        "https_proxy": "http://proxy.example:3128",
        "SSL_CERT_FILE": "ca.pem",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1000/bus",
    }
    others = {"AWS_SECRET_ACCESS_KEY": "x", "SSH_AUTH_SOCK": "/tmp/agent", "EDITOR": "vi", "TERM": "xterm"}
    with closing(world(net, tmp_path).desk()) as desk:
        told = knowledge(desk, environ | others)
    assert told.config == tmp_path / "config.toml"
    assert told.environ == environ | {
        "REELDESK_DATA": str(tmp_path / "data"),
        "REELDESK_SECRET_ADVICE_API_KEY_FILE": str(tmp_path / "key"),
        "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
    }
    assert Knowledge.from_line(told.to_line()) == told
    assert "key" not in repr(told)


def test_a_secret_of_the_keyring_goes_along_since_it_may_close_with_the_login(net: Loopback, tmp_path: Path) -> None:
    ring = Ring()
    ring.set_password("reeldesk", "advice/api_key", CANARY)
    with closing(world(net, tmp_path).desk()) as opened:
        desk = Desk(opened.config, opened._ledger, Secrets({}, thread(ring)))
        assert knowledge(desk, {}).environ.keys() == {"REELDESK_DATA"}, "it was not needed yet"
        assert desk.secrets.find("advice", "api_key") is not None
        told = knowledge(desk, {})
    assert told.environ["REELDESK_SECRET_ADVICE_API_KEY"] == CANARY
    assert CANARY not in told.for_libraries.values()
    assert told.for_libraries.keys() == {"REELDESK_DATA"}


def test_every_byte_of_a_variable_arrives() -> None:
    told = known(REELDESK_CONFIG=os.fsdecode(b"/caf\xe9/\xff"), HOME="/家\n\x1b")
    assert Knowledge.from_line(told.to_line()) == told
    assert told.to_line().count(b"\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"\n", b"ready", b"[]", b"7", b"{}", CANARY.encode(), b"\xff\xfe"),
        *(b'{"config": 7, "environ": {}}', b'{"config": "/c", "environ": []}', b"[" * 100_000),
    ],
    ids=lambda line: repr(line[:20]),
)
def test_anything_else_is_no_hand_over_and_is_never_repeated(line: bytes) -> None:
    with pytest.raises(VaultError, match="nothing was handed over") as refused:
        receive(BytesIO(line))
    assert CANARY not in refused.value.words


def test_what_python_starts_with_has_nothing_of_the_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": "/home/ana", "LANG": "C.UTF-8", "PYTHONPATH": f"lib{os.pathsep}", "TERM": "xterm"} | SECRET
    own = {"HOME": "/home/ana", "LANG": "C.UTF-8", "PYTHONSAFEPATH": "1"}
    checkout, installed = Path("/src/reeldesk"), Path("/usr/lib/python3/site-packages")
    assert starting_environment(environ, checkout) == own | {"PYTHONPATH": f"/src/reeldesk:{tmp_path / 'lib'}"}
    assert starting_environment(environ, installed) == own | {"PYTHONPATH": str(tmp_path / "lib")}
    del environ["PYTHONPATH"]
    assert starting_environment(environ, installed) == own


# A process that answers -----------------------------------------------------------------------------------------------


def test_a_ready_process_knows_all_and_shows_none_of_it(tmp_path: Path) -> None:
    told = known(**SECRET, REELDESK_LONG="x" * 200_000)
    code = HEARS + "open('told', 'wb').write(line); print('ready', flush=True); sys.stdin.read(); open('let go', 'w')"
    with started(code, tmp_path, told) as process:
        assert receive(BytesIO((tmp_path / "told").read_bytes())) == told
        assert os.getsid(process.pid) == process.pid, "a session of its own outlives the line"
        shown = Path(f"/proc/{process.pid}")
        if shown.exists():
            assert CANARY.encode() not in (shown / "environ").read_bytes() + (shown / "cmdline").read_bytes()
        assert not (tmp_path / "let go").exists(), "the desk has its transfers still"
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
    assert (tmp_path / "let go").exists()


def test_the_log_is_private_and_begins_anew(tmp_path: Path) -> None:
    log = tmp_path / LOG
    log.write_text("of the last time")
    log.chmod(0o644)
    with started(
        HEARS + "print('of now', file=sys.stderr, end='', flush=True); print('ready', flush=True); sys.stdin.read()",
        tmp_path,
    ):
        assert log.read_text() == "of now"
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (HEARS + "print('the ledger cannot be opened')", "the ledger cannot be opened"),
        (HEARS + "print('the config is gone', flush=True); sys.stdin.read()", "the config is gone"),
        (HEARS, "ended at once; .*work.log may say why"),
        ("raise SystemExit(3)", "ended at once"),
        ("import os; os.close(0); os.close(1)", "ended at once"),
    ],
    ids=["says why", "says why and stays", "says nothing", "never hears", "closes its ears"],
)
def test_a_process_that_is_not_ready_says_why_and_is_ended(tmp_path: Path, code: str, words: str) -> None:
    code = "import os; open('pid', 'w').write(str(os.getpid())); " + code
    with pytest.raises(NotHandedOver, match=words):
        hand_over(known(**SECRET), python(code), {}, tmp_path)
    assert is_gone(tmp_path)


@pytest.mark.parametrize("long", [1, 300_000], ids=["a short line", "more than the pipe takes"])
def test_a_process_that_hangs_is_ended(tmp_path: Path, long: int) -> None:
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(NotHandedOver, match=r"was not ready within 0\.5 s"):
        hand_over(known(REELDESK_LONG="x" * long), python(code), {}, tmp_path, ready_s=0.5)
    assert is_gone(tmp_path)


def is_gone(folder: Path) -> bool:
    """Whether the process that wrote its id there is no more."""
    pid = folder / "pid"
    return not pid.exists() or not Path(f"/proc/{pid.read_text()}").exists()


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotHandedOver, match="no process could be started: No such file"):
        hand_over(known(), ("/nowhere/python",), {}, tmp_path)
    with pytest.raises(NotHandedOver, match="no process could be started: No such file"):
        hand_over(known(), python(""), {}, tmp_path / "nowhere")
    (tmp_path / LOG).unlink()
    (tmp_path / LOG).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotHandedOver, match="no process could be started"):
        hand_over(known(), python(""), {}, tmp_path)
    assert not (tmp_path / "elsewhere").exists()


# The side that takes over ---------------------------------------------------------------------------------------------


async def test_letting_go_is_the_end_of_the_pipe() -> None:
    ours, theirs = os.pipe()
    try:
        assert not await let_go(ours, within_s=0.01)
        waiting = asyncio.create_task(let_go(ours))
        await asyncio.sleep(0)
        assert not waiting.done()
        os.close(theirs)
        assert await waiting
    finally:
        os.close(ours)


def test_an_answer_is_heard_and_nothing_after_it() -> None:
    ours, theirs = os.pipe()
    try:
        answer(json.dumps("ready"), theirs)
        assert os.read(ours, 100) == b'"ready"\n'
        assert os.read(ours, 100) == b"", "what is printed from now on goes to the log"
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_desk_that_is_gone_hears_no_answer() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        answer("ready", theirs)
        assert os.fstat(theirs) == os.fstat(2)
    finally:
        os.close(theirs)

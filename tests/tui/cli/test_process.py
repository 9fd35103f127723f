"""`reeldesk` as a process of its own: what it imports, how signals and broken pipes end it, progress, the keyring."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from providers.emulation import Faults
from providers.flexperto.emulated import archive_zip
from providers.flexperto.emulator import FlexpertoEmulator
from providers.huawei.emulator import HuaweiEmulator
from tests.tui.cli.conftest import Place
from tests.tui.cli.test_services import agents, calls, rooms, standup  # noqa: F401  # fixtures

HOUSE = Path(__file__).resolve().parents[3]
REELDESK = [sys.executable, "-m", "tui.cli"]
PROBE = """
import sys
from tui.cli import main
status = main(sys.argv[1:])
loaded = {name.split(".")[0] for name in sys.modules}
heavy = loaded & {"textual", "httpx", "aiohttp", "starlette", "uvicorn", "keyring"}
print("IMPORTED", *sorted(heavy), file=sys.stderr)
sys.exit(status)
"""


class Heard(list[str]):
    """The requests that came in; `event` is set with the first."""

    def __init__(self) -> None:
        super().__init__()
        self.event = threading.Event()

    def append(self, line: str) -> None:
        super().append(line)
        self.event.set()


def listen_to(faults: Faults) -> threading.Event:
    faults.seen = heard = Heard()
    return heard.event


def run(*argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [*REELDESK, *argv], capture_output=True, text=True, timeout=60, cwd=HOUSE, env=os.environ | more, check=False
    )
    assert "Traceback" not in ran.stderr
    return ran


def start(*argv: str, stderr: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    return subprocess.Popen([*REELDESK, *argv], stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=HOUSE)


def end(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str]:
    """Send a signal; gives the status and what was said on stderr."""
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in (said or "")
    return process.returncode, said


def imported(*argv: str) -> tuple[int, set[str]]:
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, *argv], capture_output=True, text=True, timeout=60, cwd=HOUSE, check=False
    )
    return ran.returncode, set(ran.stderr.rstrip().splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "words",
    [["--help"], ["fetch", "--help"], ["--version"], ["list"], ["list", "--json"], ["account", "list"]],
    ids=" ".join,
)
@pytest.mark.usefixtures("advice")
def test_what_needs_no_network_imports_nothing_for_it(words: list[str]) -> None:
    assert imported(*words) == (0, set())


@pytest.mark.parametrize(
    "words",
    [
        ["sync"],
        ["fetch", "--all"],
        ["verify", "--all"],
        ["account", "test"],
        ["doctor"],
        ["work", "--drain"],
        ["release", "advice/c1/archive.a1"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("advice")
def test_no_command_imports_textual(words: list[str]) -> None:
    _, heavy = imported(*words)
    assert not heavy & {"textual", "starlette", "uvicorn"}


def test_failing_imports_end_in_words_too(place: Place) -> None:
    assert imported("list")[0] == 2


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_interrupted_sync(advice: FlexpertoEmulator, number: signal.Signals, status: int) -> None:
    heard = listen_to(advice.faults)
    advice.faults.latency_s = 600.0
    process = start("sync")
    assert heard.wait(30)
    assert end(process, number) == (status, "")


def test_interrupted_fetch_goes_on_where_it_stopped(advice: FlexpertoEmulator, place: Place) -> None:
    assert run("sync").returncode == 0
    slow = advice.archive_faults["a1"] = Faults(bytes_per_s=1_000)
    heard = listen_to(advice.faults)
    process = start("fetch", "--all", "--json")
    assert heard.wait(30)
    assert end(process, signal.SIGINT)[0] == 130
    records = {record["asset"]: record for record in map(json.loads, run("list", "--json").stdout.splitlines())}
    assert records["advice/c1/archive.a1"]["local"] == "queued"
    slow.bytes_per_s = None
    assert run("fetch", "--all").returncode == 0
    assert run("verify", "--all").returncode == 0


def test_interrupted_command_signs_out(calls: HuaweiEmulator) -> None:  # noqa: F811
    calls.poll_wait = 600.0
    heard = threading.Event()

    class Log(list[str]):
        def append(self, line: str) -> None:
            super().append(line)
            if line == "poll":
                heard.set()

    calls.log = Log()
    process = start("sync")
    assert heard.wait(30)
    assert end(process, signal.SIGTERM)[0] == 143
    assert calls.log[-1] == "sign-out"


def test_work_runs_until_terminated(advice: FlexpertoEmulator) -> None:
    heard = listen_to(advice.faults)
    advice.faults.status = 503
    process = start("work")
    assert heard.wait(30)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("advice: ")  # what fails is told, and tried again
    assert end(process, signal.SIGTERM)[0] == 143


def test_head_ends_a_list_quietly(advice: FlexpertoEmulator) -> None:
    for number in range(300):
        advice.add_archive(f"many-{number}", title="A title that is long enough to fill a pipe " * 4)
    assert run("sync").returncode == 0
    process = start("list", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.wait(30)
    assert process.stderr is not None
    assert (process.returncode, process.stderr.read()) == (0, "")
    process.stderr.close()


@pytest.mark.usefixtures("advice")
def test_full_disk_under_stdout() -> None:
    assert run("sync").returncode == 0
    for words in (["list"], ["list", "--json"], ["fetch", "--all", "--json"]):
        with open("/dev/full", "w") as full:
            command = [*REELDESK, *words]
            ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=HOUSE, check=False)
        assert ran.returncode == 1
        assert ran.stderr.splitlines()[-1] == "reeldesk: stdout: No space left on device"
        assert "Traceback" not in ran.stderr


@pytest.mark.usefixtures("advice")
def test_titles_survive_a_locale_that_lacks_their_script() -> None:
    assert run("sync").returncode == 0
    ran = run("list", PYTHONIOENCODING="latin-1")
    assert ran.returncode == 0
    assert "Beratung \\u4f1a\\u8b70" in ran.stdout
    titles = {
        json.loads(line)["title"] for line in run("list", "--json", PYTHONIOENCODING="latin-1").stdout.splitlines()
    }
    assert "Beratung 会議" in titles


def test_progress_is_shown_on_a_terminal(advice: FlexpertoEmulator) -> None:
    advice.add_archive("slow", "cs", blob=archive_zip("slow", "x" * 400_000, ()))
    advice.archive_faults["slow"] = Faults(bytes_per_s=advice.archive("slow").blob.size // 2)
    assert run("sync").returncode == 0
    terminal, inner = pty.openpty()
    process = start("fetch", "advice/cs/archive.slow", stderr=inner)
    os.close(inner)
    shown = b"".join(until_closed(terminal)).decode()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert "0 of 1 asset · running: " in shown
    assert shown.rstrip("\r\n").endswith("\r\x1b[K")


def until_closed(terminal: int) -> Iterator[bytes]:
    """What is written to a pseudo-terminal until its other side is closed (Linux then reports EIO)."""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:
            block = b""
        if not block:
            os.close(terminal)
            return
        yield block


def test_secret_is_kept_in_the_keyring_and_used(advice: FlexpertoEmulator, place: Place) -> None:
    ring = {"PYTHON_KEYRING_BACKEND": "tests.tui.cli.ring.Ring", "REELDESK_TEST_RING": str(place.root / "ring.json")}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REELDESK_SECRET_")} | ring
    kept = subprocess.run(
        [*REELDESK, "secret", "set", "advice", "api_key"],
        input=f"{advice.api_key}\n",
        capture_output=True,
        text=True,
        timeout=60,
        cwd=HOUSE,
        env=environ,
        check=False,
    )
    assert (kept.returncode, kept.stderr) == (0, "api_key of account advice is kept in: keyring Ring\n")
    sync = subprocess.run([*REELDESK, "sync"], capture_output=True, timeout=60, cwd=HOUSE, env=environ, check=False)
    assert sync.returncode == 0


@pytest.mark.usefixtures("advice")
def test_secret_is_typed_without_being_shown(place: Place) -> None:
    ring = {"PYTHON_KEYRING_BACKEND": "tests.tui.cli.ring.Ring", "REELDESK_TEST_RING": str(place.root / "ring.json")}
    words = [*REELDESK[1:], "secret", "set", "advice", "api_key"]
    for typed, status in (("typed-key\r", 0), ("\x03", 130), ("\x04", 2)):
        child = pexpect.spawn(REELDESK[0], words, cwd=str(HOUSE), env=os.environ | ring, encoding="utf-8", timeout=30)
        child.expect_exact("api_key of account advice: ")
        child.send(typed)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == status
        assert "typed-key" not in child.before
        assert "Traceback" not in child.before
    assert "typed-key" in (place.root / "ring.json").read_text()


def test_served_demo_is_used_like_any_place(place: Place, tmp_path: Path) -> None:
    served = tmp_path / "served"
    process = start("demo", "--serve", str(served))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    lines = (served / "env").read_text().splitlines()
    environ = dict(line.split("=", 1) for line in lines) | {"REELDESK_CONFIG": str(served / "config.toml")}
    assert environ["REELDESK_DATA"] == str(served / "data"), "the ledger of whoever runs it is not touched"
    assert run("sync", "advice", **environ).returncode == 0
    listed = run("list", "--account", "advice", "--json", **environ)
    assert len(listed.stdout.splitlines()) > 10
    assert (served / "env").stat().st_mode & 0o077 == 0
    status, said = end(process, signal.SIGINT)
    assert status == 130
    assert str(served) in said


@pytest.mark.e2e
@pytest.mark.parametrize(("number", "status"), [(None, 0), (signal.SIGTERM, 143)], ids=["q", "SIGTERM"])
def test_demo_leaves_nothing_behind(tmp_path: Path, number: signal.Signals | None, status: int) -> None:
    own = {"TMPDIR": str(tmp_path), "TERM": "xterm-256color", "HOME": str(tmp_path / "home")}
    # pytest-xdist sets them, and Textual believes them more than the terminal
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | own
    words = [*REELDESK[1:], "demo"]
    child = pexpect.spawn(REELDESK[0], words, cwd=str(HOUSE), env=environ, timeout=30, dimensions=(36, 120))
    child.expect_exact("nothing of yours is touched")
    assert list(tmp_path.glob("reeldesk-demo-*"))
    if number is None:
        child.send("q")
    else:
        child.kill(number)
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == status
    assert list(tmp_path.iterdir()) == []

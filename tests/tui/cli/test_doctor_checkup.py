"""`doctor`: what it asks stores and services, in how long, on how small a screen, and what it keeps to itself."""

import os
import re
import time
from datetime import timedelta
from pathlib import Path

import pexpect
import pytest

from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from providers.proconf.emulator import ProconfEmulator
from tests.tui.cli.conftest import Place, Reeldesk
from tests.tui.cli.test_doctor import states
from tests.tui.cli.test_process import HOUSE, REELDESK
from tests.tui.cli.told import answering, hanging
from tui.commandline import doctor, machine
from tui.commandline.finding import Finding, at_home

CANARY = "CRN_CANARY_4711"
HOOK = "Zq9xK-canary-0123456789abcdef0123456789abcdef"


def test_a_test_that_fails(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    advice.api_key = "changed"
    ran = reeldesk("doctor")
    assert ran.status == 1
    assert ran.err.startswith("advice test: credential: ")
    [line] = [line for line in ran.out.splitlines() if line.startswith("advice")]
    assert line.split(maxsplit=2)[1] == "problem"
    assert "flexperto-key" not in ran.out + ran.err


def test_offline_asks_no_service(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    ran = reeldesk("doctor", "--offline", "--json")
    assert (ran.status, advice.faults.seen) == (0, [])
    found = states(ran)
    assert found["advice test"] == ("ok", "not tested (--offline)")
    assert found["advice api_key"] == ("ok", "environment REELDESK_SECRET_ADVICE_API_KEY")
    assert found["clock"][1].endswith("no service told its time")
    assert "not tested; api_key: environment" in reeldesk("doctor", "--offline").out


def test_a_missing_secret_is_told_once(
    advice: FlexpertoEmulator, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REELDESK_SECRET_ADVICE_API_KEY")
    ran = reeldesk("doctor", "--json")
    assert ran.status == 1
    assert states(ran)["advice test"] == ("warning", "the service was not asked, since a secret is missing")
    assert len(ran.err.splitlines()) == 1
    assert ran.err.startswith("advice api_key: ")


def test_one_of_two_secrets_is_enough(place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"provider": "huawei", "base_url": "https://10.0.0.5:8043", "agent_id": "1001"}
    place.configure({"calls": calls})
    assert states(reeldesk("doctor", "--json", "--offline"))["calls password"][0] == "problem"
    monkeypatch.setenv("REELDESK_SECRET_CALLS_GUID", "a-guid")
    ran = reeldesk("doctor", "--json", "--offline")
    assert (ran.status, states(ran)["calls password"]) == (0, ("ok", "not set; not needed"))


def test_a_clock_that_is_off(place: Place, reeldesk: Reeldesk) -> None:
    began = time.monotonic()
    with answering(ahead=timedelta(hours=-2)) as port:
        place.configure({"a": {"provider": "proconf", "base_url": f"http://127.0.0.1:{port}", "rooms": ["a"]}})
        state, words = states(reeldesk("doctor", "--json"))["clock"]
    assert state == "warning"
    told = re.search("a: this machine's clock is ([0-9]+) s ahead of the service's", words)
    assert told, words
    assert 7200 - (time.monotonic() - began) - 1 <= int(told[1]) <= 7200, "the answer was on its way for a while"


def test_whatever_hangs_it_ends(
    place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A keyring that hangs (a pipe that nobody writes into), a service, a password command."""
    os.mkfifo(tmp_path / "ring")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.tui.cli.ring.Ring")
    monkeypatch.setenv("REELDESK_TEST_RING", str(tmp_path / "ring"))
    monkeypatch.setattr("keyring.core._keyring_backend", None)
    monkeypatch.setenv("REELDESK_SECRET_SLOW_API_KEY", "a-key")
    monkeypatch.setattr(doctor, "WITHIN_S", 4.0)
    with hanging() as port:
        service = {"provider": "flexperto", "base_url": f"http://127.0.0.1:{port}"}
        asks = service | {"password_command": ["sh", "-c", "sleep 20", "{name}"]}
        place.configure({"slow": service, "asks": asks})
        began = time.monotonic()
        ran = reeldesk("doctor", "--json")
        took = time.monotonic() - began
    assert took < 4.0 + 2.0
    found = states(ran)
    assert found["keyring"] == ("warning", "the system keyring did not answer in 3 s; secrets go to the sealed file")
    assert found["slow test"] == ("problem", "did not end in 1 s after secrets")
    assert found["asks test"] == ("problem", "did not end in 1 s after TLS")
    assert found["asks secrets"] == ("warning", "looking for them did not end in 1 s")
    assert ran.status == 1


def test_a_ledger_that_another_one_holds(
    place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.configure({})
    (place.root / "data").mkdir(mode=0o700)
    os.mkfifo(place.root / "data" / "ledger.db", 0o600)
    monkeypatch.setattr(doctor, "LEDGER_S", 0.5)
    ran = reeldesk("doctor", "--json")
    assert (ran.status, states(ran)["ledger content"][0]) == (1, "problem")


def test_it_can_be_pasted(
    advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No secret, no part of one, and no user's name."""
    monkeypatch.setenv("REELDESK_SECRET_ADVICE_API_KEY", CANARY)
    monkeypatch.setenv("REELDESK_SECRET_ADVICE_HOOK_SECRET", HOOK)
    monkeypatch.setenv("HOME", str(place.root))
    advice.api_key = CANARY
    reeldesk("sync")
    for words in (("doctor",), ("doctor", "--json")):
        ran = reeldesk(*words)
        assert ran.status == 0
        said = ran.out + ran.err
        assert not any(part in said for part in (CANARY, HOOK, HOOK[:4], str(place.root)))
        assert "~/config.toml (0" in said
        assert "~/data" in said
    assert states(reeldesk("doctor", "--json"))["advice webhooks"] == (
        "ok",
        "http://127.0.0.1:8787/hooks/advice/… (secret address)",
    )


def test_home_is_a_whole_folder() -> None:
    findings = [Finding("a", "ok", "/home/ada/x: chmod 600 /home/ada/x /home/adam/y (/home/ada)")]
    assert at_home(findings, Path("/home/ada"))[0].words == "~/x: chmod 600 ~/x /home/adam/y (~)"
    assert at_home(findings, Path("/"))[0].words == findings[0].words


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize("columns", [80, 120])
def test_it_fits_one_screen(place: Place, net: Loopback, columns: int) -> None:
    """A usual place with five accounts; a problem is not told twice on the same screen."""
    service = {"provider": "proconf", "base_url": net.serve(ProconfEmulator()), "rooms": ["a"]}
    wrong = {"provider": "proconf", "base_url": "http://127.0.0.1:1"}
    place.configure({"calls": wrong, **dict.fromkeys(("rooms", "stand-up", "support", "advice"), service)})
    environ = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TMUX": "x", "SSH_TTY": "x", "LANG": "C.UTF-8"}
    child = pexpect.spawn(
        REELDESK[0],
        [*REELDESK[1:], "doctor"],
        cwd=str(HOUSE),
        env=os.environ | environ | {"HOME": str(place.root)},
        encoding="utf-8",
        dimensions=(24, columns),
        timeout=30,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
    lines = child.before.rpartition("\x1b[K")[2].splitlines()
    assert lines[0].startswith("WHAT")
    assert len(lines) < 24
    assert max(map(len, lines)) < columns
    assert "".join(lines).count("calls ") == 1
    said = f"xterm-256color, {columns}x24, in tmux, over SSH; truecolor (COLORTERM=truecolor); UTF-8"
    assert said in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"COLORTERM": "24bit"}, "truecolor (COLORTERM=24bit)"),
        ({"COLORTERM": "truecolor", "NO_COLOR": ""}, "no colours (NO_COLOR is set)"),
        ({"TERM": "screen-256color"}, "256 colours (COLORTERM does not say truecolor)"),
        ({"TERM": "vt100"}, "8 colours"),
        ({"TERM": "dumb"}, "no colours"),
    ],
)
def test_colours(environ: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_size", lambda: (80, 24))
    assert {each.subject: each.words for each in machine.terminal(environ)}["colours"] == said


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"LC_ALL": "de_DE.UTF-8", "LANG": "C"}, "UTF-8"),
        ({"LANG": "de_DE.ISO-8859-1"}, "ASCII signs (the locale de_DE.ISO-8859-1 is not UTF-8)"),
        ({"LANG": "C"}, "C locale, UTF-8 is assumed"),
        ({}, "no locale, UTF-8 is assumed"),
        ({"LANG": "C.UTF-8", "REELDESK_ASCII": "1"}, "ASCII signs (REELDESK_ASCII is set)"),
    ],
)
def test_locales_as_the_desk_takes_them(environ: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tui.label import ASCII, glyphs_for

    monkeypatch.setattr(machine, "_size", lambda: (80, 24))
    found = {each.subject: each.words for each in machine.terminal(environ)}
    assert found["locale"] == said
    assert (glyphs_for(environ) is ASCII) == said.startswith("ASCII")


@pytest.mark.parametrize(
    ("size", "environ", "state"),
    [
        ((80, 24), {"TERM": "xterm"}, "ok"),
        ((79, 24), {"TERM": "xterm"}, "warning"),
        ((80, 23), {"TERM": "xterm"}, "warning"),
        ((80, 24), {"TERM": "dumb"}, "warning"),
        ((80, 24), {}, "warning"),
        (None, {"TERM": "xterm"}, "ok"),
    ],
)
def test_terminals(
    size: tuple[int, int] | None, environ: dict[str, str], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_size", lambda: size)
    found = {each.subject: each for each in machine.terminal(environ)}
    assert found["terminal"].state == state
    assert ("clipboard" in found) == (size is not None)
    if size:
        assert "assumed" in found["clipboard"].words
        assert "assumed" in found["mouse"].words


def test_clipboards_beyond_tmux_and_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_size", lambda: (80, 24))
    for environ, said in (({"TMUX": "x"}, "set-clipboard on"), ({"STY": "x"}, "screen does not pass it on")):
        assert said in {each.subject: each.words for each in machine.terminal(environ)}["clipboard"]


def test_a_network_file_system(place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch) -> None:
    place.configure({})
    monkeypatch.setattr(machine, "network_kind", lambda path: "nfs4")
    ran = reeldesk("doctor", "--json")
    assert ran.status == 0
    found = states(ran)
    state, words = found["data folder file system"]
    assert (state, f"{place.root}/data lies on nfs4: the ledger is slower there" in words) == ("warning", True)
    assert found["vault file system"] == ("ok", f"{place.root}/vault: a network file system (nfs4)")
    assert "on nfs4" in reeldesk("doctor").out


def test_a_sealed_file(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({})
    data = place.root / "data"
    data.mkdir(mode=0o700)
    (data / "secrets.sealed").symlink_to(place.root / "elsewhere")
    state, words = states(reeldesk("doctor", "--json"))["sealed file"]
    assert (state, words) == ("problem", f"{data}/secrets.sealed is a symbolic link; it is not used")
    (data / "secrets.sealed").unlink()
    (data / "secrets.sealed").write_bytes(b"nonsense")
    (data / "secrets.sealed").chmod(0o644)
    state, words = states(reeldesk("doctor", "--json"))["sealed file"]
    assert (state, f"chmod go-rwx {data}/secrets.sealed" in words) == ("problem", True)

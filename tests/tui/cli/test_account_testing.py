"""`account test`: a line for each step, as it comes; what failed on stderr, too."""

import re
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from providers import registry
from providers.emulation import Loopback
from providers.flexperto.emulator import FlexpertoEmulator
from tests.providers.cronofy.box import box as cronofy
from tests.providers.flexperto.box import box as flexperto
from tests.providers.huawei.box import box as huawei
from tests.providers.probed import server_context
from tests.providers.proconf.box import box as proconf
from tests.providers.temasys.box import box as temasys
from tests.tui.cli.conftest import Place, Ran, Reeldesk
from tests.tui.cli.test_process import HOUSE, REELDESK
from tests.tui.cli.test_services import Piped, piped  # noqa: F401  # a fixture
from tests.tui.cli.told import answering, hanging
from tui.commandline.wrapping import beside
from vault.secrets import variable

BOXES = {"cronofy": cronofy, "flexperto": flexperto, "huawei": huawei, "proconf": proconf, "temasys": temasys}
WAY = ["configuration", "name", "connection", "TLS", "secrets", "credential"]
DEAD = {"provider": "flexperto", "base_url": "http://127.0.0.1:1"}


def steps(ran: Ran, account: str = "") -> dict[str, tuple[str, str]]:
    """A printed account's steps: outcome and words."""
    found, inside = {}, not account
    for line in ran.out.splitlines():
        if not line.startswith("  "):
            inside = not account or line.split()[0] == account
        elif inside:
            found[line[2:15].strip()] = (line[17:28].strip(), line[30:])
    return found


def test_every_provider(place: Place, net: Loopback, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(BOXES) == set(registry.names())
    boxes = [make(net) for make in BOXES.values()]
    place.configure({each.settings.name: {"provider": each.settings.provider, **given(each)} for each in boxes})
    for each in boxes:
        for name, value in each.secrets.items():
            monkeypatch.setenv(variable(each.settings.name, name), value)
    ran = reeldesk("account", "test")
    assert (ran.status, ran.err) == (0, "")
    heads = [line for line in ran.out.splitlines() if not line.startswith(" ")]
    assert heads == [each.settings.name for each in boxes], "in the order of config.toml"
    for each in boxes:
        found = steps(ran, each.settings.name)
        assert list(found)[:6] == WAY
        assert {outcome for outcome, _ in found.values()} == {"passed", "not checked"}
        assert found["credential"][0] == found["clock"][0] == "passed"
    assert "on its current paths" in steps(ran, "advice")["credential"][1], "the family of paths is told"
    assert not any(value in ran.out for each in boxes for value in each.secrets.values())


def given(box: object) -> dict[str, object]:
    """A box's options that are not None."""
    options = box.settings.options  # type: ignore[attr-defined]  # any box
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items() if value}


def test_as_json(advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    place.configure({"dead": DEAD, "advice": {"provider": "flexperto", "base_url": advice.base_url}})
    ran = reeldesk("account", "test", "--json")
    assert ran.status == 1
    dead, works = ran.records
    assert (dead["account"], dead["works"], works["account"], works["works"]) == ("dead", False, "advice", True)
    assert [step["name"] for step in works["steps"]][:6] == WAY  # type: ignore[attr-defined]
    assert [(step["name"], step["outcome"]) for step in dead["steps"]] == [  # type: ignore[attr-defined]
        ("configuration", "passed"),
        ("name", "passed"),
        ("connection", "failed"),
        ("secrets", "failed"),
        ("credential", "not checked"),
        ("clock", "not checked"),
    ]
    assert [line.split(": ")[:2] for line in ran.err.splitlines()] == [["dead", "connection"], ["dead", "secrets"]]
    assert reeldesk("account", "test", "advice", "--json").records[0]["provider"] == "flexperto"


def test_a_wrong_key(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    advice.api_key = "changed"
    ran = reeldesk("account", "test", "advice")
    assert ran.status == 1
    assert steps(ran)["credential"][0] == "failed"
    assert ran.err.startswith("advice: credential: ")
    assert (
        "api_key comes from the environment variable REELDESK_SECRET_ADVICE_API_KEY: set the right one there" in ran.err
    )
    assert "flexperto-key" not in ran.out + ran.err


def test_a_certificate_that_nobody_knows(place: Place, reeldesk: Reeldesk, tmp_path: Path) -> None:
    authority = trustme.CA(organization_name="Good Authority")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with answering(server_context(authority.issue_cert("127.0.0.1"))) as port:
        service = {"provider": "proconf", "base_url": f"https://127.0.0.1:{port}", "rooms": ["a"]}
        place.configure({"a": service, "b": service | {"ca_file": "ca.pem"}, "c": service | {"verify": False}})
        ran = reeldesk("account", "test")
    unknown, known, unchecked = (steps(ran, name)["TLS"] for name in "abc")
    assert unknown[0] == "failed"
    assert "Good Authority" in unknown[1]
    assert "name the file as ca_file" in unknown[1]
    assert known[0] == "passed"
    assert unchecked[0] == "warning"
    assert [line for line in ran.out.splitlines() if not line.startswith(" ")] == ["a", "b", "c  [TLS is not checked]"]


def test_a_clock_that_is_off(place: Place, reeldesk: Reeldesk) -> None:
    began = time.monotonic()
    with answering(ahead=timedelta(hours=1)) as port:
        place.configure({"a": {"provider": "proconf", "base_url": f"http://127.0.0.1:{port}", "rooms": ["a"]}})
        outcome, words = steps(reeldesk("account", "test"))["clock"]
    assert outcome == "warning"
    told = re.match("this machine's clock is ([0-9]+) s behind the service's", words)
    assert told, words
    assert 3600 <= int(told[1]) <= 3600 + (time.monotonic() - began) + 1, "the answer was on its way for a while"


def test_what_cannot_be_meant(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({})
    ran = reeldesk("account", "test")
    assert (ran.status, ran.out) == (0, "")
    assert "no account is configured in" in ran.err
    assert reeldesk("account", "test", "nobody").status == 2


def test_a_passphrase_on_stdin(
    advice: FlexpertoEmulator,
    place: Place,
    reeldesk: Reeldesk,
    piped: Piped,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REELDESK_SECRET_ADVICE_API_KEY")
    piped(f"a long passphrase\n{advice.api_key}\n")
    assert reeldesk("secret", "set", "advice", "api_key", "--passphrase-stdin").status == 0
    locked = reeldesk("account", "test")
    assert locked.status == 1
    assert "sealed file" in steps(locked)["secrets"][1]
    piped("a long passphrase\n")
    ran = reeldesk("account", "test", "--passphrase-stdin")
    assert (ran.status, ran.err) == (0, "")
    assert f"api_key: sealed file {place.root}/data/secrets.sealed" in steps(ran)["secrets"][1]
    piped("another one\n")
    wrong = reeldesk("account", "test", "--passphrase-stdin")
    assert (wrong.status, wrong.out) == (1, "")


def test_a_single_account_s_steps_come_as_they_end(place: Place) -> None:
    with hanging() as port:
        place.configure({"a": {"provider": "proconf", "base_url": f"http://127.0.0.1:{port}", "rooms": ["a"]}})
        running = subprocess.Popen(
            [*REELDESK, "account", "test", "a"], stdout=subprocess.PIPE, text=True, cwd=HOUSE, stderr=subprocess.DEVNULL
        )
        assert running.stdout is not None
        lines = [running.stdout.readline() for _ in range(6)]  # while the service has not said a word
    assert [line.split()[0] for line in lines] == ["a", *WAY[:5]]
    rest, _ = running.communicate(timeout=60)
    assert rest.startswith("  credential     failed")
    assert running.returncode == 1


def test_sentences_stay_beside_their_word() -> None:
    assert beside("a  ", "one two three", None) == "a  one two three"
    assert beside("a  ", "one two three", 11) == "a  one two\n   three"
    assert beside("a  ", "one\x1b[2J\ntwo", None) == "a  one\u241b[2J two"
    assert all(len(line) < 40 for line in beside("b" * 10 + "  ", "x" * 200, 40).splitlines())


def test_a_test_starts_without_textual(advice: FlexpertoEmulator) -> None:
    code = "import sys; from tui import cli; assert cli.main(['account', 'test']) == 0; print('textual' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HOUSE, check=True)
    assert ran.stdout.splitlines()[-1] == "False"
    assert advice.faults.seen


def test_other_commands_take_a_passphrase_on_stdin_too(
    advice: FlexpertoEmulator,
    reeldesk: Reeldesk,
    piped: Piped,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("REELDESK_SECRET_ADVICE_API_KEY")
    piped(f"a long passphrase\n{advice.api_key}\n")
    assert reeldesk("secret", "set", "advice", "api_key", "--passphrase-stdin").status == 0
    assert reeldesk("sync").status == 1, "it is locked"
    for words in (("sync",), ("fetch", "--all"), ("release", "advice/c1/archive.a1", "--yes")):
        piped("a long passphrase\n")
        ran = reeldesk(*words, "--passphrase-stdin")
        assert ran.status == 0, ran.err
    assert len(advice.abandon_calls) == 1

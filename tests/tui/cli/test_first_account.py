"""The README's first account over SSH: no keyring, a terminal, two commands, and a sealed file that comes by itself."""

import os

import pexpect
import pytest

from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.cli.conftest import Place
from tests.tui.cli.test_process import HOUSE, REELDESK

pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
PASSPHRASE = "correct horse battery staple"


def spawned(*words: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        REELDESK[0],
        [*REELDESK[1:], *words],
        cwd=str(HOUSE),
        env=dict(os.environ),
        encoding="utf-8",
        timeout=30,
        dimensions=(24, 80),
    )


def answered(child: "pexpect.spawn[str]", *talk: tuple[str, str]) -> tuple[int, str]:
    """The exit status, and everything that was shown."""
    seen = ""
    for asked, typed in talk:
        child.expect_exact(asked)
        seen += child.before + asked
        child.send(f"{typed}\r")
    child.expect(pexpect.EOF)
    seen += child.before
    child.close()
    return int(child.exitstatus or 0), seen


def test_the_first_account(advice: FlexpertoEmulator, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REELDESK_SECRET_ADVICE_API_KEY")
    (place.root / "config.toml").unlink()
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    monkeypatch.setenv("REELDESK_KEYRING", "off")
    options = ("--provider", "flexperto", "--set", f"base_url={advice.base_url}", "--set", "paths=auto")
    status, shown = answered(
        spawned("account", "add", "advice", *options),
        ("not shown; needed: ", advice.api_key),
        ("a new passphrase for it (Enter: no): ", PASSPHRASE),
        ("once more: ", PASSPHRASE),
    )
    assert status == 0
    assert "is kept in: sealed file" in shown
    sealed = place.root / "data" / "secrets.sealed"
    assert sealed.stat().st_mode & 0o777 == 0o600
    status, tested = answered(spawned("account", "test"), ("passphrase of the sealed file: ", PASSPHRASE))
    assert status == 0
    assert "api_key: sealed file" in " ".join(tested.split())
    assert "credential     passed" in tested
    assert max(map(len, tested.splitlines())) < 80
    status, declined = answered(spawned("account", "test"), ("passphrase of the sealed file: ", ""))
    assert status == 1
    assert "secrets        failed" in declined
    assert not any(text in shown + tested + declined for text in (advice.api_key, PASSPHRASE))


def test_ctrl_c_ends_what_is_asked(advice: FlexpertoEmulator, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REELDESK_SECRET_ADVICE_API_KEY")
    (place.root / "data").mkdir(mode=0o700)
    made = spawned("secret", "set", "advice", "api_key")
    talk = (("api_key of account advice: ", advice.api_key), ("(Enter: no): ", PASSPHRASE), ("once more: ", PASSPHRASE))
    assert answered(made, *talk)[0] == 0
    for words in (("account", "test"), ("sync",)):
        child = spawned(*words)
        child.expect_exact("passphrase of the sealed file: ")
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
        assert (child.exitstatus, child.signalstatus) == (130, None)
        assert "Traceback" not in child.before

"""Every command, with canaries for secrets, over services that know them and over services that repeat them.

Afterwards nothing that the program wrote may hold one: no file, table, log, output, argument or environment.
`REELDESK_CANARY=all` (or HYPOTHESIS_PROFILE=soak) plays every command over every way in which a service is hostile.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.canary import told
from tests.e2e.canary_deliveries import deliver
from tests.e2e.canary_house import House, house
from tests.e2e.canary_runner import Step, plan
from tests.e2e.terminal import CHECKOUT
from tests.vault.world import until_true

pytestmark = pytest.mark.e2e
ALL = os.environ.get("REELDESK_CANARY") == "all" or os.environ.get("HYPOTHESIS_PROFILE") == "soak"
HOSTILE = ("401", "403", "500", "302", "records") if ALL else ("records",)
ARCHIVE, CALL = "advice/conf-0001/archive.arc-0001", "calls"
MEETING = "https://meet.example.com/abc"
WORDS = ("--help", "--version", "secret --help", "account add --help", "work --help", "demo --help")
LOOKS = ("secret list", "secret list --json", "doctor", "doctor --json", "account list", "account list --json")
CALLS = (
    "account test",
    "sync",
    "list --json",
    f"fetch {ARCHIVE} --json",
    "notify show --account rooms",
    "notify show --account rooms-header --json",
    "notify set --account rooms-cookie --notify --email a@b.example",
    "catchup town-hall --account standup-bearer",
    "catchup town-hall --account standup-header --json",
    f"agent schedule {MEETING} --key weekly --at 2030-01-01T09:00:00Z",
)
MORE = (
    "fetch --all --account calls --json",
    "fetch --all --account rooms --json",
    "verify --all --json",
    f"release {ARCHIVE} --yes --json",
    f"agent dispatch {MEETING}",
    "agent cancel weekly",
    "risk --json",
    "receipts --json",
    f"trail {ARCHIVE} --json",
    "verify --log",
    *(("work --drain", "reconcile --json") if ALL else ()),
)
TOLD = ("account test", "sync", "list --json", f"fetch {ARCHIVE}", "notify show --account rooms", *CALLS[-3:-1])
"""Commands that tell what a service says."""
DEV = ("-X", "dev") if ALL else ()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    """The services and a configuration for them."""
    with house(tmp_path / "house", time.time) as made:
        yield made


@dataclass(frozen=True)
class Typed:
    """A command with what comes on its stdin, and a fault of ours (tests/e2e/canary_faults.py) where one happens."""

    line: str
    stdin: str = ""
    fault: str = ""


class Campaign:
    """Runs commands and keeps what they wrote."""

    def __init__(self, home: House, environ: dict[str, str]) -> None:
        self._home, self.environ = home, environ
        self._steps = len(list((home.folder / "out").iterdir()))

    def run(self, *commands: "str | Typed") -> list[int]:
        """Run commands and give their exit statuses."""
        steps = []
        for each in commands:
            one = Typed(each) if isinstance(each, str) else each
            self._steps += 1
            out = str(self._home.folder / "out" / f"{self._steps:03d}")
            steps.append(Step(tuple(one.line.split()), out, one.stdin, one.fault))
        done = subprocess.run(
            [sys.executable, *DEV, "-m", "tests.e2e.canary_runner"],
            input=plan(steps),
            env=self.environ,
            cwd=CHECKOUT,
            capture_output=True,
            timeout=300,
        )
        (self._home.given / f"runner-{self._steps:03d}").write_bytes(done.stdout + done.stderr)
        assert not done.returncode, done.stderr.decode()
        return [int(line.split()[0]) for line in done.stdout.decode().splitlines()]

    def written(self, suffix: str) -> str:
        """What the last command wrote."""
        return (self._home.folder / "out" / f"{self._steps:03d}.{suffix}").read_text()


def test_no_command_leaves_a_canary(home: House) -> None:
    commands = Campaign(home, home.environ | home.from_files)
    assert set(commands.run(*WORDS, *LOOKS)) == {0}
    secrets_are_kept_and_moved(home, commands)
    statuses = dict(zip(CALLS + MORE, commands.run(*CALLS, *MORE), strict=True))
    assert {line: status for line, status in statuses.items() if status} == {}
    assert commands.run(f"export {ARCHIVE} --to {home.folder / 'packets'}") == [0]
    mistakes_are_made(home, commands)
    it_breaks(home, commands)
    webhooks_are_taken_in(home, commands)
    for how in HOSTILE:
        home.echo(how)
        commands.run(*(CALLS + MORE if ALL else TOLD), "account list --json")
    home.echo("")
    silent = [echo.emulator for echo in home.echoes if not echo.echoed]
    assert silent == [home.services.proconf], "every service that asks for a credential had one to repeat"
    given_by_variables(home)
    found = home.aviary.in_tree(home.folder, besides=[home.given])
    assert not found, told(found)


def secrets_are_kept_and_moved(home: House, commands: Campaign) -> None:
    """On stdin, into the keyring, and from there into the sealed file."""
    kept = (("rooms-cookie", "cookie"), ("standup", "hook_secret"), ("rooms-header", "token"))
    for account, name in kept if ALL else kept[:1]:
        variable = f"REELDESK_SECRET_{account}_{name}_FILE".upper().replace("-", "_")
        del commands.environ[variable]
        statuses = commands.run(
            Typed(f"secret set {account} {name}", home.secrets[account, name] + "\n"),
            f"secret move {account} {name} --to sealed",
            f"secret move {account} {name} --to keyring",
            f"secret move {account} {name} --to sealed",
        )
        assert statuses == [0, 0, 0, 0], commands.written("stderr")
    phrase = home.aviary.text("passphrase")
    assert commands.run(
        Typed("secret list --passphrase-stdin", phrase + "\n"),
        Typed("secret list --passphrase-stdin", phrase[::-1] + "\n"),
        "secret forget rooms-cookie cookie",
        Typed(
            "account add more --provider flexperto --set base_url=https://a.example --secret api_key",
            home.aviary.make("api_key of an account that was added") + "\n",
        ),
        Typed("notify set --account rooms --s3-secret-stdin --s3-arn arn:aws:s3:::b/p --s3-access-key-id AKIAEXAMPLE",
              home.aviary.make("s3SecretAccessKey that was typed", "word") + "\n"),
    ) == [0, 1, 0, 0, 0], commands.written("stderr")  # fmt: skip
    assert commands.run("account remove more --yes") == [0]
    commands.run(Typed("secret set rooms-cookie cookie", home.secrets["rooms-cookie", "cookie"] + "\n"))


def mistakes_are_made(home: House, commands: Campaign) -> None:
    """A secret where none belongs: it is refused, and not repeated."""
    wrong = home.aviary.make("secret in a wrong place", "plain")
    assert 0 not in commands.run(
        f"account add x --provider flexperto --set api_key={wrong}",
        f"account add x --provider flexperto --set base_url=https://user:{wrong}@a.example",
        Typed("secret set advice api_key", wrong + "\u00e4\n"),
        Typed("secret set advice nothing", wrong + "\n"),
        Typed("account add y --provider temasys --set base_url=https://a.example --secret password", "\x1b" + wrong),
    )


def it_breaks(home: House, commands: Campaign) -> None:
    """Faults of ours, each with a secret in local variables and in its text."""
    held = home.given / "secrets" / "REELDESK_SECRET_ADVICE_API_KEY"
    for line, fault in (("account list", "command"), ("account list", "thread"), ("sync advice", "task")):
        commands.run(Typed(line, fault=f"{fault} {held}"))
        assert "Unforeseen" in commands.written("stderr"), f"{fault} was not told"


def webhooks_are_taken_in(home: House, commands: Campaign) -> None:
    """By `listen`, and saved ones by `ingest`."""
    with Path(home.folder / "out" / "listen").open("wb") as out:
        listening = subprocess.Popen(
            [sys.executable, *DEV, "-m", "tui", "listen"],
            env=commands.environ,
            cwd=CHECKOUT,
            stdout=out,
            stderr=out,
        )
    try:
        until_true(lambda: b'"listening"' in (home.folder / "out" / "listen").read_bytes())
        deliver(home, home.port)
        listening.send_signal(signal.SIGTERM)
        assert listening.wait(30) == 143
    finally:
        listening.kill()
        listening.wait()
    saved = home.given / "saved.json"
    delivery = home.services.temasys.finish_recording("saved-room")
    saved.write_bytes(delivery.body)
    assert commands.run(f"ingest rooms {saved}", Typed("ingest rooms -", delivery.body.decode()[:-9])) == [0, 1]


def given_by_variables(home: House) -> None:
    """As variables: what the program starts does not inherit them, and is not told them in arguments."""
    environ = home.environ | home.from_variables
    del environ["REELDESK_SECRET_CALLS_PASSWORD"]
    assert Campaign(home, environ).run("account test calls", "secret list") == [0, 0]
    assert list((home.folder / "out").glob("command-*")), "the password command told of itself"

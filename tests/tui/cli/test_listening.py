"""`reeldesk listen` in words: what it refuses, what it says before it listens, what is in its log."""

import asyncio
import io
import json
import os
import signal
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from providers.cronofy.webhook import sign
from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.cli.conftest import Place, Ran, Reeldesk
from tests.tui.cli.test_process import end, start
from tests.vault.world import until_true
from tui import cli
from tui.commandline import listening
from tui.commandline.service_log import ServiceLog, told_in
from vault.desk import Desk
from vault.inbox.tally import Entry
from vault.views import DeliveryState

HOOK = "hook-secret-of-thirty-two-letters"
KEY = "CRN_a-key-that-is-long-enough"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.fixture
def hooked(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Three accounts that receive: one signs, one has a secret address, one has none yet."""
    place.configure(
        {
            "agents": {"provider": "cronofy", "data_center": "de"},
            "rooms": {"provider": "temasys", "base_url": "https://x.example", "download_hosts": ["x.example"]},
            "standup": {"provider": "proconf", "base_url": "https://x.example/api", "rooms": ["r"]},
        }
    )
    monkeypatch.setenv("REELDESK_SECRET_AGENTS_API_KEY", KEY)
    monkeypatch.setenv("REELDESK_SECRET_ROOMS_HOOK_SECRET", HOOK)
    return place


@pytest.fixture
def ended_when_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal comes as soon as it listens."""
    say_where = listening._say_where

    async def and_end(*args: object) -> None:
        await say_where(*args)  # type: ignore[arg-type]  # whatever they are
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(listening, "_say_where", and_end)


def log_of(ran: Ran) -> list[dict[str, object]]:
    return [json.loads(line) for line in ran.err.splitlines()]


def test_it_says_where_each_account_is_called_and_why_not(
    hooked: Place, reeldesk: Reeldesk, ended_when_it_listens: None
) -> None:
    ran = reeldesk("listen", "--port", "0")
    lines = ran.out.splitlines()
    log = log_of(ran)
    address = log[0]["address"]
    assert ran.status == 143
    assert [line["what"] for line in log] == ["listening", "note", "stopping", "stopped"]
    assert lines[0] == f"agents (Cronofy Meeting Agents): {address}/hooks/agents (signature)"
    assert lines[1] == f"rooms (Temasys): {address}/hooks/rooms/hook… (secret address)"
    assert lines[2].startswith("standup (ProCONF): it has no hook_secret")
    assert "rooms" in str(log[1]["words"])
    assert "`reeldesk work` or an open desk fetches" in str(log[1]["words"])
    assert HOOK not in ran.out + ran.err
    assert KEY not in ran.out + ran.err


def test_it_says_so_in_json(hooked: Place, reeldesk: Reeldesk, ended_when_it_listens: None) -> None:
    records = {str(each["account"]): each for each in reeldesk("listen", "--port", "0", "--json").records}
    assert set(records) == {"agents", "rooms", "standup"}
    assert records["rooms"]["guard"] == "secret address"
    assert str(records["rooms"]["address"]).endswith("/hooks/rooms/hook…")
    assert records["rooms"]["problem"] == ""
    assert records["standup"]["problem"] != ""
    assert records["standup"]["catchup"] is True


def test_one_secret_that_cannot_be_read_keeps_no_other_account_out(
    hooked: Place, reeldesk: Reeldesk, ended_when_it_listens: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hooked.root / "secret"
    path.write_text(HOOK)
    path.chmod(0o644)
    monkeypatch.delenv("REELDESK_SECRET_ROOMS_HOOK_SECRET")
    monkeypatch.setenv("REELDESK_SECRET_ROOMS_HOOK_SECRET_FILE", str(path))
    ran = reeldesk("listen", "--port", "0")
    assert ran.status == 143
    assert "(signature)" in ran.out.splitlines()[0]
    assert f"chmod 600 {path}" in ran.out.splitlines()[1]


def test_a_busy_port_is_told_and_nothing_is_left(hooked: Place, reeldesk: Reeldesk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ran = reeldesk("listen", "--port", str(port))
    words = f"cannot listen on 127.0.0.1:{port}: another program listens there; stop it, or choose another port"
    assert (ran.status, ran.out, ran.err) == (1, "", f"reeldesk: {words}\n")
    assert list((hooked.root / "data" / "workers").iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name in ("service log", "inbox writer")]


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--port", "65536"], 2, "is no port"),
        (["--port", "http"], 2, "is no port"),
        (["--tls-cert", "cert.pem"], 2, "--tls-cert and --tls-key belong together"),
        (["--tls-key", "key.pem"], 2, "--tls-cert and --tls-key belong together"),
        (["--quietly"], 2, "unrecognized arguments"),
        (["--tls-cert", "cert.pem", "--tls-key", "key.pem"], 1, "there is no file"),
        (["--host", "0.0.0.0"], 1, "without encryption"),
        (["--host", "203.0.113.7", "--allow-plain"], 1, "this machine has no such address"),
        (["--host", "nowhere.invalid"], 1, "there is no such address"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_it_refuses(hooked: Place, reeldesk: Reeldesk, options: list[str], status: int, words: str) -> None:
    ran = reeldesk("listen", *options)
    assert (ran.status, ran.out) == (status, "")
    assert words in ran.err


def test_a_key_that_others_can_read_is_refused(hooked: Place, reeldesk: Reeldesk) -> None:
    issued = trustme.CA().issue_cert("localhost")
    cert, key = hooked.root / "cert.pem", hooked.root / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o644)
    ran = reeldesk("listen", "--port", "0", "--tls-cert", str(cert), "--tls-key", str(key))
    assert ran.status == 1
    assert f"chmod 600 {key}" in ran.err


def test_nothing_to_receive_is_a_matter_of_usage(place: Place, reeldesk: Reeldesk) -> None:
    place.configure({"calls": {"provider": "huawei", "base_url": "https://x.example", "agent_id": "1"}})
    ran = reeldesk("listen")
    assert ran.status == 2
    assert "no account in" in ran.err


def test_a_fault_of_ours_in_it_is_told_redacted(
    hooked: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: object) -> None:
        raise ZeroDivisionError("with token=VERYSECRET\n{}")

    monkeypatch.setattr(listening, "_say_where", broken)
    status = cli.main(["listen", "--port", "0"])
    ran = Ran(status, *capsys.readouterr())
    told = next(line for line in log_of(ran) if line["what"] == "unforeseen")
    assert ran.status == 1
    assert told["words"] == "ZeroDivisionError"
    assert "ZeroDivisionError: with token=…" in told["traceback"]  # type: ignore[operator]  # a list
    assert "VERYSECRET" not in ran.err


# The log


class Lines:
    """A log whose lines are kept."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.log = ServiceLog(lambda: NOW, self.stream)

    def read(self) -> list[dict[str, object]]:
        self.log.close()
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_request_is_one_line_whatever_is_in_it() -> None:
    lines = Lines()
    lines.log.request(Entry("10.0.0.1", "rooms", 'a\nb\r\u2028\x85\x1b[2J{"what": "stopped"}', False, False, 204))
    lines.log.request(Entry("10.0.0.1", "rooms", "", status=503, words="https://b.example/o?X-Amz-Signature=abc"))
    raw = lines.stream.getvalue
    first, second = lines.read()
    assert raw().isascii()
    assert len(raw().split("\n")) == 3
    assert "\x1b" not in raw()
    assert first == {
        "time": "2026-11-23T08:00:00.000Z",
        "what": "request",
        "account": "rooms",
        "topic": first["topic"],
        "status": 204,
        "source": "10.0.0.1",
        "took_ms": 0.0,
        "repeated": False,
        "words": "",
    }
    assert second["words"] == "https://b.example/o?…"


def test_faults_of_threads_tasks_and_libraries_are_told() -> None:
    lines = Lines()

    def broken() -> None:
        raise RuntimeError("on a thread, token=ABCDEF")

    async def in_a_task() -> None:
        raise RuntimeError("in a task, token=GHIJKL")

    async def forget() -> None:
        task = asyncio.get_running_loop().create_task(in_a_task())
        await asyncio.wait((task,))

    with told_in(lines.log):
        thread = threading.Thread(target=broken)
        thread.start()
        thread.join()
        asyncio.run(forget())
    told = lines.read()
    assert [line["words"] for line in told] == ["RuntimeError", "asyncio"]
    assert "RuntimeError: on a thread, token=…" in told[0]["traceback"]  # type: ignore[operator]  # a list
    assert "RuntimeError: in a task, token=…" in told[1]["traceback"]  # type: ignore[operator]  # a list


def test_whoever_does_not_read_the_log_is_in_nobodys_way() -> None:
    reading, writing = os.pipe()
    found: list[dict[str, object]] = []

    def read_all() -> None:
        with os.fdopen(reading) as reader:
            found.extend(json.loads(line) for line in reader)

    with os.fdopen(writing, "w") as stream:
        log = ServiceLog(lambda: NOW, stream, room=100)
        for number in range(5_000):  # far more than a pipe holds
            log.say("request", number=number, words="x" * 100)
        reader = threading.Thread(target=read_all)
        reader.start()
        until_true(lambda: log._lines.empty())
        log.say("request", number=-1)
        log.close()
    reader.join()
    assert [line["number"] for line in found[:100]] == list(range(100))
    assert found[-1]["number"] == -1
    dropped = [str(line["words"]) for line in found if line["what"] == "log"]
    assert dropped
    assert "lines were not written" in dropped[0]


def test_a_log_whose_reader_is_gone_changes_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        log = ServiceLog(lambda: NOW, stream)
        log.say("listening")
        log.say("stopped")
        log.close()
        assert not log._thread.is_alive()


# What else knows of it


@pytest.fixture
def waiting(advice: FlexpertoEmulator, place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A delivery in the ledger that nobody has processed."""
    text = (place.root / "config.toml").read_text()
    (place.root / "config.toml").write_text(f'{text}\n[accounts.agents]\nprovider = "cronofy"\ndata_center = "de"\n')
    monkeypatch.setenv("REELDESK_SECRET_AGENTS_API_KEY", KEY)
    desk = Desk.open(os.environ)
    keep(desk, b'{"notification": {"interactions": [{"type": "later"}]}, "meeting_agent": {"sub": "agt_1"}}')
    desk.close()
    return place


def keep(desk: Desk, body: bytes) -> None:
    from providers.models import Delivery
    from vault.inbox.intake import receipt

    async def kept() -> None:
        provider = await desk._connections.connect("agents")
        delivery = Delivery({"cronofy-hmac-sha256": sign(body, KEY)}, body)
        one, _ = receipt(provider, delivery, "127.0.0.1", desk.now().timestamp())
        desk._ledger.deliveries.keep([one])
        await desk.aclose()

    asyncio.run(kept())


def states() -> list[DeliveryState]:
    desk = Desk.open(os.environ)
    try:
        return [each.state for each in desk.webhooks.deliveries()]
    finally:
        desk.close()


def test_work_drain_processes_what_waits(waiting: Place, reeldesk: Reeldesk) -> None:
    assert states() == [DeliveryState.WAITING]
    ran = reeldesk("work", "--drain")
    assert (ran.status, ran.err) == (0, "")
    assert states() == [DeliveryState.DONE]


def test_work_drain_names_what_it_could_not_process(
    waiting: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (waiting.root / "data" / "links.key").unlink()  # the key that it was sealed with
    ran = reeldesk("work", "--drain")
    assert ran.status == 1
    assert ran.err.startswith("webhook 1 of agents: later: ")


def test_work_names_the_receivers_trouble(place: Place) -> None:
    place.configure({"agents": {"provider": "cronofy", "data_center": "de", "poll_s": 0}})
    config = place.root / "config.toml"
    with socket.create_server(("127.0.0.1", 0)) as other:
        config.write_text(f"[receiver]\non = true\nport = {other.getsockname()[1]}\n{config.read_text()}")
        process = start("work")
        assert process.stderr is not None
        assert process.stderr.readline().startswith("receiver: cannot listen on 127.0.0.1:")
        assert end(process, signal.SIGTERM)[0] == 143


@pytest.mark.parametrize("is_on", [True, False], ids=["on", "off"])
def test_doctor_tells_of_the_receiver(hooked: Place, reeldesk: Reeldesk, is_on: bool) -> None:
    Desk.open(os.environ).close()
    receiver = f'[receiver]\non = {str(is_on).lower()}\npublic_url = "https://hooks.example"\n'
    text = (hooked.root / "config.toml").read_text()
    tls = f'tls_cert = "{hooked.root}/no.pem"\ntls_key = "{hooked.root}/no.key"\n'
    (hooked.root / "config.toml").write_text(receiver + tls + text)
    (hooked.root / "config.toml").chmod(0o600)
    ran = reeldesk("doctor", "--json")
    found = {str(each["subject"]): (each["state"], str(each["words"])) for each in ran.records}
    assert found["receiver"][1].startswith("on; " if is_on else "off ")
    assert "https://127.0.0.1:8787; from outside: https://hooks.example" in found["receiver"][1]
    assert found["receiver TLS"][0] == ("problem" if is_on else "warning")
    assert "there is no file" in found["receiver TLS"][1]
    assert found["agents webhooks"] == ("ok", "https://hooks.example/hooks/agents (signature)")
    assert found["rooms webhooks"] == ("ok", "https://hooks.example/hooks/rooms/… (secret address)")
    assert found["standup webhooks"][0] == ("warning" if is_on else "ok")
    assert "hook_secret" in found["standup webhooks"][1]
    assert ("receiver TLS: " in ran.err) is is_on
    assert HOOK not in ran.out + ran.err
    assert not (Path(hooked.root) / "no.pem").exists()

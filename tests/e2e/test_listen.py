"""The real `reeldesk listen` over a served demo: what it answers, what is in its log, and how it ends."""

import fcntl
import http.client
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM, Signals
from typing import Any
from urllib.parse import urlencode

import pytest
import trustme

from providers.cronofy.webhook import sign
from tests.e2e.served import Session, served
from tests.e2e.terminal import CHECKOUT, DESK, ELSEWHERE, MARKS, configured, opened

pytestmark = MARKS
ENDS_S = 10.0
SIGNATURE = "one-letter-of-this-link-is-too-many"
NONE: Mapping[str, str] = {}
LOG = {"time", "what", "account", "topic", "status", "source", "took_ms", "repeated", "words"}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """The emulators, in a process of their own."""
    with served(list(ELSEWHERE), tmp_path_factory.mktemp("served") / "demo") as one:
        yield one


class Listener:
    """A running `reeldesk listen` on a port of its own."""

    def __init__(self, environ: dict[str, str], *options: str, program: tuple[str, ...] = DESK) -> None:
        self.process = subprocess.Popen(
            [*program, "listen", "--port", "0", *options],
            env=environ,
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[dict[str, Any]] = []
        self.raw = ""
        assert self.process.stderr is not None
        self.told = self.until("listening")["address"]
        self.port = int(self.told.rpartition(":")[2])

    def until(self, what: str) -> dict[str, Any]:
        """Read the log until a line of this kind."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.raw += line
            self.log.append(json.loads(line))
            if self.log[-1]["what"] == what:
                return self.log[-1]
        raise AssertionError(f"it ended without {what!r}: {self.raw}")

    def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str] = NONE,
        *,
        method: str = "POST",
        tls: ssl.SSLContext | None = None,
    ) -> tuple[int, bytes]:
        """Send a request; gives status and body. Its line of the log is read, too."""
        if tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        else:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=tls)
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        found = (answer.status, answer.read())
        connection.close()
        line = self.until("request")
        assert line.keys() == LOG
        assert line["status"] == found[0]
        return found

    def end(self, how: Signals) -> tuple[int, str]:
        """Send a signal; gives the status, and all of stdout."""
        self.process.send_signal(how)
        out, rest = self.process.communicate(timeout=ENDS_S)
        self.raw += rest
        self.log += [json.loads(line) for line in rest.splitlines()]
        return self.process.returncode, out


@contextmanager
def listening(environ: dict[str, str], *options: str, program: tuple[str, ...] = DESK) -> Iterator[Listener]:
    one = Listener(environ, *options, program=program)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()
        for stream in (one.process.stdout, one.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def environ(session: Session, tmp_path: Path) -> dict[str, str]:
    """A ledger of its own over the demo's services, which nobody else receives for."""
    found = configured(session, tmp_path, still=True)
    config = tmp_path / "config.toml"
    lines = config.read_text("utf-8").splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("public_url")), "utf-8")
    return found


def agent(number: int) -> bytes:
    """A body as Cronofy sends it."""
    return json.dumps(
        {
            "notification": {"type": "event_subscription", "interactions": [{"type": "meeting_agent_activated"}]},
            "meeting_agent": {"sub": f"agt_listen{number}", "state": "created", "resources": []},
        }
    ).encode()


def recording(number: int) -> bytes:
    """A form as Temasys may send it, with a presigned link."""
    return urlencode(
        {
            "meetingId": f"listen-{number}",
            "apiKey": "app-key-of-the-customer",
            "unixTime": 1_790_000_000 + number,
            "roomId": "a room\n" + '{"what": "stopped"}',
            "participants": 2,
            "retrievalUrl": f"http://127.0.0.1:9/m.mp4?X-Amz-Signature={SIGNATURE}",
        }
    ).encode()


def secrets_of(environ: dict[str, str]) -> list[str]:
    return [value for name, value in environ.items() if name.startswith("REELDESK_SECRET_")]


def test_deliveries_are_answered_kept_processed_and_told(environ: dict[str, str]) -> None:
    hook = environ["REELDESK_SECRET_ROOMS_HOOK_SECRET"]
    key = environ["REELDESK_SECRET_AGENTS_API_KEY"]
    form = {"content-type": "application/x-www-form-urlencoded"}
    with listening(environ) as it:
        body, signature = agent(1), sign(agent(1), key)
        signed = {"cronofy-hmac-sha256": signature, "content-type": "application/json"}
        assert it.post("/hooks/agents", body, signed) == (204, b"")
        assert it.post("/hooks/agents", body, signed) == (200, b"")
        assert it.log[-1]["repeated"] is True
        assert it.post("/hooks/agents", body + b" ", signed)[0] == 401
        assert it.post(f"/hooks/rooms/{hook}", recording(1), form) == (204, b"")
        assert (it.log[-1]["account"], it.log[-1]["topic"]) == ("rooms", "recording")
        wrong = it.post(f"/hooks/rooms/{hook[:-1]}", recording(2), form)
        assert wrong[0] == 404
        assert wrong == it.post("/nothing/here?token=VERYSECRET", b"", form)
        assert wrong == it.post(f"/hooks/rooms/{hook}", b"", form, method="GET")
        assert it.post(f"/hooks/rooms/{hook}", b"x" * 300_000, form)[0] == 413
        assert it.post("/healthz", b"", method="GET") == (200, b'{"status":"ok"}')
        status, out = it.end(SIGTERM)
    assert status == 143
    assert [line["what"] for line in it.log[-2:]] == ["stopping", "stopped"]
    assert f"rooms (Temasys): {it.told}/hooks/rooms/{hook[:4]}… (secret address)" in out.splitlines()
    told = it.raw + out
    for secret in [*secrets_of(environ), signature, SIGNATURE, "app-key-of-the-customer", "VERYSECRET", "/hooks/"]:
        assert secret not in told.replace("/hooks/rooms/", "").replace("/hooks/agents", "").replace("/hooks/advice", "")
    assert "/hooks/" not in it.raw, "no path in the log"
    listed = run(environ, "list", "--json").stdout.splitlines()
    assert {"rooms/listen-1/video.1790000001"} <= {json.loads(line)["asset"] for line in listed}, "it was processed"


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DESK, *arguments], env=environ, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("how", "status"), [(SIGTERM, 143), (SIGINT, 130), (SIGHUP, 129)], ids=lambda v: str(v))
def test_a_request_that_is_under_way_is_answered_before_the_end(
    environ: dict[str, str], how: Signals, status: int
) -> None:
    body = agent(2)
    head = (
        f"POST /hooks/agents HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        f"cronofy-hmac-sha256: {sign(body, environ['REELDESK_SECRET_AGENTS_API_KEY'])}\r\n\r\n"
    )
    with listening(environ) as it:
        line = socket.create_connection(("127.0.0.1", it.port), 30)
        line.sendall(head.encode() + body[:10])
        assert it.post("/healthz", b"", method="GET")[0] == 200  # what came before has been read by then
        it.process.send_signal(how)
        it.until("stopping")
        with line:
            line.sendall(body[10:])
            answer = line.recv(4096)
        out, rest = it.process.communicate(timeout=ENDS_S)
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert it.process.returncode == status
    assert '"status": 204' in it.raw + rest
    assert out


def test_a_busy_port_is_told(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ran = run(environ, "listen", "--port", str(other.getsockname()[1]))
    assert ran.returncode == 1
    assert "another program listens there; stop it, or choose another port" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_https_from_files(environ: dict[str, str], tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    body = agent(3)
    with listening(environ, "--host", "localhost", "--tls-cert", str(cert), "--tls-key", str(key)) as it:
        assert it.told.startswith("https://localhost:")
        with socket.create_connection(("127.0.0.1", it.port), 30) as plain:  # who speaks no TLS is nobody
            plain.sendall(b"POST /hooks/agents HTTP/1.1\r\n\r\n")
            while plain.recv(4096):
                pass
        signature = sign(body, environ["REELDESK_SECRET_AGENTS_API_KEY"])
        assert it.post("/hooks/agents", body, {"cronofy-hmac-sha256": signature}, tls=trusting)[0] == 204
        status, out = it.end(SIGTERM)
    assert status == 143
    assert "agents (Cronofy Meeting Agents): https://localhost:" in out
    assert {line["what"] for line in it.log} <= {"listening", "note", "request", "stopping", "stopped"}


def test_a_log_that_nobody_reads_stops_nobody(environ: dict[str, str]) -> None:
    """Far more lines than a pipe holds; the reader of the log stands still."""
    with listening(environ) as it:
        assert it.process.stderr is not None
        fcntl.fcntl(it.process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        connection = http.client.HTTPConnection("127.0.0.1", it.port, timeout=30)
        for _ in range(200):
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b'{"status":"ok"}')
        connection.close()
        it.process.send_signal(SIGTERM)
        assert it.process.wait(ENDS_S) == 143
        assert len(it.process.stderr.read()) < 8192, "the pipe was full"


BROKEN = """
import sys
from tui.cli import main
from vault.inbox.app import ReceiverApp

answer = ReceiverApp._answer

async def broken(self, scope, receive, source, entry):
    if scope["method"] == "PUT":
        raise ZeroDivisionError("at " + scope["path"] + " with token=" + "VERY" + "SECRET")
    return await answer(self, scope, receive, source, entry)

ReceiverApp._answer = broken
sys.exit(main())
"""


def test_a_fault_of_ours_is_told_and_the_service_goes_on(environ: dict[str, str]) -> None:
    with listening(environ, program=(sys.executable, "-c", BROKEN)) as it:
        connection = http.client.HTTPConnection("127.0.0.1", it.port, timeout=30)
        connection.request("PUT", "/nowhere")
        assert connection.getresponse().status == 500
        connection.close()
        told = it.until("unforeseen")
        assert it.post("/healthz", b"", method="GET")[0] == 200
        assert it.end(SIGTERM)[0] == 143
    assert told["words"] == "ZeroDivisionError"
    assert told["traceback"][-1] == "ZeroDivisionError: at /nowhere with token=…"
    assert "VERYSECRET" not in it.raw
    assert not [line for line in it.raw.splitlines() if line.startswith(("Traceback", " "))]


# R13: the desk with the receiver on


@pytest.mark.parametrize(("how", "status"), [(SIGTERM, 143), (SIGHUP, 129), (SIGINT, 130)], ids=lambda v: str(v))
def test_a_desk_that_receives_ends_cleanly(session: Session, tmp_path: Path, how: Signals, status: int) -> None:
    environ = receiving(configured(session, tmp_path, still=True), tmp_path)
    port = port_of(tmp_path)
    with opened(environ) as desk:
        desk.wait_for("1 Desk")
        desk.wait_until(lambda: answers(port), "it receives")
        desk.signal(how)
        assert desk.ended(within=ENDS_S) == status
        assert desk.restored()
        assert not desk.left_behind()
        assert b"Traceback" not in desk.raw
    assert not answers(port)
    assert run(environ, "list").returncode == 0, "the ledger opens"
    assert run(environ, "doctor").returncode == 0


def test_a_desk_whose_port_is_taken_lives_and_says_so(session: Session, tmp_path: Path) -> None:
    environ = receiving(configured(session, tmp_path, still=True), tmp_path)
    port = port_of(tmp_path)
    with socket.create_server(("127.0.0.1", port)), opened(environ, columns=120, rows=36) as desk:
        desk.wait_for("1 Desk")
        desk.press("5")
        desk.wait_for("another program listens there")
        desk.press("q")
        assert desk.ended(within=ENDS_S) == 0
        assert desk.restored()


def receiving(environ: dict[str, str], folder: Path) -> dict[str, str]:
    """The same with the receiver on, at a port of its own: the session's is taken by whoever takes it."""
    config = folder / "config.toml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    before = config.read_text("utf-8")
    (line,) = [line for line in before.splitlines() if line.startswith("port = ")]
    config.write_text(before.replace(line, f"port = {port}").replace("on = false", "on = true"), "utf-8")
    return environ


def port_of(folder: Path) -> int:
    lines = (folder / "config.toml").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("port = ")).partition("= ")[2])


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()

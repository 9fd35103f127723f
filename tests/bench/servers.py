"""nginx over a folder of files: one worker, sendfile, plain and TLS on free ports of loopback."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.bench.results import BenchError

_READY_S = 10.0
_STOP_S = 10.0
_CONFIG = """\
daemon off;
worker_processes 1;
{user}
pid nginx.pid;
error_log error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 60s;
    keepalive_requests 1000000;
    types {{ video/mp4 mp4; }}
    {temporary}
    server {{
        listen 127.0.0.1:{plain};
        root files;
    }}
    server {{
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        root files;
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    plain: str
    """Base address, without a slash at the end."""
    tls: str
    ca_file: Path
    files: Path
    """What it serves."""
    processes: tuple[int, ...]


def program() -> str | None:
    """Where nginx is; it may lie where only root's path leads."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """Run nginx over `folder`/files until the block ends. Raises BenchError when it does not start."""
    binary = program()
    if binary is None:
        raise BenchError("nginx is not installed")
    files = folder / "files"
    files.mkdir()
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "server.key")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(folder / "server.pem", append=True)
    plain, tls = _free_ports(2)
    (folder / "nginx.conf").write_text(_configured(binary, plain, tls))
    with (folder / "stderr").open("wb") as stderr:
        command = [binary, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr)
    try:
        _wait_until_ready(process, (plain, tls), folder)
        processes = (process.pid, *_children(process.pid))
        yield Server(f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}", ca_file, files, processes)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _configured(binary: str, plain: int, tls: int) -> str:
    built = subprocess.run([binary, "-V"], capture_output=True, text=True, check=True).stderr
    # Its own folders for temporary files belong to the system's server; each module that is built in wants one.
    modules = [name for name in ("proxy", "fastcgi", "uwsgi", "scgi") if f"--without-http_{name}_module" not in built]
    temporary = " ".join(f"{name}_temp_path {name};" for name in ("client_body", *modules))
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""  # else the worker may not enter the folder
    return _CONFIG.format(user=user, temporary=temporary, plain=plain, tls=tls)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [s.getsockname()[1] for s in sockets]


def _wait_until_ready(process: "subprocess.Popen[bytes]", ports: tuple[int, ...], folder: Path) -> None:
    deadline = time.monotonic() + _READY_S
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = (folder / "stderr").read_text(errors="replace").strip()
                    raise BenchError(f"nginx does not start: {said or 'it says nothing'}") from None
                time.sleep(0.02)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

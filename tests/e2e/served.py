"""A session with the commands over `reeldesk demo --serve`, as a person's script would have it."""

import hashlib
import json
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_S = 60


@dataclass
class Session:
    """The program (`command`) with the environment that the served demo names."""

    command: list[str]
    environ: dict[str, str]
    cwd: Path

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its exit status must be `status`, and it never shows a traceback."""
        done = subprocess.run(
            [*self.command, *arguments], env=self.environ, cwd=self.cwd, capture_output=True, text=True, timeout=180
        )
        assert "Traceback" not in done.stderr + done.stdout
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def records(self, *arguments: str, status: int = 0) -> list[dict[str, Any]]:
        """The objects that a command prints with --json."""
        return [json.loads(line) for line in self.run(*arguments, "--json", status=status).stdout.splitlines()]


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead the program elsewhere than to the demo."""
    dropped = ("REELDESK_", "PYTHONPATH", "COV_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


@contextmanager
def served(command: list[str], folder: Path) -> Iterator[Session]:
    """The five emulators, served by the program itself until the end of the block."""
    base = clean_environment()
    server = subprocess.Popen(
        [*command, "demo", "--serve", str(folder)], env=base, cwd=folder.parent, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        lines = (folder / "env").read_text().splitlines()
        named = dict(line.split("=", 1) for line in lines if line)
        variables = {name: shlex.split(value)[0] for name, value in named.items()}
        environ = {**base, **variables, "REELDESK_CONFIG": str(folder / "config.toml")}
        yield Session(command, environ, folder.parent)
        server.send_signal(signal.SIGINT)
        assert server.wait(READY_S) == 130
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def _written(session: Session) -> dict[Path, int]:
    """Every file of the vault, parts too, and when it was written."""
    vault = Path(session.environ["REELDESK_CONFIG"]).parent / "vault"
    return {path: path.stat().st_mtime_ns for path in vault.rglob("*") if path.is_file()}


def play(session: Session) -> None:
    """Sync, list, fetch everything twice: what the README promises of the commands."""
    session.run("sync")
    listed = session.records("list")
    assert {r["provider"] for r in listed} == {"cronofy", "flexperto", "huawei", "proconf", "temasys"}
    assert len({(r["account"], r["meeting"]) for r in listed}) >= 50

    fetched = session.run("fetch", "--all", "--json", status=1)
    assert "advice/conf-0011/archive.arc-0011" in fetched.stderr, "the archive whose checksum is wrong is named"
    assert "checksum" in fetched.stderr or "stated" in fetched.stderr

    after = session.records("list")
    held = [r for r in after if r["local"] == "held"]
    assert len(held) >= 55
    for record in held:
        content = Path(record["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == record["sha256"]
        assert len(content) == record["size"]
    assert not [path for path in (session.cwd.rglob("*.part")) if path.with_suffix("").exists()]

    before = _written(session)
    again = session.run("fetch", "--all", "--json", status=1)
    assert again.stdout == "", "nothing is fetched twice"
    assert "advice/conf-0011/archive.arc-0011" in again.stderr, "what is wrong is named again"
    assert _written(session) == before

    assert session.records("verify", "--all")
    session.run("doctor")

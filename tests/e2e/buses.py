"""Message buses and keyrings as they are found on machines, each for the length of a block, in a folder of its own.

Where dbus or gnome-keyring is missing the tests are skipped; not in CI, where REELDESK_TEST_KEYRINGS is "required".
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

REQUIRED = "REELDESK_TEST_KEYRINGS"
READY_S = 30.0
PROGRAMS = ("dbus-run-session", "dbus-daemon", "gnome-keyring-daemon")
SECRETS = "org.freedesktop.secrets"
UNLOCKED = (
    'printf %s "$KEYRING_PASSWORD" | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 || exit 1'
)
HOLD = 'echo "ready $DBUS_SESSION_BUS_ADDRESS"; unset KEYRING_PASSWORD; read line'
"""Says where the bus is, and keeps it until stdin ends."""
CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""


def needs_keyrings() -> None:
    """Skip where the programs are missing; fail where they are required."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing and os.environ.get(REQUIRED) == "required":
        pytest.fail(f"{', '.join(missing)} must be installed here (Debian: dbus gnome-keyring)")
    if missing:
        pytest.skip(f"{', '.join(missing)} are not installed (Debian: dbus gnome-keyring)")


def without_bus(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment as a plain SSH login has it: no bus, no display; the system keyring is asked all the same."""
    dropped = ("DBUS_", "XDG_", "DISPLAY", "WAYLAND_", "GNOME_", "PYTHON_KEYRING", "REELDESK_KEYRING")
    return {name: value for name, value in environ.items() if not name.startswith(dropped)}


@contextmanager
def gnome_keyring(environ: Mapping[str, str], password: str) -> Iterator[dict[str, str]]:
    """A session bus with a gnome-keyring whose login keyring `password` was tried on; the first one makes it."""
    folder = Path(environ["HOME"])
    with _session(["dbus-run-session", "--"], UNLOCKED, {**environ, "KEYRING_PASSWORD": password}, folder) as address:
        yield {**environ, "DBUS_SESSION_BUS_ADDRESS": address}


def asked(folder: Path) -> Path:
    """The file that is there once the hung service was asked for."""
    return folder / "asked"


@contextmanager
def hung_service(environ: Mapping[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """A session bus that starts a secret service which never comes up, and waits for it for two minutes."""
    (folder / "services").mkdir()
    script = folder / "hangs"
    script.write_text(f"#!/bin/sh\n: > {asked(folder)}\nexec sleep 600\n", "utf-8")
    script.chmod(0o700)
    service = f"[D-BUS Service]\nName={SECRETS}\nExec={script}\n"
    (folder / "services" / f"{SECRETS}.service").write_text(service, "utf-8")
    (folder / "bus.conf").write_text(CONFIG.format(folder=escape(str(folder))), "utf-8")
    command = ["dbus-run-session", f"--config-file={folder / 'bus.conf'}", "--"]
    with _session(command, "true", environ, folder) as address:
        yield {**environ, "DBUS_SESSION_BUS_ADDRESS": address}


@contextmanager
def deaf_socket(environ: Mapping[str, str], folder: Path) -> Iterator[dict[str, str]]:
    """A bus that takes connections, and never says a word."""
    path = folder / "deaf"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen(16)
        yield {**environ, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={path}"}


@contextmanager
def _session(command: list[str], script: str, environ: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Run a bus over `script` until the end of the block; its address. Nothing of it is left."""
    mark = f"reeldesk-test-bus-{folder}"
    holder = subprocess.Popen(
        [*command, "sh", "-c", f"{script}; {HOLD}"],
        env={**environ, "REELDESK_TEST_BUS": mark},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        said = holder.stdout.readline()
        assert said.startswith("ready "), f"no bus: {said!r}, {holder.poll()=}"
        yield said.removeprefix("ready ").strip()
    finally:
        holder.stdin.close()
        try:
            holder.wait(READY_S)
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()
            _end(mark)


def _end(mark: str) -> None:
    """End what the bus started and left behind; each is known by the mark in its environment."""
    deadline = time.monotonic() + READY_S
    while left := _marked(mark):
        assert time.monotonic() < deadline, f"still there: {left}"
        for each in left:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.01)


def _marked(mark: str) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended, or is another user's
            continue
        if f"REELDESK_TEST_BUS={mark}".encode() in variables:
            found.append(int(process.name))
    return found

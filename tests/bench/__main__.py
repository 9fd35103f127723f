"""`make bench`: one large file, brought home by reeldesk's complete path and by what people do by hand.

The complete path: claim in the ledger, `.part`, SHA-256 while it arrives, fsync, container check, final name, commit.
Configurations are interleaved, so that a disturbance of the machine meets all alike; medians with minimum and maximum.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from providers.emulation import mp4_blob
from providers.models import AssetId, Delivery
from vault.desk import Desk

_CONFIG = """
[vault]
path = "{folder}/vault"
[accounts.rooms]
provider = "temasys"
base_url = "http://127.0.0.1:{port}"
auth = "none"
"""


def make_file(path: Path, size: int) -> None:
    """A file of random bytes whose MP4 boxes are complete."""
    with path.open("wb") as file:
        file.write(mp4_blob(size).head)
        left = size - file.tell()
        while left > 0:
            left -= file.write(os.urandom(min(left, 1 << 24)))


def shell(command: str) -> Callable[[Path, int], None]:
    """A command line over {url} and {out}, as a person would type it."""

    def run(folder: Path, port: int) -> None:
        line = command.format(url=f"http://127.0.0.1:{port}/file.mp4", out=folder / "file.mp4", folder=folder)
        subprocess.run(line, shell=True, check=True, capture_output=True)

    return run


def reeldesk(folder: Path, port: int) -> None:
    """One recording that a callback announced, fetched through the desk."""
    (folder / "config.toml").write_text(_CONFIG.format(folder=folder, port=port))
    environ = {"REELDESK_CONFIG": str(folder / "config.toml"), "REELDESK_DATA": str(folder), "REELDESK_KEYRING": "off"}
    callback = {
        "meetingId": "bench",
        "apiKey": "bench",
        "unixTime": 1_790_000_000,
        "roomId": "bench",
        "participants": 2,
        "startTime": "2026-11-01T10:00:00Z",
        "endTime": "2026-11-01T11:00:00Z",
        "retrievalUrl": f"http://127.0.0.1:{port}/file.mp4",
    }

    async def fetch(desk: Desk) -> None:
        delivery = Delivery({"content-type": "application/json"}, json.dumps(callback).encode())
        await desk.take_in("rooms", delivery)
        await desk.fetch_now(AssetId.parse("rooms/bench/video.1790000000"))
        await desk.aclose()

    desk = Desk.open(environ)
    try:
        asyncio.run(fetch(desk))
    finally:
        desk.close()


def configurations() -> dict[str, Callable[[Path, int], None]]:
    """What is compared: reeldesk, and those of the public tools that this machine has."""
    by_hand = {
        "curl -o": "curl -s -o {out} {url}",
        "curl && sha256sum": "curl -s -o {out} {url} && sha256sum {out}",
        "curl && openssl dgst -sha256": "curl -s -o {out} {url} && openssl dgst -sha256 {out}",
        "wget2": "wget2 -q -O {out} {url}",
        "aria2c -x1": "aria2c -q -x1 --file-allocation=none -d {folder} -o file.mp4 {url}",
        "rclone copyurl": "rclone copyurl {url} {out}",
    }
    tools = {name: shell(line) for name, line in by_hand.items() if shutil.which(line.split()[0])}
    return {"reeldesk (complete path)": reeldesk, **tools}


def measure(size: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of each configuration in each round."""
    figures: dict[str, list[float]] = {name: [] for name in configurations()}
    with tempfile.TemporaryDirectory(prefix="reeldesk-bench-") as root:
        source = Path(root) / "source.mp4"
        make_file(source, size)
        command = [sys.executable, "-m", "tests.bench.fileserver", str(source)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            for number in range(rounds):
                for name, run in configurations().items():
                    folder = Path(root) / f"{number}"
                    folder.mkdir()
                    began = time.perf_counter()
                    run(folder, port)
                    figures[name].append(time.perf_counter() - began)
                    shutil.rmtree(folder)
            assert server.stdin is not None
            server.stdin.close()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    figures = measure(args.mib << 20, args.rounds)
    ours = statistics.median(next(iter(figures.values())))
    print(f"{args.mib} MiB over plain HTTP on loopback, {args.rounds} rounds, interleaved\n")
    print(f"{'':32}{'median s':>9}{'min':>8}{'max':>8}   reeldesk takes")
    for name, seconds in figures.items():
        median = statistics.median(seconds)
        print(f"{name:32}{median:9.2f}{min(seconds):8.2f}{max(seconds):8.2f}   {ours / median:.2f} of it")


if __name__ == "__main__":
    main()

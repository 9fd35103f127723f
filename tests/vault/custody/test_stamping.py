"""Time stamps on packets, by a real authority on loopback."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import bagit
import pytest

from tests.vault.custody.authority import Box, served
from tests.vault.world import World, archive
from vault.custody.stamping import Authority
from vault.desk import Desk
from vault.errors import ConfigError, VaultError

A = archive("a", "c1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with served(tmp_path_factory.mktemp("authority") / "tsa") as box:
        yield box


@pytest.fixture
def box(authority: Box) -> Box:
    authority.asked.clear()
    authority.answer, authority.status = None, 200
    return authority


async def held(it: World, box: Box, *, ca: bool = True) -> Desk:
    it.options += f'\n[custody]\ntimestamp_url = "{box.url}"\n' + (f'timestamp_ca = "{box.ca_file}"\n' if ca else "")
    it.emulator.add_archive("a", "c1")
    desk = it.desk()
    await desk.sync("advice")
    await desk.fetch_now(A)
    await desk.aclose()
    return desk


@pytest.fixture
async def desk(it: World, box: Box) -> Desk:
    return await held(it, box)


def test_openssl_accepts_the_stamp_and_bagit_the_packet(desk: Desk, box: Box, tmp_path: Path) -> None:
    packet = desk.custody.packet([A], tmp_path / "out")
    desk.close()
    stamp = packet.path / "timestamp/manifest-sha256.txt.tsr"
    words = ["openssl", "ts", "-verify", "-in", str(stamp), "-data", "manifest-sha256.txt", "-CAfile", str(box.ca_file)]
    checked = subprocess.run(words, cwd=packet.path, capture_output=True, text=True, check=False)
    assert "Verification: OK" in checked.stdout + checked.stderr
    assert bagit.Bag(str(packet.path)).validate()
    assert "timestamp/manifest-sha256.txt.tsr" in (packet.path / "tagmanifest-sha256.txt").read_text()
    assert packet.stamp is not None
    assert packet.stamp.is_checked
    assert len(box.asked) == 1


def test_without_when_it_is_not_wanted(desk: Desk, box: Box, tmp_path: Path) -> None:
    packet = desk.custody.packet([A], tmp_path / "out", stamped=False)
    desk.close()
    assert packet.stamp is None
    assert not (packet.path / "timestamp").exists()
    assert box.asked == []


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [(b"no stamp", 200, "no time stamp"), (b"", 503, "HTTP 503"), (b"0\x03", 200, "no time stamp")],
)
def test_what_is_no_stamp_makes_no_packet(
    desk: Desk, box: Box, tmp_path: Path, answer: bytes, status: int, words: str
) -> None:
    box.answer, box.status = answer, status
    with pytest.raises(VaultError, match=words):
        desk.custody.packet([A], tmp_path / "out")
    desk.close()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_stamp_for_something_else_is_refused(box: Box) -> None:
    authority = Authority(box.url, box.ca_file)
    box.answer = authority.stamp(b"one").answer
    with pytest.raises(VaultError, match="something else"):
        authority.stamp(b"another")
    with pytest.raises(VaultError, match="something else"):  # the same bytes, asked for by somebody before
        authority.stamp(b"one")


def test_a_stamp_of_another_authority_is_refused(box: Box, tmp_path: Path) -> None:
    with served(tmp_path / "other") as other:
        pass
    with pytest.raises(VaultError, match="not trusted"):
        Authority(box.url, other.ca_file).stamp(b"one")
    assert not Authority(box.url).stamp(b"one").is_checked
    for text, words in (("no certificate", "no certificates"), (None, "No such file")):
        wrong = tmp_path / "wrong.pem"
        wrong.write_text(text) if text else wrong.unlink()
        with pytest.raises(VaultError, match=words):
            Authority(box.url, wrong).stamp(b"one")


def test_an_authority_that_is_not_there() -> None:
    with pytest.raises(VaultError, match=r"no time stamp: .*refuses connections"):
        Authority("http://127.0.0.1:1/tsr").stamp(b"one")
    with pytest.raises(VaultError, match="not encrypted"):
        Authority("http://tsa.example/tsr").stamp(b"one")
    with pytest.raises(VaultError, match="is no address"):
        Authority("nowhere").stamp(b"one")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rfc3161_client", None)
    with pytest.raises(VaultError, match=r"pip install 'reeldesk\[timestamp\]'"):
        Authority("http://127.0.0.1:1/tsr").stamp(b"one")


def test_a_section_that_is_not_known(it: World) -> None:
    it.options = "[custody]\nstamp = true\n"
    with pytest.raises(ConfigError, match=r"custody.stamp is not known here; known are timestamp_ca, timestamp_url"):
        it.desk()

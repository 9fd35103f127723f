"""`reconcile`: shown with a sign and a word, mended by kind, and an exit status for cron."""

from pathlib import Path

import pytest

from providers.emulation import zip_blob
from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.cli.conftest import Reeldesk

A1, A4 = "advice/c1/archive.a1", "advice/c4/archive.a4"


@pytest.fixture
def held(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> Path:
    """Where the one archive lies that is held, beside one that was never fetched."""
    reeldesk("sync")
    [record] = reeldesk("fetch", A1, "--json").records
    advice.add_archive("a4", "c4", blob=zip_blob({"chat.json": b"{}"}))
    return Path(str(record["path"]))


def test_what_differs_is_shown_with_a_sign_and_a_word(held: Path, reeldesk: Reeldesk) -> None:
    held.write_bytes(b"short")
    ran = reeldesk("reconcile")
    assert ran.status == 0
    head, *rows = ran.out.splitlines()
    assert head.split() == ["DIFFERENCE", "ASSET", "OR", "FILE", "THERE", "LEDGER", "HERE", "FIX", "WHY"]
    assert [row[:24].rstrip() for row in rows] == [f"! differs       {A1}"[:24], f"< missing here  {A4}"[:24]]
    assert "advice: the service was asked, and lists 4 assets" in ran.err
    assert ran.err.splitlines()[-1] == "= 2 equal, < 1 missing here, ! 1 differs"


@pytest.mark.usefixtures("held")
def test_a_check_fails_until_it_is_mended(held: Path, reeldesk: Reeldesk) -> None:
    held.unlink()
    ran = reeldesk("reconcile", "--check")
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == "2 things could be mended: --fix fetch"
    ran = reeldesk("reconcile", "--fix", "fetch", "--check")
    assert ran.status == 0
    assert f"{A4}: queued" in ran.err
    assert f"{A1}: lost: " in ran.err
    assert reeldesk("fetch", "--all").status == 0
    assert reeldesk("reconcile", "--check", "--deep").out == ""


def test_as_json(held: Path, reeldesk: Reeldesk) -> None:
    stray = held.with_name("mine.txt")
    stray.write_text("x")
    missing, lying = reeldesk("reconcile", "--json").records
    assert (missing["difference"], missing["remedy"], missing["asset"]) == ("missing here", "fetch", A4)
    assert (lying["difference"], lying["remedy"], lying["path"]) == ("not in the ledger", None, str(stray))
    assert reeldesk("reconcile", "advice", "--json").records == [missing]


def test_what_cannot_be_mended_is_named(held: Path, reeldesk: Reeldesk) -> None:
    size = held.stat().st_size
    held.rename(held.with_name("moved.zip"))
    held.with_name("moved.zip").write_bytes(bytes(size))
    ran = reeldesk("reconcile", "--fix", "adopt")
    assert ran.status == 1
    assert f"moved.zip is not {A1}: its SHA-256 is " in ran.err


@pytest.mark.usefixtures("advice")
def test_what_cannot_be_meant(reeldesk: Reeldesk) -> None:
    assert reeldesk("reconcile", "nobody").status == 2
    assert reeldesk("reconcile", "--fix", "everything").status == 2

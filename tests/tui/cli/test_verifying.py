"""`verify --all`: the oldest proof first, silent for cron, each bad file named with what can be done."""

from pathlib import Path

import pytest

from providers.flexperto.emulator import FlexpertoEmulator
from tests.tui.cli.conftest import Reeldesk

A1, A4 = "advice/c1/archive.a1", "advice/c4/archive.a4"


@pytest.fixture
def held(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> dict[str, Path]:
    """Two archives that are held, by identity."""
    advice.add_archive("a4", "c4", title="Another")
    reeldesk("sync")
    records = reeldesk("fetch", "--all", "--json").records
    return {str(record["asset"]): Path(str(record["path"])) for record in records}


@pytest.mark.usefixtures("held")
def test_what_was_read_longest_ago_comes_first(reeldesk: Reeldesk) -> None:
    assert reeldesk("verify", A1).status == 0
    ran = reeldesk("verify", "--all")
    assert [line.split()[0] for line in ran.out.splitlines()] == [A4, A1]
    assert ran.err == "2 files read again, all as proven\n"
    assert reeldesk("verify", "--all", "--older-than", "1").err == "every proof is younger than that\n"
    assert len(reeldesk("verify", "--all", "--account", "advice", "--older-than", "0").out.splitlines()) == 2


def test_quiet_tells_only_what_is_bad(held: dict[str, Path], reeldesk: Reeldesk) -> None:
    ran = reeldesk("verify", "--all", "--quiet")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    held[A4].unlink()
    ran = reeldesk("verify", "--all", "--quiet")
    gone, summary = ran.err.splitlines()
    assert ran.status == 1
    assert gone.startswith(f"{A4}: lost: the file is gone: ")
    assert gone.endswith(f"; the service still has it: `reeldesk fetch {A4}`")
    assert summary == "2 files read again, 1 of them bad"
    [record] = reeldesk("verify", "--all", "-q", "--json").records
    assert (record["asset"], record["local"], record["checks"]) == (A4, "lost", [])
    assert str(record["found"]).startswith("the file is gone")


def test_nothing_is_offered_when_the_service_has_it_no_more(
    advice: FlexpertoEmulator, held: dict[str, Path], reeldesk: Reeldesk
) -> None:
    advice.archives["a4"].status = "EXPIRED"
    reeldesk("sync")
    held[A4].write_bytes(b"")
    assert reeldesk("verify", A4).err.endswith("the service does not have it any more\n")


@pytest.mark.usefixtures("held")
def test_what_cannot_be_meant(reeldesk: Reeldesk) -> None:
    assert reeldesk("verify", A1, "--older-than", "1").status == 2
    assert reeldesk("verify", A1, "--account", "advice").status == 2
    assert reeldesk("verify", "--all", "--older-than", "-1").status == 2
    assert reeldesk("verify", "--all", "--account", "nobody").status == 2

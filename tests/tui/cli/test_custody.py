"""`trail`, `export` and `verify --log`, as one types them."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import cast

import bagit
import pytest

from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import AssetId
from tests.tui.cli.conftest import Place, Reeldesk
from vault.ledger import Ledger

A1 = "advice/c1/archive.a1"


@pytest.fixture
def held(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> Reeldesk:
    assert reeldesk("sync").status == 0
    assert reeldesk("fetch", A1).status == 0
    return reeldesk


def tamper(place: Place, *statements: str) -> None:
    with closing(sqlite3.connect(place.root / "data/ledger.db")) as connection, connection:
        connection.execute("DROP TRIGGER events_unchanged")
        for statement in statements:
            connection.execute(statement)


def test_a_whole_log_and_its_head(held: Reeldesk) -> None:
    ran = held("verify", "--log")
    told = "the log is whole: 5 events; 1 file, 0 flagged assets and 0 receipts agree with it"
    assert (ran.status, ran.out.splitlines()[0]) == (0, told)
    head = ran.out.splitlines()[1].removeprefix("head ")
    [record] = held("verify", "--log", "--json", "--kept", head).records
    assert (record["whole"], record["events"], record["head"], record["breaks"]) == (True, 5, head, [])
    assert held("list").status == 0
    assert held("verify", "--log", "--kept", head.replace(":", ":0")[:-1]).status == 1


def test_a_clock_that_was_put_back_is_told(held: Reeldesk, place: Place) -> None:
    assert "earlier time" not in held("verify", "--log").err
    for times, words in (((2,), "1 event bears an earlier"), ((9, 8), "3 events bear an earlier")):
        ledger = Ledger(place.root / "data/ledger.db")
        for seconds in times:
            ledger.history.noted(AssetId.parse(A1), "noted", "", seconds)
        ledger.close()
        assert held("flag", A1, "--want").status == 0
        ran = held("verify", "--log")
        assert (ran.status, words in ran.err) == (0, True), ran.err


def test_a_broken_link_is_named(held: Reeldesk, place: Place) -> None:
    tamper(place, "UPDATE events SET body = replace(body, 'fetched from', 'copied from') WHERE what = 'fetched'")
    ran = held("verify", "--log", "--json")
    assert ran.status == 1
    [found] = cast(list[dict[str, object]], ran.records[0]["breaks"])
    assert (found["kind"], found["number"], found["asset"]) == ("body changed", 5, A1)
    assert ran.records[0]["head"] is None
    assert "event 5, 20" in ran.err
    assert f"{A1}: what event 5 says was changed" in ran.err
    assert held("verify", "--log").out == ""


def test_a_row_that_differs_is_named(held: Reeldesk, place: Place) -> None:
    tamper(place, f"UPDATE assets SET sha256 = '{'0' * 64}' WHERE identity = '{A1}'")
    ran = held("verify", "--log")
    assert (ran.status, ran.out) == (1, "")
    assert "another SHA-256 than event 5" in ran.err
    assert A1 in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("--log", "--all"),
        ("--packet", ".", "--all"),
        ("--log", "--packet", "."),
        ("--log", A1),
        ("--kept", "1:" + "0" * 64, A1),
        ("--log", "--kept", "head"),
        (),
    ],
    ids=" ".join,
)
def test_what_does_not_go_together(held: Reeldesk, words: tuple[str, ...]) -> None:
    assert held("verify", *words).status == 2


def test_the_trail(held: Reeldesk) -> None:
    events = held("trail", A1, "--json").records
    assert [event["what"] for event in events] == ["seen", "queued", "fetched"]
    assert {event["asset"] for event in events} == {A1}
    assert [event["by"] for event in events] == ["service", "operator", "worker"]
    assert all(len(str(event["chain"])) == 64 for event in events)
    ran = held("trail", A1)
    assert ran.out.splitlines()[0].split() == ["NUMBER", "WHEN", "(UTC)", "WHO", "WHAT", "WORDS"]
    assert len(ran.out.splitlines()) == 4
    assert held("trail", "advice/c1/archive.nobody").status == 1


def test_a_packet(held: Reeldesk, place: Place) -> None:
    [record] = held("export", A1, "--to", str(place.root / "out"), "--json").records
    packet = Path(str(record["packet"]))
    assert (record["asset"], record["timestamp"], packet.parent) == (A1, None, place.root / "out")
    assert bagit.Bag(str(packet)).validate()
    checked = subprocess.run(["sha256sum", "-c", "manifest-sha256.txt"], cwd=packet, capture_output=True, check=False)
    assert checked.returncode == 0
    assert [event["what"] for event in held("trail", A1, "--json").records][-1] == "exported"
    assert held("verify", "--log", "--kept", str(record["head"])).status == 0
    whole = held("verify", "--packet", str(packet))
    assert (whole.status, whole.out.count("whole")) == (0, 1)
    (packet / "data/README.txt").write_text("nothing")
    ran = held("verify", "--packet", str(packet), "--json")
    assert (ran.status, ran.records[0]["whole"]) == (1, False)
    assert "README.txt" in ran.err
    assert held("verify", "--packet", str(place.root)).status == 1
    again = held("export", A1, A1, "--to", str(place.root / "other"))
    assert again.status == 0
    assert Path(again.out.strip()).parent == place.root / "other"
    assert "the log's head is" in again.err


def test_what_cannot_be_packed_is_told(held: Reeldesk, place: Place) -> None:
    out = place.root / "out"
    ran = held("export", "advice/c2/archive.a2", "--to", str(out))
    assert (ran.status, ran.out) == (1, "")
    assert "was never held here" in ran.err
    assert held("export", "nobody/c2/archive.a2", "--to", str(out)).status == 2
    assert held("export", A1).status == 2
    (place.root / "file").write_text("")
    for target in ("file", "file/out"):
        ran = held("export", A1, "--to", str(place.root / target))
        assert (ran.status, ran.out) == (1, "")
        assert f"{place.root / 'file'} is no folder; a packet is a folder of its own" in ran.err
    (place.root / "nowhere").symlink_to(place.root / "gone")
    assert "nowhere is no folder" in held("export", A1, "--to", str(place.root / "nowhere")).err
    assert not out.exists()


def test_a_time_stamp_that_cannot_be_had(held: Reeldesk, place: Place) -> None:
    with (place.root / "config.toml").open("a") as file:
        file.write('\n[custody]\ntimestamp_url = "http://127.0.0.1:1/tsr"\n')
    ran = held("export", A1, "--to", str(place.root / "out"))
    assert (ran.status, list((place.root / "out").iterdir())) == (1, [])
    assert "no time stamp" in ran.err
    [record] = held("export", A1, "--to", str(place.root / "out"), "--no-timestamp", "--json").records
    assert json.loads(json.dumps(record))["timestamp"] is None

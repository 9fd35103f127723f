"""sync, list, fetch, verify, release and work over a flexperto tenant, from the service to the file and back."""

import hashlib
import json
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from providers.emulation import Faults
from providers.flexperto.emulator import FlexpertoEmulator
from providers.models import AssetId
from tests.tui.cli.conftest import Place, Reeldesk
from vault.desk import Desk

A1, A2, A3 = (f"advice/c{number}/archive.a{number}" for number in (1, 2, 3))
FIELDS = {
    "asset",
    "account",
    "provider",
    "meeting",
    "kind",
    "title",
    "state",
    "provider_state",
    "local",
    "size",
    "sha256",
    "path",
    "deadline",
    "error",
}


@pytest.fixture
def synced(advice: FlexpertoEmulator, reeldesk: Reeldesk) -> FlexpertoEmulator:
    assert reeldesk("sync").status == 0
    return advice


def downloads(emulator: FlexpertoEmulator) -> int:
    return sum(line.endswith("/download") for line in emulator.faults.seen)


@pytest.mark.usefixtures("advice")
def test_sync_says_what_came(reeldesk: Reeldesk) -> None:
    ran = reeldesk("sync", "advice", "advice")
    assert (ran.status, ran.out, ran.err) == (0, "advice: 3 meetings, 3 assets, 3 new\n", "")
    assert reeldesk("sync").out == "advice: 3 meetings, 3 assets, 0 new\n"


def test_sync_names_each_account_that_fails_and_goes_on(
    advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = {"provider": "flexperto", "base_url": "http://127.0.0.1:1"}
    place.configure(
        {"away": nobody, "advice": {"provider": "flexperto", "base_url": advice.base_url}, "keyless": nobody}
    )
    monkeypatch.setenv("REELDESK_SECRET_AWAY_API_KEY", "k")
    ran = reeldesk("sync")
    assert ran.status == 1
    assert ran.out == "advice: 3 meetings, 3 assets, 3 new\n"
    named = dict(line.split(": ", 1) for line in ran.err.splitlines())
    assert set(named) == {"away", "keyless"}
    assert "reeldesk secret set keyless api_key" in named["keyless"]


@pytest.mark.usefixtures("synced")
def test_list_as_a_table(reeldesk: Reeldesk) -> None:
    ran = reeldesk("list")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[0].split() == ["ASSET", "STATE", "LOCAL", "SIZE", "DEADLINE", "TITLE", "ERROR"]
    assert len(lines) == 4
    assert any(A2 in line and "processing (PACKING)" in line for line in lines)
    assert any(A3 in line and "no tracks were recorded" in line for line in lines)


@pytest.mark.usefixtures("synced")
def test_list_as_json(reeldesk: Reeldesk) -> None:
    records = {str(record["asset"]): record for record in reeldesk("list", "--json").records}
    assert set(records) == {A1, A2, A3}
    for record in records.values():
        assert set(record) >= FIELDS
    assert records[A1]["title"] == "Beratung 会議"
    assert (records[A1]["state"], records[A1]["local"], records[A1]["path"]) == ("available", "absent", None)
    assert (records[A3]["state"], records[A3]["error"]) == ("failed", "no tracks were recorded")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["会議"], {A1}),
        (["still", "PACK"], {A2}),
        (["--state", "failed"], {A3}),
        (["--local", "held"], set()),
        (["--account", "advice", "--state", "available"], {A1}),
        (["state:failed,available", "account:advice"], {A1, A3}),
        (["Beratung 会議"], {A1}),
        (["state:available", "--", "-still"], {A1}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.usefixtures("synced")
def test_list_filters(reeldesk: Reeldesk, words: list[str], found: set[str]) -> None:
    ran = reeldesk("list", "--json", *words)
    assert ran.status == 0
    assert {record["asset"] for record in ran.records} == found


@pytest.mark.usefixtures("synced")
def test_list_refuses_what_it_cannot_understand(reeldesk: Reeldesk) -> None:
    ran = reeldesk("list", "state:nonsense", "before:soon")
    assert (ran.status, ran.out) == (2, "")
    assert "state is not nonsense; it is one of processing" in ran.err
    assert "soon is no day" in ran.err


@pytest.mark.usefixtures("synced")
def test_list_of_nothing_says_so(reeldesk: Reeldesk) -> None:
    ran = reeldesk("list", "--local", "held")
    assert (ran.status, ran.out, ran.err) == (0, "", "nothing fits\n")


def test_fetch_all_brings_what_is_available_once(synced: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    ran = reeldesk("fetch", "--all", "--json")
    assert ran.status == 0
    [record] = ran.records
    assert set(record) >= FIELDS
    assert (record["asset"], record["local"], record["error"]) == (A1, "held", None)
    path = Path(str(record["path"]))
    assert path.is_absolute()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"] == synced.archive("a1").blob.sha256()
    assert "1 failed" in ran.err
    assert "1 processing" in ran.err
    before = downloads(synced)
    again = reeldesk("fetch", "--all", "--json")
    assert (again.status, again.out) == (0, "")
    assert "nothing to fetch" in again.err
    assert downloads(synced) == before == 1


def test_fetch_for_a_person_prints_the_file(synced: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    ran = reeldesk("fetch", A1)
    assert ran.status == 0
    assert ran.out.startswith(A1)
    assert Path(ran.out.rstrip().split("  ")[-1]).is_file()
    again = reeldesk("fetch", A1)
    assert again.status == 0
    assert "held already" in again.err
    assert downloads(synced) == 1


@pytest.mark.usefixtures("synced")
def test_fetch_by_name_of_what_is_not_ready_fails(reeldesk: Reeldesk) -> None:
    ran = reeldesk("fetch", A1, A2, A3, "--json")
    assert ran.status == 1
    assert {record["asset"]: record["local"] for record in ran.records} == {A1: "held", A2: "absent", A3: "absent"}
    assert sorted(ran.err.splitlines()) == [
        f"{A2}: the service is still making it (PACKING)",
        f"{A3}: the service failed to make it: no tracks were recorded",
    ]


@pytest.mark.usefixtures("advice")
def test_fetch_of_what_must_be_listed_first(reeldesk: Reeldesk) -> None:
    ran = reeldesk("fetch", A1, "--json")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"{A1} is not known here; `reeldesk sync advice` asks the service\n"


def test_wrong_checksum_is_named_and_not_held(advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    advice.add_archive("bad", "cb", stated_sha256="0" * 64)
    reeldesk("sync")
    ran = reeldesk("fetch", "--all", "--json")
    assert ran.status == 1
    records = {record["asset"]: record for record in ran.records}
    bad = records["advice/cb/archive.bad"]
    assert (bad["local"], bad["path"], records[A1]["local"]) == ("absent", None, "held")
    assert "not what the service states" in str(bad["error"])
    named = [line for line in ran.err.splitlines() if line.startswith("advice/cb/archive.bad: ")]
    assert len(named) == 1
    assert "not what the service states" in named[0]
    assert len(list((place.root / "vault").rglob("*.zip"))) == 1


@pytest.mark.usefixtures("synced")
def test_unwritable_vault_is_told(place: Place, reeldesk: Reeldesk) -> None:
    (place.root / "vault").write_text("in the way")
    ran = reeldesk("fetch", A1)
    assert ran.status == 1
    assert ran.err.startswith(f"{A1}: ")
    assert str(place.root / "vault") in ran.err


def test_interrupted_fetch_is_queued_and_taken_up_again(
    synced: FlexpertoEmulator, place: Place, reeldesk: Reeldesk
) -> None:
    queue(place)
    [record] = reeldesk("fetch", "--all", "--json").records
    assert (record["asset"], record["local"]) == (A1, "held")


def test_paused_transfer_waits_for_its_name(synced: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    queue(place, paused=True)
    ran = reeldesk("fetch", "--all")
    assert (ran.status, ran.out) == (0, "")
    assert "1 paused" in ran.err
    assert reeldesk("fetch", A1).status == 0
    assert downloads(synced) == 1


def queue(place: Place, *, paused: bool = False) -> None:
    """Queue A1 as a desk does, or an interrupted command leaves it."""
    with closing(Desk.open(place.environ)) as desk:
        assert desk.enqueue([AssetId.parse(A1)])
        if paused:
            desk.pause(AssetId.parse(A1))


@pytest.mark.usefixtures("synced")
def test_verify_says_what_was_checked(reeldesk: Reeldesk) -> None:
    assert reeldesk("verify", "--all").err == "nothing was ever proven here\n"
    reeldesk("fetch", "--all")
    ran = reeldesk("verify", "--all")
    assert ran.status == 0
    assert ran.out.startswith(f"{A1}  held  ")
    [record] = reeldesk("verify", A1, "--json").records
    assert set(record) >= FIELDS | {"checks"}
    outcomes = {check["name"]: check["outcome"] for check in record["checks"]}  # type: ignore[attr-defined]
    assert outcomes["container"] == "passed"


@pytest.mark.usefixtures("synced")
def test_verify_names_what_is_damaged_and_lost(reeldesk: Reeldesk) -> None:
    [held] = reeldesk("fetch", A1, "--json").records
    path = Path(str(held["path"]))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    damaged = reeldesk("verify", "--all", "--json")
    assert damaged.status == 1
    assert damaged.records[0]["local"] == "damaged"
    assert damaged.err.startswith(f"{A1}: damaged: ")
    path.unlink()
    lost = reeldesk("verify", A1)
    assert (lost.status, lost.out) == (1, "")
    assert lost.err.startswith(f"{A1}: lost: ")
    assert reeldesk("fetch", "--all").status == 0
    assert reeldesk("verify", "--all").status == 0


@pytest.mark.usefixtures("synced")
def test_verify_of_what_was_never_here(reeldesk: Reeldesk) -> None:
    ran = reeldesk("verify", A2)
    assert ran.status == 1
    assert ran.err == f"{A2}: no file of it was ever proven here\n"


def test_release_without_yes_only_says_so(synced: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    reeldesk("fetch", A1)
    ran = reeldesk("release", A1, A2, "advice/unknown/archive")
    assert (ran.status, ran.out) == (2, "")
    lines = ran.err.splitlines()
    assert lines[0] == f"{A1}: the service would delete it"
    assert lines[1].startswith(f"{A2}: would be refused: ")
    assert "reeldesk sync advice" in lines[2]
    assert "--yes" in lines[3]
    assert synced.abandon_calls == []


def test_release_only_with_a_proven_copy(synced: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    refused = reeldesk("release", A1, "--yes", "--json")
    assert refused.status == 1
    assert "no proven copy" in refused.err
    assert refused.records[0]["state"] == "available"
    assert synced.abandon_calls == []
    reeldesk("fetch", A1)
    ran = reeldesk("release", A1, "--yes", "--json")
    assert ran.status == 0
    assert ran.records[0]["state"] == "abandoned"
    assert datetime.fromisoformat(str(ran.records[0]["deadline"])).tzinfo is not None
    assert len(synced.abandon_calls) == 1
    again = reeldesk("release", A1, "--yes")
    assert again.status == 1
    assert "released already" in again.err


def test_release_for_a_person(synced: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    reeldesk("fetch", A1)
    out = reeldesk("release", A1, "--yes").out
    assert out.startswith(f"{A1}  released; the service says ABANDONED and deletes it on 20")
    assert synced.archive("a1").status == "ABANDONED"


def test_unreachable_service_is_told(
    advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.configure({"advice": {"provider": "flexperto", "base_url": "http://127.0.0.1:1", "timeout_s": 1}})
    ran = reeldesk("account", "test")
    assert ran.status == 1
    assert ran.err.startswith("advice: connection: ")
    synced = reeldesk("sync")
    assert (synced.status, synced.out) == (1, "")
    assert synced.err.startswith("advice: ")


def test_credential_is_shown_nowhere(synced: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    synced.api_key = "another-one"
    printed = [reeldesk(*words) for words in (["sync"], ["account", "list"], ["doctor"], ["doctor", "--json"])]
    assert printed[0].status == 1
    assert not any("flexperto-key" in ran.out + ran.err for ran in printed)


def test_ingest_takes_a_saved_payload_in(advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    [delivery] = advice.deliveries_for("a1")
    saved = place.root / "saved.json"
    saved.write_bytes(delivery.body)
    ran = reeldesk("ingest", "advice", str(saved), "--header", "X-Anything: yes", "--signature", "none")
    assert ran.status == 0
    assert "communication.archives.archive.available" in ran.out
    assert [record["asset"] for record in reeldesk("list", "--json").records] == [A1]


def test_ingest_of_what_is_no_payload(advice: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    saved = place.root / "saved"
    saved.write_bytes(b"a=b")
    unreadable = reeldesk("ingest", "advice", str(saved))
    assert unreadable.status == 1
    assert unreadable.err.startswith("advice: ")
    saved.write_bytes(b"{" + b" " * (256 * 1024))
    assert reeldesk("ingest", "advice", str(saved)).status == 2
    missing = reeldesk("ingest", "advice", str(place.root / "missing"))
    assert (missing.status, missing.err) == (1, f"reeldesk: {place.root}/missing: No such file or directory\n")


def test_work_drain_does_what_is_queued(synced: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    queue(place)
    ran = reeldesk("work", "--drain")
    assert (ran.status, ran.err) == (0, "")
    assert reeldesk("list", "--local", "held", "--json").records[0]["asset"] == A1


def test_work_drain_names_what_failed(synced: FlexpertoEmulator, place: Place, reeldesk: Reeldesk) -> None:
    synced.archive_faults["a1"] = Faults(corrupt=True)
    queue(place)
    ran = reeldesk("work", "--drain")
    assert ran.status == 1
    assert ran.err.startswith(f"{A1}: ")


def test_json_is_one_object_a_line(synced: FlexpertoEmulator, reeldesk: Reeldesk) -> None:
    for line in reeldesk("list", "--json").out.splitlines():
        assert isinstance(json.loads(line), dict)

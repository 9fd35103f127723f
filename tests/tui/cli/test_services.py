"""What the other services offer: catch-ups, notifications, agents, signing in and out, ids given by hand."""

import io

import pytest

from providers.cronofy.emulator import API_KEY, COMPLETE, CronofyEmulator
from providers.emulation import Loopback, ObjectStore
from providers.huawei.emulator import HuaweiEmulator
from providers.proconf.emulator import ProconfEmulator
from providers.temasys.emulator import TemasysEmulator
from tests.providers.huawei import box as huawei
from tests.tui.cli.conftest import Place, Reeldesk


@pytest.fixture
def standup(place: Place, net: Loopback) -> ProconfEmulator:
    emulator = ProconfEmulator()
    place.configure({"standup": {"provider": "proconf", "base_url": f"{net.serve(emulator)}/api"}})
    emulator.script("town-hall", [(0, "Ada opened [bold]the call[/].\x1b[2J\nBob agreed.")])
    emulator.script("quiet", [(0, "")])
    return emulator


@pytest.fixture
def rooms(place: Place, net: Loopback, monkeypatch: pytest.MonkeyPatch) -> TemasysEmulator:
    emulator = TemasysEmulator()
    url = net.serve(emulator)
    place.configure({"rooms": {"provider": "temasys", "base_url": url, "username": emulator.username}})
    monkeypatch.setenv("REELDESK_SECRET_ROOMS_PASSWORD", emulator.password)
    return emulator


@pytest.fixture
def agents(place: Place, net: Loopback, monkeypatch: pytest.MonkeyPatch) -> CronofyEmulator:
    store = ObjectStore()
    net.serve(store)
    emulator = CronofyEmulator(store)
    place.configure({"agents": {"provider": "cronofy", "base_url": net.serve(emulator)}})
    monkeypatch.setenv("REELDESK_SECRET_AGENTS_API_KEY", API_KEY)
    return emulator


@pytest.fixture
def calls(place: Place, net: Loopback, monkeypatch: pytest.MonkeyPatch) -> HuaweiEmulator:
    gateway = huawei.emulator()
    gateway.add_call(huawei.past_call())
    options = {"provider": "huawei", "base_url": net.serve(gateway), "agent_id": huawei.AGENT, "phone": huawei.PHONE}
    place.configure({"calls": options | {"watch": True}})
    monkeypatch.setenv("REELDESK_SECRET_CALLS_PASSWORD", huawei.PASSWORD)
    return gateway


@pytest.mark.usefixtures("standup")
def test_catchup(reeldesk: Reeldesk) -> None:
    ran = reeldesk("catchup", "town-hall")
    assert (ran.status, ran.err) == (0, "")
    assert "Ada opened [bold]the call[/]" in ran.out
    assert "\nBob agreed." in ran.out
    assert "\x1b" not in ran.out
    [record] = reeldesk("catchup", "town-hall", "--account", "standup", "--json").records
    assert (record["account"], record["meeting"], record["kind"]) == ("standup", "town-hall", "catchup")
    assert str(record["text"]).startswith("Ada opened")
    assert str(record["at"]).endswith("+00:00")


@pytest.mark.usefixtures("standup")
def test_catchup_with_nothing_to_tell(reeldesk: Reeldesk) -> None:
    ran = reeldesk("catchup", "quiet")
    assert (ran.status, ran.out) == (0, "")
    assert "nothing to tell yet" in ran.err


def test_catchup_that_fails_is_named(standup: ProconfEmulator, reeldesk: Reeldesk) -> None:
    standup.failing_rooms["town-hall"] = 500
    ran = reeldesk("catchup", "town-hall", "--json")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("standup/town-hall: ")
    refused = reeldesk("catchup", "..")
    assert refused.status == 1
    assert refused.err.startswith("standup/..: ")


@pytest.mark.usefixtures("rooms")
def test_notifications_that_are_not_set_yet(reeldesk: Reeldesk) -> None:
    ran = reeldesk("notify", "show")
    assert (ran.status, ran.out) == (0, "")
    assert "nothing is set" in ran.err
    assert reeldesk("notify", "show", "--json").records[0]["exists"] is False


def test_notifications_are_set_and_the_rest_is_kept(rooms: TemasysEmulator, reeldesk: Reeldesk) -> None:
    made = reeldesk(
        "notify", "set", "--notify", "--email", "a@b.example;c@d.example", "--email", "e@f.example", "--json"
    )
    assert made.status == 0
    [record] = made.records
    assert (record["account"], record["exists"], record["notify"]) == ("rooms", True, True)
    assert record["emails"] == ["a@b.example", "c@d.example", "e@f.example"]
    changed = reeldesk(
        "notify", "set", "--account", "rooms", "--no-notify", "--url", "https://x.example/hook", "--json"
    )
    [record] = changed.records
    assert (record["notify"], record["url"]) == (False, "https://x.example/hook")
    assert record["emails"] == ["a@b.example", "c@d.example", "e@f.example"]
    emptied = reeldesk("notify", "set", "--url", "", "--json").records[0]
    assert (emptied["url"], emptied["emails"]) == ("", record["emails"])
    shown = reeldesk("notify", "show")
    assert "a@b.example, c@d.example, e@f.example" in shown.out
    assert [line.split()[0] for line in rooms.faults.seen if "notifications" in line].count("POST") == 1


def test_secret_of_notifications_comes_from_stdin_and_is_shown_nowhere(
    rooms: TemasysEmulator, reeldesk: Reeldesk, piped: "Piped"
) -> None:
    piped("wJalrXUtnFEMI\n")
    words = ["--s3-arn", "arn:aws:s3:::bucket/path", "--s3-access-key-id", "AKIA7", "--s3-secret-stdin", "--json"]
    ran = reeldesk("notify", "set", "--no-notify", *words)
    assert (ran.status, ran.err) == (0, "")
    assert rooms.settings["temasys"]["s3SecretAccessKey"] == "wJalrXUtnFEMI"
    shown = reeldesk("notify", "show")
    assert "S3 secret         set" in shown.out
    assert not any("wJalrXUtnFEMI" in text for text in (ran.out, shown.out, shown.err))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name what to set"),
        (["--url", "ftp://x"], "--url must begin with http"),
        (["--email", "nobody"], "--email nobody is no e-mail address"),
        (["--s3-arn", "arn:aws:s3:::b/p"], "--s3-access-key-id"),
    ],
    ids=["nothing", "url", "email", "trio"],
)
def test_what_cannot_be_saved_is_not_sent(
    rooms: TemasysEmulator, reeldesk: Reeldesk, words: list[str], said: str
) -> None:
    ran = reeldesk("notify", "set", *words)
    assert ran.status == 2
    assert said in ran.err
    assert rooms.settings == {}


def test_refused_notifications_are_named(rooms: TemasysEmulator, reeldesk: Reeldesk) -> None:
    rooms.refusal = "quota of settings reached"
    ran = reeldesk("notify", "set", "--notify", "--email", "a@b.example")
    assert ran.status == 1
    assert ran.err.startswith("rooms: ")
    assert "quota of settings reached" in ran.err
    rooms.password = "changed"
    shown = reeldesk("notify", "show")
    assert (shown.status, shown.out) == (1, "")
    assert reeldesk("notify", "set", "--notify").status == 1


def test_signed_payload_is_taken_in_and_fetched(agents: CronofyEmulator, place: Place, reeldesk: Reeldesk) -> None:
    sub = agents.add_agent("Advisory board")
    agents.complete(sub)
    [delivery, *_] = agents.deliveries(sub, COMPLETE)
    saved = place.root / "saved.json"
    saved.write_bytes(delivery.body)
    forged = reeldesk("ingest", "agents", str(saved), "--signature", "bm8=")
    assert forged.status == 1
    assert forged.err.startswith("agents: ")
    signature = delivery.headers["cronofy-hmac-sha256"]
    assert reeldesk("ingest", "agents", str(saved), "--signature", signature).status == 0
    kinds = {record["kind"] for record in reeldesk("list", "--json").records}
    assert {"transcript", "dashboard"} <= kinds
    ran = reeldesk("fetch", "--all", "--json")
    assert ran.status == 0
    assert {record["kind"] for record in ran.records} == kinds - {"dashboard"}
    link = reeldesk("fetch", f"agents/{sub}/dashboard")
    assert link.status == 1
    assert "link for a browser" in link.err
    release = reeldesk("release", f"agents/{sub}/transcript", "--yes")
    assert release.status == 1
    assert "offers no way" in release.err


def test_payload_from_stdin(agents: CronofyEmulator, reeldesk: Reeldesk, piped: "Piped") -> None:
    sub = agents.add_agent()
    agents.complete(sub)
    [delivery, *_] = agents.deliveries(sub, COMPLETE)
    piped(delivery.body)
    ran = reeldesk(
        "ingest", "agents", "-", "--header", f"Cronofy-HMAC-SHA256: {delivery.headers['cronofy-hmac-sha256']}"
    )
    assert (ran.status, ran.err) == (0, "")


def test_agents_are_sent_scheduled_and_cancelled(agents: CronofyEmulator, reeldesk: Reeldesk) -> None:
    sent = reeldesk("agent", "dispatch", "https://meet.example.com/abc", "--attendee", "host@example.com")
    assert sent.status == 0
    assert "on its way" in sent.err
    assert len(agents.agents) == 1
    at = "2030-01-02T09:00:00+01:00"
    later = reeldesk("agent", "schedule", "https://meet.example.com/abc", "--key", "weekly-1", "--at", at)
    assert later.status == 0
    assert "2030-01-02 08:00 UTC" in later.err
    assert list(agents.scheduled) == ["weekly-1"]
    assert reeldesk("agent", "cancel", "weekly-1").status == 0
    assert agents.scheduled == {}
    agents.plan_has_agents = False
    refused = reeldesk("agent", "dispatch", "https://meet.example.com/abc")
    assert refused.status == 1
    assert refused.err.startswith("agents: ")


def test_every_command_signs_out(calls: HuaweiEmulator, reeldesk: Reeldesk) -> None:
    assert reeldesk("sync").status == 0
    assert calls.log[0] == "sign-in"
    assert calls.log[-1] == "sign-out"
    ran = reeldesk("fetch", "--all", "--json")
    assert ran.status == 0
    assert {record["local"] for record in ran.records} == {"held"}
    assert calls.log[-1] == "sign-out"


def test_fetch_of_ids_given_by_hand(calls: HuaweiEmulator, reeldesk: Reeldesk) -> None:
    asset = f"calls/{huawei.CONFERENCE}/video.{huawei.RECORD}-0"
    [record] = reeldesk("fetch", asset, "--json").records
    assert (record["asset"], record["local"], record["size"]) == (asset, "held", 300_000)
    assert calls.log[-1] == "sign-out"


def test_account_list(rooms: TemasysEmulator, reeldesk: Reeldesk) -> None:
    ran = reeldesk("account", "list")
    assert ran.status == 0
    assert "environment REELDESK_SECRET_ROOMS_PASSWORD" in ran.out
    [record] = reeldesk("account", "list", "--json").records
    assert (record["account"], record["provider"], record["address"]) == ("rooms", "temasys", rooms.base_url)
    assert "notifications" in record["capabilities"]  # type: ignore[operator]


def test_secret_that_no_account_has(rooms: TemasysEmulator, reeldesk: Reeldesk) -> None:
    ran = reeldesk("secret", "set", "rooms", "nonsense")
    assert ran.status == 2
    assert "password" in ran.err


@pytest.mark.usefixtures("rooms")
def test_secret_without_a_keyring(reeldesk: Reeldesk, piped: "Piped") -> None:
    piped("s3cr3t\n")
    ran = reeldesk("secret", "set", "rooms", "password")
    assert ran.status == 1
    assert "keyring" in ran.err
    assert "s3cr3t" not in ran.err
    piped("\n")
    assert reeldesk("secret", "set", "rooms", "password").status == 2


class Piped:
    """Gives the next command something on stdin."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, content: str | bytes) -> None:
        raw = io.BytesIO(content.encode() if isinstance(content, str) else content)
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(raw, encoding="utf-8"))


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Piped:
    return Piped(monkeypatch)

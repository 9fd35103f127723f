"""The demo: its webhooks arrive for real, or lie in the spool when nobody takes them."""

import json
import random
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from providers.cronofy.webhook import HEADER, verify
from providers.demo import HOOK_SECRETS, PUBLIC, Demo, free_port
from providers.emulation import Loopback
from providers.secret import Secret
from tests.providers.receiving import Now, Receiver

WITHIN_S = 20.0


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_S
    waiting = threading.Event()
    while not what():
        assert time.monotonic() < end, "it did not happen"
        waiting.wait(0.01)


@pytest.fixture
def clock() -> Now:
    return Now()


@pytest.fixture
def demo(clock: Now, tmp_path: Path) -> Iterator[Demo]:
    with Demo(tmp_path / "demo", clock) as demo:
        yield demo


@pytest.fixture
def receiver(net: Loopback, demo: Demo) -> Receiver:
    receiver = Receiver()
    net.serve(receiver, demo.port)
    return receiver


def spooled(demo: Demo, account: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((demo.folder / "spool" / account).glob("*.json"))]


def reports(demo: Demo) -> list[tuple[int | None, str]]:
    right, misspelt = demo.services.flexperto.registered.values()
    assert (right.topic, misspelt.topic) == (
        "communication.archives.archive.available",
        "communciation.archives.archive.available",
    )
    assert misspelt.reports == []
    return [(one["statusCode"], one["outcome"]) for one in right.reports]


def paths_of(demo: Demo) -> dict[str, str]:
    """Where the receiver gets what the services send to the public host."""
    secret = demo.hook_secrets
    return {
        "advice": f"/hooks/advice/{secret['advice']}",
        "agents": "/hooks/agents",
        "rooms": f"/hooks/rooms/{secret['rooms']}",
    }


def test_the_story_as_it_arrives(clock: Now, demo: Demo, receiver: Receiver) -> None:
    before = {account: spooled(demo, account) for account in ("agents", "rooms")}
    assert {account: len(found) for account, found in before.items()} == {"agents": 23, "rooms": 8}
    paths = paths_of(demo)
    clock.at += 10
    until(lambda: len(receiver.got) == 1)
    assert json.loads(receiver.bodies(paths["rooms"])[0])["roomId"] == "choir-rehearsal"
    clock.at += 4
    until(lambda: len(receiver.got) == 2)
    (agent,) = [one.delivery for one in receiver.got if one.path == paths["agents"]]
    verify(agent.body, agent.headers[HEADER], (Secret(demo.services.cronofy.api_key),))
    assert json.loads(agent.body)["event"]["summary"] == "Roadmap workshop (running)"
    clock.at += 4
    until(lambda: len(receiver.got) == 4 and len(reports(demo)) == 2)
    first, duplicate = receiver.bodies(paths["advice"])
    assert first == duplicate
    assert json.loads(first)["data"]["archive_id"] == "arc-0016"
    clock.at += 7
    until(lambda: len(reports(demo)) == 6)
    assert reports(demo) == [(None, "not delivered")] * 4 + [(204, "delivered")] * 2
    assert demo.services.flexperto.archive("arc-0018").status == "AVAILABLE"
    assert len(receiver.got) == 4
    assert {account: spooled(demo, account) for account in ("agents", "rooms")} == before


def test_what_nobody_takes_lies_in_the_spool(net: Loopback, clock: Now, demo: Demo) -> None:
    clock.at += 18
    until(lambda: len(spooled(demo, "agents")) == 24 and len(spooled(demo, "rooms")) == 9)
    assert b"choir-rehearsal" in spooled(demo, "rooms")[-1]
    assert b"Roadmap workshop (running)" in spooled(demo, "agents")[-1]
    until(lambda: len(reports(demo)) == 8)
    assert not (demo.folder / "spool" / "advice").exists()
    assert list((demo.folder / "spool").rglob("*.new")) == []


def test_a_receiver_that_stalls_holds_nothing_up(net: Loopback, clock: Now, tmp_path: Path) -> None:
    receiver = Receiver()
    with Demo(tmp_path / "demo", clock) as demo:
        net.serve(receiver, demo.port)
        for account in ("agents", "rooms"):
            receiver.delays_s[paths_of(demo)[account]] = [3_600.0]
        clock.at += 10
        until(lambda: len(receiver.got) == 1)
        clock.at += 4
        until(lambda: len(receiver.got) == 2)
        clock.at += 4
        until(lambda: len(reports(demo)) == 2)
        began = time.monotonic()
    assert time.monotonic() - began < 5, "the end does not wait for it, either"


def test_an_address_elsewhere_is_not_called(clock: Now, demo: Demo) -> None:
    temasys = demo.services.temasys
    temasys.settings[temasys.username]["url"] = "https://elsewhere.example/recordings"
    clock.at += 10
    until(lambda: len(spooled(demo, "rooms")) == 9)
    assert b"choir-rehearsal" in spooled(demo, "rooms")[-1]


def test_the_configuration_names_the_receiver(demo: Demo, tmp_path: Path) -> None:
    config = tomllib.loads((demo.folder / "config.toml").read_text())
    assert config["receiver"] == {"on": True, "host": "127.0.0.1", "port": demo.port, "public_url": PUBLIC}
    assert config["accounts"]["rooms"]["auto_fetch"] is False
    variables = {account: f"REELDESK_SECRET_{account.upper()}_HOOK_SECRET" for account in HOOK_SECRETS}
    secrets = {account: demo.environ[name] for account, name in variables.items()}
    assert set(secrets) == {"advice", "rooms", "standup"}
    assert {len(secret) for secret in secrets.values()} == {43}
    assert len(set(secrets.values())) == 3
    assert "REELDESK_SECRET_AGENTS_HOOK_SECRET" not in demo.environ
    assert demo.hooks["advice"] == f"{PUBLIC}/hooks/advice/{secrets['advice']}"
    assert demo.hooks["agents"] == f"{PUBLIC}/hooks/agents"
    assert secrets["rooms"] not in demo.hooks["rooms"]
    flexperto, temasys = demo.services.flexperto, demo.services.temasys
    assert {one.url for one in flexperto.registered.values()} == {demo.hooks["advice"]}
    assert temasys.callback_url == demo.hooks["rooms"]
    assert not any(secret in (demo.folder / "config.toml").read_text() for secret in secrets.values())


def test_secrets_and_port_come_in(tmp_path: Path) -> None:
    port = free_port(random.Random(8))
    with Demo(tmp_path / "demo", hook_secret=lambda: "told", chance=random.Random(8)) as demo:
        assert set(demo.hook_secrets.values()) == {"told"}
        assert demo.port == port in range(20_000, 30_000)
        assert demo.environ["REELDESK_SECRET_ROOMS_HOOK_SECRET"] == "told"


def test_a_port_that_is_taken_is_passed_over(net: Loopback) -> None:
    first = free_port(random.Random(7))
    net.serve(Receiver(), first)
    assert free_port(random.Random(7)) != first

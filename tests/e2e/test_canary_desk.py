"""The desk in a terminal, with canaries for secrets: walked through, typed into, left to a child, and broken.

Afterwards no byte that the terminal got, no picture, file, log or message holds one; nor do the arguments and the
environment of any process that it started.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from providers import registry
from providers.emulation import Faults
from tests.e2e.canary import told
from tests.e2e.canary_deliveries import deliver
from tests.e2e.canary_desk import FAULTS, KEY
from tests.e2e.canary_house import House, house
from tests.e2e.canary_watch import Offspring, Watched, desk_over
from tests.e2e.terminal import MARKS, narrow, opened
from tests.e2e.test_canary import ALL, Campaign, Typed
from tui.last_frame import NAME
from tui.unlock_offer import QUIET_S

pytestmark = MARKS
TITLE = "Mortgage advice"
ACCOUNTS = "Service    Health"
"""Of mode 6 alone."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    """The services and a configuration for them."""
    with house(tmp_path / "house", time.time) as made:
        yield made


def test_no_screen_shows_a_canary(home: House) -> None:
    """Secrets are variables, one is sealed, one is typed; a child takes the rest over."""
    environ = sealed_and_forgotten(home)
    slow = Faults(bytes_per_s=10_000)
    home.services.cronofy.store.faults = slow
    with desk_over(home, environ) as watched:
        offspring = Offspring(watched.desk._child.pid)
        try:
            it_is_unlocked(home, watched)
            recordings_are_looked_at(watched)
            webhooks_come_in(home, watched)
            notifications_are_typed(home, watched)
            secrets_are_typed(home, watched)
            an_account_is_added(home, watched)
            services_turn_hostile(home, watched)
            it_is_handed_over(home, watched, slow)
            until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in offspring.seen), "what was started ends")
        finally:
            offspring.close()
    assert "sprint" in (home.folder / "data" / NAME).read_text().lower(), "the last frame is kept, and looked at"
    found = watched.found() + home.aviary.in_tree(home.folder, besides=[home.given])
    assert b"--handed-over" in b"".join(shown.get("cmdline", b"") for shown in offspring.seen.values())
    for pid, shown in offspring.seen.items():
        for name, content in shown.items():
            found += home.aviary.within(content, f"the {name} of {pid}")
    assert not found, told(found)


def until(holds: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    """Wait for a condition of other processes."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def sealed_and_forgotten(home: House) -> dict[str, str]:
    """An environment with all secrets but two: one lies in a sealed file that is locked, the other nowhere."""
    steps = Campaign(home, home.environ)
    assert steps.run(
        Typed("secret set rooms-header token", home.secrets["rooms-header", "token"] + "\n"),
        "secret move rooms-header token --to sealed",
    ) == [0, 0]
    environ = home.environ | home.from_variables
    for name in ("SECRET_ROOMS_HEADER_TOKEN", "SECRET_ROOMS_COOKIE_COOKIE", "PASSPHRASE_FILE"):
        del environ[f"REELDESK_{name}"]
    del environ["REELDESK_SECRET_CALLS_PASSWORD"]  # its password command is asked
    return environ


def it_is_unlocked(home: House, watched: Watched) -> None:
    phrase = home.aviary.text("passphrase")
    watched.see("Unlock the sealed file", "Passphrase")
    watched.desk.written_in(2 * QUIET_S)  # keys that come sooner were not meant for it
    watched.press(*phrase[::-1])
    watched.see("•" * 10)
    watched.opens("enter", "the passphrase is wrong")
    watched.press("x")
    watched.see("•")
    watched.closes("ctrl+u", "•")
    watched.paste(phrase)
    watched.see("•" * 10)
    watched.closes("enter", "Unlock the sealed file")


def recordings_are_looked_at(watched: Watched) -> None:
    desk = watched.desk
    watched.see(TITLE)
    watched.press("g", "enter")
    watched.opens("w", "As the service gave it: ")
    watched.closes("esc", "As the service gave it: ")
    watched.opens("o", "│ Link", "https://app.cronofy.example")
    watched.closes("esc", "│ Link")
    watched.press("esc")
    watched.opens("y", "asset id")
    watched.closes("esc", "asset id")
    watched.opens("?", "Keys: desk")
    watched.closes("esc", "Keys: desk")
    watched.opens("\x10", "enter does it, esc goes back")
    watched.press(*"acc")
    watched.sees_typing("acc")
    watched.closes("esc", "enter does it, esc goes back")
    watched.asks("r", "advice: ")
    watched.press("j", "j")
    watched.opens("R", "At risk: all accounts")
    watched.closes("esc", "At risk: all accounts")
    desk.resize(80, 24)
    desk.wait_until(lambda: "1 Desk" in desk.lines[0] and "d Download" in desk.lines[23], "drawn at 80 x 24")
    watched.opens("2", "Nothing was ever queued")
    watched.opens("3", "town-hall", "History (")
    desk.resize(120, 36)
    desk.wait_until(lambda: "1 Desk" in desk.lines[0] and "r Refresh" in desk.lines[35], "drawn at 120 x 36")
    watched.press("]")
    desk.wait_until(lambda: "release-sync" in desk.lines[1], "the next room is shown")
    watched.asks("r", "asked just now")
    watched.press("]")
    desk.wait_until(lambda: "support-bridge" in desk.lines[1], "the room after that is shown")
    watched.opens("1", TITLE)
    watched.opens("space", "1 marked")


def webhooks_come_in(home: House, watched: Watched) -> None:
    """Genuine ones, and such as somebody forged; then they are looked at."""
    watched.opens("5", "Deliveries", "Addresses")
    deliver(home, home.port)
    watched.asks("r", "asked just now")
    watched.press("g")
    for key, what in (("", "rooms: not understood"), ("j", "rooms: recording"), ("j", "advice: not understood")):
        watched.press(*key)
        watched.see(f"\n {what}", "Payload, secrets redacted")
        watched.opens("w", f"│ {what}", "j k scroll, esc goes back")
        watched.closes("esc", "j k scroll, esc goes back")
    watched.opens("tab", "▸Addresses")
    watched.press("j", "j", "k", "k")
    watched.opens("T", "Make a new secret for ")
    watched.closes("esc", "Make a new secret for ")
    watched.opens("tab", "▸Missed")
    watched.opens("tab", "▸Deliveries")


def notifications_are_typed(home: House, watched: Watched) -> None:
    """The S3 secret, by hand and pasted; saved."""
    watched.opens("4", "At the service now", "e-mails desk@studio.example")
    watched.press("enter")
    for field in ("Callback URL", "E-mails", "S3 ARN", "S3 key id"):
        watched.sees_typing(field)
        watched.press("tab")
    watched.sees_typing("S3 secret")
    typed = home.aviary.make("S3 secret that was typed", "word")
    watched.press(*typed[:9])
    watched.see("•" * 9)
    watched.paste(typed[9:])
    watched.see("•" * 10)
    watched.opens("ctrl+s", "saved; what the service now says")
    watched.press("esc")
    watched.desk.wait_until(lambda: not watched.desk.typing_line, "the form has lost the focus")


def secrets_are_typed(home: House, watched: Watched) -> None:
    """In mode 6, the account that has none."""
    watched.opens("6", ACCOUNTS)
    watched.press("g")
    for account, key in (("advice ", ""), ("agents ", "j"), ("rooms ", "j"), ("rooms-cookie ", "j")):
        watched.press(*key)
        watched.sees_cursor(account)
        watched.asks("c", f"{account}works", f"{account[:-1]}: ")
    watched.opens("s", "Secrets of rooms-cookie")
    field = "typed or pasted; enter keeps it"
    watched.opens("enter", field)
    watched.sees_typing("Session cookie")
    watched.press(*home.secrets["rooms-cookie", "cookie"], "\x01", "\x03", "\x18")
    watched.see("•" * 10)
    watched.asks("enter", "cookie is kept")
    watched.desk.wait_gone(field)
    watched.press("j", "k")
    watched.closes("esc", "Secrets of rooms-cookie")
    watched.opens("enter", "Edit rooms-cookie")
    watched.press("tab", "tab", "tab", "tab")
    watched.closes("esc", "Edit rooms-cookie")


def an_account_is_added(home: House, watched: Watched) -> None:
    """By its form; its key is typed and pasted, and saved into a store."""
    watched.opens("n", "at which service")
    watched.opens(str(registry.names().index("flexperto") + 1), "API token")
    watched.sees_typing("Name")
    watched.press(*"another", "tab")
    watched.sees_typing("Address")
    watched.press(*"https://127.0.0.1:9", "tab", "tab")
    watched.sees_typing("API token")
    key = home.aviary.make("api_key in the form")
    watched.press(*key[:6])
    watched.see("•" * 6)
    watched.paste(key[6:] + "\nand another line")
    watched.see("•" * 7)
    watched.asks("ctrl+s", "another: ")
    watched.see(ACCOUNTS)
    watched.sees_cursor("another")


def services_turn_hostile(home: House, watched: Watched) -> None:
    """They repeat what they are sent: where they refuse, and in what they answer."""
    turned = {
        "403": ("the credential lacks the right", "could not be read"),
        "records": ("asked just now", "At the service now"),
    }
    for how, (of_the_room, of_the_form) in turned.items():
        home.echo(how)
        if ACCOUNTS not in watched.desk.text:
            watched.opens("6", ACCOUNTS)
        watched.press("g")
        for account, keys in (("advice ", ""), ("agents ", "j"), ("rooms-cookie ", "jj")):
            watched.press(*keys)
            watched.sees_cursor(account)
            watched.asks("c", f"{account}works", f"{account[:-1]}: ")
        watched.opens("1", TITLE)
        watched.asks("r", "advice: ")
        watched.opens("3", "History (")
        watched.asks("r", of_the_room)
        watched.opens("4", "^s Save")
        watched.press("r")
        watched.see(of_the_form)
    home.echo("")


def it_is_handed_over(home: House, watched: Watched, slow: Faults) -> None:
    """A child takes the rest over, and is looked at while it works."""
    watched.opens("1", TITLE)
    watched.press("U")
    narrow(watched.desk, "sprint")
    watched.opens("d", "queued 3 assets")
    watched.opens("2", "running")
    watched.opens("q", "Hand over and leave")
    watched.desk.press("h")
    assert watched.desk.ended() == 0
    slow.bytes_per_s = None


@pytest.mark.parametrize("fault", FAULTS if ALL else ("handler", "bare"))
def test_no_crash_tells_a_canary(home: House, fault: str) -> None:
    held = home.given / "secrets" / "REELDESK_SECRET_ADVICE_API_KEY"
    environ = {**home.environ, **home.from_variables}
    with desk_over(home, environ, fault, str(held)) as watched:
        watched.see("70006" if fault == "engine" else TITLE)
        watched.desk.press(KEY)
        if fault == "bare":
            watched.press("q")
        status = watched.desk.ended()
    assert status == 1
    assert b"Unforeseen" in watched.desk.raw, "the fault is told"
    found = watched.found() + home.aviary.in_tree(home.folder, besides=[home.given])
    assert not found, told(found)


def test_the_demo_knows_no_canary(home: House) -> None:
    """It is opened by somebody who has secrets."""
    with opened({**home.environ, **home.from_variables}, "demo", columns=110, rows=32) as desk:
        watched, offspring = Watched(desk, home), Offspring(desk._child.pid)
        watched.see(TITLE)
        for mode, words in (
            ("6", "c Test"),
            ("5", "▸Deliveries"),
            ("4", "At the service now"),
            ("3", "History ("),
            ("2", "Nothing was ever queued"),
            ("1", TITLE),
        ):
            watched.opens(mode, words)
        found = home.aviary.in_tree(home.folder, besides=[home.given])
        assert list((home.folder / "tmpdir").rglob("ledger.db")), "it has a ledger of its own"
        watched.press("q")
        assert desk.ended() == 0
        offspring.close()
    found += watched.found() + home.aviary.in_tree(home.folder, besides=[home.given])
    found += home.aviary.within(b"".join(b"".join(shown.values()) for shown in offspring.seen.values()), "a child")
    assert not found, told(found)

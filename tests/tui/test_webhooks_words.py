"""The words of mode 5 by themselves: what fits into its bars, what its panes say of rare cases."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from providers.models import DeliveryReport, Subscription
from tests.tui.stage import NOW
from tui.hook_panes import delivery_rows, missed_rows, note_rows, subscription_rows
from tui.hook_rows import ASKING, AddressRow, MissedRow, address_lines, missed_lines, short_topic
from tui.hook_words import receiver_line, views_line, why_not_hook
from tui.label import ASCII, UNICODE
from tui.widgets.ink import text_of
from tui.widgets.lines import Row
from vault.inbox.views import AddressView, Missed, ReceiverState, ReceiverView, Reports, SubscriptionView
from vault.views import DeliveryState, DeliveryView, Unannounced

ADDRESS = AddressView("advice", "flexperto", "secret address", "http://h/hooks/advice/s3cr…", None, "", subscribes=True)
DELIVERY = DeliveryView(
    *(7, "advice", "archive.available", "secret address", DeliveryState.WAITING, "the service is down", NOW),
    *(0, "203.0.113.7", 3, NOW + timedelta(seconds=40), True),
)
BUSY = ReceiverView(
    ReceiverState.ON,
    address="http://127.0.0.1:8787",
    accepted=12_345,
    repeated=678,
    refused={"404 no such address": 90, "429 too many": 1_234},
    catchups=56,
    waiting=7,
)


def key(command: str) -> str:
    return {"hook.again": "t", "hook.refresh": "r", "hook.register": "n", "show.raw": "w"}.get(command, command)


def said(rows: list[Row]) -> str:
    return " ".join(" ".join(text_of(row.line) for row in rows).split())


def test_the_receiver_s_line_says_as_much_as_fits() -> None:
    whole = text_of(receiver_line(BUSY, "", 160, UNICODE))
    assert "1324 turned away (90 404 no such address, 1234 429 too many), 56 catch-ups, 7 waiting" in whole
    middle = text_of(receiver_line(BUSY, "", 110, UNICODE))
    assert middle.endswith("1324 turned away, 56 catch-ups, 7 waiting")
    assert cell_len(middle) <= 110
    narrow = text_of(receiver_line(BUSY, "", 90, UNICODE))
    assert narrow.endswith("1324 turned away, 7 waiting")
    assert cell_len(narrow) <= 90


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (ReceiverView(), " o off: l receives webhooks"),
        (ReceiverView(waiting=3), " o off: l receives webhooks, 3 waiting"),
        (ReceiverView(ReceiverState.STARTING), " ~ starting  0 received, 0 repeated, 0 turned away, 0 waiting"),
        (ReceiverView(ReceiverState.FAILED, "there is no file /c (tls_cert)"), " x cannot listen: there is no file /c"),
        (ReceiverView(ReceiverState.FAILED, "cannot listen on a:1: no"), " x cannot listen on a:1: no"),
        (ReceiverView(ReceiverState.ELSEWHERE, "process 7"), " * another process receives: process 7"),
        (
            ReceiverView(ReceiverState.ON, "the disk is full", "http://h"),
            " * on http://h  the disk is full  0 received",
        ),
    ],
)
def test_every_state_of_the_receiver_has_words(view: ReceiverView, line: str) -> None:
    assert text_of(receiver_line(view, "", 200, ASCII)).startswith(line)


def test_what_keeps_deliveries_from_being_processed_is_told() -> None:
    assert "the ledger is locked" in text_of(receiver_line(BUSY, "the ledger is locked", 200, UNICODE))


def test_the_shown_list_is_marked_without_colour() -> None:
    line = text_of(views_line("missed", {"deliveries": "500+", "addresses": "", "missed": "2?"}, "advice", ASCII))
    assert line.split() == ["Deliveries", "500+", "Addresses", ">Missed", "2?", "only", "advice"]


@pytest.mark.parametrize(
    ("topic", "short"),
    [
        ("communication.archives.archive.available", "archive.available"),
        ("close", "close"),
        ("", ""),
        ("a\x1b[2Jb.c", "a␛[2Jb.c"),
    ],
)
def test_a_topic_is_told_by_its_end(topic: str, short: str) -> None:
    assert short_topic(topic) == short


def test_a_delivery_that_waits_says_for_what() -> None:
    text = said(delivery_rows(DELIVERY, None, 80, UNICODE, NOW, key))
    for words in (
        "state ◐ waiting: the service is down",
        "next try 14:05:40 UTC, by itself",
        "tried after 3 tries",
        "as it came, sealed; t processes it now",
        "reading it",
    ):
        assert words in text
    due = said(delivery_rows(DELIVERY, "", 80, UNICODE, NOW + timedelta(minutes=1), key))
    assert "next try in a moment" in due
    assert "nothing of it is kept" in due
    saved = replace(DELIVERY, source="", again_at=None, tries=1)
    assert "from a file that was saved" in said(delivery_rows(saved, "{}", 80, UNICODE, NOW, key))


def test_addresses_say_what_is_not_known_of_their_webhooks() -> None:
    catchup = replace(ADDRESS, account="standup", is_catchup=True, subscribes=False)
    asked = address_lines([ADDRESS, catchup], {})
    assert [row.note for row in asked] == ["", ASKING, ""]
    assert not asked[1].is_fault
    (_, fault, _) = address_lines([ADDRESS, catchup], {"advice": "no answer"})
    assert (fault.note, fault.is_fault) == ("no answer", True)
    assert said(note_rows(fault, 80, key)).endswith("is not known: no answer r asks again.")
    (_, none, _) = address_lines([ADDRESS, catchup], {"advice": ()})
    assert said(note_rows(none, 80, key)) == "advice: none is registered n registers one."


def test_webhooks_without_an_id_are_told_apart() -> None:
    one = SubscriptionView("advice", Subscription("", "t", "http://h", "its id is not told"), None, "not told")
    rows = address_lines([ADDRESS], {"advice": (one, one)})
    assert len({row.key for row in rows}) == 3
    reason = why_not_hook("hook.delete", rows[1], (ADDRESS,), "")
    assert reason == "the service does not say its id: it cannot be deleted from here"


def test_reports_are_words_too() -> None:
    registered = Subscription("s1", "a.b", "http://h/…")
    row = AddressRow(ADDRESS, SubscriptionView("advice", registered, False, "another address"))
    reports = Reports(
        registered,
        tuple(DeliveryReport("11:00", f"HTTP {n}", "", d) for n, d in ((204, True), (500, False), (0, None))),
        NOW,
    )
    text = said(subscription_rows(row, reports, 80, ASCII, NOW, key))
    assert "* delivered 11:00 HTTP 204 x failed 11:00 HTTP 500 ? not told 11:00 HTTP 0" in text
    assert "o another address" in text
    assert "asking the service" in said(subscription_rows(row, None, 80, ASCII, NOW, key))
    assert "no answer" in said(subscription_rows(row, "no answer", 80, ASCII, NOW, key))
    none = Reports(registered, (), NOW)
    assert "the service reports no attempt" in said(subscription_rows(row, none, 80, ASCII, NOW, key))


def test_what_was_missed_is_listed_account_by_account() -> None:
    asset = Unannounced("advice/a%2F1/archive.ARCHIVE", "", NOW)
    rows = missed_lines({"advice": Missed("advice", (asset,), "never registered"), "agents": "no answer"})
    assert [(row.account, row.asset, row.reason) for row in rows] == [
        ("advice", asset, "never registered"),
        ("agents", None, "no answer"),
    ]
    assert "likely reason never registered" in said(missed_rows(rows[0], 80, NOW, key))
    assert said(missed_rows(rows[1], 80, NOW, key)) == "What agents missed is not known: no answer r looks again."
    assert (
        why_not_hook("hook.copy", MissedRow("agents", None, "no answer"), (ADDRESS,), "") == "there is nothing to copy"
    )

"""Deliveries in the ledger: kept once, taken by one, processed once, whoever comes and goes."""

import os
from datetime import UTC, datetime

import pytest

from providers.models import Asset, AssetId, AssetKind, Delivery, Listing, Meeting, RemoteState
from providers.secret import Secret
from tests.vault.ledger.filling import NOW
from vault.errors import LedgerError
from vault.ledger import Ledger
from vault.ledger.deliveries import LEASE_S, Kept, Receipt, Settled, Taken
from vault.views import DeliveryState

NOBODY = frozenset[str]()
BODY = b'{"a": 1}'


def receipt(
    key: str = "k", body: bytes = BODY, account: str = "agents", source: str = "192.0.2.1", *, readable: bool = True
) -> Receipt:
    delivery = Delivery({"content-type": "application/json"}, body)
    return Receipt(
        *(account, key, "topic", "signed", "redacted", f"digest of {body!r}", delivery, source, NOW), readable=readable
    )


def keep(ledger: Ledger, *receipts: Receipt, owner: str = "") -> tuple[Kept, ...]:
    return ledger.deliveries.keep(receipts or [receipt()], owner)


def take(ledger: Ledger, owner: str = "me", now: float = NOW, dead: frozenset[str] = NOBODY) -> tuple[Taken, ...]:
    return ledger.deliveries.take(owner, dead, now, 100)


def video(link: str = "", state: RemoteState = RemoteState.AVAILABLE, runs_out: float | None = None) -> Asset:
    deadline = None if runs_out is None else datetime.fromtimestamp(runs_out, UTC)
    sealed = Secret(link) if link else None
    return Asset("m", AssetKind.VIDEO, "1", state=state, extension="mp4", sealed_link=sealed, deadline=deadline)


def settle(ledger: Ledger, taken: Taken, *assets: Asset, queue: bool = False, truth: bool = False) -> None:
    listings = ((Listing((Meeting("m", "m"),), assets), truth),) if assets else ()
    one = Settled(taken, "temasys", listings, queue, lambda recorded: f"{recorded.new} new")
    ledger.deliveries.settle([one], NOW)


def the_one(ledger: Ledger) -> tuple[DeliveryState, str, int]:
    [view] = ledger.deliveries.page("", 10)
    return view.state, view.outcome, view.duplicates


def test_it_is_kept_as_it_came_and_nobody_can_read_it_on_the_disk(ledger: Ledger) -> None:
    [kept] = keep(ledger)
    assert (kept.is_new, kept.fence) == (True, 1)
    [taken] = take(ledger)
    assert taken.delivery == Delivery({"content-type": "application/json"}, BODY)
    with ledger._database.read() as connection:
        row = connection.execute("SELECT * FROM deliveries").fetchone()
    assert BODY not in bytes(row["sealed"])
    assert row["body"] == "redacted"


def test_a_repetition_is_counted_and_not_processed_again(ledger: Ledger) -> None:
    keep(ledger)
    assert keep(ledger) == (Kept(1, is_new=False, fence=0),)
    [taken] = take(ledger)
    settle(ledger, taken, video())
    keep(ledger)
    assert take(ledger) == ()
    assert the_one(ledger) == (DeliveryState.DONE, "1 new", 2)


def test_a_repetition_with_other_bytes_is_processed_again(ledger: Ledger) -> None:
    keep(ledger)
    [old] = take(ledger)
    keep(ledger, receipt(body=b'{"a": 2}'))
    settle(ledger, old, video())  # it was overtaken: its outcome counts no more
    assert the_one(ledger) == (DeliveryState.WAITING, "", 1)
    [new] = take(ledger)
    assert new.delivery is not None
    assert new.delivery.body == b'{"a": 2}'
    settle(ledger, new, video())
    assert the_one(ledger) == (DeliveryState.DONE, "1 new", 1)


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.UNREADABLE])
def test_a_repetition_of_one_that_failed_is_processed(ledger: Ledger, state: DeliveryState) -> None:
    """Its key was lost, or the service refused: whoever sends it again is answered 2xx, so it counts."""
    keep(ledger)
    [old] = take(ledger)
    ledger.deliveries.end(old, state, "the key that it was sealed with is gone")
    keep(ledger)
    [new] = take(ledger)
    assert new.delivery is not None
    settle(ledger, new, video())
    assert the_one(ledger) == (DeliveryState.DONE, "1 new", 1)


def test_what_cannot_be_read_is_no_more_readable_the_second_time(ledger: Ledger) -> None:
    keep(ledger, receipt(readable=False))
    keep(ledger, receipt(readable=False))
    assert take(ledger) == ()
    assert the_one(ledger) == (DeliveryState.UNREADABLE, "", 1)


@pytest.mark.parametrize("by_another", [True, False])
def test_nothing_is_kept_in_a_file_that_is_not_the_ledger_any_more(ledger: Ledger, by_another: bool) -> None:
    """SQLite would go on writing into it, and every webhook that is acknowledged from then on would be lost."""
    keep(ledger)
    path = ledger._database.path
    os.rename(path, path.with_name("old.db"))
    if by_another:
        path.touch()
    with pytest.raises(LedgerError, match="was replaced or removed while it was open: start reeldesk again"):
        keep(ledger, receipt("another"))
    with pytest.raises(LedgerError, match="was replaced"):
        ledger.deliveries.waiting()


def test_where_it_came_from_is_harmless(ledger: Ledger) -> None:
    """A proxy that is trusted may hand on whatever its client says of itself."""
    keep(ledger, receipt(source="\x9b31m" + "x" * 9000))
    [view] = ledger.deliveries.page("", 1)
    assert "\x9b" not in view.source
    assert len(view.source) <= 100


def test_of_the_same_batch_all_or_none(ledger: Ledger) -> None:
    kept = keep(ledger, *(receipt(f"k{n % 3}") for n in range(6)))
    assert [each.is_new for each in kept] == [True] * 3 + [False] * 3
    assert ledger.deliveries.waiting() == 3
    assert [view.duplicates for view in ledger.deliveries.page("", 9)] == [1, 1, 1]


def test_what_one_has_no_other_takes(ledger: Ledger) -> None:
    keep(ledger)
    assert len(take(ledger, "one")) == 1
    assert take(ledger, "other") == ()
    assert ledger.deliveries.owners() == {"one"}
    [again] = take(ledger, "other", dead=frozenset({"one"}))
    assert (again.fence, again.tries) == (3, 2)
    [later] = take(ledger, "third", now=NOW + LEASE_S + 1)
    assert later.tries == 3


def test_what_is_renewed_is_in_hand_for_longer(ledger: Ledger) -> None:
    keep(ledger, receipt("a"), receipt("b"))
    both = take(ledger)
    ledger.deliveries.renew(both[:1], NOW + LEASE_S)
    assert [one.id for one in take(ledger, "you", NOW + LEASE_S)] == [2]
    ledger.deliveries.renew(both, NOW + LEASE_S)  # the second was overtaken: it is not this taker's to renew
    assert [one.id for one in take(ledger, "they", NOW + 2 * LEASE_S + 1)] == [1, 2]


def test_who_was_overtaken_cannot_settle(ledger: Ledger) -> None:
    keep(ledger)
    [old] = take(ledger, "one")
    [new] = take(ledger, "other", dead=frozenset({"one"}))
    settle(ledger, old, video())
    ledger.deliveries.end(old, DeliveryState.FAILED, "no")
    ledger.deliveries.postpone(old, "no", NOW + 5)
    assert the_one(ledger)[0] is DeliveryState.WORKING
    with ledger._database.read() as connection:
        assert connection.execute("SELECT count(*) FROM assets").fetchone()[0] == 0
    settle(ledger, new, video())
    assert the_one(ledger) == (DeliveryState.DONE, "1 new", 0)


def test_it_waits_for_its_moment(ledger: Ledger) -> None:
    keep(ledger)
    [taken] = take(ledger)
    ledger.deliveries.postpone(taken, "the service is down", NOW + 60)
    [view] = ledger.deliveries.page("", 1)
    assert view.again_at == datetime.fromtimestamp(NOW + 60, UTC)
    assert take(ledger, now=NOW + 59) == ()
    assert len(take(ledger, now=NOW + 60)) == 1


def test_a_moment_that_a_wrong_clock_wrote_is_not_waited_for(ledger: Ledger) -> None:
    keep(ledger)
    [taken] = take(ledger)
    ledger.deliveries.postpone(taken, "later", NOW + 10 * 86_400)
    assert len(take(ledger)) == 1


def test_what_cannot_be_read_is_kept_and_can_be_replayed(ledger: Ledger) -> None:
    [kept] = keep(ledger, receipt(readable=False))
    assert the_one(ledger)[0] is DeliveryState.UNREADABLE
    assert take(ledger) == ()
    assert ledger.deliveries.replay(kept.id)
    assert len(take(ledger)) == 1
    assert not ledger.deliveries.replay(99)


def test_who_keeps_it_may_process_it_at_once(ledger: Ledger) -> None:
    [kept] = keep(ledger, owner="me")
    assert take(ledger, "other") == ()
    assert not ledger.deliveries.knows("agents", "k", "another")
    assert ledger.deliveries.knows("agents", "k", receipt().digest)
    settle(ledger, Taken(kept.id, "agents", kept.fence, 1, None), video())
    assert the_one(ledger)[0] is DeliveryState.DONE
    assert keep(ledger, owner="me") == (Kept(kept.id, is_new=False, fence=0),)


def test_one_that_waits_is_taken_over_by_who_brings_it_again(ledger: Ledger) -> None:
    keep(ledger)
    assert not ledger.deliveries.knows("agents", "k", receipt().digest)
    [again] = keep(ledger, owner="me")
    assert again.fence == 2
    assert take(ledger, "other") == ()


def test_what_becomes_available_is_queued_in_the_same_transaction(ledger: Ledger) -> None:
    keep(ledger)
    [taken] = take(ledger)
    settle(ledger, taken, video("https://host/a?sig=1"), queue=True)
    assert [str(view.asset) for view in ledger.reader.transfers(9)] == ["agents/m/video.1"]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(100.0, 200.0, "second"), (200.0, 100.0, "first"), (100.0, 100.0, "second"), (None, 50.0, "second")],
)
def test_the_link_that_lives_longest_is_kept(ledger: Ledger, first: float | None, second: float, kept: str) -> None:
    keep(ledger, receipt("k1"), receipt("k2"))
    one, two = take(ledger)
    settle(ledger, one, video("https://host/first", runs_out=first and NOW + first))
    settle(ledger, two, video("https://host/second", runs_out=NOW + second))
    source = ledger.reader.source(AssetId.parse("agents/m/video.1"))
    assert source is not None
    assert source.sealed_link is not None
    assert source.sealed_link.reveal() == f"https://host/{kept}"


def test_a_newer_link_queues_what_failed(ledger: Ledger) -> None:
    keep(ledger, receipt("k1"), receipt("k2"))
    one, two = take(ledger)
    settle(ledger, one, video("https://host/first", runs_out=NOW + 10), queue=True)
    with ledger._database.write() as connection:
        connection.execute("UPDATE transfers SET state = 'failed'")
    settle(ledger, two, video("https://host/second", runs_out=NOW + 20), queue=True)
    assert [view.state for view in ledger.reader.transfers(9)] == ["queued"]


def test_the_newest_come_first_and_can_be_asked_for_by_account(ledger: Ledger) -> None:
    keep(ledger, receipt("a"), receipt("b", account="rooms"), receipt("c"))
    assert [view.id for view in ledger.deliveries.page("", 9)] == [3, 2, 1]
    assert [view.id for view in ledger.deliveries.page("agents", 1)] == [3]
    assert ledger.deliveries.body(1) == "redacted"
    assert ledger.deliveries.body(99) == ""


@pytest.mark.parametrize("account", ["", "agents"])
def test_a_page_is_read_from_an_index(ledger: Ledger, account: str) -> None:
    asked: list[str] = []
    with ledger._database.read() as connection:
        connection.set_trace_callback(asked.append)
        ledger.deliveries.page(account, 9)
        connection.set_trace_callback(None)
        [plan] = [connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall() for sql in asked]
    assert not any("TEMP B-TREE" in row["detail"] for row in plan)
    assert any("USING" in row["detail"] for row in plan) is bool(account)

"""What is counted and what is told: nobody who brings nothing fills the disk that the log is on."""

from vault.inbox.tally import TOLD_AT_ONCE, Entry, Tally

FLOOD = 30_000


def test_a_flood_is_counted_and_a_few_of_it_are_told() -> None:
    told: list[str] = []
    now = 0.0
    tally = Tally(lambda entry: told.append(entry.words), lambda: now)
    for status in [404] * FLOOD + [200] * FLOOD:  # unknown addresses, and /healthz
        tally.note(Entry("192.0.2.1").ended(status, "no such address" if status == 404 else "", 0.0))
    assert tally.refused == {"404 no such address": FLOOD}
    assert len(told) == TOLD_AT_ONCE
    now = 1.0
    tally.note(Entry("192.0.2.1").ended(404, "no such address", 0.0))
    assert told[-1] == f"no such address (not told before it: {2 * FLOOD - 100})"
    now = 2.0
    tally.note(Entry("192.0.2.1").ended(200, "", 0.0))
    assert told[-1] == ""
    assert len(told) == TOLD_AT_ONCE + 2


def test_what_was_taken_is_always_told() -> None:
    told: list[Entry] = []
    tally = Tally(told.append, lambda: 0.0)
    for _ in range(1_000):
        tally.note(Entry("192.0.2.1").ended(429, "too many requests", 0.0))
        tally.note(Entry("192.0.2.1", "rooms", "recording").ended(204, "", 0.0))
    assert tally.accepted == sum(entry.status == 204 for entry in told) == 1000
    assert not any(entry.words for entry in told if entry.status == 204), "its words are its own"

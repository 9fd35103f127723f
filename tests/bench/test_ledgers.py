"""The ledgers that are measured are like real ones: summaries, counters and search say what they would there."""

from pathlib import Path

from tests.bench import ledgers
from vault.ledger import Ledger, summaries
from vault.views import Query


def test_a_ledger_for_measuring(tmp_path: Path) -> None:
    made = ledgers.ledger_of(300, tmp_path)
    assert ledgers.ledger_of(300, tmp_path) == made
    ledger = Ledger(ledgers.copy_of(300, tmp_path / "data" / "ledger.db", tmp_path))
    totals = ledger.reader.totals()
    assert totals.meetings == ledger.reader.count(Query()) > 290
    assert totals.assets > totals.meetings
    assert all(ledger.reader.account(account[0]).meetings for account in ledgers.ACCOUNTS)
    assert ledger.index.coverage().searched == totals.meetings
    assert 0 < len(ledger.reader.page(Query(text="münchen"), 0, 99)) < 99
    assert ledger.index.coverage().transcripts > 0
    assert not ledger.index.fill()
    assert ledger.index.unread() is None, "nothing is left to do behind a desk that is measured"
    with ledger._database.write() as connection:
        before = [tuple(row) for row in connection.execute("SELECT * FROM meetings")]
        summaries.refresh(connection, range(1, 301))
        assert [tuple(row) for row in connection.execute("SELECT * FROM meetings")] == before
        assert connection.execute("SELECT count(*) FROM unindexed").fetchone()[0] == 0
        names = "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name"
        indexed = connection.execute(names).fetchall()
        ledgers_own = Ledger(tmp_path / "empty.db")
        with ledgers_own._database.read() as empty:
            assert [tuple(row) for row in indexed] == [tuple(row) for row in empty.execute(names)]
        ledgers_own.close()
    ledger.close()

"""Migration 10: what transfers and deliveries are sorted by, each order with an index of its own.

A transfer repeats its meeting's title and its asset's kind; triggers keep them in step, whoever writes, also while a
ledger is brought up. Indexes of deliveries hold the account, too, so that those of one account are walked without a
look at each.
"""

from vault.ledger.migrating import Fill

_NAMED = """UPDATE transfers SET (title, kind) = (SELECT m.title, a.kind
    FROM assets a JOIN meetings m ON m.id = a.meeting_id WHERE a.id = transfers.asset_id)"""

STEPS = (
    f"""ALTER TABLE transfers ADD COLUMN title TEXT NOT NULL DEFAULT '' COLLATE NOCASE;
    ALTER TABLE transfers ADD COLUMN kind TEXT NOT NULL DEFAULT '';
    ALTER TABLE transfers ADD COLUMN changed_at REAL GENERATED ALWAYS AS (coalesce(ended_at, queued_at)) VIRTUAL;

    CREATE TRIGGER transfers_named AFTER INSERT ON transfers BEGIN
        {_NAMED} WHERE asset_id = new.asset_id;
    END;
    CREATE TRIGGER transfers_renamed AFTER UPDATE OF title ON meetings WHEN old.title IS NOT new.title BEGIN
        UPDATE transfers SET title = new.title WHERE asset_id IN (SELECT id FROM assets WHERE meeting_id = new.id);
    END;""",
    Fill("transfers", f"{_NAMED} WHERE asset_id > ? AND asset_id <= ?"),
    "CREATE INDEX transfers_by_title ON transfers (title, asset_id);",
    "CREATE INDEX transfers_by_kind ON transfers (kind, asset_id);",
    "CREATE INDEX transfers_by_size ON transfers (total, asset_id);",
    "CREATE INDEX transfers_by_tries ON transfers (attempts, asset_id);",
    "CREATE INDEX transfers_by_change ON transfers (changed_at, asset_id);",
    "CREATE INDEX deliveries_by_topic ON deliveries (topic, id, account);",
    "CREATE INDEX deliveries_by_verified ON deliveries (verified, id, account);",
    "CREATE INDEX deliveries_by_state ON deliveries (state, id, account);",
)

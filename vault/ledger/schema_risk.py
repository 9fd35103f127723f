"""Migration 7: what risk is reckoned by: deadlines by a rule of the user's, what transfers bring, what is pending."""

SCRIPT = """
    -- Days: of the user's rule that gave `deadline`; 0: `deadline` is the service's own. With a rule the service's own
    -- is kept beside it.
    ALTER TABLE assets ADD COLUMN rule_days REAL NOT NULL DEFAULT 0;
    ALTER TABLE assets ADD COLUMN stated_deadline REAL;
    -- The rule that was last applied to the account's assets, in days.
    ALTER TABLE accounts ADD COLUMN keep_days REAL NOT NULL DEFAULT 0;
    -- Bytes that the last attempt brought, since `taken_at`; NULL where nobody noted it.
    ALTER TABLE transfers ADD COLUMN arrived INTEGER;

    -- 50331648: flagged to be skipped or forgotten (vault.ledger.facets.LEFT).
    -- The last columns are for SQLite, which asks the condition again: so it need not look at the assets.
    CREATE INDEX assets_pending ON assets (account, deadline, id, size, kept, state, kind, flags)
        WHERE kept != 'held' AND state IN ('available', 'abandoned') AND kind != 'dashboard' AND flags & 50331648 = 0;
    CREATE INDEX transfers_done ON transfers (account, ended_at) WHERE state = 'done';
"""

"""Migration 4: what lists are filtered, counted and searched by, for ledgers of a million meetings.

`facets` repeats, as bits, what a meeting's assets and transfers say (`vault.ledger.facets`); each index of an order
ends with it, so that a filter is decided without a look at the meeting. Counters are kept by triggers.
"""

TABLES = """
    ALTER TABLE meetings ADD COLUMN facets INTEGER NOT NULL DEFAULT 0;

    -- What is searched, folded: beside the meetings, since a scan of those would read their records, too.
    CREATE TABLE texts (id INTEGER PRIMARY KEY, words TEXT NOT NULL);
    -- The text of held transcripts, by asset.
    CREATE TABLE said (
        id INTEGER PRIMARY KEY,
        meeting_id INTEGER NOT NULL,
        text TEXT NOT NULL,
        sha256 TEXT NOT NULL
    );
    CREATE INDEX said_meeting ON said (meeting_id, id);
    -- The index of both. What is in `unindexed` is not in it yet: it is filled behind whatever writes.
    CREATE VIRTUAL TABLE found USING fts5 (words, said, content='', columnsize=0, tokenize='trigram case_sensitive 1');
    INSERT INTO found (found, rank) VALUES ('automerge', 4);
    CREATE TABLE unindexed (id INTEGER PRIMARY KEY);

    CREATE TABLE counters (
        account TEXT NOT NULL,
        provider TEXT NOT NULL,
        facets INTEGER NOT NULL,
        meetings INTEGER NOT NULL,
        PRIMARY KEY (account, provider, facets)
    ) WITHOUT ROWID;
    CREATE TABLE holdings (
        account TEXT PRIMARY KEY,
        assets INTEGER NOT NULL,
        held INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE views (
        name TEXT PRIMARY KEY,
        text TEXT NOT NULL,
        sort TEXT NOT NULL,
        descending INTEGER NOT NULL
    ) WITHOUT ROWID;
"""

INDEXES = (
    "CREATE INDEX IF NOT EXISTS meetings_by_start ON meetings (started_at, id, account, facets)",
    "CREATE INDEX IF NOT EXISTS meetings_by_title ON meetings (title COLLATE NOCASE, id, account, facets)",
    "CREATE INDEX IF NOT EXISTS meetings_by_state ON meetings (summary_state, id, account, facets)",
    "CREATE INDEX IF NOT EXISTS meetings_by_size ON meetings (summary_size, id, account, facets)",
    "CREATE INDEX IF NOT EXISTS meetings_by_deadline ON meetings (summary_deadline, id, account, facets)",
    "CREATE INDEX IF NOT EXISTS meetings_by_account ON meetings (account, id, facets)",
    "CREATE INDEX IF NOT EXISTS meetings_of_by_start ON meetings (account, started_at, id, facets)",
    "CREATE INDEX IF NOT EXISTS assets_transcripts ON assets (kept) WHERE kind = 'transcript'",
)

TRIGGERS = """
    INSERT OR REPLACE INTO counters
        SELECT account, provider, facets, count(*) FROM meetings GROUP BY account, provider, facets;
    INSERT OR REPLACE INTO holdings
        SELECT account, count(*), sum(kept = 'held'), coalesce(sum(held_size) FILTER (WHERE kept = 'held'), 0)
        FROM assets GROUP BY account;

    CREATE TRIGGER meetings_counted AFTER INSERT ON meetings BEGIN
        INSERT INTO counters VALUES (new.account, new.provider, new.facets, 1)
            ON CONFLICT (account, provider, facets) DO UPDATE SET meetings = meetings + 1;
    END;
    CREATE TRIGGER meetings_recounted AFTER UPDATE OF facets ON meetings WHEN old.facets != new.facets BEGIN
        UPDATE counters SET meetings = meetings - 1
            WHERE account = old.account AND provider = old.provider AND facets = old.facets;
        INSERT INTO counters VALUES (new.account, new.provider, new.facets, 1)
            ON CONFLICT (account, provider, facets) DO UPDATE SET meetings = meetings + 1;
    END;
    CREATE TRIGGER assets_counted AFTER INSERT ON assets BEGIN
        INSERT INTO holdings VALUES (new.account, 1, new.kept = 'held',
                CASE new.kept WHEN 'held' THEN coalesce(new.held_size, 0) ELSE 0 END)
            ON CONFLICT (account) DO UPDATE SET assets = assets + 1, held = held + excluded.held,
                bytes = bytes + excluded.bytes;
    END;
    CREATE TRIGGER assets_recounted AFTER UPDATE OF kept, held_size ON assets
        WHEN old.kept IS NOT new.kept OR old.held_size IS NOT new.held_size BEGIN
        UPDATE holdings SET held = held + (new.kept = 'held') - (old.kept = 'held'), bytes = bytes
            + CASE new.kept WHEN 'held' THEN coalesce(new.held_size, 0) ELSE 0 END
            - CASE old.kept WHEN 'held' THEN coalesce(old.held_size, 0) ELSE 0 END
            WHERE account = new.account;
    END;

    DROP INDEX IF EXISTS meetings_start;
    DROP INDEX IF EXISTS meetings_title;
    DROP INDEX IF EXISTS meetings_state;
    DROP INDEX IF EXISTS meetings_size;
    DROP INDEX IF EXISTS meetings_deadline;
    DROP INDEX IF EXISTS meetings_account;
    DROP INDEX IF EXISTS assets_account;
"""

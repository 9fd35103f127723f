"""Migration 6: flags, releases in grace, their receipts, and deeds that can be undone. Times are unix seconds."""

TRIAGE = """
    -- Which flags an asset has, as bits (vault.ledger.flags); who set them, and why, is in `flags`.
    ALTER TABLE assets ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE flags (
        asset_id INTEGER NOT NULL REFERENCES assets (id),
        flag TEXT NOT NULL,
        note TEXT NOT NULL,
        by TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (asset_id, flag)
    ) WITHOUT ROWID;

    -- What was asked to be released. `sha256`, `stated_*` and `address` are as they were then: what is sent must still
    -- be about the same. `sure` is written just before the call: what was proven of all that goes, identity to SHA-256.
    CREATE TABLE releases (
        id INTEGER PRIMARY KEY,
        asset_id INTEGER NOT NULL REFERENCES assets (id),
        account TEXT NOT NULL,
        address TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting',
        asked_at REAL NOT NULL,
        due_at REAL NOT NULL,
        by TEXT NOT NULL,
        words TEXT NOT NULL DEFAULT '',
        sha256 TEXT NOT NULL,
        stated_size INTEGER,
        stated_checksum TEXT,
        sure TEXT NOT NULL DEFAULT '{}',
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before REAL NOT NULL DEFAULT 0,
        sent_at REAL,
        answered_at REAL,
        answer TEXT NOT NULL DEFAULT '',
        ended_at REAL,
        owner TEXT NOT NULL DEFAULT '',
        fence INTEGER NOT NULL DEFAULT 0,
        beat_at REAL NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX releases_open ON releases (asset_id)
        WHERE state IN ('waiting', 'checking', 'sending', 'answered');
    CREATE INDEX releases_due ON releases (due_at) WHERE state IN ('waiting', 'checking', 'sending', 'answered');
    CREATE INDEX releases_asset ON releases (asset_id, id);

    -- What the service deletes since we asked for it, with the proof as it was just before.
    CREATE TABLE receipts (
        id INTEGER PRIMARY KEY,
        asset_id INTEGER NOT NULL REFERENCES assets (id),
        release_id INTEGER NOT NULL REFERENCES releases (id),
        sha256 TEXT NOT NULL,
        proof TEXT NOT NULL,
        path TEXT NOT NULL,
        confirmed_at REAL NOT NULL,
        provider_state TEXT NOT NULL,
        rechecked_at REAL,
        recheck TEXT NOT NULL DEFAULT '',
        begun_at REAL NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX receipts_once ON receipts (asset_id, release_id);

    CREATE TABLE deeds (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        by TEXT NOT NULL,
        what TEXT NOT NULL,
        words TEXT NOT NULL,
        undo TEXT NOT NULL,
        undone_at REAL
    );
    CREATE INDEX deeds_open ON deeds (by, id) WHERE undone_at IS NULL;
"""

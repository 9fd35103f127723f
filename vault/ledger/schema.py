"""The ledger's tables, as a list of migrations: each runs once, in order, in a transaction of its own.

Times are unix seconds (UTC). A meeting's `summary_*` columns repeat what its assets and transfers say, so that every
sort and filter of the list is served from an index; `vault.ledger.summaries` keeps them in step.
"""

from vault.ledger import schema_has, schema_lines, schema_orders, schema_risk
from vault.ledger.migrating import Fill
from vault.ledger.schema_triage import TRIAGE

STEPWISE = None
"""Stands for a migration that is made in steps; `vault.ledger.database` knows by what."""

MIGRATIONS: tuple[str | tuple[str | Fill, ...] | None, ...] = (
    """
    CREATE TABLE meetings (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        meeting TEXT NOT NULL,
        provider TEXT NOT NULL,
        title TEXT NOT NULL,
        started_at REAL,
        ended_at REAL,
        people TEXT NOT NULL DEFAULT '[]',
        state TEXT NOT NULL DEFAULT 'unknown',
        provider_state TEXT NOT NULL DEFAULT '',
        origin TEXT NOT NULL DEFAULT '',
        details TEXT NOT NULL DEFAULT '{}',
        raw TEXT NOT NULL DEFAULT '',
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL,
        words TEXT NOT NULL DEFAULT '',
        summary_state INTEGER NOT NULL DEFAULT 0,
        summary_size INTEGER,
        summary_deadline REAL,
        summary_faults INTEGER NOT NULL DEFAULT 0,
        summary_at_risk INTEGER NOT NULL DEFAULT 0,
        UNIQUE (account, meeting)
    );
    CREATE INDEX meetings_start ON meetings (started_at, id);
    CREATE INDEX meetings_title ON meetings (title COLLATE NOCASE, id);
    CREATE INDEX meetings_state ON meetings (summary_state, id);
    CREATE INDEX meetings_size ON meetings (summary_size, id);
    CREATE INDEX meetings_deadline ON meetings (summary_deadline, id);
    CREATE INDEX meetings_account ON meetings (account, started_at, id);

    CREATE TABLE assets (
        id INTEGER PRIMARY KEY,
        meeting_id INTEGER NOT NULL REFERENCES meetings (id),
        identity TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL,
        kind TEXT NOT NULL,
        variant TEXT NOT NULL,
        state TEXT NOT NULL,
        provider_state TEXT NOT NULL,
        error TEXT NOT NULL,
        size INTEGER,
        checksum TEXT,
        checksum_stated TEXT,
        deadline REAL,
        extension TEXT NOT NULL,
        locator TEXT NOT NULL,
        sealed_link BLOB,
        link TEXT NOT NULL,
        warning TEXT NOT NULL,
        details TEXT NOT NULL,
        raw TEXT NOT NULL,
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL,
        kept TEXT NOT NULL DEFAULT 'absent',
        held_size INTEGER,
        sha256 TEXT NOT NULL DEFAULT '',
        path TEXT,
        proof TEXT,
        wrong INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX assets_meeting ON assets (meeting_id);
    CREATE INDEX assets_account ON assets (account, kept);
    CREATE UNIQUE INDEX assets_path ON assets (path) WHERE path IS NOT NULL;

    CREATE TABLE transfers (
        asset_id INTEGER PRIMARY KEY REFERENCES assets (id),
        account TEXT NOT NULL,
        state TEXT NOT NULL,
        wish TEXT NOT NULL DEFAULT '',
        position REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        received INTEGER NOT NULL DEFAULT 0,
        total INTEGER,
        rate REAL,
        words TEXT NOT NULL DEFAULT '',
        not_before REAL NOT NULL DEFAULT 0,
        owner TEXT NOT NULL DEFAULT '',
        fence INTEGER NOT NULL DEFAULT 0,
        beat_at REAL NOT NULL DEFAULT 0,
        queued_at REAL NOT NULL,
        ended_at REAL
    );
    CREATE INDEX transfers_state ON transfers (state, position);

    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        identity TEXT NOT NULL,
        what TEXT NOT NULL,
        words TEXT NOT NULL
    );
    CREATE INDEX events_identity ON events (identity, id);

    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        key TEXT NOT NULL,
        topic TEXT NOT NULL,
        verified TEXT NOT NULL,
        received_at REAL NOT NULL,
        duplicates INTEGER NOT NULL DEFAULT 0,
        body TEXT NOT NULL,
        UNIQUE (account, key)
    );

    CREATE TABLE catchups (
        id INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        room TEXT NOT NULL,
        at REAL NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX catchups_room ON catchups (account, room, id);

    CREATE TABLE revision (number INTEGER NOT NULL);
    INSERT INTO revision VALUES (0);

    CREATE TABLE accounts (
        name TEXT PRIMARY KEY,
        synced_at REAL,
        error TEXT NOT NULL DEFAULT ''
    );
    """,
    """
    -- When the transfer last got further than ever, and how far: what its budget is counted from. 0: not tried yet.
    ALTER TABLE transfers ADD COLUMN progress_at REAL NOT NULL DEFAULT 0;
    ALTER TABLE transfers ADD COLUMN furthest INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE transfers ADD COLUMN taken_at REAL NOT NULL DEFAULT 0;

    -- Breaks that everything of an account takes, or (scope '') the whole queue, since its disk is full.
    CREATE TABLE holds (
        scope TEXT PRIMARY KEY,
        until REAL NOT NULL,
        words TEXT NOT NULL,
        level INTEGER NOT NULL
    );
    """,
    """
    -- A delivery is on disk before it is answered, and processed after that. `sealed` holds it as it came, encrypted;
    -- `digest` tells a repetition with other bytes from one with the same.
    ALTER TABLE deliveries ADD COLUMN state TEXT NOT NULL DEFAULT 'done';
    ALTER TABLE deliveries ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
    ALTER TABLE deliveries ADD COLUMN sealed BLOB;
    ALTER TABLE deliveries ADD COLUMN digest TEXT NOT NULL DEFAULT '';
    ALTER TABLE deliveries ADD COLUMN source TEXT NOT NULL DEFAULT '';
    ALTER TABLE deliveries ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE deliveries ADD COLUMN not_before REAL NOT NULL DEFAULT 0;
    ALTER TABLE deliveries ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    ALTER TABLE deliveries ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX deliveries_of ON deliveries (account, id);
    CREATE INDEX deliveries_waiting ON deliveries (state, not_before) WHERE state IN ('waiting', 'working');

    -- What a webhook announced, and what polling found available by itself.
    ALTER TABLE assets ADD COLUMN announced_at REAL;
    ALTER TABLE assets ADD COLUMN polled_at REAL;
    CREATE INDEX assets_unannounced ON assets (account) WHERE polled_at IS NOT NULL AND announced_at IS NULL;

    -- Secret parts of addresses, as SHA-256 alone. `until`: NULL for the one in use, else when it stops being taken.
    CREATE TABLE hook_tokens (
        account TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        until REAL,
        PRIMARY KEY (account, sha256)
    );
    """,
    STEPWISE,  # 4: what is found and counted by (schema_search)
    STEPWISE,  # 5: the chained log of events (schema_custody)
    TRIAGE,  # 6: flags, releases, receipts, deeds
    schema_risk.SCRIPT,  # 7: rules, rates, what is pending
    schema_lines.SCRIPT,  # 8: transfers and deliveries by the page
    schema_has.STEPS,  # 9: the order by what a meeting has
    schema_orders.STEPS,  # 10: what transfers and deliveries are sorted by
)

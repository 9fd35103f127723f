"""Migration 5: the log of events becomes one that is only appended to, each event chained to the one before.

An event is its `body`, the canonical JSON of all that it says, and `chain`, the SHA-256 over the link before and that
body's own; what it is looked up by is taken from the body. `log` is the anchor: how many there are, and the last link.
"""

TABLES = """
    CREATE TABLE chained (
        number INTEGER PRIMARY KEY,
        body TEXT NOT NULL,
        chain BLOB NOT NULL,
        identity TEXT GENERATED ALWAYS AS (json_extract(body, '$.identity')) VIRTUAL,
        what TEXT GENERATED ALWAYS AS (json_extract(body, '$.what')) VIRTUAL
    );
    CREATE TABLE log (ledger TEXT NOT NULL, count INTEGER NOT NULL, head BLOB NOT NULL);
"""

INDEX = "CREATE INDEX IF NOT EXISTS events_of ON chained (identity, number)"

TRIGGERS = """
    CREATE TRIGGER events_appended BEFORE INSERT ON events WHEN new.number IS NOT (SELECT count + 1 FROM log) BEGIN
        SELECT RAISE(ABORT, 'the log of events is only appended to');
    END;
    CREATE TRIGGER events_anchored AFTER INSERT ON events BEGIN
        UPDATE log SET count = new.number, head = new.chain;
    END;
    CREATE TRIGGER events_unchanged BEFORE UPDATE ON events BEGIN
        SELECT RAISE(ABORT, 'an event of the log is never changed');
    END;
    CREATE TRIGGER events_undeleted BEFORE DELETE ON events BEGIN
        SELECT RAISE(ABORT, 'an event of the log is never deleted');
    END;
    CREATE TRIGGER log_one BEFORE INSERT ON log BEGIN
        SELECT RAISE(ABORT, 'a ledger has one log');
    END;
    CREATE TRIGGER log_forward BEFORE UPDATE ON log
        WHEN new.ledger IS NOT old.ledger OR new.count IS NOT old.count + 1 BEGIN
        SELECT RAISE(ABORT, 'the anchor of the log only goes forward');
    END;
    CREATE TRIGGER log_undeleted BEFORE DELETE ON log BEGIN
        SELECT RAISE(ABORT, 'the anchor of the log is never deleted');
    END;
"""

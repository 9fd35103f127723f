"""Migration: the queue's order as an index, so that a page of it is read without a look at all that ever ended."""

SCRIPT = """
    ALTER TABLE transfers ADD COLUMN line_rank INTEGER GENERATED ALWAYS AS (
        CASE state WHEN 'running' THEN 0 WHEN 'failed' THEN 2 WHEN 'done' THEN 3 WHEN 'cancelled' THEN 3 ELSE 1 END
    ) VIRTUAL;
    ALTER TABLE transfers ADD COLUMN line_place REAL GENERATED ALWAYS AS (
        CASE WHEN state IN ('failed', 'done', 'cancelled') THEN -coalesce(ended_at, 0.0) ELSE position END
    ) VIRTUAL;
    CREATE INDEX transfers_line ON transfers (line_rank, line_place, asset_id);
"""

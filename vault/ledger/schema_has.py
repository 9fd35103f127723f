"""Migration 9: the order by what a meeting has, whose index finds meetings by their facets, too."""

from vault.ledger.migrating import Fill


def _rank(facets: str) -> str:
    """`vault.ledger.facets.rank_of` as SQL."""
    kinds = " | ".join(f"((({facets} >> {11 + place}) & 1) << {39 - place})" for place in range(6))
    return f"{kinds} | ((({facets} >> 8) & 1) << 33) | ((1 - (({facets} >> 6) & 1)) << 32) | {facets}"


STEPS = (
    f"""ALTER TABLE meetings ADD COLUMN summary_has INTEGER NOT NULL DEFAULT 0;
    -- A process of the older version may still write.
    CREATE TRIGGER meetings_has_later AFTER UPDATE OF facets ON meetings BEGIN
        UPDATE meetings SET summary_has = {_rank("new.facets")} WHERE id = new.id;
    END;
    CREATE TRIGGER meetings_has_first AFTER INSERT ON meetings BEGIN
        UPDATE meetings SET summary_has = {_rank("new.facets")} WHERE id = new.id;
    END;""",
    Fill("meetings", f"UPDATE meetings SET summary_has = {_rank('facets')} WHERE id > ? AND id <= ?"),
    "CREATE INDEX meetings_by_has ON meetings (summary_has, id, account, facets);",
    """DROP TRIGGER meetings_has_later;
    DROP TRIGGER meetings_has_first;
    DROP INDEX IF EXISTS meetings_by_facets;""",
)

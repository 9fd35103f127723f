"""Migration 9: the order by what a meeting has, whose index finds meetings by their facets, too."""

from vault.ledger.migrating import Fill

_KINDS = " | ".join(f"(((facets >> {11 + place}) & 1) << {39 - place})" for place in range(6))
_HELD = "(((facets >> 8) & 1) << 33) | ((1 - ((facets >> 6) & 1)) << 32)"

STEPS = (
    # `vault.ledger.facets.rank_of` of `facets`.
    "ALTER TABLE meetings ADD COLUMN summary_has INTEGER NOT NULL DEFAULT 0;",
    Fill("meetings", f"UPDATE meetings SET summary_has = {_KINDS} | {_HELD} | facets WHERE id > ? AND id <= ?"),
    """CREATE INDEX meetings_by_has ON meetings (summary_has, id, account, facets);
    DROP INDEX IF EXISTS meetings_by_facets;""",
)

"""Keeps what a meeting's row says, and what it is found by, in step with its assets and transfers."""

import json
import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from providers.models import RemoteState
from vault.ledger import facets
from vault.ledger.rows import LOCAL, OPEN_RELEASE, STATE_ORDER, Row, earliest_deadline, headline, is_fault, known_size
from vault.views import Flag

_AT_ONCE = 400
_MEETING = (
    "id",
    "account",
    "provider",
    "meeting",
    "title",
    "people",
    "state",
    "facets",
    "summary_state",
    "summary_size",
    "summary_deadline",
    "summary_faults",
    "summary_at_risk",
    "summary_has",
)
_ASSETS = """SELECT a.id, a.meeting_id, a.kind, a.variant, a.state, a.size, a.held_size, a.deadline, a.kept, a.link,
    {flags} AS flags, {releasing} AS releasing, t.state AS transfer_state, {local} AS local
    FROM assets a LEFT JOIN transfers t ON t.asset_id = a.id"""
_NOW = _ASSETS.format(
    flags="a.flags",
    releasing=f"EXISTS (SELECT 1 FROM releases r WHERE r.asset_id = a.id AND r.state {OPEN_RELEASE})",
    local=LOCAL,
)
_BEFORE_TRIAGE = _ASSETS.format(flags="0", releasing="0", local=LOCAL)
"""Of a ledger that has no flags and releases yet."""


def fold(text: str) -> str:
    """A text as it is searched: case, width and how its accents are composed do not matter."""
    return unicodedata.normalize("NFKC", text.casefold()) if not text.isascii() else text.lower()


def words_of(meeting: Row, assets: Iterable[Row]) -> str:
    """What a meeting is searched by."""
    words = [meeting["title"], meeting["account"], meeting["provider"], meeting["meeting"]]
    words += json.loads(meeting["people"])
    words += [asset["variant"] for asset in assets]
    return fold("\n".join(words))


def summary_of(meeting: Row, assets: Sequence[Row], *, said: bool = False) -> dict[str, object]:
    """The columns of a meeting that repeat what its assets (with `transfer_state` and `local`) say."""
    state, deadline, size = headline(meeting, assets), earliest_deadline(assets), known_size(assets)
    forgotten = any(asset["flags"] & facets.FLAGS[Flag.FORGET] for asset in assets)
    faults = sum(is_fault(asset) for asset in assets) or int(state is RemoteState.FAILED and not forgotten)
    bits = facets.SAID if said else 0
    for asset in assets:
        # An enumeration's words are its own keys: as many rows as a sync has are not to be turned into members.
        bits |= facets.STATES[asset["state"]] | facets.KINDS[asset["kind"]] | facets.LOCALS[asset["local"]]
        bits |= facets.LINK if asset["link"] else 0
        bits |= asset["flags"] | (facets.RELEASING if asset["releasing"] else 0)
    bits |= facets.FAULTS if faults else 0
    bits |= facets.RISK if deadline is not None else 0
    bits |= facets.PEOPLE if meeting["people"] not in ("", "[]") else 0
    bits |= facets.SIZE if size is not None else 0
    return {
        "facets": bits,
        "summary_state": STATE_ORDER.index(state),
        "summary_size": size,
        "summary_deadline": deadline,
        "summary_faults": faults,
        "summary_at_risk": int(deadline is not None),
        "summary_has": facets.rank_of(bits),
    }


def refresh(connection: sqlite3.Connection, meeting_ids: Iterable[int], *, before_triage: bool = False) -> None:
    """Recompute the summaries of these meetings, inside the caller's transaction. Writes only what differs.

    `before_triage`: the ledger is on its way up and has no flags, releases and `summary_has` yet.
    """
    ids = sorted(set(meeting_ids))
    for start in range(0, len(ids), _AT_ONCE):
        _refresh(connection, ids[start : start + _AT_ONCE], before_triage=before_triage)


def _refresh(connection: sqlite3.Connection, ids: list[int], *, before_triage: bool) -> None:
    assets_sql, columns = (_BEFORE_TRIAGE, _MEETING[:-1]) if before_triage else (_NOW, _MEETING)
    marks = ", ".join("?" * len(ids))
    assets: defaultdict[int, list[sqlite3.Row]] = defaultdict(list)
    for asset in connection.execute(f"{assets_sql} WHERE a.meeting_id IN ({marks}) ORDER BY a.id", ids):
        assets[asset["meeting_id"]].append(asset)
    said = {
        row[0]
        for row in connection.execute(f"SELECT meeting_id FROM said WHERE meeting_id IN ({marks}) AND text != ''", ids)
    }
    names = ", ".join(f"m.{name}" for name in columns)
    sql = f"""SELECT {names}, t.words AS searched FROM meetings m LEFT JOIN texts t ON t.id = m.id
        WHERE m.id IN ({marks})"""
    for row in connection.execute(sql, ids).fetchall():
        own = assets[row["id"]]
        summary = summary_of(row, own, said=row["id"] in said)
        changed = {name: value for name, value in summary.items() if name in columns and row[name] != value}
        if changed:
            places = ", ".join(f"{name} = ?" for name in changed)
            connection.execute(f"UPDATE meetings SET {places} WHERE id = ?", (*changed.values(), row["id"]))
        words = words_of(row, own)
        if words != row["searched"]:
            if row["searched"] is not None:
                forget(connection, row["id"])
            add_texts(connection, [(row["id"], words)])


def refresh_of(connection: sqlite3.Connection, asset_id: int) -> None:
    """Recompute the summary of an asset's meeting, inside the caller's transaction."""
    row = connection.execute("SELECT meeting_id FROM assets WHERE id = ?", (asset_id,)).fetchone()
    refresh(connection, [row["meeting_id"]])


def add_texts(connection: sqlite3.Connection, texts: Sequence[tuple[int, str]]) -> None:
    """What meetings (their ids) are searched by; the index follows behind."""
    connection.executemany("INSERT OR REPLACE INTO texts (id, words) VALUES (?, ?)", texts)
    connection.executemany("INSERT OR IGNORE INTO unindexed (id) VALUES (?)", [(number,) for number, _ in texts])


def forget(connection: sqlite3.Connection, meeting_id: int) -> None:
    """Take a meeting out of the search index before what it is searched by changes: the index wants to hear it."""
    if connection.execute("SELECT 1 FROM unindexed WHERE id = ?", (meeting_id,)).fetchone() is not None:
        return
    [row] = searched(connection, [meeting_id])
    sql = "INSERT INTO found (found, rowid, words, said) VALUES ('delete', ?, ?, ?)"
    connection.execute(sql, tuple(row))
    connection.execute("INSERT INTO unindexed (id) VALUES (?)", (meeting_id,))


def searched(connection: sqlite3.Connection, ids: Sequence[int]) -> list[sqlite3.Row]:
    """What the search index holds of meetings: id, words, and what was said there."""
    marks = ", ".join("?" * len(ids))
    sql = f"""SELECT t.id, t.words, coalesce((SELECT group_concat(text, char(10)) FROM
        (SELECT text FROM said WHERE meeting_id = t.id ORDER BY id)), '') AS said
        FROM texts t WHERE t.id IN ({marks})"""
    return connection.execute(sql, tuple(ids)).fetchall()

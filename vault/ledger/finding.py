"""Which meetings fit a query, in its order: ids, places and counts, each by the way that is cheapest for it.

There are two ways. Few meetings (up to 20,000) are found by whatever names them (counters and the index of facets,
the search index, an order's range), sorted, and kept as a vector until the ledger changes. Many are never gathered:
their order's index is walked, which soon comes upon the next ones. Counters tell beforehand which of the two it is.
"""

import json
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from vault.ledger import facets
from vault.ledger.filtering import Clause, Filter, filter_of, said_or_written
from vault.ledger.paging import Key, Order, Stretch, order_of
from vault.ledger.vectors import Vectors, part
from vault.views import Count, Query

FEW = 20_000
"""So many ids are gathered and sorted in some 40 ms."""
COUNTED = 10_000
"""How far is counted at once."""
LATEST = 5_000
"""So many of those that the search index does not have yet are searched without it."""
_AT_ONCE = 5_000
"""So many hits of the search index are sorted sooner than come upon."""
_SAMPLE = 32
"""So many meetings say about where in an order one stands."""
_LOOKED_AT = 16_384
"""So many rows of an order are looked at before the search index is asked for all that fit."""


class Statement(Struct, frozen=True):
    """SQL and its values."""

    sql: str
    values: tuple[object, ...]


class Finder:
    """One query on one connection, within one verb."""

    def __init__(self, connection: sqlite3.Connection, query: Query, vectors: Vectors) -> None:
        self._connection = connection
        self._query = query
        self._vectors = vectors
        self._filter: Filter = filter_of(query)
        self._order: Order = order_of(
            query.sort, descending=query.descending, one_account=bool(self._filter.account), risk=query.at_risk
        )
        number = connection.execute("SELECT number FROM revision").fetchone()[0]
        self._key = (query, number)

    # What is asked ------------------------------------------------------------------------------------------------

    def page(
        self, offset: int, limit: int, *, after: int | None = None, before: int | None = None, total: int | None = None
    ) -> list[int]:
        """The ids behind `after`, before `before`, or from `offset` on (from the end where that is nearer)."""
        known, vector = self._vectors.get(self._key)
        if not known and self._is_few():
            known, vector = True, self.vector()
        if known and vector is not None:
            return list(part(vector, offset, limit, after, before))
        backwards = after is None and before is not None
        start = self._standing(before if backwards else after)
        if start is not None:
            ids = self._next(start, limit, backwards=backwards)
        elif total is not None and offset > total // 2:
            last = max(total - offset - limit, 0)
            ids = self._walk(None, min(limit, total - offset), last, backwards=True)
            backwards = True
        elif offset == 0:
            ids = self._next(None, limit)
        else:
            ids = self._walk(None, limit, offset)
        return ids[::-1] if backwards else ids

    def place(self, meeting_id: int) -> int | None:
        """How many come before a meeting; None when it does not fit."""
        known, vector = self._vectors.get(self._key)
        if not known and self._is_few():
            known, vector = True, self.vector()
        if known and vector is not None:
            return vector.index(meeting_id) if meeting_id in vector else None
        fits, values = _where(self._conditions(self._filter.words))
        sql = f"SELECT 1 FROM meetings m WHERE m.id = ? AND {fits}"
        if self._connection.execute(sql, (meeting_id, *values)).fetchone() is None:
            return None
        start = self._standing(meeting_id)
        assert start is not None
        if self._filter.is_plain and self._is_nearer_the_end(start):
            return self._counted() - 1 - self._total(start)
        return self._total(start, backwards=True)

    def _is_nearer_the_end(self, start: Key) -> bool:
        """By some meetings from all over the ledger: to count a million entries of an index takes a tenth of a second.

        The sample only says from which end it is sooner counted.
        """
        last = self._connection.execute("SELECT coalesce(max(id), 0) FROM meetings").fetchone()[0]
        sample = _among(range(1, last + 1, max(last // _SAMPLE, 1)))

        def work(*, backwards: bool) -> int:
            found = 0
            for stretch in self._order.stretches(start, backwards=backwards):
                where, values = _where([sample, *self._filter.counted, Clause(stretch.condition, stretch.values)])
                sql = f"SELECT count(*) FROM meetings m NOT INDEXED WHERE {where}"
                found += self._connection.execute(sql, values).fetchone()[0]
            # Up to an entry SQLite compares each on the way with it, which takes as long again; behind it, none.
            return found * 2 if self._order.descending != backwards else found

        return work(backwards=False) < work(backwards=True)

    def _total(self, start: Key | None, *, backwards: bool = False) -> int:
        total = 0
        for one in self.statements(start, backwards=backwards, what="count(*)", limit=None):
            total += self._connection.execute(one.sql, one.values).fetchone()[0]
        return total

    def count_at_once(self) -> Count | None:
        """How many, by counters, by the search index or because they are held; None where they must be sought."""
        quick = self._filter.is_only_words and not self._filter.short_words
        if self._filter.is_plain or quick:
            return Count(self.count_exactly(), exact=True)
        known, vector = self._vectors.get(self._key)
        if not known:
            return None
        return Count(COUNTED, exact=False) if vector is None else Count(len(vector), exact=True)

    def count(self) -> Count:
        """How many: exact where there are few, or where that is known at once."""
        at_once = self.count_at_once()
        if at_once is not None:
            return at_once
        vector = self.vector()
        return Count(COUNTED, exact=False) if vector is None else Count(len(vector), exact=True)

    def count_exactly(self) -> int:
        """How many, however long it takes to count them."""
        if self._filter.is_plain:
            return self._counted()
        known, vector = self._vectors.get(self._key)
        if known and vector is not None:
            return len(vector)
        if self._filter.is_only_words:
            one = self._fitting_words()
            number: int = self._connection.execute(f"SELECT count(*) FROM ({one.sql})", one.values).fetchone()[0]
            return number
        return self._total(None)

    # How many there may be ----------------------------------------------------------------------------------------

    def _counted(self) -> int:
        """How many fit as far as counters know."""
        where, values = _where(self._filter.counted)
        sql = f"SELECT coalesce(sum(m.meetings), 0) FROM counters m WHERE {where}"
        number: int = self._connection.execute(sql, values).fetchone()[0]
        return number

    def _is_few(self) -> bool:
        """Whether the vector is the way, as far as that is known without gathering it."""
        if self._filter.indexed_words:
            one = searched(self._filter.indexed_words)
            # Counted there: each row that comes to Python waits for the interpreter, which others use meanwhile.
            sql = f"SELECT count(*) FROM ({one.sql} LIMIT {_AT_ONCE + 1})"
            number: int = self._connection.execute(sql, one.values).fetchone()[0]
            return number <= _AT_ONCE
        return self._has_facets and not self._filter.words and self._counted() <= FEW

    @property
    def _has_facets(self) -> bool:
        return len(self._filter.counted) > bool(self._filter.account)

    def vector(self) -> "array[int] | None":
        """All ids in order; None when there are more than FEW."""
        known, ids = self._vectors.get(self._key)
        if not known:
            gathered = self._gather()
            ids = None if gathered is None else array("q", gathered)
            self._vectors.put(self._key, ids)
        return ids

    def _gather(self) -> list[int] | None:
        if self._filter.is_only_words:
            one = self._fitting_words()
            rows = self._connection.execute(f"{one.sql} LIMIT {FEW + 1}", one.values).fetchall()
            return None if len(rows) > FEW else self._sorted([_among(row[0] for row in rows)])
        for drive in (self._by_search, self._by_facets, self._by_range, self._by_look):
            found = drive()
            if found is not None:
                return self._sorted(found)
        ids = self._walk(None, FEW + 1)
        return None if len(ids) > FEW else ids

    def _sorted(self, clauses: list[Clause]) -> list[int]:
        """The ids of the meetings that these fit, in order."""
        [order] = [one.order for one in self._order.stretches() if "IS NULL" not in one.condition]
        nulls = f"{self._order.column} IS NULL, " if self._order.nullable else ""
        where, values = _where(clauses)
        sql = f"SELECT m.id FROM meetings m WHERE {where} ORDER BY {nulls}{order}"
        return [row[0] for row in self._connection.execute(sql, (*values,))]

    # What names a few: each gives conditions that together are the whole filter, or None where there are many. ------

    def _few(self, statement: Statement) -> Clause | None:
        rows = self._connection.execute(f"{statement.sql} LIMIT {FEW + 1}", statement.values).fetchall()
        return None if len(rows) > FEW else _among(row[0] for row in rows)

    def _by_search(self) -> list[Clause] | None:
        words = self._filter.indexed_words
        found = self._few(searched(words)) if words else None
        return None if found is None else [found, *self._conditions(self._filter.short_words)]

    def _by_facets(self) -> list[Clause] | None:
        if not self._has_facets or self._counted() > FEW:
            return None
        where, values = _where(self._filter.counted)
        sql = f"SELECT DISTINCT m.facets FROM counters m WHERE {where} AND m.meetings > 0"
        ranks = [facets.rank_of(row[0]) for row in self._connection.execute(sql, values)]
        sql = f"""SELECT m.id FROM meetings m INDEXED BY meetings_by_has
            WHERE m.summary_has IN (SELECT value FROM json_each(?)) AND {where}"""
        found = self._few(Statement(sql, (json.dumps(ranks), *values)))
        return None if found is None else [found, *self._conditions(self._filter.words, counted=False)]

    def _by_range(self) -> list[Clause] | None:
        found = self._few(self._range) if self._range is not None else None
        return None if found is None else [found, *self._conditions(self._filter.words)]

    @property
    def _range(self) -> Statement | None:
        since, until = self._filter.since, self._filter.until
        if since is not None or until is not None:
            low, high = (-1e18 if since is None else since), (1e18 if until is None else until)
            sql = "SELECT m.id FROM meetings m INDEXED BY meetings_by_start WHERE started_at >= ? AND started_at < ?"
            return Statement(sql, (low, high))
        smallest, largest = self._query.smallest, self._query.largest
        if smallest is None and largest is None:
            return None
        sql = "SELECT m.id FROM meetings m INDEXED BY meetings_by_size WHERE summary_size BETWEEN ? AND ?"
        return Statement(sql, (smallest or 0, 2**63 - 1 if largest is None else largest))

    def _by_look(self) -> list[Clause] | None:
        """Words too short for the search index, sought in all texts."""
        if not self._filter.words or self._filter.indexed_words:
            return None
        found = self._few(self._fitting_words())
        return None if found is None else [found, *self._conditions(())]

    def _fitting_words(self) -> Statement:
        """Whatever has all the words: by the search index where it knows them all, else by a look at every text."""
        if not self._filter.short_words:
            return searched(self._filter.indexed_words)
        looked = " AND ".join(
            "(instr(x.words, ?) OR x.id IN (SELECT meeting_id FROM said WHERE instr(text, ?)))"
            for _ in self._filter.short_words
        )
        values: tuple[object, ...] = tuple(value for word in self._filter.short_words for value in (word, word))
        if self._filter.indexed_words:
            one = searched(self._filter.indexed_words)
            looked, values = f"x.id IN ({one.sql}) AND {looked}", (*one.values, *values)
        return Statement(f"SELECT x.id FROM texts x WHERE {looked}", values)

    # Walking ------------------------------------------------------------------------------------------------------

    def _conditions(self, words: Iterable[str], *, counted: bool = True) -> list[Clause]:
        """The filter, decided by a look at a meeting; of its words these alone."""
        written = [said_or_written(word) for word in words]
        absent = [said_or_written(word, inverse=True) for word in self._filter.without]
        return [*(self._filter.counted if counted else ()), *self._filter.rest, *written, *absent]

    def _standing(self, meeting_id: int | None) -> Key | None:
        if meeting_id is None:
            return None
        sql = f"SELECT {self._order.column} AS value FROM meetings m WHERE m.id = ?"
        row = self._connection.execute(sql, (meeting_id,)).fetchone()
        return None if row is None else (row["value"], meeting_id)

    def _next(self, start: Key | None, limit: int, *, backwards: bool = False) -> list[int]:
        """The next ones. Where there is much to look at, the next rows of the order first: they mostly do."""
        if not (self._filter.words or self._filter.rest or self._filter.without):
            return self._walk(start, limit, backwards=backwards)
        found: list[int] = []
        place: Key | None = None
        for stretch in self._order.stretches(start, backwards=backwards):
            one = self.look(stretch, limit - len(found))
            found += [row[0] for row in self._connection.execute(one.sql, one.values)]
            if len(found) >= limit:
                return found
            place = self._last_looked_at(stretch)
            if place is not None:
                break
        if place is None:
            return found
        vector = self.vector() if start is None else None
        if vector is not None:
            return list(vector[-limit:][::-1] if backwards else vector[:limit])
        return [*found, *self._walk(place, limit - len(found), backwards=backwards)]

    def look(self, stretch: Stretch, limit: int) -> Statement:
        """The first that fit among the first rows of a stretch, each looked at in its turn until there are enough.

        All of it in one statement: SQLite keeps the interpreter from nobody while it looks. The rows come in the
        order of the stretch, since the one loop lies within the other (EXPLAIN says so, and a test holds it).
        """
        rows = self._statement(stretch, self._filter.counted, f"m.id, {self._order.column} AS value, m.facets")
        looks = [_said_or_written_in(word) for word in self._filter.words]
        looks += [_said_or_written_in(word, inverse=True) for word in self._filter.without]
        if self._filter.rest:
            rest, values = _where(self._filter.rest)
            looks.append(Clause(f"EXISTS (SELECT 1 FROM meetings m WHERE m.id = c.id AND {rest})", values))
        where, values = _where(looks)
        texts = "CROSS JOIN texts x ON x.id = c.id" if self._filter.words or self._filter.without else ""
        sql = f"SELECT c.id FROM ({rows.sql} LIMIT ?) c {texts} WHERE {where} LIMIT ?"
        return Statement(sql, (*rows.values, _LOOKED_AT, *values, limit))

    def _last_looked_at(self, stretch: Stretch) -> Key | None:
        """Where looking at a stretch ended; None at its end."""
        one = self._statement(stretch, self._filter.counted, f"m.id, {self._order.column} AS value")
        sql = f"{one.sql} LIMIT 1 OFFSET ?"
        row = self._connection.execute(sql, (*one.values, _LOOKED_AT - 1)).fetchone()
        return None if row is None else (row["value"], row["id"])

    def _walk(self, start: Key | None, limit: int, offset: int = 0, *, backwards: bool = False) -> list[int]:
        ids: list[int] = []
        for one in self.statements(start, backwards=backwards, limit=limit):
            found = self._ids(one, limit - len(ids), offset)
            if not found and offset:
                counted = one.sql.replace("SELECT m.id", "SELECT count(*)", 1)
                offset = max(offset - self._connection.execute(counted, one.values).fetchone()[0], 0)
            elif found:
                offset = 0
            ids += found
            if len(ids) >= limit:
                break
        return ids

    def _ids(self, one: Statement, limit: int, offset: int) -> list[int]:
        rows = self._connection.execute(f"{one.sql} LIMIT ? OFFSET ?", (*one.values, limit, offset))
        return [row[0] for row in rows]

    def statements(
        self, start: Key | None, *, backwards: bool = False, what: str = "m.id", limit: int | None = 0
    ) -> Iterator[Statement]:
        """The walk in SQL, for `EXPLAIN QUERY PLAN` too: a stretch of an index each, without LIMIT.

        With `limit` None, what comes out is in no order, since all of it is counted.
        """
        clauses = [*self._filter.counted, *self._filter.rest]
        clauses += [said_or_written(word) for word in self._filter.short_words]
        clauses += [said_or_written(word, inverse=True) for word in self._filter.without]
        if self._filter.indexed_words:
            named = searched(self._filter.indexed_words)
            clauses.append(Clause(f"m.id IN ({named.sql})", named.values))
        for stretch in self._order.stretches(start, backwards=backwards):
            one = self._statement(stretch, clauses, what)
            yield one if limit is not None else Statement(one.sql.rpartition(" ORDER BY ")[0], one.values)

    def _statement(self, stretch: Stretch, clauses: Iterable[Clause], what: str) -> Statement:
        where, values = _where([*clauses, Clause(stretch.condition, stretch.values)])
        index = self._order.index_of_account if self._filter.account else self._order.index
        return Statement(
            f"SELECT {what} FROM meetings m INDEXED BY {index} WHERE {where} ORDER BY {stretch.order}", values
        )


def searched(words: Sequence[str]) -> Statement:
    """Ids of whatever has all of these words, by the search index; of what is not in it yet, the latest."""
    match = " AND ".join('"' + word.replace('"', '""') + '"' for word in words)
    looked = " AND ".join("(instr(x.words, ?) OR instr(coalesce(s.text, ''), ?))" for _ in words)
    sql = f"""SELECT rowid FROM found WHERE found MATCH ? UNION ALL
        SELECT x.id FROM (SELECT id FROM unindexed ORDER BY id DESC LIMIT {LATEST}) u JOIN texts x ON x.id = u.id
        LEFT JOIN said s ON s.meeting_id = x.id WHERE {looked}"""
    return Statement(sql, (match, *(value for word in words for value in (word, word))))


def _said_or_written_in(word: str, *, inverse: bool = False) -> Clause:
    """The same as `said_or_written` of a row `c` (id, facets), with its text `x` at hand."""
    sql = """(instr(x.words, ?) OR (c.facets & ? != 0
        AND EXISTS (SELECT 1 FROM said s WHERE s.meeting_id = c.id AND instr(s.text, ?))))"""
    return Clause(f"NOT {sql}" if inverse else sql, (word, facets.SAID, word))


def _among(ids: Iterable[int], column: str = "m.id") -> Clause:
    return Clause(f"{column} IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),))


def _where(clauses: Iterable[Clause]) -> tuple[str, tuple[object, ...]]:
    clauses = list(clauses)
    return " AND ".join(clause.sql for clause in clauses) or "1", _values(clauses)


def _values(clauses: Iterable[Clause]) -> tuple[object, ...]:
    return tuple(value for clause in clauses for value in clause.values)

"""From a query to conditions in SQL: what an index or a counter decides, what needs a look, and what is searched."""

from collections.abc import Mapping

from msgspec import Struct, field

from providers.models import AssetKind
from vault.ledger import facets
from vault.ledger.rows import OPEN_RELEASE, seconds
from vault.ledger.summaries import fold
from vault.views import Facet, Flag, LocalState, Query

_IS = {"faults": facets.FAULTS, "risk": facets.RISK, "releasing": facets.RELEASING}
_HAS = {"people": facets.PEOPLE, "size": facets.SIZE, "link": facets.LINK, "text": facets.SAID}
_HAS |= {str(kind): bit for kind, bit in facets.KINDS.items()}
HAS = tuple(_HAS)
IS = tuple(_IS)
_RUNNING = {LocalState.FETCHING: "t.state = 'running'", LocalState.QUEUED: "t.state IN ('queued', 'waiting', 'paused')"}
_NEVER = "0"


class Clause(Struct, frozen=True):
    """A condition and its values."""

    sql: str
    values: tuple[object, ...] = ()


class Filter(Struct):
    """The conditions of a query."""

    account: str = ""
    """The one account that all of it is about."""
    counted: list[Clause] = field(default_factory=list)
    """On `account`, `provider` and `facets` of `m`: a row of meetings, or one of counters."""
    rest: list[Clause] = field(default_factory=list)
    """On a meeting and what belongs to it."""
    since: float | None = None
    until: float | None = None
    words: tuple[str, ...] = ()
    """Folded."""
    without: tuple[str, ...] = ()

    @property
    def indexed_words(self) -> tuple[str, ...]:
        """Those that the search index knows: it is made of three letters each."""
        return tuple(word for word in self.words if len(word) >= 3)

    @property
    def short_words(self) -> tuple[str, ...]:
        """Those that it does not know."""
        return tuple(word for word in self.words if len(word) < 3)

    @property
    def is_only_words(self) -> bool:
        """Whether words are all there is."""
        return bool(self.words) and not (self.counted or self.rest or self.without)

    @property
    def is_plain(self) -> bool:
        """Whether counters say how many fit."""
        return not (self.rest or self.words or self.without)


def filter_of(query: Query) -> Filter:
    """The conditions of a query."""
    found = Filter(account=query.account)
    if query.account:
        found.counted.append(Clause("m.account = ?", (query.account,)))
    if query.faults:
        found.counted.append(_bits(facets.FAULTS))
    if query.at_risk:
        found.counted.append(_bits(facets.RISK))
    if query.state is not None:
        found.counted.append(_bits(facets.STATES[query.state]))
    if query.local is not None:
        _local(found, Facet("local", (query.local,)))
    for facet in query.facets:
        _facet(found, facet)
    _bounds(found, query)
    words = (*query.text.split(), *query.words)
    found.words = tuple(dict.fromkeys(folded for word in words if (folded := fold(word))))
    found.without = tuple(dict.fromkeys(folded for word in query.without if (folded := fold(word))))
    return found


def _bounds(found: Filter, query: Query) -> None:
    found.since, found.until = seconds(query.since), seconds(query.until)
    bounds = (
        ("m.started_at >= ?", found.since),
        ("m.started_at < ?", found.until),
        ("m.summary_size >= ?", query.smallest),
        ("m.summary_size <= ?", query.largest),
    )
    found.rest += [Clause(sql, (value,)) for sql, value in bounds if value is not None]


def _bits(mask: int, *, inverse: bool = False) -> Clause:
    return Clause(f"m.facets & ? {'=' if inverse else '!='} 0", (mask,))


def _facet(found: Filter, facet: Facet) -> None:
    tables: Mapping[str, Mapping[str, int]] = {
        "state": {str(state): bit for state, bit in facets.STATES.items()},
        "kind": {str(kind): bit for kind, bit in facets.KINDS.items()},
        "flag": {str(flag): bit for flag, bit in facets.FLAGS.items()},
        "is": _IS,
        "has": _HAS,
    }
    if facet.field in ("account", "provider"):
        marks = ", ".join("?" * len(facet.values))
        among = f"{'NOT ' if facet.inverse else ''}IN ({marks})"
        found.counted.append(Clause(f"m.{facet.field} {among}", facet.values))
        if facet.field == "provider" and not facet.inverse:
            # The same in terms of what the indexes of orders hold.
            found.counted.append(
                Clause(f"m.account IN (SELECT account FROM counters WHERE provider {among})", facet.values)
            )
    elif facet.field == "local":
        _local(found, facet)
    else:
        table = tables.get(facet.field, {})
        mask = 0
        for value in facet.values:
            mask |= table.get(value, 0)
        found.counted.append(_bits(mask, inverse=facet.inverse))


def _local(found: Filter, facet: Facet) -> None:
    """What is queued and what is fetched have a bit in common: which of them it is, the transfers say."""
    wanted = {LocalState(value) for value in facet.values if value in list(LocalState)}
    mask = 0
    for state in wanted:
        mask |= facets.LOCALS[state]
    live = wanted & set(_RUNNING)
    if len(live) != 1:
        found.counted.append(_bits(mask, inverse=facet.inverse))
        return
    sql = f"""(m.facets & ? != 0 OR EXISTS (SELECT 1 FROM assets a JOIN transfers t ON t.asset_id = a.id
        WHERE a.meeting_id = m.id AND {_RUNNING[live.pop()]}))"""
    found.rest.append(Clause(f"NOT {sql}" if facet.inverse else sql, (mask & ~facets.LIVE,)))
    if not facet.inverse:
        found.counted.append(_bits(mask))


def asset_clauses(query: Query, local: str) -> list[Clause]:
    """The same for single assets (`a` of meeting `m`, transfer `t`); `local`: what their local state is in SQL.

    Words, accounts, providers, times and people are those of the meeting; the rest is the asset's own.
    """
    found = filter_of(Query(text=query.text, account=query.account, words=query.words, without=query.without))
    clauses = [*found.counted, *(said_or_written(word) for word in found.words)]
    clauses += [said_or_written(word, inverse=True) for word in found.without]
    wrong = f"""(a.flags & {facets.FLAGS[Flag.FORGET]} = 0 AND (a.state = 'failed' OR a.kept IN ('damaged', 'lost')
        OR (coalesce(t.state, '') = 'failed' AND a.kept != 'held')))"""
    risk = f"""(a.deadline IS NOT NULL AND a.kept != 'held' AND a.state != 'expired'
        AND a.flags & {facets.LEFT} = 0)"""
    if query.faults:
        clauses.append(Clause(wrong))
    if query.at_risk:
        clauses.append(Clause(risk))
    if query.state is not None:
        clauses.append(Clause("a.state = ?", (query.state,)))
    if query.local is not None:
        clauses.append(Clause(f"{local} = ?", (query.local,)))
    columns = {"state": "a.state", "local": local, "kind": "a.kind", "account": "a.account", "provider": "m.provider"}
    for facet in query.facets:
        if facet.field in columns:
            marks = ", ".join("?" * len(facet.values))
            sql = f"{columns[facet.field]} IN ({marks})"
            clauses.append(Clause(f"NOT ({sql})" if facet.inverse else sql, facet.values))
        else:
            parts = " OR ".join(_of_asset(facet.field, value, wrong, risk) for value in facet.values) or _NEVER
            clauses.append(Clause(f"NOT ({parts})" if facet.inverse else f"({parts})"))
    bounds = (
        ("m.started_at >= ?", seconds(query.since)),
        ("m.started_at < ?", seconds(query.until)),
        ("coalesce(a.held_size, a.size) >= ?", query.smallest),
        ("coalesce(a.held_size, a.size) <= ?", query.largest),
    )
    return clauses + [Clause(sql, (value,)) for sql, value in bounds if value is not None]


def _of_asset(name: str, value: str, wrong: str, risk: str) -> str:
    """What an `is` or a `has` means for an asset."""
    own = {
        ("is", "faults"): wrong,
        ("is", "risk"): risk,
        ("is", "releasing"): f"EXISTS (SELECT 1 FROM releases r WHERE r.asset_id = a.id AND r.state {OPEN_RELEASE})",
        ("has", "people"): "m.people NOT IN ('', '[]')",
        ("has", "size"): "coalesce(a.held_size, a.size) IS NOT NULL",
        ("has", "link"): "a.link != ''",
        ("has", "text"): "EXISTS (SELECT 1 FROM said s WHERE s.id = a.id)",
    }
    own |= {("flag", str(flag)): f"a.flags & {bit} != 0" for flag, bit in facets.FLAGS.items()}
    own |= {("has", str(kind)): f"a.kind = '{kind}'" for kind in AssetKind}
    return own.get((name, value), _NEVER)


def said_or_written(word: str, *, inverse: bool = False) -> Clause:
    """That a folded word occurs in what a meeting `m` is searched by, without the search index."""
    sql = """(EXISTS (SELECT 1 FROM texts x WHERE x.id = m.id AND instr(x.words, ?))
        OR (m.facets & ? != 0 AND EXISTS (SELECT 1 FROM said s WHERE s.meeting_id = m.id AND instr(s.text, ?))))"""
    return Clause(f"NOT {sql}" if inverse else sql, (word, facets.SAID, word))

"""Ledgers of any size, for measuring: five accounts, titles in several scripts, every state. The same each time.

Rows go in by SQL in bulk; summaries, texts and counters come from where real rows have them.
"""

import hashlib
import json
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from providers.models import AssetId, AssetKind
from vault.ledger import Ledger, schema, summaries

NOW = 1_800_000_000.0
"""When the ledger was last synced; unix seconds."""
YEARS_S = 4 * 365 * 86_400
_AT_ONCE = 5_000
ACCOUNTS = (
    # name, provider, of a hundred meetings, kinds of a meeting's assets
    ("advice", "flexperto", 55, (AssetKind.ARCHIVE,)),
    ("agents", "cronofy", 10, (AssetKind.TRANSCRIPT, AssetKind.AUDIO, AssetKind.VIDEO, AssetKind.DASHBOARD)),
    ("calls", "huawei", 20, (AssetKind.VIDEO,)),
    ("rooms", "temasys", 13, (AssetKind.VIDEO,)),
    ("standup", "proconf", 2, (AssetKind.CATCHUP,)),
)


def _words(text: str, between: str = " ") -> list[str]:
    return text.split(between)


_FIRST = _words(
    "Quarterly Weekly Annual Confidential Open First Second Final Joint Regional Internal External Urgent Monthly "
    "Vierteljährliche Öffentliche Gemeinsame Réunion Comité Réglementaire Предварительное Ежемесячное 四半期 年次 定例 "
    "مراجعة اجتماع 정기 월간"
)
_SECOND = _words(
    "review budget board claims onboarding retrospective planning sales audit compliance advisory interview support "
    "escalation training Beratung Vorstand Haftpflicht Anlage d'équipe budgétaire совещание отчёт 会議 報告 監査 "
    "الميزانية 회의 🎉 👩🏽‍💻"
)
_THIRD = _words(
    "Munich Berlin Zürich Łódź Kraków München Köln Paris Lyon São-Paulo Singapore Shenzhen 東京 大阪 北京 Москва Київ "
    "القاهرة 서울 Delhi Helsinki Aarhus Genève Wien Lisboa Acme Initech Globex Umbrella huawei-partner"
)
_PEOPLE = _words(
    "Ada Lovelace|Grace Hopper|Jürgen Çelik|Zoë Müller|José Álvarez|李小龍|田中 花子|Иван Петров|نور الهدى|김민준|"
    "Anke Schröder|Ngozi Okafor|Priya Raman|Søren Kjær|Łukasz Wójcik|Maria Rossi",
    "|",
)
_STATES = (("available", 70), ("processing", 4), ("failed", 2), ("abandoned", 12), ("expired", 12))


def _one_of(luck: random.Random, weighted: tuple[tuple[str, int], ...]) -> str:
    return luck.choices([name for name, _ in weighted], [weight for _, weight in weighted])[0]


def _meetings(count: int, luck: random.Random) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Rows of meetings, and of the assets of each."""
    shares = [share for _, _, share, _ in ACCOUNTS]
    for number, place in enumerate(luck.choices(range(len(ACCOUNTS)), shares, k=count)):
        account, provider, _, kinds = ACCOUNTS[place]
        name = f"{luck.getrandbits(64):016x}-{number:07d}"
        began = NOW - luck.random() * YEARS_S if luck.random() < 0.97 else None
        state = _one_of(luck, _STATES)
        title = f"{luck.choice(_FIRST)} {luck.choice(_SECOND)} {luck.choice(_THIRD)} {number % 977}"
        people = luck.sample(_PEOPLE, luck.randrange(4))
        meeting: dict[str, Any] = {
            "id": number + 1,
            "account": account,
            "meeting": name,
            "provider": provider,
            "title": title,
            "started_at": began,
            "ended_at": None if began is None else began + 3_600,
            "people": json.dumps(people, ensure_ascii=False),
            "state": state,
            "provider_state": state.upper(),
            "origin": "listed by the service",
            "raw": json.dumps(
                {"id": name, "title": title, "status": state.upper(), "people": people, "pad": "." * 200}
            ),
            "first_seen": NOW,
            "last_seen": NOW,
        }
        yield meeting, [_asset(meeting, kind, state, luck) for kind in kinds]


def _asset(meeting: dict[str, Any], kind: AssetKind, state: str, luck: random.Random) -> dict[str, Any]:
    size = None if kind is AssetKind.DASHBOARD or state == "processing" else int(luck.lognormvariate(18, 1.5))
    is_held = size is not None and state != "failed" and luck.random() < 0.6
    kept = "absent" if not is_held else "lost" if luck.random() < 0.002 else "held"
    return {
        "meeting_id": meeting["id"],
        "identity": str(AssetId(meeting["account"], meeting["meeting"], kind)),
        "account": meeting["account"],
        "kind": str(kind),
        "variant": "",
        "state": state,
        "provider_state": state.upper(),
        "error": "the service could not make it" if state == "failed" else "",
        "size": size,
        "deadline": NOW + luck.random() * 30 * 86_400 if state == "available" and luck.random() < 0.1 else None,
        "extension": "zip",
        "locator": json.dumps({"id": meeting["meeting"]}),
        "link": "https://host.example/board" if kind is AssetKind.DASHBOARD else "",
        "warning": "",
        "details": "{}",
        "raw": json.dumps({"id": meeting["meeting"], "size": size, "pad": "." * 100}),
        "first_seen": NOW,
        "last_seen": NOW,
        "kept": kept,
        "flags": 0,
        "held_size": size if is_held else None,
        "sha256": "ab" * 32 if is_held else "",
    }


def fill(path: Path, meetings: int) -> None:
    """Make a ledger with so many meetings (and some 1.3 times as many assets) at `path`."""
    Ledger(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -400000")
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND name LIKE 'meetings\\_%' ESCAPE '\\'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        rows = _meetings(meetings, random.Random(7))
        for _ in range(0, meetings, _AT_ONCE):
            connection.execute("BEGIN")
            _write(connection, [row for row, _ in zip(rows, range(_AT_ONCE), strict=False)])
            connection.execute("COMMIT")
        for _, sql in indexes:
            connection.execute(sql)
        # Held transcripts have no files here: they count as read, with nothing in them that could be searched.
        connection.execute(
            """INSERT INTO said (id, meeting_id, text, sha256) SELECT id, meeting_id, '', sha256 FROM assets
            WHERE kind = 'transcript' AND kept = 'held'"""
        )
        connection.executemany("INSERT INTO accounts (name, synced_at) VALUES (?, ?)", [(a[0], NOW) for a in ACCOUNTS])
        connection.execute("UPDATE revision SET number = number + 1")


def _write(connection: sqlite3.Connection, rows: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
    full, texts, owned = [], [], []
    for meeting, assets in rows:
        seen = [asset | {"transfer_state": None, "local": asset["kept"], "releasing": 0} for asset in assets]
        full.append(meeting | summaries.summary_of(meeting, seen))
        texts.append((meeting["id"], summaries.words_of(meeting, assets)))
        owned += assets
    for table, values in (("meetings", full), ("assets", owned)):
        names = ", ".join(values[0])
        marks = ", ".join(f":{name}" for name in values[0])
        connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    connection.executemany("INSERT INTO texts (id, words) VALUES (?, ?)", texts)
    connection.executemany("INSERT INTO found (rowid, words, said) VALUES (?, ?, '')", texts)


def _version(*more: Path) -> str:
    """What a ledger that was made before depends on. `more`: other files that had a part in it."""
    folder = Path(schema.__file__).parent
    parts = [*sorted(folder.glob("schema*.py")), *sorted(folder.glob("migrating*.py")), folder / "summaries.py"]
    return hashlib.sha256(b"".join(part.read_bytes() for part in [*parts, Path(__file__), *more])).hexdigest()[:12]


def kept(folder: Path | None, name: str, make: Callable[[Path], None], *more: Path) -> Path:
    """A ledger that `make` makes where it is told to, unless it is there: it is kept from run to run.

    It is made anew once anything that it depends on has changed, `more` among that.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"reeldesk-ledgers-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{name}-{_version(*more)}.db"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as made:
            make(Path(made) / "ledger.db")
            (Path(made) / "ledger.db").rename(path)
    return path


def copied(ledger: Path, path: Path) -> Path:
    """A copy of a ledger, to write to."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(ledger, path)
    path.chmod(0o600)
    return path


def ledger_of(meetings: int, folder: Path | None = None) -> Path:
    """A ledger of so many meetings, made when it is not there yet. Whoever writes to it takes a copy: `copy_of`."""
    return kept(folder, str(meetings), lambda path: fill(path, meetings))


def copy_of(meetings: int, path: Path, folder: Path | None = None) -> Path:
    """A copy of such a ledger, to write to."""
    return copied(ledger_of(meetings, folder), path)

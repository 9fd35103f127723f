"""The use cases of custody: an asset's trail, the log's check, and a packet for somebody else."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from providers.models import AssetId
from vault.config import Config
from vault.custody.packing import MANIFEST, TAG_MANIFEST, Bag, Packing, Progress, bag, sha256_of
from vault.custody.page import CHECK, Item, Page
from vault.custody.records import shareable
from vault.custody.validating import problems_of
from vault.errors import VaultError
from vault.ledger import Ledger
from vault.ledger.checking import Head, LogReport
from vault.ledger.checking import Progress as LogProgress
from vault.ledger.extracting import Extract, Link
from vault.operator import this_process
from vault.views import AssetView, Event, LocalState

if TYPE_CHECKING:  # it loads HTTP, which only a time stamp needs
    from vault.custody.stamping import Stamp

MOST_LINKS = 100_000
"""Links that are given between an asset's first event and the head; some 14 MB of text."""
_MOST_NAME = 120
_MOST_RECEIPTS = 100


class Packet(Struct, frozen=True):
    """A packet that was made. `files` and `size` (bytes) of its payload; `head`: NUMBER:LINK of the log."""

    path: Path
    assets: tuple[AssetId, ...]
    files: int
    size: int
    head: str
    tag_manifest: str
    """SHA-256 (hex) of the tag manifest, which no other file of the packet covers."""
    stamp: "Stamp | None"


class Custody:
    """Usable from any thread; every call blocks, `packet` as long as copying takes."""

    def __init__(self, config: Config, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._config = config
        self._ledger = ledger
        self._now = now

    def trail(self, identity: AssetId) -> tuple[Event, ...]:
        """An asset's events, oldest first: who, what and when, with their links."""
        return self._ledger.reader.trail(identity)

    def log_size(self) -> int:
        """How many events the log has."""
        return self._ledger.log.size()

    def log_rows(self) -> int:
        """How many rows `check_log` goes through: events, and the assets that it compares with them."""
        return self._ledger.log.rows()

    def check_log(self, kept: Head | None = None, on_progress: LogProgress = lambda done, total: None) -> LogReport:
        """Follow the chain of the log, and compare the assets' rows with it. `kept`: a head that a person kept.

        `on_progress` is told how many events of how many are done; what it raises ends it. Raises LedgerError.
        """
        return self._ledger.log.check(kept, on_progress)

    def packet(
        self,
        identities: Sequence[AssetId],
        to: Path,
        on_progress: Progress = lambda now: None,
        *,
        stamped: bool = True,
    ) -> Packet:
        """Make a BagIt bag of these assets in the folder `to`: files, records, trails, and a page to read.

        It appears under its name when it is whole. `on_progress` is told often; what it raises ends the making, and
        nothing is left behind. `stamped`: with a time stamp, where config.toml names who gives them. Raises VaultError:
        an asset that was never held here, a file that is not what was proven, a full disk, no time stamp.
        """
        views = [self._proven(identity) for identity in dict.fromkeys(identities)]
        if not views:
            raise VaultError("a packet needs an asset")
        made_at = self._now()
        extract = self._ledger.log.extract([view.identity for view in views], MOST_LINKS)
        place = to.absolute() / _name(views, made_at)
        total = sum(view.size or 0 for view in views if view.local is LocalState.HELD)
        with bag(place, total, on_progress, made_at.timestamp()) as made:
            items = [self._put(made, number, view, extract) for number, view in enumerate(views, 1)]
            self._put_chain(made, extract)
            page = Page(
                made_at, this_process(), _software(), extract.ledger, _head(extract), extract.reaches_head, items
            )
            made.write("README.txt", page.text())
            made.close(_info(page, views))
            self._compare(made, items)
            stamp = self._stamp(made, on_progress) if stamped and self._config.timestamp_url else None
            seal = sha256_of(made.folder / TAG_MANIFEST)
            files = [path for path in (made.folder / "data").rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files)
        packet = Packet(place, tuple(view.identity for view in views), len(files), size, _head(extract), seal, stamp)
        self._note(packet)
        return packet

    def check_packet(self, place: Path) -> tuple[str, ...]:
        """What is wrong with a packet, in words; () when it is as it was packed. Raises VaultError: it is none."""
        return problems_of(place)

    def _proven(self, identity: AssetId) -> AssetView:
        view = self._ledger.reader.asset(identity)
        if view is None:
            raise VaultError(f"{identity} is not known here; `reeldesk sync {identity.account}` asks the service")
        if view.proof is None:
            raise VaultError(f"{identity} was never held here; `reeldesk fetch {identity}` brings it home")
        return view

    def _put(self, made: Bag, number: int, view: AssetView, extract: Extract) -> Item:
        """An asset's file, records and events."""
        name = self._put_file(made, number, view) if view.local is LocalState.HELD else ""
        stem = f"{number:02}"
        records = self._put_records(made, stem, view)
        events = extract.bodies[view.identity]
        made.write(f"trail/{stem}-events.jsonl", "".join(f"{body}\n" for body in events))
        return Item(
            view.identity,
            view.title,
            view.local,
            view.provider_state or str(view.state),
            name,
            view.size or 0,
            view.sha256,
            view.proof,
            records,
            tuple(event for event in self.trail(view.identity) if event.number <= extract.number),
        )

    @staticmethod
    def _put_file(made: Bag, number: int, view: AssetView) -> str:
        path = Path(view.path)
        name = f"recordings/{number:02}-{_file_name(path.name)}"
        size, sha256 = made.copy(path, name)
        if (size, sha256) != (view.size, view.sha256):
            raise VaultError(
                f"{view.identity}: {path} is not what was proven; `reeldesk verify {view.identity}` says what differs"
            )
        return f"data/{name}"

    def _put_records(self, made: Bag, stem: str, view: AssetView) -> tuple[str, ...]:
        meeting = self._ledger.reader.meeting(view.identity.account, view.identity.meeting)
        texts = {
            f"records/{stem}-asset.json": shareable(view.raw),
            f"records/{stem}-meeting.json": shareable(meeting.raw) if meeting else "",
        }
        ledger = {**view.record(), "proof": json.loads(view.proof.to_json()) if view.proof else None}
        texts[f"records/{stem}-ledger.json"] = _readable(ledger)
        receipts = [receipt.record() for receipt in self._ledger.receipts.receipts(view.identity, _MOST_RECEIPTS)]
        texts[f"records/{stem}-receipts.json"] = _readable(receipts) if receipts else ""
        for name, text in texts.items():
            if text:
                made.write(name, text + "\n")
        return tuple(f"data/{name}" for name, text in texts.items() if text)

    @staticmethod
    def _put_chain(made: Bag, extract: Extract) -> None:
        made.write("trail/links.txt", "".join(map(_line, extract.links)))
        made.write("trail/head.txt", f"log {extract.ledger}\nhead {_head(extract)}\n")
        made.write("trail/check.sh", CHECK)

    @staticmethod
    def _compare(made: Bag, items: Sequence[Item]) -> None:
        """The library has read the copies again: they must be what was proven."""
        lines = (made.folder / MANIFEST).read_text("utf-8").splitlines()
        stated = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        for item in items:
            if item.name and stated.get(item.name) != item.sha256:
                raise VaultError(
                    f"{item.identity}: its copy in the packet is not what was copied; the disk may be failing"
                )

    def _stamp(self, made: Bag, on_progress: Progress) -> "Stamp":
        from vault.custody.stamping import Authority

        on_progress(Packing("asking for a time stamp", made.done, made.done))
        authority = Authority(self._config.timestamp_url, self._config.timestamp_ca)
        stamp = authority.stamp((made.folder / MANIFEST).read_bytes())
        made.add_tag_file(f"timestamp/{MANIFEST}.tsr", stamp.answer)
        made.seal()
        return stamp

    def _note(self, packet: Packet) -> None:
        words = f"packed into {packet.path.name}"
        facts = {"packet": packet.path.name, "head": packet.head, "tagmanifest": packet.tag_manifest}
        for identity in packet.assets:
            self._ledger.history.noted(identity, "exported", words, self._now().timestamp(), facts)


def _name(views: Sequence[AssetView], at: datetime) -> str:
    """What tells a packet from others: whose, what, when."""
    accounts, meetings = {view.identity.account for view in views}, {view.identity.meeting for view in views}
    what = meetings.pop() if len(meetings) == 1 else f"{len(views)}-assets"
    whose = accounts.pop() if len(accounts) == 1 else "several"
    return f"custody-{whose}-{re.sub(r'[^A-Za-z0-9._-]', '_', what)[:60]}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _file_name(name: str) -> str:
    """A name that manifests, validators and `sha256sum -c` all take as it stands: nothing in it has to be escaped."""
    plain = "".join(char if char.isprintable() and char not in "%\\" else "_" for char in name)
    stem, dot, ending = plain.rpartition(".")
    stem, ending = (stem, dot + ending) if dot and len(ending) < 10 else (plain, "")
    while len(stem.encode()) > _MOST_NAME:
        stem = stem[:-1]
    return stem + ending


def _readable(record: object) -> str:
    return json.dumps(record, ensure_ascii=False, indent=2, sort_keys=True)


def _line(link: Link) -> str:
    return f"{link.number} {link.digest.hex() if link.digest else '-'} {link.link.hex()}\n"


def _head(extract: Extract) -> str:
    return f"{extract.number}:{extract.head}"


def _info(page: Page, views: Sequence[AssetView]) -> dict[str, str]:
    """bag-info.txt."""
    return {
        "Bagging-Date": f"{page.made_at.astimezone(UTC):%Y-%m-%d}",
        "Bag-Software-Agent": page.software,
        "Contact-Name": page.process,
        "External-Identifier": " ".join(str(view.identity) for view in views),
        "External-Description": "Custody packet, self-attested; data/README.txt says what it does not prove",
        "Internal-Sender-Identifier": f"log {page.ledger} head {page.head}",
    }


def _software() -> str:
    """What made it, with versions."""
    from importlib import metadata

    told = []
    for name in ("reeldesk", "bagit"):
        try:
            told.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            told.append(name)
    return ", ".join(told)

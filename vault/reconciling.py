"""Service, ledger and disk side by side: what they agree on, what they do not, and what can be done about each."""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from msgspec import Struct

from providers.base import ProviderError
from providers.models import AssetId, Capability
from vault.adopting import Adopting
from vault.config import Config
from vault.errors import Cancelled, VaultError
from vault.keeping import Keeping
from vault.ledger import Ledger
from vault.ledger.comparing import KnownAsset
from vault.rules import why_not_fetch
from vault.side_by_side import Difference, Found, Here, Remedy, compare
from vault.syncing import Syncing
from vault.transfers import held, lying
from vault.transfers.lying import Lying
from vault.triage.flagging import Flagging
from vault.triage.states import Flag
from vault.views import LocalState

MOST_ROWS = 10_000
"""Of each difference; what differs in more places is counted, and shown by the next look."""
_TOLD_EVERY = 500
_PATHS_AT_ONCE = 400


class ReconcileProgress(Struct, frozen=True):
    """How far a look is: words, and so many of so many (assets, or bytes when they are read)."""

    words: str
    done: int
    total: int


class ReconcileRow(Struct, frozen=True):
    """One asset, or one file, on which the three do not agree. `there`, `ledger`, `here`: what each says, in words."""

    difference: Difference
    remedy: Remedy
    account: str
    """"" for a file that is no account's."""
    asset: AssetId | None
    path: str
    """Absolute; "" where there is none."""
    there: str
    ledger: str
    here: str
    words: str
    """What is to be known of it, and what the remedy does."""

    def record(self) -> dict[str, object]:
        """The object that `--json` prints."""
        return {
            "difference": str(self.difference),
            "remedy": str(self.remedy) or None,
            "account": self.account or None,
            "asset": str(self.asset) if self.asset else None,
            "path": self.path or None,
            "there": self.there,
            "ledger": self.ledger,
            "here": self.here,
            "words": self.words,
        }


class ReconcileView(Struct, frozen=True):
    """What was found. `rows` has all but what is equal, at most 10,000 of each kind; `counts` count everything."""

    rows: tuple[ReconcileRow, ...]
    counts: Mapping[Difference, int]
    checked: tuple[str, ...]
    """What was compared by what, and what was not, in words."""
    at: datetime


class Reconciling:
    """The use cases `look` and `fix`; on one event loop."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        syncing: Syncing,
        keeping: Keeping,
        enqueue: Callable[[Collection[AssetId]], object],
        flagging: Flagging,
        capabilities: Callable[[str], frozenset[Capability]],
        now: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._syncing = syncing
        self._keeping = keeping
        self._enqueue = enqueue
        self._flagging = flagging
        self._adopting = Adopting(config, ledger, now)
        self._capabilities = capabilities
        self._now = now

    async def look(
        self,
        accounts: Collection[str] = (),
        *,
        deep: bool = False,
        on_progress: Callable[[ReconcileProgress], None] = lambda progress: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> ReconcileView:
        """Ask the services that have a list, and hold ledger and disk against that. Only a sync is written down.

        Files are judged by size and time of change; `deep`: by their SHA-256, which reads every byte. Callbacks come
        from another thread. Raises Cancelled when `cancelled()` says so, as when the task is cancelled.
        """
        names = [name for name in self._config.accounts if not accounts or name in accounts]
        asked: dict[str, float] = {}
        checked: list[str] = []
        for name in names:
            on_progress(ReconcileProgress(f"asking {name}", 0, 0))
            checked.append(await self._ask(name, asked))
        given_up = threading.Event()

        def is_over() -> bool:
            return given_up.is_set() or cancelled()

        look = _Look(self._config.vault_path, self._ledger, names, asked, deep, on_progress, is_over)
        try:
            await asyncio.to_thread(look.run, whole=not accounts)
        finally:
            given_up.set()
        return ReconcileView(tuple(look.rows), look.counts, (*checked, *look.checked), self._now())

    async def _ask(self, account: str, asked: dict[str, float]) -> str:
        if Capability.LIST not in self._capabilities(account):
            return f"{account}: the service has no list to compare with; what it said last is"
        since = self._now().timestamp()
        try:
            report = await self._syncing.sync(account)
        except (ProviderError, VaultError) as error:
            return f"{account}: the service could not be asked ({error.words}); what it said last is compared"
        asked[account] = since
        return f"{account}: the service was asked, and lists {report.assets} assets"

    async def fix(self, row: ReconcileRow) -> str:
        """Do what the row's remedy says; gives words of what came of it. Raises VaultError, ProviderError."""
        if row.remedy in (Remedy.FETCH, Remedy.VERIFY):
            assert row.asset is not None
            return await self._fetch_or_verify(row.asset, fetch=row.remedy is Remedy.FETCH)
        if row.remedy is Remedy.ADOPT:
            assert row.asset is not None
            return await asyncio.to_thread(self._adopting.adopt, row.asset, Path(row.path))
        if row.remedy is Remedy.FORGET:
            assert row.asset is not None
            return await asyncio.to_thread(self._flagging.set, [row.asset], Flag.FORGET, row.words)
        if row.remedy is Remedy.REMOVE:
            relative = PurePosixPath(Path(row.path).relative_to(self._config.vault_path).as_posix())
            await asyncio.to_thread(lying.remove_left_over, self._config.vault_path, relative)
            return f"{row.path} is removed"
        raise VaultError(f"{row.asset or row.path}: nothing here can be done about it")

    async def _fetch_or_verify(self, identity: AssetId, *, fetch: bool) -> str:
        view = await asyncio.to_thread(self._keeping.asset, identity)
        words = ""
        if view.local is LocalState.HELD:
            found = await self._keeping.verify(identity)
            words = f"{found.state}: {found.words}"
            if found.state is LocalState.HELD:
                return words
        if not fetch:
            return words or f"{view.local}: it was found so before"
        view = await asyncio.to_thread(self._keeping.asset, identity)
        if problem := why_not_fetch(view):
            raise VaultError(f"{identity}: {problem}")
        await asyncio.to_thread(self._enqueue, [identity])
        return f"{words}; queued" if words else "queued"


class _Look:
    """One walk through the ledger and the vault. `run` blocks."""

    def __init__(
        self,
        root: Path,
        ledger: Ledger,
        names: Collection[str],
        asked: Mapping[str, float],
        deep: bool,
        on_progress: Callable[[ReconcileProgress], None],
        cancelled: Callable[[], bool],
    ) -> None:
        self._root = root
        self._ledger = ledger
        self._names = frozenset(names)
        self._asked = asked
        self._deep = deep
        self._on_progress = on_progress
        self._cancelled = cancelled
        self.rows: list[ReconcileRow] = []
        self.counts: Counter[Difference] = Counter()
        self.checked: list[str] = []
        self._moved: list[KnownAsset] = []
        """Held ones that are not where they were: perhaps a stray is one of them."""

    def run(self, *, whole: bool) -> None:
        """Compare every asset; `whole`: what lies in the vault beside them, too. Raises Cancelled."""
        total, files = self._ledger.comparing.count(), 0
        for number, asset in enumerate(self._ledger.comparing.known(self._names)):
            if number % _TOLD_EVERY == 0:
                self._go_on()
                self._on_progress(ReconcileProgress("comparing", number, total))
            files += asset.kept is LocalState.HELD
            here = self._here(asset)
            if here.file is None and asset.kept is LocalState.HELD:
                self._moved.append(asset)
            self._add(asset, compare(asset, here, asked_at=self._asked.get(asset.identity.account)))
        how = "every byte, by its SHA-256" if self._deep else "size and time of change; --deep reads every byte"
        self.checked.append(f"{files} held files: {how}")
        if whole:
            self._strays()

    def _go_on(self) -> None:
        held.Watch(cancelled=self._cancelled).go_on(0)

    def _here(self, asset: KnownAsset) -> Here:
        """What lies where the asset's file should."""
        if asset.kept is LocalState.ABSENT:
            return Here()
        file = lying.look_at(asset.path)
        if file is None or not self._deep or file.size != asset.held_size or asset.kept is not LocalState.HELD:
            return Here(file)
        path = Path(asset.path)

        def told(step: str, done: int, total: int) -> None:
            self._on_progress(ReconcileProgress(f"reading {asset.identity}", done, total))

        watch = held.Watch(told, self._cancelled)
        try:  # without its form: its bytes say enough
            reading = held.read_again(path.parent, PurePosixPath(path.name), "", watch)
        except Cancelled:
            raise
        except VaultError as error:
            return Here(file, trouble=error.words)
        return Here(None) if reading is None else Here(file, reading.sha256)

    def _add(self, asset: KnownAsset, found: Found) -> None:
        identity = asset.identity
        path = asset.path if asset.kept is not LocalState.ABSENT else ""
        said = (found.there, found.ledger, found.here, found.words)
        self._count(ReconcileRow(found.difference, found.remedy, identity.account, identity, path, *said))

    def _count(self, row: ReconcileRow) -> None:
        self.counts[row.difference] += 1
        if row.difference is not Difference.EQUAL and self.counts[row.difference] <= MOST_ROWS:
            self.rows.append(row)

    # What lies there beside the recordings.

    def _strays(self) -> None:
        self._on_progress(ReconcileProgress("looking through the vault", 0, 0))
        strays: list[Lying] = []
        count = 0
        for part in _by(_PATHS_AT_ONCE, lying.files(self._root, self._go_on)):
            count += len(part)
            known = self._ledger.comparing.at({str(self._root / name) for each in part for name in _names_of(each)})
            for file in part:
                if str(self._root / file.relative) in known:
                    continue
                if file.part_of is not None or file.aside_of is not None:
                    self._left_over(file, known)
                else:
                    strays.append(file)
        self.checked.append(f"{count} files in {self._root}, links not followed")
        wanted = self._ledger.comparing.of_size({file.size for file in strays[:MOST_ROWS]})
        by_size: defaultdict[int | None, list[KnownAsset]] = defaultdict(list)
        for asset in (*self._moved, *wanted):
            by_size[asset.size if asset.held_size is None else asset.held_size].append(asset)
        for file in strays:
            self._stray(file, by_size[file.size])

    def _left_over(self, file: Lying, known: Mapping[str, KnownAsset]) -> None:
        base = file.part_of or file.aside_of
        asset = known.get(str(self._root / base)) if base is not None else None
        path = str(self._root / file.relative)
        if file.part_of is not None:
            if asset is not None and asset.local in (LocalState.QUEUED, LocalState.FETCHING):
                return  # a transfer's, that goes on
            if file.relative.suffix != ".part" and lying.look_at(path.partition(".part.json")[0] + ".part"):
                return  # its part's row stands for both
            is_wrong = asset is not None and asset.wrong
            can_go_on = asset is not None and asset.kept is LocalState.ABSENT and asset.state.downloadable
            can_go_on = can_go_on and not is_wrong
            words = "of a transfer that ended; fetching goes on from there" if can_go_on else "nobody goes on with it"
            words = "its bytes were proven wrong; evidence until it is removed" if is_wrong else words
            remedy = Remedy.FETCH if can_go_on else Remedy.REMOVE
        else:
            words, remedy = "set aside as damaged when it was fetched anew; evidence until it is removed", Remedy.REMOVE
        identity = asset.identity if asset is not None else None
        self._lies(Difference.LEFT_OVER, remedy, identity, path, file, words)

    def _stray(self, file: Lying, same: list[KnownAsset]) -> None:
        path = str(self._root / file.relative)
        if same and (self._deep or len(same) > 1):  # its size alone does not tell which it is
            same = self._with_its_bytes(file, same)
        if not same:
            self._lies(Difference.STRAY, Remedy.NONE, None, path, file, "reeldesk did not write it; it is left alone")
            return
        words = f"as large as {same[0].identity}, which is not here; adopting compares SHA-256"
        self._lies(Difference.STRAY, Remedy.ADOPT, same[0].identity, path, file, words)

    def _with_its_bytes(self, file: Lying, same: list[KnownAsset]) -> list[KnownAsset]:
        def told(step: str, done: int, total: int) -> None:
            self._on_progress(ReconcileProgress(f"reading {file.relative}", done, total))

        try:
            reading = held.read_again(self._root, file.relative, "", held.Watch(told, self._cancelled))
        except Cancelled:
            raise
        except VaultError:
            return []
        return [asset for asset in same if reading is not None and reading.sha256 == (asset.sha256 or asset.checksum)]

    def _lies(
        self, difference: Difference, remedy: Remedy, asset: AssetId | None, path: str, file: Lying, words: str
    ) -> None:
        account, here = asset.account if asset else "", f"{file.size} bytes"
        self._count(ReconcileRow(difference, remedy, account, asset, path, "", "not known", here, words))


def _names_of(file: Lying) -> Iterator[PurePosixPath]:
    yield file.relative
    if (base := file.part_of or file.aside_of) is not None:
        yield base


def _by(count: int, items: Iterator[Lying]) -> Iterator[list[Lying]]:
    part: list[Lying] = []
    for item in items:
        part.append(item)
        if len(part) == count:
            yield part
            part = []
    if part:
        yield part

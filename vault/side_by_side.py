"""One asset at the service, in the ledger and on the disk: how the three stand to each other. Pure."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from providers.models import RemoteState
from vault.ledger.comparing import KnownAsset
from vault.transfers.lying import Lying, is_touched
from vault.triage.states import Flag
from vault.views import LocalState


class Difference(StrEnum):
    """How service, ledger and disk stand to each other."""

    EQUAL = "equal"
    MISSING_HERE = "missing here"
    GONE_THERE = "gone there"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    STRAY = "not in the ledger"
    """A file in the vault that is no asset's."""
    LEFT_OVER = "left over"
    """An incomplete file that no transfer goes on with, or a damaged one that was set aside."""


class Remedy(StrEnum):
    """What puts it right."""

    NONE = ""
    FETCH = "fetch"
    """Read what is here, if the ledger still trusts it, and queue it."""
    VERIFY = "verify"
    """Read what is here, and write down what it is."""
    FORGET = "forget"
    """Nothing can bring it any more: stop listing it as a fault."""
    ADOPT = "adopt"
    """Compare the file's SHA-256 with what is known of the asset, and hold it as that."""
    REMOVE = "remove"


class Here(Struct, frozen=True):
    """What lies where an asset's file should. `sha256`: of its bytes, where they were read; else why they were not."""

    file: Lying | None = None
    sha256: str = ""
    trouble: str = ""


class Found(Struct, frozen=True):
    """How an asset stands, what each of the three says, in words, and what can be done."""

    difference: Difference
    remedy: Remedy
    there: str
    ledger: str
    here: str
    words: str


def compare(asset: KnownAsset, here: Here, *, asked_at: float | None) -> Found:
    """Hold the three against each other. `asked_at`: when the service's whole list was asked for (unix seconds)."""
    there, has = _there(asset, asked_at)
    ledger, says = _ledger(asset), _here(asset, here)
    if Flag.FORGET in asset.flags and asset.kept is not LocalState.HELD:
        return Found(Difference.EQUAL, Remedy.NONE, there, ledger, says, "it was flagged to be forgotten")

    def found(difference: Difference, remedy: Remedy, words: str) -> Found:
        return Found(difference, remedy, there, ledger, says, words)

    if asset.kept is LocalState.HELD:
        problem = _problem(asset, here)
        if here.file is None:
            return found(Difference.MISSING_HERE, *_again(has, "the file is gone", Remedy.VERIFY))
        if problem:
            return found(Difference.DIFFERS, Remedy.VERIFY, f"{problem}; verifying reads it")
        if has is False:
            return found(Difference.GONE_THERE, Remedy.NONE, "what is here is the only copy that is known")
        return found(Difference.EQUAL, Remedy.NONE, "")
    if asset.kept is LocalState.DAMAGED:
        return found(Difference.DIFFERS, *_again(has, "the file is damaged", Remedy.VERIFY))
    if asset.kept is LocalState.LOST:
        if here.file is not None:
            return found(Difference.DIFFERS, Remedy.VERIFY, "a file lies there again; verifying reads it")
        return found(Difference.MISSING_HERE, *_again(has, "the file is lost", Remedy.FORGET))
    return _never_here(asset, has, found_words=(there, ledger, says))


def _never_here(asset: KnownAsset, has: bool | None, found_words: tuple[str, str, str]) -> Found:
    if asset.local in (LocalState.QUEUED, LocalState.FETCHING):
        words = f"it is {asset.local} already"
        return Found(Difference.MISSING_HERE, Remedy.NONE, *found_words, words)
    if has and Flag.SKIP in asset.flags:
        return Found(Difference.MISSING_HERE, Remedy.NONE, *found_words, "it is flagged to be skipped")
    if has:
        never = "what came was proven wrong; fetching asks once more" if asset.wrong else "it was never fetched"
        return Found(Difference.MISSING_HERE, Remedy.FETCH, *found_words, never)
    if has is False:
        return Found(Difference.GONE_THERE, Remedy.FORGET, *found_words, "it was never fetched, and cannot be any more")
    if asset.state is RemoteState.UNKNOWN:
        return Found(Difference.UNKNOWN, Remedy.NONE, *found_words, "whether there is such a thing is not known")
    return Found(Difference.EQUAL, Remedy.NONE, *found_words, "")  # in the making, or failed: nobody has it


def _again(has: bool | None, what: str, else_: Remedy) -> tuple[Remedy, str]:
    if has:
        return Remedy.FETCH, f"{what}; the service still has it"
    if has is False:
        return else_, f"{what}, and the service has it no more"
    return Remedy.FETCH, f"{what}; whether the service still has it is not known"


def _there(asset: KnownAsset, asked_at: float | None) -> tuple[str, bool | None]:
    """What the service says, and whether it has the bytes; None: not known, or nothing to have yet."""
    word = asset.provider_state or str(asset.state)
    if asset.state is RemoteState.EXPIRED:
        return word, False
    if asked_at is not None and asset.last_seen < asked_at:
        return f"not in its list any more (was {word})", False
    if asset.state.downloadable:
        return word, True
    return word, None


def _ledger(asset: KnownAsset) -> str:
    size = asset.held_size if asset.kept is not LocalState.ABSENT else asset.size
    return f"{asset.local}, {size} bytes" if size is not None else str(asset.local)


def _here(asset: KnownAsset, here: Here) -> str:
    if here.file is None:
        return "nothing" if asset.kept is LocalState.ABSENT else "no file"
    if here.sha256:
        return f"{here.file.size} bytes, SHA-256 {here.sha256[:12]}…"
    return f"{here.file.size} bytes"


def _problem(asset: KnownAsset, here: Here) -> str:
    """Why a file that the ledger holds is not what was proven, or may not be; "" when nothing says so."""
    if here.file is None or here.trouble:
        return here.trouble
    if here.file.size != asset.held_size:
        return f"the file has {here.file.size} bytes, {asset.held_size} were proven"
    if here.sha256:
        if here.sha256 != asset.sha256:
            return "the bytes are not those that were proven"
    elif asset.proven_at and is_touched(here.file, datetime.fromisoformat(asset.proven_at)):
        return "the file was changed after it was proven"
    if asset.checksum and asset.checksum != asset.sha256:
        return "the service now states another checksum"
    return ""

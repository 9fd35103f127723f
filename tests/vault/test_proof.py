"""A proof says what was compared, and nothing more."""

from datetime import UTC, datetime

import pytest

from providers.models import AssetId, AssetKind, Capability, Checksum, RemoteState
from tests.vault.ledger.filling import NOW, at, proof
from vault.proof import Check, Outcome, Proof, check_checksum, check_length
from vault.rules import is_ready, why_not_fetch, why_not_release, why_not_verify
from vault.views import AssetView, LocalState

GOOD = Check("container", Outcome.PASSED, "zip complete")


def of(*checks: Check) -> Proof:
    return Proof(5, "ab" * 32, checks, datetime(2026, 11, 23, tzinfo=UTC), "https://host")


@pytest.mark.parametrize(
    ("checks", "missing"),
    [
        ((GOOD,), ""),
        ((GOOD, Check("checksum", Outcome.NOT_STATED, "none stated")), ""),
        ((), "what is inside the file was not checked"),
        ((Check("container", Outcome.NOT_STATED, "form not known"),), "what is inside the file was not checked"),
        ((GOOD, Check("checksum", Outcome.UNREADABLE, "crc:12 cannot be read")), "crc:12 cannot be read"),
        ((GOOD, Check("bytes", Outcome.FAILED, "changed")), "changed"),
    ],
)
def test_what_is_missing(checks: tuple[Check, ...], missing: str) -> None:
    assert of(*checks).missing == missing


def test_there_and_back() -> None:
    one = of(GOOD, check_checksum("ab", Checksum("", "crc:12 ü")))
    assert Proof.from_json(one.to_json()) == one


def test_checksums() -> None:
    assert check_checksum("ab" * 32, None).outcome is Outcome.NOT_STATED
    assert check_checksum("ab" * 32, Checksum("ab" * 32, "x")).outcome is Outcome.PASSED
    assert check_checksum("ab" * 32, Checksum("cd" * 32, "x")).outcome is Outcome.FAILED
    assert check_checksum("ab" * 32, Checksum("", "crc:12")).words == "the service's checksum cannot be read: crc:12"


def test_lengths() -> None:
    assert check_length(5, None).outcome is Outcome.NOT_STATED
    assert check_length(5, 5).outcome is Outcome.PASSED
    assert check_length(5, 6).words == "5 bytes arrived, 6 were stated"


def view(
    state: RemoteState = RemoteState.AVAILABLE,
    local: LocalState = LocalState.ABSENT,
    kind: AssetKind = AssetKind.ARCHIVE,
    held: Proof | None = None,
    error: str = "",
    wrong: bool = False,
) -> AssetView:
    return AssetView(
        identity=AssetId("advice", "c1", kind),
        provider="flexperto",
        title="Board",
        state=state,
        provider_state=state.upper(),
        local=local,
        size=None,
        sha256="",
        path="",
        deadline=None,
        error=error,
        wrong=wrong,
        warning="",
        link="",
        extension="zip",
        checksum_stated="",
        proof=held,
        first_seen=at(NOW),
        last_seen=at(NOW),
        details={},
        locator={},
        raw="",
    )


@pytest.mark.parametrize(
    ("asset", "words"),
    [
        (view(), ""),
        (view(RemoteState.ABANDONED), ""),
        (view(RemoteState.UNKNOWN), ""),
        (view(local=LocalState.DAMAGED), ""),
        (view(local=LocalState.LOST), ""),
        (view(kind=AssetKind.DASHBOARD), "never fetched"),
        (view(local=LocalState.HELD), "held already"),
        (view(local=LocalState.QUEUED), "queued already"),
        (view(local=LocalState.FETCHING), "queued already"),
        (view(RemoteState.PROCESSING), "still making it (PROCESSING)"),
        (view(RemoteState.EXPIRED), "has deleted it"),
        (view(RemoteState.FAILED), "the service failed to make it"),
        (view(RemoteState.FAILED, error="no tracks"), "the service failed to make it: no tracks"),
    ],
)
def test_fetching(asset: AssetView, words: str) -> None:
    assert words in why_not_fetch(asset)
    assert bool(why_not_fetch(asset)) is bool(words)
    assert is_ready(asset) is (not words and asset.state.downloadable)


def test_verifying() -> None:
    assert "ever proven" in why_not_verify(view())
    assert why_not_verify(view(local=LocalState.LOST, held=proof())) == ""


CAN = frozenset({Capability.RELEASE})


@pytest.mark.parametrize(
    ("asset", "capabilities", "words"),
    [
        (view(local=LocalState.HELD, held=proof()), CAN, ""),
        (view(local=LocalState.HELD, held=proof()), frozenset(), "offers no way"),
        (view(RemoteState.ABANDONED, LocalState.HELD, held=proof()), CAN, "released already"),
        (view(RemoteState.PROCESSING, LocalState.HELD, held=proof()), CAN, "the service says PROCESSING"),
        (view(), CAN, "no proven copy is held here (absent)"),
        (view(local=LocalState.LOST, held=proof()), CAN, "no proven copy is held here (lost)"),
        (view(local=LocalState.HELD), CAN, "no proven copy"),
        (view(local=LocalState.HELD, held=of()), CAN, "not checked"),
    ],
)
def test_releasing(asset: AssetView, capabilities: frozenset[Capability], words: str) -> None:
    assert words in why_not_release(asset, capabilities)
    assert bool(why_not_release(asset, capabilities)) is bool(words)

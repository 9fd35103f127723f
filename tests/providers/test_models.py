"""The identity of an asset is what commands take and print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.models import (
    Asset,
    AssetId,
    AssetKind,
    Checksum,
    Listing,
    Meeting,
    RemoteState,
    StateChange,
)

ACCOUNTS = st.from_regex(r"[a-z0-9][a-z0-9-]*", fullmatch=True)
IDS = st.text(min_size=1)


@given(ACCOUNTS, IDS, st.sampled_from(AssetKind), st.text())
def test_an_identity_survives_printing(account: str, meeting: str, kind: AssetKind, variant: str) -> None:
    identity = AssetId(account, meeting, kind, variant)
    assert AssetId.parse(str(identity)) == identity


@given(ACCOUNTS, IDS, st.sampled_from(AssetKind), st.text())
def test_a_printed_identity_is_one_plain_word(account: str, meeting: str, kind: AssetKind, variant: str) -> None:
    text = str(AssetId(account, meeting, kind, variant))
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text
    assert text.count("/") == 2


@given(st.text())
def test_any_text_is_an_identity_or_refused(text: str) -> None:
    try:
        identity = AssetId.parse(text)
    except ValueError:
        return
    assert AssetId.parse(str(identity)) == identity


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (AssetId("advice", "xzy789", AssetKind.ARCHIVE, "abc123"), "advice/xzy789/archive.abc123"),
        (AssetId("agents", "a/b", AssetKind.TRANSCRIPT), "agents/a%2Fb/transcript"),
        (AssetId("calls", "1", AssetKind.VIDEO, "7-mp4.x"), "calls/1/video.7-mp4.x"),
        (AssetId("rooms", "..", AssetKind.VIDEO, "%"), "rooms/../video.%25"),
    ],
)
def test_how_identities_look(identity: AssetId, text: str) -> None:
    assert str(identity) == text
    assert AssetId.parse(text) == identity


@pytest.mark.parametrize("text", ["", "a", "a/b", "a/b/movie", "a//video", "/b/video", "a/b/video/c", "a/b/.x", "a/b/"])
def test_what_is_no_identity(text: str) -> None:
    with pytest.raises(ValueError, match="is no asset"):
        AssetId.parse(text)


def test_identities_sort_and_are_keys() -> None:
    first, second = AssetId("a", "m", AssetKind.AUDIO), AssetId("a", "m", AssetKind.VIDEO)
    assert sorted([second, first]) == [first, second]
    assert len({first, AssetId("a", "m", AssetKind.AUDIO)}) == 1


def test_which_states_and_kinds_have_bytes() -> None:
    assert {state for state in RemoteState if state.downloadable} == {RemoteState.AVAILABLE, RemoteState.ABANDONED}
    assert [kind for kind in AssetKind if not kind.fetchable] == [AssetKind.DASHBOARD]


def test_an_asset_knows_its_identity() -> None:
    asset = Asset("m", AssetKind.ARCHIVE, "v")
    assert asset.identity("acct") == AssetId("acct", "m", AssetKind.ARCHIVE, "v")


def test_a_checksum_that_could_not_be_read_compares_with_nothing() -> None:
    assert Checksum("ab", "AB").readable
    assert not Checksum("", "crc:1").readable


def test_listings_add_up() -> None:
    change = StateChange({"task": "1"}, RemoteState.FAILED)
    one = Listing((Meeting("m", "M"),), (Asset("m", AssetKind.VIDEO),))
    both = one + Listing((Meeting("n", "N"),), changes=(change,))
    assert [meeting.id for meeting in both.meetings] == ["m", "n"]
    assert (both.assets, both.changes) == (one.assets, (change,))

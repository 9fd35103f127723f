"""Archive records, as documented and as they might be."""

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import BadAnswer
from providers.flexperto.record import identifier, listing_of, read_checksum, read_time, remote_state
from providers.models import Asset, Checksum, Listing, Meeting, RemoteState

DIGEST = hashlib.sha256(b"zip")
HEX = DIGEST.hexdigest()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
CERTAIN = ["conferenceId", "status", "error", "sha256CheckSum"]
TIMES = ["startDate", "endDate", "createdAt", "updatedAt", "abandonedAt", "expiresAt"]
OTHERS = [
    "id",
    "_id",
    "archiveId",
    "conference",
    "expert",
    "participants",
    "title",
    "size",
    "name",
    "email",
    "firstName",
]
KEYS = st.sampled_from([*CERTAIN, *TIMES, *OTHERS])
RECORDS = st.dictionaries(
    KEYS, JSON | st.dictionaries(KEYS, JSON) | st.sampled_from(["AVAILABLE", "ABANDONED", "9999-12-31T23:59:59Z"])
)


def read(**record: Any) -> tuple[Meeting, Asset]:
    listing = listing_of({"id": "a1", "conferenceId": "c1", "status": "AVAILABLE"} | record, "listed")
    return listing.meetings[0], listing.assets[0]


def test_a_whole_record() -> None:
    meeting, asset = read(
        sha256CheckSum=HEX,
        size=12,
        conference={"title": "Advice", "startDate": "2023-01-10T09:00:00.000Z", "endDate": "2023-01-10T10:41:00+01:00"},
        expert={"name": "Edda", "email": "e@x.example"},
        participants=[
            {"firstName": "Paul", "lastName": "P."},
            {"email": "q@x.example"},
            "Rosa",
            7,
            {},
            {"name": "Edda"},
        ],
    )
    assert (meeting.id, meeting.title, meeting.origin) == ("c1", "Advice", "listed")
    assert meeting.started_at == datetime(2023, 1, 10, 9, 0, tzinfo=UTC)
    assert meeting.ended_at == datetime(2023, 1, 10, 9, 41, tzinfo=UTC)
    assert meeting.people == ("Edda", "Paul P.", "q@x.example", "Rosa")
    assert str(asset.identity("advice")) == "advice/c1/archive.a1"
    assert asset.locator == {"archive_id": "a1", "conference_id": "c1"}
    assert (asset.checksum, asset.size, asset.extension) == (Checksum(HEX, HEX), 12, "zip")
    assert (asset.state, asset.provider_state, asset.deadline) == (RemoteState.AVAILABLE, "AVAILABLE", None)
    assert json.loads(asset.raw)["conference"]["title"] == "Advice"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("PROCESSING", RemoteState.PROCESSING),
        ("ARTIFACT_GATHERING_COMPLETE", RemoteState.PROCESSING),
        ("PACKING", RemoteState.PROCESSING),
        ("SOMETHING_NEW", RemoteState.PROCESSING),
        ("AVAILABLE", RemoteState.AVAILABLE),
        (" available ", RemoteState.AVAILABLE),
        ("ABANDONED", RemoteState.ABANDONED),
        ("EXPIRED", RemoteState.EXPIRED),
        ("FAILED", RemoteState.FAILED),
        ("", RemoteState.UNKNOWN),
        (None, RemoteState.UNKNOWN),
        (["AVAILABLE"], RemoteState.UNKNOWN),
    ],
)
def test_statuses(status: object, state: RemoteState) -> None:
    _, asset = read(status=status)
    assert asset.state is remote_state(status) is state
    assert asset.provider_state == (status.strip() if isinstance(status, str) else "")


@pytest.mark.parametrize("key", ["id", "_id", "archiveId", "archive_id"])
@pytest.mark.parametrize(("value", "archive_id"), [("abc", "abc"), (42, "42")])
def test_where_the_archive_id_stands(key: str, value: object, archive_id: str) -> None:
    asset = listing_of({key: value, "conferenceId": "c"}, "x").assets[0]
    assert (asset.variant, asset.locator["archive_id"]) == (archive_id, archive_id)


def test_without_a_conference_the_archive_is_its_own_meeting() -> None:
    listing = listing_of({"id": "a1", "status": "AVAILABLE"}, "x")
    meeting, asset = listing.meetings[0], listing.assets[0]
    assert (meeting.id, asset.meeting_id, asset.locator) == ("a1", "a1", {"archive_id": "a1"})
    assert "cannot release" in asset.warning
    assert meeting.title == ""


@pytest.mark.parametrize("value", ["", ".", "..", "a\nb", "a\x1b[2J", " a", "x" * 201, True, None, 1.5, [], {}, 10**50])
def test_what_is_no_id(value: object) -> None:
    assert identifier(value) == ""
    with pytest.raises(BadAnswer, match="no usable id"):
        listing_of({"id": value}, "x")


def test_ids_may_be_odd_as_long_as_they_can_be_shown() -> None:
    assert [identifier(one) for one in ("a/b", "ä?#", "...", "-1", 0)] == ["a/b", "ä?#", "...", "-1", "0"]


def test_a_record_of_another_archive_is_refused() -> None:
    with pytest.raises(BadAnswer, match="answers with a2"):
        listing_of({"id": "a2"}, "x", "a1")
    assert listing_of({"status": "AVAILABLE"}, "x", "a1").assets[0].variant == "a1"


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        (HEX, HEX),
        (HEX.upper(), HEX),
        (f" {HEX}\n", HEX),
        (base64.b64encode(DIGEST.digest()).decode(), HEX),
        (base64.urlsafe_b64encode(DIGEST.digest()).decode().rstrip("="), HEX),
        (base64.b64encode(DIGEST.digest()[:31]).decode(), ""),
        (HEX[:-1], ""),
        (HEX + "0", ""),
        ("g" * 64, ""),
        ("crc:12", ""),
        ("ä" * 44, ""),
        (12, ""),
        ([HEX], ""),
    ],
)
def test_checksums(stated: object, value: str) -> None:
    checksum = read_checksum(stated)
    assert checksum is not None
    assert checksum.value == value
    assert checksum.stated


def test_no_checksum() -> None:
    assert read_checksum(None) is None
    assert read_checksum("") is None


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2023-01-10T09:00:00Z", datetime(2023, 1, 10, 9, tzinfo=UTC)),
        ("2023-01-10T09:00:00", datetime(2023, 1, 10, 9, tzinfo=UTC)),
        ("2023-01-10T10:00:00.000+01:00", datetime(2023, 1, 10, 9, tzinfo=UTC)),
        (1673341200, datetime(2023, 1, 10, 9, tzinfo=UTC)),
        (1673341200000, datetime(2023, 1, 10, 9, tzinfo=UTC)),
        (1673341200.5, datetime(2023, 1, 10, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59Z", None),
        (-5, None),
        (10**400, None),
        (float("nan"), None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_times(value: object, moment: datetime | None) -> None:
    assert read_time(value) == moment


@pytest.mark.parametrize(
    ("record", "deadline", "words"),
    [
        ({"status": "ABANDONED", "expiresAt": "2023-01-13T09:00:00Z"}, 13, "stated by the service"),
        ({"status": "ABANDONED", "abandonedAt": "2023-01-10T09:00:00Z", "updatedAt": 0}, 13, "after abandonedAt"),
        ({"status": "ABANDONED", "updatedAt": "2023-01-11T09:00:00Z", "expiresAt": None}, 14, "after updatedAt"),
        ({"status": "AVAILABLE", "expiresAt": "2023-01-20T09:00:00Z"}, 20, "stated by the service"),
        ({"status": "AVAILABLE", "updatedAt": "2023-01-11T09:00:00Z"}, None, ""),
        ({"status": "ABANDONED"}, None, ""),
        ({"status": "EXPIRED", "expiresAt": "2023-01-13T09:00:00Z"}, None, ""),
    ],
)
def test_deadlines(record: dict[str, Any], deadline: int | None, words: str) -> None:
    _, asset = read(**record)
    assert asset.deadline == (None if deadline is None else datetime(2023, 1, deadline, 9, tzinfo=UTC))
    assert words in asset.details.get("Deadline", "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, ""),
        ("no tracks\x1b[2J", "no tracks␛[2J"),
        ({"message": "no tracks"}, "no tracks"),
        ({"step": 3}, '{ "step": 3 }'),
        (7, ""),
        (["x"], ""),
    ],
)
def test_errors(error: object, words: str) -> None:
    assert read(status="FAILED", error=error)[1].error == words


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (5, 5), (-1, None), (True, None), ("5", None), (1.5, None)])
def test_sizes(size: object, expected: int | None) -> None:
    assert read(size=size)[1].size == expected


def test_a_title_is_one_harmless_line() -> None:
    assert read(title="a\nb\x1b]0;x\x07")[0].title == "a b␛]0;x␇"
    assert read(title="  ", name=3)[0].title == ""
    assert read(subject="S", conference={"name": "N"})[0].title == "N"


def test_the_raw_record_keeps_no_credential() -> None:
    raw = read(
        link="https://u:p@store.example/a.zip?X-Amz-Signature=CANARY",
        note="see https://x.example/y#CANARY and more",
        apiKey="CANARY",
        nested=[{"access_token": "CANARY", "password": None}],
    )[1].raw
    assert "CANARY" not in raw
    assert "u:p" not in raw
    assert "https://store.example/a.zip?…" in raw
    assert '"password":null' in raw


def test_deep_nesting_is_cut() -> None:
    deep: Any = "bottom"
    for _ in range(900):
        deep = [deep]
    assert "bottom" not in read(deep=deep)[1].raw


@given(JSON | RECORDS)
def test_any_json_is_a_listing_or_a_bad_answer(record: object) -> None:
    for known_id in ("", "a1"):
        try:
            listing = listing_of(record, "x", known_id)
        except BadAnswer:
            continue
        assert isinstance(listing, Listing)
        assert listing.assets[0].meeting_id == listing.meetings[0].id
        listing.assets[0].raw.encode()


def test_a_tenant_may_keep_abandoned_archives_longer() -> None:
    record = {"id": "a1", "status": "ABANDONED", "abandonedAt": "2026-11-20T10:00:00Z"}
    asset = listing_of(record, "x", stay=timedelta(days=7)).assets[0]
    assert asset.deadline == datetime(2026, 11, 27, 10, tzinfo=UTC)
    assert asset.details["Deadline"] == "7 days (abandon_days) after abandonedAt"

"""What a search looks through: transcripts' text, too; and views that are kept."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.cronofy.emulator import example_transcript
from providers.models import Asset, AssetId, AssetKind, Meeting, RemoteState
from tests.vault.ledger.filling import NOW, at, claim, record
from vault import transcripts
from vault.ledger import Ledger
from vault.proof import Proof
from vault.searching import Searching
from vault.transcripts import text_of
from vault.views import Count, Facet, LocalState, Query, SavedView

ONE = AssetId("agents", "a1", AssetKind.TRANSCRIPT)


@pytest.fixture
def search(ledger: Ledger) -> Searching:
    return Searching(ledger)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "data" / "ledger.db")


def fetched(ledger: Ledger, path: Path, content: bytes, extension: str = "json") -> None:
    """A transcript that is held, as far as the ledger is concerned."""
    path.write_bytes(content)
    transcript = Asset("a1", AssetKind.TRANSCRIPT, state=RemoteState.AVAILABLE, extension=extension)
    record(ledger, Meeting("a1", "Daily"), transcript, account="agents")
    with ledger._database.write() as connection:
        connection.execute("UPDATE assets SET kept = 'absent'")
    ledger.transfers.enqueue([ONE], NOW)
    taken = claim(ledger)
    assert taken is not None
    ledger.claims.fix_path(taken, str(path))
    ledger.claims.commit(taken, Proof(len(content), hashlib.sha256(content).hexdigest(), (), at(NOW), ""), NOW)


def fill(search: Searching) -> None:
    while search.index_some():
        pass


def found(ledger: Ledger, text: str) -> int:
    return len(ledger.reader.page(Query(text=text), 0, 9))


def test_what_was_said_is_found(ledger: Ledger, search: Searching, tmp_path: Path) -> None:
    record(ledger, Meeting("other", "Recording"), account="agents")
    fetched(ledger, tmp_path / "t.json", json.dumps(example_transcript("x")).encode())
    assert search.coverage().words == "searched 2 of 2 meetings and the text of 0 of 1 held transcripts"
    assert found(ledger, "recording is running") == 0
    fill(search)
    assert search.coverage().complete
    for text in ("recording is running", "GARRY", "opened daily", "begin daily", "is", "is be"):
        assert found(ledger, text) == 1, text
    assert found(ledger, "recording") == 2
    assert search.counted(Query(text="recording")) == Count(2, exact=True)
    assert search.count_exactly(Query(text="is", without=("running",))) == 0
    [row] = ledger.reader.page(Query(facets=(Facet("has", ("text",)),)), 0, 9)
    assert row.meeting == "a1"
    assert [asset.identity for asset in ledger.reader.assets(Query(facets=(Facet("has", ("text",)),)))] == [ONE]
    search.interrupt()
    assert not search.index_some()
    ledger.close()


def test_what_is_not_held_any_more_is_not_found(ledger: Ledger, search: Searching, tmp_path: Path) -> None:
    fetched(ledger, tmp_path / "t.txt", b"we spoke of Haftpflicht", "txt")
    fill(search)
    assert found(ledger, "haftpflicht") == 1
    fetched(ledger, tmp_path / "t.txt", b"we spoke of Anlage", "txt")
    fill(search)
    assert (found(ledger, "haftpflicht"), found(ledger, "anlage")) == (0, 1)
    ledger.history.verified(ONE, LocalState.LOST, None, "gone", NOW)
    fill(search)
    assert (found(ledger, "anlage"), found(ledger, "daily")) == (0, 1)
    assert search.coverage().transcripts == 0
    ledger.history.verified(ONE, LocalState.HELD, None, "there again", NOW)
    fill(search)
    assert found(ledger, "anlage") == 1
    ledger.close()


def test_views_are_kept(ledger: Ledger, search: Searching) -> None:
    assert search.views() == ()
    urgent = SavedView("urgent", "is:risk -huawei", "deadline", descending=False)
    number = ledger.change_number()
    search.save_view(SavedView("urgent", "is:risk"))
    search.save_view(SavedView("all", ""))
    search.save_view(urgent)
    assert search.views() == (SavedView("all", ""), urgent)
    assert ledger.change_number() == number + 3
    search.forget_view("all")
    search.forget_view("nothing")
    assert search.views() == (urgent,)
    ledger.close()


@pytest.mark.parametrize(
    ("content", "extension", "text"),
    [
        (b"plain words", "txt", "plain words"),
        (b"WEBVTT\n\n1\n00:01.000 --> 00:02.000\nHello there\n", "vtt", "Hello there"),
        (b'{"transcript": [{"text": "one"}, {"speaker": {"name": "Ada"}, "id": "no"}]}', "json", "one\nAda"),
        (b'{"text": "a\\u001b[31mb"}', "json", None),
        (b'{"broken', "json", ""),
        (b"[" * 100_000, "json", ""),
        (b"\xff\xfe", "zip", ""),
        (b"", "json", ""),
    ],
)
def test_texts(tmp_path: Path, content: bytes, extension: str, text: str | None) -> None:
    (tmp_path / "t").write_bytes(content)
    told = text_of(str(tmp_path / "t"), extension)
    assert "\x1b" not in told
    if text is not None:
        assert told.strip() == text


def test_files_that_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t").write_bytes(b"words")
    (tmp_path / "link").symlink_to(tmp_path / "t")
    for path in (tmp_path / "none", tmp_path, tmp_path / "link"):
        assert text_of(str(path), "txt") == ""
    monkeypatch.setattr(transcripts, "MAX_TEXT", 3)
    assert text_of(str(tmp_path / "t"), "txt") == "wor"
    monkeypatch.setattr(transcripts, "MAX_BYTES", 4)
    assert text_of(str(tmp_path / "t"), "txt") == ""


@given(
    st.recursive(
        st.one_of(st.none(), st.text(), st.integers()),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["text", "name", "x"]), inner),
        max_leaves=20,
    )
)
def test_any_json_gives_some_text(told: object) -> None:
    assert all(isinstance(text, str) for text in transcripts._texts(told))

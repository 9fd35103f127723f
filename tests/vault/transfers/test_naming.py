"""Names that every file system takes, whatever a service calls things."""

from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.models import AssetId, AssetKind
from vault.config import DEFAULT_TEMPLATE
from vault.transfers.naming import MAX_PART_BYTES, relative_path, safe_part, told_apart

DAY = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{p}{n}" for p in ("COM", "LPT") for n in "123456789")}
ANY = st.text(st.characters(codec=None))
IDS = st.text()
NASTY = ["..", ".", "", "/", "\\", "../../etc/passwd", "C:\\x", "a\0b", "\x1b[2J", "CON", "nul.txt", "NUL .txt", "-rf"]
NASTY += ["~root", "a" * 500, "漢" * 200, "e\u0301" * 300, "x.", "x ", "\u202etxt.exe", "COM¹", "LPT³.x", "..\u200d."]
NASTY += ["-. ~x", "aux.", "a" * 179 + "ü.zip", "\ud800", "a//b", '?*<>|"', "a" * 300 + ".mp4"]


def is_harmless(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and not set(part) & set('/\\:*?"<>|\0')
        and part.isprintable()
        and len(part.encode()) <= MAX_PART_BYTES
        and part == part.strip(" .")
        and part[0] not in "-~"
        and part.partition(".")[0].rstrip().upper() not in RESERVED
    )


@given(ANY)
def test_a_part_is_harmless_and_stays_as_it_is(text: str) -> None:
    part = safe_part(text)
    assert is_harmless(part), (text, part)
    assert safe_part(text) == part
    assert safe_part(part) == part


@pytest.mark.parametrize("text", NASTY)
def test_nasty_parts(text: str) -> None:
    part = safe_part(text)
    assert is_harmless(part), (text, part)
    assert safe_part(part) == part


def test_ordinary_names_are_kept() -> None:
    for text in ("Beratung Müller & Söhne", "漢字の会議", "Q3 [draft] (2)", "archive-a1.zip", "Τίτλος"):
        assert safe_part(text) == text
    assert safe_part("a/b: c") == "a - b - c"
    assert safe_part("e\u0301") == "\u00e9"


def test_long_names_are_told_apart_and_keep_their_ending() -> None:
    one, two = safe_part("x" * 300 + "1.zip"), safe_part("x" * 300 + "2.zip")
    assert one != two
    assert one.endswith(".zip")


@given(ANY, IDS, IDS, ANY)
@example("..", "..", "..", "..")
@example("/", "/", "/", "/")
def test_a_path_never_escapes(title: str, meeting: str, variant: str, extension: str) -> None:
    identity = AssetId("advice", meeting, AssetKind.VIDEO, variant)
    path = relative_path(DEFAULT_TEMPLATE, identity, title, extension, DAY)
    assert len(path.parts) == 4
    assert all(is_harmless(part) for part in path.parts), path.parts
    assert path == relative_path(DEFAULT_TEMPLATE, identity, title, extension, DAY)
    other = told_apart(path, identity)
    assert other.parent == path.parent
    assert other.name != path.name
    assert is_harmless(other.name)


def test_the_template_is_filled_in() -> None:
    identity = AssetId("advice", "c/1", AssetKind.ARCHIVE, "A B")
    path = relative_path(DEFAULT_TEMPLATE, identity, "Title / sub", "zip", DAY)
    assert path == PurePosixPath("advice/2026-11-23/Title - sub [c - 1]/archive-A B.zip")
    plain = AssetId("advice", "c", AssetKind.CATCHUP)
    assert relative_path("{meeting}/{kind}{variant}.{ext}", plain, "", "json", DAY) == PurePosixPath("c/catchup.json")
    assert relative_path("{date}{title}", plain, "../..", "json", DAY) == PurePosixPath("2026-11-23.. -")


def test_braces_in_a_title_are_no_fields() -> None:
    identity = AssetId("advice", "m", AssetKind.VIDEO)
    assert relative_path("{title}", identity, "{account}", "mp4", DAY) == PurePosixPath("{account}")

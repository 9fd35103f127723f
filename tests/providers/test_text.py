"""Remote text cannot move the cursor, whatever it is."""

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.text import MAX_BLOCK, MAX_COMBINING, MAX_LINE, _looked_at, _plain_line, safe_block, safe_text

ANY_TEXT = st.text(st.characters(exclude_categories=()))
BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
NASTY = st.text(
    st.sampled_from("a\u0301\u0323\ufe0f\u200d\u200c \t\r\n\x1b\u0958\u1100\u1161\u212b\u2028\u202e\ud800\u3000é…")
)

HOSTILE = {
    "OSC 52 writes the clipboard": "\x1b]52;c;cHduZWQ=\x07",
    "CSI clears the screen": "\x1b[2J\x1b[H",
    "C1 CSI": "\x9b2J",
    "OSC 0 sets the title": "\x1b]0;owned\x07",
    "DCS": "\x1bP+q544e\x1b\\",
    "NEL and separators": "a\x85b\u2028c\u2029d",
    "bidi override": "invoice\u202efdp.exe",
    "isolates": "\u2066a\u2069\u2067b\u2069",
    "marks of direction": "\u200ea\u200fb\u061c",
    "backspaces": "good\x08\x08\x08\x08evil",
    "carriage return": "good\revil",
    "NUL and DEL": "a\x00b\x7fc",
    "tags": "\U000e0041\U000e007f",
    "zero width": "a\u200bb\u2060c\ufeffd",
    "lone surrogate": "a\ud83d b\udc00",
    "private use": "\ue000",
}


def dangers(text: str, allowed: str = "") -> list[str]:
    return [
        char
        for char in text
        if char not in allowed and (unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in BIDI)
    ]


@given(ANY_TEXT | NASTY)
def test_a_line_has_nothing_that_a_terminal_acts_on(text: str) -> None:
    line = safe_text(text)
    assert dangers(line) == []
    assert len(line) <= MAX_LINE
    assert line == line.strip()
    line.encode()


@given(ANY_TEXT | NASTY)
def test_a_block_has_nothing_but_line_ends(text: str) -> None:
    block = safe_block(text)
    assert dangers(block, "\n") == []
    block.encode()


@given(ANY_TEXT | NASTY, st.integers(1, 40))
def test_safe_twice_is_safe_once(text: str, limit: int) -> None:
    line, block = safe_text(text, limit), safe_block(text, limit)
    assert safe_text(line, limit) == line
    assert safe_block(block, limit) == block
    assert len(line) <= limit
    assert len(block) <= limit


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts(text: str) -> None:
    assert dangers(safe_text(text)) == []
    assert dangers(safe_block(text), "\n") == []


def test_control_characters_are_shown_not_dropped() -> None:
    assert safe_text("a\x1b[2Jb\x07\x7f") == "a␛[2Jb␇␡"
    assert safe_text("invoice\u202efdp") == "invoice\ufffdfdp"


def test_line_ends_and_tabs() -> None:
    assert safe_text(" a\r\n\tb  c ") == "a b c"
    assert safe_block("a\r\nb\rc\x85d\u2028e\n") == "a\nb\nc\nd\ne\n"
    assert safe_block("a\tb") == "a   b"


def test_marks_do_not_pile_up_even_over_joiners() -> None:
    for between in ("", "\u200d", "\u200c\ufe0f"):
        line = safe_text("x" + ("\u0334" + between) * 50)
        assert sum(unicodedata.combining(char) != 0 for char in line) <= MAX_COMBINING


def test_scripts_stay_as_they_are() -> None:
    for text in ("Besprechung über Größe", "会議の録画", "שיחה", "مكالمة", "हिन्दी बैठक", "👩‍💻 demo", "می\u200cخواهم"):
        assert safe_text(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(("value", "expected"), [(None, ""), (7, "7"), (True, "True"), ([1], "[1]"), ("", "")])
def test_other_values(value: object, expected: str) -> None:
    assert safe_text(value) == expected
    assert safe_block(value) == expected


def test_what_is_cut_says_so() -> None:
    assert safe_text("x" * 400) == "x" * 299 + "…"
    assert safe_text("x" + " " * 2000 + "y") == "x…"
    assert safe_block("y" * 50, 10) == "y" * 9 + "…"
    assert safe_block("y" * 10, 10) == "y" * 10


def test_a_pile_of_marks_takes_no_time() -> None:
    began = time.monotonic()
    block = safe_block("a" + "\u0301\u0316" * 65_000)
    assert time.monotonic() - began < 2.0
    assert len(block) <= 1 + MAX_COMBINING


# What is plain is not looked at letter by letter

PLAIN = [chr(code) for code in range(0x11_0000) if _plain_line().fullmatch(chr(code))]
MIXED = st.text(
    st.sampled_from(PLAIN)
    | st.characters(exclude_categories=())
    | st.sampled_from(
        "ae<= \t\n\r\x85\u3000\u0301\u0323\u0338\u3099\u309aかはハ\u1100\u1161\u11a8가각\ufe0f\u200d\u09c7\u09be👩\x1b"
    )
)


def slowly(text: str) -> str:
    """All of it looked at."""
    return "\n".join(_looked_at(line) for line in text.split("\n"))


def slow_line(text: str, limit: int) -> str:
    line = re.sub(r"\s+", " ", slowly(re.sub(r"\s+", " ", text[: limit * 4]))).strip()
    return line[: limit - 1] + "…" if len(text) > limit * 4 or len(line) > limit else line


def slow_block(text: str, limit: int) -> str:
    block = slowly(re.sub(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n", text[:limit]).expandtabs(4))
    return block[: limit - 1] + "…" if len(text) > limit or len(block) > limit else block


@given(ANY_TEXT | NASTY | MIXED, st.integers(1, 40))
def test_what_is_read_fast_is_read_as_if_all_of_it_were_looked_at(text: str, limit: int) -> None:
    assert safe_text(text, limit) == slow_line(text, limit)
    assert safe_block(text, limit) == slow_block(text, limit)
    assert safe_block(text) == slow_block(text, MAX_BLOCK)


def test_every_plain_letter_stays_as_it_is_alone_and_beside_any_other() -> None:
    assert len(PLAIN) > 30_000
    for char in PLAIN:
        assert unicodedata.category(char)[0] in "LNPSZ", f"{char!r} is {unicodedata.category(char)}"
        assert not unicodedata.combining(char)
        assert unicodedata.is_normalized("NFC", char)
        assert slow_line(f"x{char}x", 9) == slow_block(f"x{char}x", 9) == f"x{char}x"
    together = "".join(PLAIN) + "".join(reversed(PLAIN))
    assert slowly(together) == together == safe_block(together)
    assert unicodedata.normalize("NFC", "\u0301".join(["", *PLAIN])) == safe_block("\u0301".join(["", *PLAIN]))


def test_no_plain_letter_composes_with_what_is_before_it() -> None:
    """So that a text may be taken apart before any of them."""
    pairs = [unicodedata.decomposition(chr(code)).split() for code in range(0x11_0000)]
    seconds = {chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and not pair[0].startswith("<")}
    hangul = set(map(chr, range(0x1160, 0x1200)))  # composed by a rule, not by a table
    assert {"\u0301", "\u3099", "\u09be"} < seconds
    assert not (seconds | hangul) & set(PLAIN)


@pytest.mark.parametrize("unit", ["👩a", "\n👩", "a\u0301", "ह ", "\x1b[", "\u0301\n"])
def test_strange_and_plain_by_turns_take_no_time(unit: str) -> None:
    text = unit * (128 * 1024 // len(unit))
    began = time.thread_time()
    assert safe_block(text) == slow_block(text, MAX_BLOCK)
    assert time.thread_time() - began < 1.0

"""Whatever a config.toml is laid out like: what is not the account's stays, letter by letter."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.vault.test_accounts import comments, text_of
from vault.accounts import add, change, remove
from vault.config import parse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def lines_of(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


FORMS = {
    "out of order": '[accounts.a]\nprovider="cronofy"\n[vault] # v\n[accounts.b]\nprovider="cronofy" # b\n',
    "one line": 'accounts = { a = {provider="cronofy"}, b = {provider="cronofy"}} # all\n[vault]\n',
    "inline tables": '[accounts]\n# two\na = {provider="cronofy"} # a\nb = {provider="cronofy"} # b\n[vault]\n',
    "dotted": '# q\naccounts.a.provider="cronofy"\naccounts.a.poll_s=1\naccounts.b={provider="cronofy"} # w\n# e\n',
    "dotted below": '[accounts]\na.provider="cronofy"\na.poll_s=2\n# x\nb.provider="cronofy"\n[vault]\n',
    "quoted": '[ "accounts" . \'a\' ]\nprovider = "cronofy"\n\n  [accounts.b]\n\tprovider = "cronofy"\n',
    "no end": '[accounts.b]\nprovider = "cronofy"\n[accounts.a]\nprovider = "cronofy"',
    "windows": '# w\r\n[accounts.a]\r\nprovider = "cronofy"\r\n\r\n# of b\r\n[accounts.b]\r\nprovider = "cronofy"\r\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_however_it_is_laid_out(path: Path, form: str) -> None:
    text = FORMS[form]
    path.write_bytes(text.encode())
    before = tomllib.loads(text)
    change(path, "a", {"data_center": "de", "poll_s": 7})
    changed = before["accounts"]["a"] | {"data_center": "de", "poll_s": 7}
    assert tomllib.loads(text_of(path))["accounts"] == {**before["accounts"], "a": changed}
    assert comments(text_of(path)) == comments(text)
    add(path, "new", "cronofy", {"data_center": "au"})
    remove(path, "a")
    assert set(tomllib.loads(text_of(path))["accounts"]) == {"b", "new"}
    assert set(comments(text)) - set(comments(text_of(path))) <= {"# a"}
    assert ("\r\n" in text) == ("\r\n" in text_of(path))
    assert text_of(path).count("\n") == text_of(path).count("\r\n") or "\r\n" not in text


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
COMMENT = WORDS.map(lambda words: f"# {words}")
BLANK = st.sampled_from(["", "   ", "\t"])
TRIVIA = st.lists(st.one_of(COMMENT, BLANK), max_size=3)
NAME = st.from_regex(r"[a-z0-9][a-z0-9-]{0,5}", fullmatch=True)
SPACE = st.sampled_from(["", " ", "   ", "\t"])
VALUES = st.sampled_from(
    [
        'data_center = "de"',
        "data_center='au'",
        "poll_s = 0x10",
        "timeout_s = 5e0",
        "verify   = false",
        'resource_hosts = ["a.example", # c\n  "b.example",\n\n # d\n]',
        'spool = """\n# no comment\n[accounts.x]\n"""',
        "ca_file = '''[accounts.y]'''",
        'proxy = "https://p.example:1"',
    ]
)


@st.composite
def tables(draw: st.DrawFn, name: str) -> str:
    quoted = draw(st.sampled_from([name, f'"{name}"', f"'{name}'"]))
    gap = draw(SPACE)
    lines = [
        f"{draw(SPACE)}[{gap}accounts{gap}.{gap}{quoted}{gap}]{draw(SPACE)}{draw(st.one_of(COMMENT, st.just('')))}"
    ]
    values = draw(st.lists(VALUES, unique_by=lambda value: value.split("=")[0].strip(), max_size=4))
    for value in draw(st.permutations(['provider = "cronofy"', *values])):
        lines += draw(TRIVIA)
        lines.append(f"{draw(SPACE)}{value}{draw(SPACE)}{draw(st.one_of(COMMENT, st.just('')))}")
    return "\n".join([*lines, *draw(TRIVIA)])


@st.composite
def documents(draw: st.DrawFn) -> str:
    names = draw(st.lists(NAME, unique=True, max_size=4))
    parts = [draw(tables(name)) for name in names]
    parts += draw(
        st.lists(st.sampled_from(["[vault]\nworkers = 3 # w", "[desk]", "[receiver]\nport = 1"]), unique=True)
    )
    parts = ["\n".join(draw(TRIVIA)), *draw(st.permutations(parts))]
    text = "\n".join(parts) + draw(st.sampled_from(["", "\n", "\n\n", "\n# end"]))
    return text if draw(st.booleans()) else text.replace("\n", "\r\n")


def edited(text: str, act: Callable[[Path], None], folder: Path) -> str:
    path = folder / "config.toml"
    path.write_bytes(text.encode())
    act(path)
    return path.read_bytes().decode()


@given(text=documents())
@example(text="")
@example(text="\n\n\n")
@example(text="# only this")
@example(text="[vault]\r\n\r\n\r\n")
def test_adding_and_removing_gives_the_same_text(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    assume("new-one" not in text)
    parse(text, folder, folder)
    added = edited(text, lambda path: add(path, "new-one", "cronofy", {"data_center": "de"}), folder)
    assert added.startswith(text)
    back = edited(added, lambda path: remove(path, "new-one"), folder)
    assert back.rstrip("\r\n") == text.rstrip("\r\n")
    assert abs(len(back) - len(text)) <= 2


@given(text=documents(), data=st.data())
def test_no_comment_about_others_is_lost(
    text: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    before = tomllib.loads(text)
    assume(before.get("accounts"))
    name = data.draw(st.sampled_from(sorted(before["accounts"])))
    changed = edited(text, lambda path: change(path, name, {"rate_per_s": 3, "data_center": "sg"}), folder)
    said = tomllib.loads(changed)
    wanted = before["accounts"][name] | {"rate_per_s": 3, "data_center": "sg"}
    assert said == {**before, "accounts": {**before["accounts"], name: wanted}}
    assert sorted(comments(changed)) == sorted(comments(text))
    others = [line for line in lines_of(text) if "data_center" not in line]
    kept = iter(lines_of(changed))
    assert all(line in kept for line in others), "lines that were not to change are all there, in their order"

    removed = edited(text, lambda path: remove(path, name), folder)
    rest = {key: table for key, table in before["accounts"].items() if key != name}
    assert tomllib.loads(removed).get("accounts", {}) == rest
    own = _own_lines(text, name)
    assert [line for line in lines_of(removed) if line.strip()] == [
        line for number, line in enumerate(lines_of(text)) if line.strip() and number not in own
    ]


def _own_lines(text: str, name: str) -> set[int]:
    """The numbers of an account's lines, from its header to its last value."""
    own: set[int] = set()
    span: list[int] = []
    inside = False
    for number, line in enumerate(lines_of(text)):
        header = re.match(r"\s*\[\s*(?:accounts\s*\.\s*[\"']?([a-z0-9-]+)[\"']?|vault|desk|receiver)\s*\]", line)
        if header and not _in_a_text(text, number):
            inside = header.group(1) == name
            span = []
        if inside:
            span.append(number)
            if (line.strip() and not line.lstrip().startswith("#")) or _in_a_text(text, number):
                own.update(span)
    return own


def _in_a_text(text: str, number: int) -> bool:
    """Whether a line begins inside of a value: what stands before it is no TOML by itself."""
    try:
        tomllib.loads("\n".join(lines_of(text)[:number]))
    except tomllib.TOMLDecodeError:
        return True
    return False

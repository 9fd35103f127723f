"""One declaration for config, forms, commands and docs: what is typed, what is asked now, what is wrong with it."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import checks, registry
from providers.declaring import (
    Field,
    Option,
    SecretField,
    fields_of,
    problem_with,
    problem_with_typed,
    problems,
    read,
    read_all,
    typed,
    typed_all,
    with_defaults,
)
from vault.options import COMMON

TEXT = Option("x", "a text")
LIST = Option("x", "a list", "texts", ())
COMMAND = Option("x", "a command", "texts", separator=" ")
BOOL = Option("x", "a switch", "bool", False)
NUMBER = Option("x", "a number", "number")
WHOLE = Option("x", "a number", "integer", 4)


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        (TEXT, " a b ", "a b"),
        (TEXT, "", None),
        (LIST, "", ()),
        (LIST, "a, b ,,c", ["a", "b", "c"]),
        (LIST, '["a, b", "c"]', ["a, b", "c"]),
        (COMMAND, "pass show 'a b' {name}", ["pass", "show", "a b", "{name}"]),
        (COMMAND, '["pass", "x"]', ["pass", "x"]),
        (BOOL, "YES", True),
        (BOOL, "off", False),
        (BOOL, "", False),
        (NUMBER, "5", 5),
        (NUMBER, "0.25", 0.25),
        (WHOLE, "", 4),
        (WHOLE, "12", 12),
    ],
)
def test_what_is_typed(option: Option, text: str, value: Any) -> None:
    assert read(option, text) == value
    assert problem_with_typed(option, text) == ""


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        (BOOL, "perhaps", "must be true or false"),
        (NUMBER, "-1", "must be a number, 0 or more"),
        (NUMBER, "1e3", "must be a number"),
        (NUMBER, "٣", "must be a number"),
        (NUMBER, "nan", "must be a number"),
        (WHOLE, "1.5", "must be a whole number, 0 or more"),
        (WHOLE, "9" * 12, "must be a number, 0 or more"),
        (LIST, "[1", "must be a list of texts"),
        (LIST, "[1]", "must be a list of texts"),
        (LIST, '["a"]\ny = 1', "must be a list of texts"),
        (COMMAND, "pass 'show", "must close the quotes"),
        (Option("x", "which one", "choice", "a", choices=("a", "b")), "c", "must be one of a, b"),
        (Option("x", "an address", "url"), "a.example", "must be an address"),
        (Option("x", "a list", "texts", check=checks.digits), "1, b", "must be a number such as 1001"),
    ],
)
def test_what_cannot_be_meant(option: Option, text: str, words: str) -> None:
    assert words in problem_with_typed(option, text)
    with pytest.raises(ValueError, match=re.escape(f"x {words}")):
        read_all([option], {"x": text})


def test_what_is_left_out_is_told_by_the_form_alone() -> None:
    needed = Option("x", "what it is", required=True)
    assert problem_with_typed(needed, "  ") == "is needed: what it is"
    assert read_all([needed, TEXT], {"x": " ", "a_secret": "y"}) == {}


@given(st.lists(st.text(max_size=8), max_size=4))
def test_lists_are_read_as_they_are_shown(value: list[str]) -> None:
    for option in (LIST, COMMAND):
        shown = typed(option, value)
        try:
            read_back = read(option, shown)
        except ValueError:  # TOML has no lone surrogates and no bare control characters
            assert not "".join(value).isprintable()
            continue
        assert list(read_back or []) == value


@given(st.text(max_size=30))
def test_any_text_is_read_or_told(text: str) -> None:
    for option in (TEXT, LIST, COMMAND, BOOL, NUMBER, WHOLE):
        if not problem_with_typed(option, text):
            value = read(option, text)
            assert value == option.default or problem_with(option, value) == ""


def names(provider: str, values: dict[str, Any]) -> list[str]:
    return [field.name for field in fields_of(registry.info(provider), values)]


def test_only_what_applies_is_asked() -> None:
    always = ["base_url", "auth"]
    assert names("temasys", {}) == [
        *always,
        *("login_path", "username", "download_hosts", "password", "api_key", "hook_secret"),
    ]
    assert names("temasys", {"auth": ""}) == names("temasys", {})
    assert names("temasys", {"auth": "cookie"}) == [*always, "download_hosts", "cookie", "api_key", "hook_secret"]
    assert names("temasys", {"auth": "header"}) == [
        *always,
        *("header", "download_hosts", "token", "api_key", "hook_secret"),
    ]
    assert "header" not in names("proconf", {})
    bearer, header = ([f for f in fields_of(registry.info("proconf"), {"auth": a}) if f.name == "token"] for a in
                      ("bearer", "header"))  # fmt: skip
    assert [field.words for field in (*bearer, *header)] == [
        "token, sent as `Bearer TOKEN`",
        "the header's whole value",
    ]
    common = fields_of(registry.info("cronofy"), {}, common=COMMON)
    assert common[-len(COMMON) :] == COMMON


def test_problems_of_a_whole_form() -> None:
    info = registry.info("flexperto")
    assert problems(info, {}) == {
        "base_url": "is needed: the tenant's address, https://TENANT.live.flexperto.com; with or without /api/v2",
        "api_key": "is needed: API token of an administrator of the tenant",
    }
    good = {"base_url": "https://acme.example", "paths": "", "api_key": "key"}
    assert problems(info, good) == {}
    assert problems(info, good | {"api_key": ""}, kept={"api_key"}) == {}
    assert problems(info, good | {"poll_s": "x"}, common=COMMON) == {"poll_s": "must be a number, 0 or more"}
    wrong = good | {"nonsense": "1", "base_url": "http://a.example", "api_key": "a\x00b", "hook_secret": "ü"}
    assert problems(info, wrong) == {
        "nonsense": "is not known here",
        "base_url": "must begin with https:// (http:// is accepted for loopback addresses only)",
        "api_key": "has characters that a credential cannot have",
        "hook_secret": "has characters that a credential cannot have",
    }


def test_what_does_not_apply_is_no_problem() -> None:
    info = registry.info("temasys")
    good = {"base_url": "https://a.example", "auth": "none", "header": "Bad Header"}
    assert problems(info, good) == {}
    assert set(problems(info, good | {"auth": "header"})) == {"header", "token"}


def test_one_of_several_secrets_is_enough() -> None:
    info = registry.info("huawei")
    good = {"base_url": "https://10.0.0.5", "agent_id": "1001"}
    assert problems(info, good) == {"password": "is needed: one of password and guid"}
    assert problems(info, good | {"guid": "g"}) == {}
    assert problems(info, good, kept=["password"]) == {}


def test_a_form_begins_with_what_is_configured() -> None:
    options = registry.info("proconf").options
    shown = typed_all(options, {"base_url": "https://a.example", "rooms": ("a", "b, c")})
    assert shown == {
        "base_url": "https://a.example",
        "endpoint": "admin",
        "auth": "none",
        "header": "Authorization",
        "rooms": '["a", "b, c"]',
    }
    assert read_all(options, shown)["rooms"] == ["a", "b, c"]


@pytest.mark.parametrize("provider", registry.names())
def test_every_declaration_is_whole(provider: str) -> None:
    info = registry.info(provider)
    declared = {option.name: option for option in info.options}
    for option in (*info.options, *COMMON):
        assert option.words
        assert option.label
        assert option.example or option.kind == "bool"
        assert problem_with_typed(option, option.example) == "", "its example is valid"
        assert option.default is None or option.default == "" or problem_with(option, option.default) == ""
        assert not (option.choices and option.kind != "choice")
        assert not option.name.startswith("--")
    fields: list[Field] = [*info.options, *info.secrets]
    for field in fields:
        if field.when:
            name, *values = field.when
            assert set(values) <= set(declared[name].choices)
    assert {field.name for field in info.secrets}.isdisjoint(declared)
    assert {option.name for option in COMMON}.isdisjoint({*declared, *(field.name for field in info.secrets)})
    assert any(isinstance(field, SecretField) for field in fields_of(info, {}))


def test_where_calls_go_to() -> None:
    cronofy, flexperto = registry.info("cronofy"), registry.info("flexperto")
    assert cronofy.address(with_defaults(cronofy, {})) == "https://api.cronofy.com"
    assert cronofy.address(with_defaults(cronofy, {"data_center": "de"})) == "https://api-de.cronofy.com"
    assert flexperto.address({"base_url": "https://a.example"}) == "https://a.example"
    assert flexperto.address(with_defaults(flexperto, {})) == ""


@pytest.mark.parametrize(
    ("check", "fits", "not_fitting"),
    [
        (checks.header_name, ["Authorization", "X-Api-Key"], ["", "a b", "a:", "é", "host", "Content-Length"]),
        (checks.path, ["/rest/login", "login"], ["//a.example/x", "https://a.example", "/a b", "/é"]),
        (checks.bare_address, ["https://a.example/x"], ["https://a/?x", "https://a/#x", "https://[a"]),
        (
            checks.exact_host,
            ["a.example", "A.example:8443", "10.0.0.5:1", "[::1]:9", "a.example:443"],
            ["", "*.a", "https://a", "a/x", "a:", "a:0", "a b", "me@a"],
        ),
        (checks.host_pattern, ["*.a.example", "a.example:1"], ["", "*", "*.", "*.*.a", "a.*"]),
        (
            checks.exact_origin,
            ["https://10.0.0.9:9000", "https://Store.corp/", "https://store.corp:443"],
            ["10.0.0.9", "http://127.0.0.1:9", "https://a/x", "https://a?x", "https://me@a", "https://*.a", ""],
        ),
        (checks.network, ["10.0.0.0/8", "::1", "10.1.2.3/8"], ["a", "10.0.0.0/99", ""]),
        (checks.digits, ["1001", " 7 "], ["", "1.5", "٣", "Eve"]),
        (checks.more_than_zero, [0.1, 3], [0, 0.0]),
        (checks.between(1, 3), [1, 3], [0, 4]),
    ],
)
def test_checks(check: Any, fits: list[Any], not_fitting: list[Any]) -> None:
    assert [value for value in fits if check(value)] == []
    assert [value for value in not_fitting if not check(value)] == []

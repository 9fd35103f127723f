"""An account's form as values: fields, problems, what is saved; generated from the declarations alone."""

from typing import Any

import pytest

from providers import registry
from providers.declaring import SecretField
from tui.account_fields import entry_rows, placeholder
from tui.account_form import HOST, NAME, AccountForm
from tui.widgets.ink import text_of
from vault import accounts
from vault.options import COMMON


def form_of(provider: str, name: str = "", taken: tuple[str, ...] = (), **written: Any) -> AccountForm:
    return AccountForm(registry.info(provider), name, written, taken, accounts.problem_with_name, accounts.host_to_type)


def id_of(form: AccountForm, name: str, place: int = 0) -> str:
    return [entry.id for entry in form.entries if entry.field.name == name][place]


def shown(form: AccountForm, values: dict[str, str]) -> list[str]:
    return [entry.field.name for entry in form.applying(values) if not form.is_rare(entry)]


@pytest.mark.parametrize("provider", registry.names())
def test_every_declared_field_is_in_the_form_once_and_the_rare_ones_come_last(provider: str) -> None:
    form = form_of(provider)
    info = registry.info(provider)
    declared = [*info.options, *info.secrets, *COMMON]
    fields = [entry.field for entry in form.entries if entry.id not in (NAME, HOST)]
    assert sorted(map(repr, fields)) == sorted(map(repr, declared))
    rare = [form.is_rare(entry) for entry in form.entries]
    assert rare == sorted(rare)
    assert len({entry.id for entry in form.entries}) == len(form.entries)


@pytest.mark.parametrize("provider", registry.names())
def test_what_is_needed_is_told_and_every_field_says_what_it_is_for(provider: str) -> None:
    form = form_of(provider)
    needed = {entry.field.name for entry in form.applying(form.begun) if form.problems(form.begun, ()).get(entry.id)}
    wanted = {option.name for option in form.info.options if option.required}
    assert wanted <= needed
    for entry in form.entries:
        rows = [text_of(row.line) for row in entry_rows(entry, form.info, {}, 40)]
        assert entry.field.label in rows[0]
        assert all(len(row) <= 40 for row in rows)


def test_a_new_account_has_a_name_of_its_own() -> None:
    assert form_of("temasys").begun[NAME] == "temasys"
    form = form_of("temasys", taken=("temasys", "temasys-2"))
    assert form.begun[NAME] == "temasys-3"
    values = form.begun | {NAME: "temasys"}
    assert "already" in form.problems(values, ())[NAME]
    assert "no account name" in form.problems(form.begun | {NAME: "Ü"}, ())[NAME]


def test_fields_follow_the_sign_in() -> None:
    form = form_of("temasys")
    values = form.begun
    assert shown(form, values) == ["name", "base_url", "auth", "username", "download_hosts", "password", "api_key"]
    values[id_of(form, "auth")] = "header"
    assert shown(form, values) == ["name", "base_url", "auth", "header", "download_hosts", "token", "api_key"]
    standup = form_of("proconf")
    values = standup.begun | {id_of(standup, "auth"): "bearer", id_of(standup, "token", 1): "of-the-header"}
    assert standup.secrets(values) == {}, "the token of the other sign-in is not this one's"


def test_one_of_two_secrets_is_enough() -> None:
    form = form_of("huawei")
    values = form.begun | {id_of(form, "base_url"): "https://10.0.0.5:8043", id_of(form, "agent_id"): "1001"}
    password = id_of(form, "password")
    assert form.problems(values, ()) == {password: "is needed: one of password and guid"}
    assert form.problems(values | {id_of(form, "guid"): "abc"}, ()) == {}
    assert form.problems(values, ("guid",)) == {}
    assert [each.name for each in form.only_secrets_missing(values, form.problems(values, ()))] == ["password"]


def test_a_wrong_secret_is_told_without_its_text() -> None:
    form = form_of("flexperto")
    values = form.begun | {id_of(form, "base_url"): "https://a.example", id_of(form, "api_key"): "zqx\u200bzqx"}
    (words,) = form.problems(values, ()).values()
    assert "characters that a credential cannot have" in words
    assert "zqx" not in words
    assert form.only_secrets_missing(values, form.problems(values, ())) == ()


def test_a_password_command_stands_for_every_secret() -> None:
    form = form_of("flexperto")
    values = form.begun | {id_of(form, "base_url"): "https://a.example"}
    assert list(form.problems(values, ())) == [id_of(form, "api_key")]
    values[id_of(form, "password_command")] = "pass show reeldesk/{name}"
    assert form.problems(values, ()) == {}
    values[id_of(form, "password_command")] = "pass show reeldesk"
    assert set(form.problems(values, ())) == {id_of(form, "api_key"), id_of(form, "password_command")}


def test_verify_false_wants_the_host_typed_once() -> None:
    form = form_of("flexperto")
    values = form.begun | {id_of(form, "base_url"): "https://acme.example/x", id_of(form, "api_key"): "k"}
    assert HOST not in [entry.id for entry in form.applying(values)]
    values[id_of(form, "verify")] = "false"
    assert HOST in [entry.id for entry in form.applying(values)]
    assert form.problems(values, ()) == {HOST: "must be acme.example, as a sign that this is meant"}
    assert form.problems(values | {HOST: "acme.exampl"}, ()) == form.problems(values, ())
    assert form.problems(values | {HOST: " ACME.example "}, ()) == {}
    again = form_of("flexperto", "advice", base_url="https://acme.example/x", verify=False)
    assert again.problems(again.begun, ("api_key",)) == {}, "it was typed before"
    moved = again.begun | {id_of(again, "base_url"): "https://other.example"}
    assert list(again.problems(moved, ("api_key",))) == [HOST]


def test_a_new_account_is_written_with_what_was_typed() -> None:
    form = form_of("proconf")
    values = form.begun | {
        NAME: " standup ",
        id_of(form, "base_url"): "https://admin.example/api",
        id_of(form, "rooms"): "town-hall, stand-up",
        id_of(form, "auto_fetch"): "false",
        id_of(form, "hook_secret"): " k3y\n",
    }
    assert form.account(values) == "standup"
    options = form.options(values)
    assert options["rooms"] == ["town-hall", "stand-up"]
    assert options["auto_fetch"] is False
    assert options["verify"] is True
    assert {name: secret.reveal() for name, secret in form.secrets(values).items()} == {"hook_secret": "k3y"}


def test_an_edit_names_only_what_was_changed() -> None:
    form = form_of("temasys", "rooms", base_url="https://a.example", username="me", timeout_s=5)
    values = form.begun
    assert form.options(values) == {}
    assert NAME not in [entry.id for entry in form.entries]
    changed = values | {id_of(form, "username"): "", id_of(form, "timeout_s"): "7.5"}
    assert form.options(changed) == {"username": None, "timeout_s": 7.5}
    hidden = values | {id_of(form, "auth"): "none", id_of(form, "username"): "typed before"}
    assert form.options(hidden) == {"auth": "none"}, "what does not apply stays as it is written"
    assert form.has_rare
    assert not form_of("temasys", "rooms", base_url="https://a.example").has_rare


def test_a_secret_s_place_stands_in_its_empty_field() -> None:
    form = form_of("flexperto", "advice")
    entry = next(entry for entry in form.entries if entry.field.name == "api_key")
    assert isinstance(entry.field, SecretField)
    assert placeholder(entry, {"api_key": "sealed file"}) == "sealed file: leave empty to keep"
    assert placeholder(entry, {}) == "not set"

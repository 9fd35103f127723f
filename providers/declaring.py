"""What a provider declares of itself and of an account's settings: once, for config.toml, forms, commands and docs.

A value is what config.toml holds; a *typed* value is the text that a person writes into a form or behind `--set`.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr

from providers.models import AssetKind, Capability
from providers.origin import Origin
from providers.secret import InvalidSecret, Secret

Check = Callable[[Any], str]
"""Why a value does not fit, in words that follow the option's name ("must be …"); "" when it does."""
YES, NO = ("true", "yes", "on", "y"), ("false", "no", "off", "n")


def _fits(value: Any) -> str:
    return ""


class Option(Struct, frozen=True):
    """One setting of an account in config.toml. `kind` decides its validation, and `check` adds to it.

    `check` is asked of a text that is not empty, of a number, and of each of `texts`; `check_all` of all of those.
    `when`: another option's name and its values with which this one applies; None: always.
    """

    name: str
    words: str
    kind: Literal["text", "url", "bool", "integer", "number", "texts", "choice"] = "text"
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    label: str = ""
    """What a form calls it; made from the name when it is not given."""
    example: str = ""
    """A value as one types it, for an empty field."""
    when: tuple[str, ...] | None = None
    check: Check = _fits
    check_all: Check = _fits
    advanced: bool = False
    """Rarely needed: a form keeps it apart, and `account add` does not ask for it."""
    separator: Literal[",", " "] = ","
    """Between typed `texts`; a space: as in a shell, with its quotes (for commands)."""

    def __post_init__(self) -> None:
        if not self.label:
            force_setattr(self, "label", self.name.replace("_", " ").capitalize())


class SecretField(Struct, frozen=True):
    """One secret of an account. `when`: an option's name and its values with which it is for; None: always.

    Of those with the same `one_of`, one is needed.
    """

    name: str
    words: str
    when: tuple[str, ...] | None = None
    required: bool = True
    label: str = ""
    one_of: str = ""
    advanced: bool = False

    def __post_init__(self) -> None:
        if not self.label:
            force_setattr(self, "label", self.name.replace("_", " ").capitalize())


Field: TypeAlias = Option | SecretField


def _base_url(options: Mapping[str, Any]) -> str:
    return str(options.get("base_url") or "")


class ProviderInfo(Struct, frozen=True):
    """What a provider declares of itself, importable without its client (and so without an HTTP library)."""

    name: str
    label: str
    """The service's name as a person knows it."""
    meeting_word: str
    """What the service calls a meeting: conference, call, agent, room."""
    capabilities: frozenset[Capability]
    kinds: tuple[AssetKind, ...]
    options: tuple[Option, ...]
    secrets: tuple[SecretField, ...]
    found_by: str
    """How its recordings come to be known, in words, for empty lists."""
    signs: bool = False
    """Its webhooks carry a signature; otherwise the secret part of the address is all that protects them."""
    fetch_at_once: bool = False
    """Its links run out: what it announces is fetched unless the account says `auto_fetch = false`."""
    topics: tuple[str, ...] = ()
    """What webhooks can be registered for (Capability.SUBSCRIPTIONS); first, that a recording became available."""
    address: Callable[[Mapping[str, Any]], str] = _base_url
    """The address that an account's calls go to, from its options with defaults; "" where none is given."""
    days_after_release: str = ""
    """The option that says how many days the service keeps what it was told to let go; "" where nobody knows."""


def with_defaults(info: ProviderInfo, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an account with every declared one present. Raises KeyError for one that is not declared."""
    declared = {option.name: option.default for option in info.options}
    if unknown := set(options) - set(declared):
        raise KeyError(min(unknown))
    return declared | dict(options)


# Validation


def problem_with(option: Option, value: Any) -> str:
    """Why a value does not fit an option, in words; "" when it does."""
    kind = option.kind
    if kind == "bool":
        return "" if isinstance(value, bool) else "must be true or false"
    if kind in ("integer", "number"):
        fits = isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
        return option.check(value) if fits and 0 <= value <= 1e9 else "must be a number, 0 or more"
    if kind == "texts":
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            return 'must be a list of texts, like ["one", "two"]'
        return next(filter(None, map(option.check, value)), "") or (option.check_all(value) if value else "")
    if not isinstance(value, str):
        return "must be a text in quotes"
    if kind == "choice" and value not in option.choices:
        return f"must be one of {', '.join(option.choices)}"
    if not value:
        return f"must not be empty: {option.words}" if option.required else ""
    return (problem_with_address(value) if kind == "url" else "") or option.check(value)


def problem_with_address(url: str) -> str:
    """Why an address cannot be an account's, in words; "" when it can."""
    origin = Origin.of(url)
    if origin is None:
        return "must be an address like https://host or https://host:port/path"
    if origin.scheme == "http" and not origin.is_loopback:
        return "must begin with https:// (http:// is accepted for loopback addresses only)"
    return ""


# What is typed


def read(option: Option, typed: str) -> Any:
    """The value that a typed text means; the default for an empty one. Raises ValueError with words ("must be …")."""
    text = typed.strip()
    if not text:
        return option.default
    if option.kind == "bool":
        if text.lower() not in YES + NO:
            raise ValueError("must be true or false")
        return text.lower() in YES
    if option.kind in ("integer", "number"):
        return _number(text, whole=option.kind == "integer")
    return _texts(text, option.separator) if option.kind == "texts" else text


def _number(text: str, *, whole: bool) -> int | float:
    if re.fullmatch(r"[0-9]{1,12}", text):
        return int(text)
    if not whole and re.fullmatch(r"[0-9]{1,12}\.[0-9]{1,12}", text):
        return float(text)
    raise ValueError("must be a whole number, 0 or more" if whole else "must be a number, 0 or more")


def _texts(text: str, separator: str) -> list[str]:
    if text.startswith("["):  # as config.toml has it: for texts that hold the separator
        try:
            found = tomllib.loads(f"x = {text}")
        except ValueError:
            found = {}
        if set(found) != {"x"} or not isinstance(found["x"], list):
            raise ValueError('must be a list of texts, like ["one", "two"]')
        return found["x"]
    if separator == " ":
        try:
            return shlex.split(text)
        except ValueError:
            raise ValueError("must close the quotes that it opens") from None
    return [part for part in (each.strip() for each in text.split(separator)) if part]


def typed(option: Option, value: Any) -> str:
    """A value as one would type it: what `read` makes the same value of."""
    if value is None:
        return ""
    if option.kind == "bool":
        return "true" if value else "false"
    if option.kind != "texts":
        return str(value)
    joined = shlex.join(value) if option.separator == " " else ", ".join(value)
    try:
        alike = read(option, joined) == list(value) or not value
    except ValueError:
        alike = False
    return joined if alike else json.dumps(list(value), ensure_ascii=False)


def typed_all(options: Iterable[Option], values: Mapping[str, Any]) -> dict[str, str]:
    """The values of an account, with defaults for those that it does not name, as a form begins with them."""
    return {option.name: typed(option, values.get(option.name, option.default)) for option in options}


# Forms


def applies(field: Field, values: Mapping[str, Any], options: Iterable[Option]) -> bool:
    """Whether a field is for an account whose options (typed or not; those missing are the defaults) are `values`."""
    if field.when is None:
        return True
    name, *wanted = field.when
    value = values.get(name)
    if value is None or value == "":
        value = next((option.default for option in options if option.name == name), None)
    return value in wanted


def fields_of(info: ProviderInfo, values: Mapping[str, Any], *, common: Sequence[Option] = ()) -> tuple[Field, ...]:
    """The fields to ask now, in order: those of the options and then the secrets that apply, then the `common` ones.

    `values`: the options so far, typed or not; what is missing is the default.
    """
    fields: tuple[Field, ...] = (*info.options, *info.secrets, *common)
    return tuple(field for field in fields if applies(field, values, info.options))


def problems(
    info: ProviderInfo, values: Mapping[str, str], *, common: Sequence[Option] = (), kept: Collection[str] = ()
) -> dict[str, str]:
    """What is wrong with typed values, options and secrets together: the field's name to words; empty when nothing is.

    `kept`: names of secrets that are stored already, or come from elsewhere: they need not be typed. Pure, and quick
    enough to ask with every key.
    """
    declared: tuple[Field, ...] = (*info.options, *info.secrets, *common)
    known = {field.name for field in declared}
    found = {name: "is not known here" for name in values if name not in known}
    asked = fields_of(info, values, common=common)
    secrets = [field for field in asked if isinstance(field, SecretField)]
    groups = {field.one_of for field in secrets if field.name in kept or values.get(field.name, "").strip()}
    for field in asked:
        if isinstance(field, Option):
            words = problem_with_typed(field, values.get(field.name, ""))
        else:
            words = _problem_with_secret(field, values.get(field.name, ""), field.name in kept)
            if not words and field.one_of and field.one_of not in groups:
                others = [each.name for each in secrets if each.one_of == field.one_of]
                words = f"is needed: one of {' and '.join(others)}"
                groups.add(field.one_of)  # told once
        if words:
            found.setdefault(field.name, words)
    return found


def lacking(info: ProviderInfo, options: Mapping[str, Any], has: Callable[[str], bool]) -> tuple[str, ...]:
    """The names of secrets that an account with these options needs and does not have; of a `one_of`, the first."""
    fields = [field for field in info.secrets if applies(field, options, info.options)]
    met = {field.one_of for field in fields if field.one_of and has(field.name)}
    names = []
    for field in fields:
        if has(field.name) or field.one_of in met - {""} or not (field.required or field.one_of):
            continue
        names.append(field.name)
        met.add(field.one_of)
    return tuple(names)


def problem_with_typed(option: Option, text: str) -> str:
    """Why a typed text does not fit an option, in words; "" when it does."""
    if not text.strip():
        return f"is needed: {option.words}" if option.required else ""
    try:
        value = read(option, text)
    except ValueError as error:
        return str(error)
    return problem_with(option, value).replace("must be a text in quotes", "must be a text")


def _problem_with_secret(field: SecretField, text: str, is_kept: bool) -> str:
    if text.strip():
        try:
            Secret(text)
        except InvalidSecret as error:
            return str(error).replace("the secret has", "has")
        return ""
    return f"is needed: {field.words}" if field.required and not is_kept else ""


def read_all(options: Iterable[Option], values: Mapping[str, str]) -> dict[str, Any]:
    """The values of those options that were typed (not empty). Raises ValueError with words, the option's name first.

    Secrets among `values` are left out: they have no option.
    """
    found = {}
    for option in options:
        text = values.get(option.name, "")
        if not text.strip():
            continue
        if problem := problem_with_typed(option, text):
            raise ValueError(f"{option.name} {problem}")
        found[option.name] = read(option, text)
    return found

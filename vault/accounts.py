"""Adding, changing and removing an account in config.toml. What else stands there stays as it was, letter by letter.

Every edit is checked before it is written: the new text is a valid configuration, and it says what the old one said
but for the account. The calls block.
"""

import copy
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.container import Container, OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Item, Key, Table, Whitespace

from providers import registry
from providers.base import ProviderError
from providers.declaring import Option, with_defaults
from providers.origin import Origin
from vault.config import ACCOUNT_NAME, parse
from vault.errors import ConfigError
from vault.given import variable
from vault.options import COMMON
from vault.rewriting import rewrite

MAX_NAME = 60
"""Characters: a name is part of folders, addresses and variables."""
_MARK = "\0"
"""Cannot stand in TOML."""
_EDIT_FAULTS = (TOMLKitError, ValueError, LookupError, TypeError, AttributeError)
"""What tomlkit raises where a document is laid out in a way that it cannot edit."""
_Edit = Callable[[], str]


def add(path: Path, name: str, provider: str, options: Mapping[str, Any]) -> None:
    """Add an account at the end of config.toml, which is made (0600, its folder 0700) when it is not there.

    `options`: its provider's and the common ones; what is None or the default is not written. Raises ConfigError for a
    name or a value that cannot be, and for an account that is there already; VaultError where it cannot be written.
    """
    if provider not in registry.names():
        raise ConfigError(f"there is no provider {provider}; there are {', '.join(registry.names())}")
    written = {"provider": provider} | _worth_writing(provider, options)

    def edit(text: str) -> str:
        document = _document(text, path)
        if problem := problem_with_name(name, document.get("accounts", {})):
            raise ConfigError(f"{path}: {problem}")
        wanted = copy.deepcopy(document)
        wanted.setdefault("accounts", {})[name] = written
        return _edited(
            text, path, wanted, [partial(_appended, text, name, written), partial(_set, text, name, written)]
        )

    rewrite(path, edit)


def change(path: Path, name: str, options: Mapping[str, Any]) -> None:
    """Change the named options of an account, and no others; None or the default takes one out of the file.

    A value that stands there already stays as it is written. Raises as `add` does.
    """

    def edit(text: str) -> str:
        document = _document(text, path)
        table = _account(document, path, name)
        declared = {option.name: option for option in options_of(str(table["provider"]))}
        for key in options:
            if key not in declared:
                raise ConfigError(f"account {name} has no option {key}; it has {', '.join(sorted(declared))}")
        new: dict[str, Any] = {}
        gone: list[str] = []
        for key, value in options.items():
            if key in table and table[key] == _plain(value):
                continue
            if _is_default(declared[key], value):
                gone += [key] if key in table else []
            else:
                new[key] = _plain(value)
        wanted = copy.deepcopy(document)
        wanted["accounts"][name] = {k: v for k, v in table.items() if k not in gone} | new
        if wanted == document:
            return text
        return _edited(text, path, wanted, [partial(_changed, text, name, new, gone)])

    rewrite(path, edit)


def remove(path: Path, name: str) -> None:
    """Take an account out of config.toml; recordings, ledger and secrets stay. Raises as `add` does."""

    def edit(text: str) -> str:
        document = _document(text, path)
        _account(document, path, name)
        wanted = copy.deepcopy(document)
        del wanted["accounts"][name]
        if not wanted["accounts"]:
            del wanted["accounts"]
        return _edited(text, path, wanted, [partial(_removed, text, name)])

    rewrite(path, edit)


def options_of(provider: str) -> tuple[Option, ...]:
    """All options that an account at a provider can have: the provider's own, and the common ones."""
    return (*registry.info(provider).options, *COMMON)


def written(path: Path, name: str) -> dict[str, Any]:
    """What config.toml says of an account, `provider` among it, without defaults. Raises ConfigError."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    return dict(_account(_document(text, path), path, name))


def problem_with_name(name: str, taken: Collection[str]) -> str:
    """Why an account cannot be added under a name, in words; "" when it can."""
    if not name:
        return "an account needs a name"
    if not ACCOUNT_NAME.fullmatch(name):
        return f"{name!r} is no account name: lower-case letters, digits and - only, a letter or a digit first"
    if len(name) > MAX_NAME:
        return f"an account's name has at most {MAX_NAME} characters"
    if name in taken:
        return f"there is an account {name} already"
    for other in taken:
        if shared := _shared_variable(name, other):
            return f"{name} and {other} would share {shared}, which gives a secret: take another name"
    return ""


def _shared_variable(name: str, other: str) -> str:
    """A variable that could give secrets of two accounts, whatever their services; "" when there is none."""
    secrets = {field.name for provider in registry.names() for field in registry.info(provider).secrets}
    mine, others = ({variable(account, secret) for secret in secrets} for account in (name, other))
    return min(mine & others, default="")


def host_to_type(provider: str, options: Mapping[str, Any]) -> str:
    """The host that must be typed before an account with these options may be kept; "" where none must.

    Without a check of the certificate anyone in between can read along: nobody is to come by that without knowing.
    """
    if options.get("verify", True):
        return ""
    info = registry.info(provider)
    own = {option.name for option in info.options}
    given = {key: value for key, value in options.items() if key in own and value is not None}
    try:
        origin = Origin.of(info.address(with_defaults(info, given)))
    except ProviderError:
        origin = None
    return origin.host if origin else ""


# What is written


def _worth_writing(provider: str, options: Mapping[str, Any]) -> dict[str, Any]:
    declared = {option.name: option for option in options_of(provider)}
    for key in options:
        if key not in declared:
            raise ConfigError(f"{provider} has no option {key}; it has {', '.join(sorted(declared))}")
    given = {key: options[key] for key in declared if key in options}
    return {key: _plain(value) for key, value in given.items() if not _is_default(declared[key], value)}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_default(option: Option, value: Any) -> bool:
    """Whether leaving an option out says the same as this value."""
    if option.default is None:
        return value is None or (value in ("", (), []) and option.kind not in ("bool", "integer", "number"))
    return value is None or _plain(value) == _plain(option.default)


def _document(text: str, path: Path) -> dict[str, Any]:
    parse(text, path, path.parent)  # in its words
    return tomllib.loads(text)


def _account(document: Mapping[str, Any], path: Path, name: str) -> Mapping[str, Any]:
    accounts: Mapping[str, Mapping[str, Any]] = document.get("accounts", {})
    if name not in accounts:
        raise ConfigError(f"{path}: there is no account {name}; configured: {', '.join(accounts) or 'none'}")
    return accounts[name]


def _edited(text: str, path: Path, wanted: Mapping[str, Any], ways: list[_Edit]) -> str:
    """The first way's text that says what is wanted and is a valid configuration. Raises ConfigError."""
    for way in ways:
        try:
            after = _with_line_ends_of(text, way())
            said = tomllib.loads(after)
        except _EDIT_FAULTS:
            continue
        if said == wanted or (
            not said.get("accounts", True) and {k: said[k] for k in said if k != "accounts"} == wanted
        ):
            parse(after, path, path.parent)
            return after
    raise ConfigError(f"{path}: its accounts are written in a way that only a person can edit; nothing was changed")


def _with_line_ends_of(text: str, after: str) -> str:
    lines = text.count("\n")
    return after.replace("\r\n", "\n").replace("\n", "\r\n") if lines and text.count("\r\n") == lines else after


# How it is written


def _appended(text: str, name: str, values: Mapping[str, Any]) -> str:
    table = tomlkit.table()
    table.update(values)
    blank = text.replace("\r\n", "\n")
    before = "" if not blank.strip("\n") or blank.endswith("\n\n") else "\n" if blank.endswith("\n") else "\n\n"
    return f"{text}{before}[accounts.{name}]\n{table.as_string()}"


def _set(text: str, name: str, values: Mapping[str, Any]) -> str:
    """For accounts that are one line: `accounts = {…}`."""
    document = tomlkit.parse(text)
    line = tomlkit.inline_table()
    line.update(values)
    accounts = document["accounts"]
    if not isinstance(accounts, Table | InlineTable | OutOfOrderTableProxy):
        raise TypeError
    accounts[name] = line
    return document.as_string()


def _changed(text: str, name: str, new: Mapping[str, Any], gone: list[str]) -> str:
    document = tomlkit.parse(text)
    tables = [table for _, table in _places(document, name)]
    for table, key in [(table, key) for table in tables for key in gone if key in table]:
        table.remove(key)
    first = tables[0]
    # Comments at its end are about what follows: what is new goes in before them.
    tail = _cut_tail(first.value) if isinstance(first, Table) else []
    if isinstance(first, Table) and first.value.body and not first.value.body[-1][1].trivia.trail:
        first.value.body[-1][1].trivia.trail = "\n"  # the file's last line has no end
    for key, value in new.items():
        next((table for table in tables if key in table), first)[key] = value
    if isinstance(first, Table):
        first.value.body.extend(tail)
    return document.as_string()


def _removed(text: str, name: str) -> str:
    document = tomlkit.parse(text)
    holders = {id(holder): holder for holder, _ in _places(document, name)}
    for holder in holders.values():
        if isinstance(holder, InlineTable):
            holder.remove(name)
            continue
        body = holder.value.body
        found = [(i, item) for i, (key, item) in enumerate(body) if key is not None and key.key == name]
        # Comments behind its last line are about what follows: they stay.
        tails = {i: _cut_tail(item.value) if isinstance(item, Table) else [] for i, item in found}
        holder.value.remove(name)
        for i, tail in tails.items():
            body[i] = (None, Whitespace(_MARK + "".join(item.as_string() for _, item in tail)))
    made, *rest = document.as_string().split(_MARK)
    for part in rest:
        made = _joined(made, part)
    return made


def _joined(before: str, after: str) -> str:
    """What stood on both sides of something that is gone, without doubling the empty line between."""
    if not after:
        stripped = before.removesuffix("\r\n") if before.endswith("\r\n\r\n") else before.removesuffix("\n")
        return stripped if before.endswith(("\n\n", "\r\n\r\n")) else before
    if not before or before.endswith(("\n\n", "\r\n\r\n")):
        after = after.removeprefix("\r").removeprefix("\n")
    return before + after


def _places(document: tomlkit.TOMLDocument, name: str) -> Iterator[tuple[Table | InlineTable, Table | InlineTable]]:
    """Where an account stands: the table that it is in, and its own. Several with dotted keys."""
    for key, accounts in document.body:
        if key is None or key.key != "accounts" or not isinstance(accounts, Table | InlineTable):
            continue
        for own_key, own in accounts.value.body:
            if own_key is not None and own_key.key == name and isinstance(own, Table | InlineTable):
                yield accounts, own


def _cut_tail(container: Container) -> list[tuple[Key | None, Item]]:
    """Take the comments and blank lines off a table's end, and give them."""
    tail: list[tuple[Key | None, Item]] = []
    while container.body and container.body[-1][0] is None:
        tail.insert(0, container.body.pop())
    return tail

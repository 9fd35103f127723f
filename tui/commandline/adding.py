"""`account add`: what a new account needs, from options and stdin, or asked one field after the other on a terminal."""

import argparse
import os
import sys
from collections.abc import Collection, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from msgspec import Struct, field

from providers import registry
from providers.declaring import Option, ProviderInfo, SecretField, fields_of, problem_with_typed, problems, read_all
from providers.secret import Secret
from tui.commandline.asking import hidden, secret
from tui.commandline.output import Output
from tui.commandline.session import FAULTS, Usage, words
from tui.commandline.unlocking import given_passphrase, passphrase_option, unlocked
from vault.config import ACCOUNT_NAME, Config, data_folder, default_path, load, parse
from vault.errors import VaultError
from vault.options import COMMON, UNCHECKED
from vault.passphrase import Passphrase
from vault.secrets import SEALED_NAME, Secrets, secrets_of

_LONGEST_LINE = 64 * 1024


class Draft(Struct):
    """A new account, as far as it is known."""

    name: str
    info: ProviderInfo
    typed: dict[str, str]
    """Options, as typed."""
    secrets: dict[str, Secret] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Names of secrets that are to be had already, and where."""

    @property
    def kept(self) -> Collection[str]:
        """Names of secrets that need not be asked for."""
        return {*self.secrets, *self.elsewhere}

    def problems(self) -> dict[str, str]:
        """What is wrong or missing."""
        return problems(self.info, self.typed, common=COMMON, kept=self.kept)


def run(args: argparse.Namespace, out: Output) -> int:
    """Add the account to config.toml and keep its secrets; nothing is written before all of it is right."""
    from vault import accounts

    path = default_path(os.environ)
    config = load(path, os.environ) if path.exists() else parse("", path, data_folder(os.environ))
    if problem := accounts.problem_with_name(args.name, config.accounts):
        raise Usage(problem)
    on_terminal = sys.stdin.isatty()
    draft = Draft(args.name, registry.info(_provider(args.provider, out, on_terminal)), _pairs(args.set))
    _check_names(draft, args.secret)
    given = given_passphrase(args)
    _look_elsewhere(draft, config, args.environ, out)
    if on_terminal:
        _ask_options(draft, out)
        _confirm(draft, args.insecure_host, out, on_terminal)
        _ask_secrets(draft, args.secret, out, none=args.no_secrets)
    else:
        _confirm(draft, args.insecure_host, out, on_terminal)
        _take_secrets(draft, args.secret)
    _check_all(draft, none=args.no_secrets)
    accounts.add(path, draft.name, draft.info.name, read_all(accounts.options_of(draft.info.name), draft.typed))
    return _told(draft, path, args.environ, out, given)


def _provider(named: str | None, out: Output, on_terminal: bool) -> str:
    if named or not on_terminal:
        if not named:
            raise Usage(f"name the --provider: {', '.join(registry.names())}")
        return named
    for name in registry.names():
        out.note(f"  {name}: {registry.info(name).label}")
    while (given := _line("provider: ")) not in registry.names():
        out.note(f"must be one of {', '.join(registry.names())}")
    return given


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise Usage(f"--set takes KEY=VALUE, and {text!r} is none")
        pairs[key.strip()] = value
    return pairs


def _check_names(draft: Draft, secrets: list[str]) -> None:
    options = (*draft.info.options, *COMMON)
    declared = {option.name: option for option in options}
    known = list(dict.fromkeys(each.name for each in draft.info.secrets))
    for key, text in draft.typed.items():
        if key in known:
            raise Usage(f"{key} is a secret: it never stands in arguments; say --secret {key}, and give it on stdin")
        if key not in declared:
            raise Usage(f"{draft.info.name} has no option {key}; it has {', '.join(declared)}")
        if problem := problem_with_typed(declared[key], text):
            raise Usage(f"{key} {problem}")
    for name in secrets:
        if name not in known:
            raise Usage(f"{draft.info.name} has no secret {name}; it has {', '.join(known)}")


def _look_elsewhere(draft: Draft, config: Config, environ: Mapping[str, str], out: Output) -> None:
    """Secrets that are there already (in the environment, by a password command) need not be typed."""
    command = read_all(COMMON, draft.typed).get("password_command")
    commands = {draft.name: tuple(command)} if command else {}
    with closing(Secrets(environ, commands=commands, sealed=config.data / SEALED_NAME)) as secrets:
        for name in dict.fromkeys(each.name for each in draft.info.secrets):
            try:
                found = secrets.find(draft.name, name)
            except VaultError as fault:
                out.note(words(fault))
                continue
            if found:
                draft.elsewhere[name] = found.where


# On a terminal


def _line(prompt: str) -> str:
    """What is typed. Raises Usage at the end of the input."""
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline(_LONGEST_LINE)
    if not line:
        sys.stderr.write("\n")
        raise Usage("nothing was added")
    return line.strip()


def _ask_options(draft: Draft, out: Output) -> None:
    out.note(f"{draft.info.label}: {draft.info.found_by}.".replace("..", "."))
    asked: set[str] = set()
    while option := _next_option(draft, asked):
        asked.add(option.name)
        draft.typed[option.name] = _ask(option, out)


def _next_option(draft: Draft, asked: set[str]) -> Option | None:
    """The next one to ask for: answers decide which apply."""
    return next(
        (
            option
            for option in fields_of(draft.info, draft.typed)
            if isinstance(option, Option)
            and option.name not in asked
            and option.name not in draft.typed
            and not option.advanced
        ),
        None,
    )


def _ask(option: Option, out: Output) -> str:
    default = str(option.default) if option.kind == "choice" else ""
    hint = f"one of {', '.join(option.choices)}" if option.choices else f"such as {option.example}"
    need = "needed" if option.required else f"Enter: {default or 'none'}"
    if option.kind == "bool":
        hint, need = "true or false", "Enter: " + ("true" if option.default else "false")
    out.note(f"{option.label} ({option.name}): {option.words}")
    while True:
        given = _line(f"  {hint}; {need}: ")
        problem = problem_with_typed(option, given)
        if not problem:
            return given
        out.note(f"  {option.name} {problem}")


def _ask_secrets(draft: Draft, named: list[str], out: Output, *, none: bool) -> None:
    for each in fields_of(draft.info, draft.typed):
        if not isinstance(each, SecretField) or (each.advanced and each.name not in named):
            continue
        if each.name in draft.elsewhere and each.name not in named:
            out.note(f"{each.label} ({each.name}): it is there already: {draft.elsewhere[each.name]}")
        elif each.name in named or not none:
            _ask_secret(draft, each, out)


def _ask_secret(draft: Draft, each: SecretField, out: Output) -> None:
    group = {other.name for other in draft.info.secrets if each.one_of and other.one_of == each.one_of}
    last = [other.name for other in draft.info.secrets if other.name in group][-1:] == [each.name]
    needed = each.required or (last and not group & set(draft.kept))
    out.note(f"{each.label} ({each.name}): {each.words}")
    while True:
        given = hidden(f"  not shown; {'needed' if needed else 'Enter: none'}: ")
        if given:
            try:
                draft.secrets[each.name] = secret(given)
            except Usage as fault:
                out.note(f"  {fault}")
                continue
            return
        if not needed:
            return
        out.note(f"  {each.name} is needed; ctrl+c ends this, and nothing is added")


# Without one


def _take_secrets(draft: Draft, named: list[str]) -> None:
    for name in named:
        line = sys.stdin.readline(_LONGEST_LINE)
        if not line.strip():
            raise Usage(f"stdin has no line for {name}; give each --secret one line, in their order; nothing was added")
        draft.secrets[name] = secret(line)


def _confirm(draft: Draft, insecure_host: str | None, out: Output, on_terminal: bool) -> None:
    """Have the host typed where TLS is not to be checked. Raises Usage."""
    from vault import accounts

    options = accounts.options_of(draft.info.name)
    try:
        host = accounts.host_to_type(draft.info.name, read_all(options, draft.typed))
    except ValueError:  # it is told with everything else that is wrong
        return
    if not host:
        if insecure_host:
            raise Usage("--insecure-host belongs to --set verify=false; nothing was added")
        return
    if insecure_host == host:
        return
    danger = f"{UNCHECKED}: anyone between here and {host} can read along, the credential too"
    if insecure_host or not on_terminal:
        raise Usage(f"{danger}; if that is meant, say --insecure-host {host}; nothing was added")
    out.note(f"{danger}. Better: name the authority's certificate with --set ca_file=FILE.")
    if _line("  type the host to go on all the same: ").lower() != host:
        raise Usage("that is not the host; nothing was added")


def _check_all(draft: Draft, *, none: bool) -> None:
    """Raise Usage with everything that is missing or wrong."""
    secrets = {each.name for each in draft.info.secrets}
    found = {key: said for key, said in draft.problems().items() if not (none and key in secrets)}
    if not found:
        return
    told = "; ".join(f"{key} {said}" for key, said in found.items())
    ways = []
    if set(found) - secrets:
        ways.append("options with --set KEY=VALUE")
    if set(found) & secrets:
        ways.append("secrets with --secret NAME and a line each on stdin (--no-secrets: later, or from elsewhere)")
    raise Usage(f"{told}. Give {', '.join(ways)}; nothing was added")


# What became of it


def _told(draft: Draft, path: Path, environ: Mapping[str, str], out: Output, given: Passphrase | None) -> int:
    name = draft.name
    out.note(f"account {name} ({draft.info.label}) is added to {path}")
    if read_all(COMMON, draft.typed).get("verify") is False:
        out.note(f"{name}: {UNCHECKED}")
    if draft.secrets:
        try:
            _store(draft, load(path, environ), environ, out, given)
        except FAULTS as fault:
            out.fail(name, words(fault))
    if out.failures:
        out.note(f"the account is there, but not all of its secrets are; `reeldesk secret set {name} NAME` keeps one")
    else:
        out.note(f"`reeldesk account test {name}` tries it")
    return out.status


def _store(draft: Draft, config: Config, environ: Mapping[str, str], out: Output, given: Passphrase | None) -> None:
    with closing(secrets_of(config, environ)) as secrets:
        for name, value in draft.secrets.items():
            where = unlocked(secrets, partial(secrets.store, draft.name, name, value), out, given)
            out.note(f"{name} of account {draft.name} is kept in: {where}")
            if ahead := secrets.outranking(draft.name, name):
                out.note(f"but {ahead} is read before it")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `account add` takes."""
    parser.add_argument("name", metavar="NAME", type=_name, help="the account's name: lower-case letters, digits and -")
    parser.add_argument("--provider", metavar="P", choices=registry.names(), help=", ".join(registry.names()))
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="an option; docs/accounts.md lists them"
    )
    parser.add_argument(
        "--secret",
        metavar="NAME",
        action="append",
        default=[],
        help="a secret to keep: asked for without showing it, or a line on stdin each",
    )
    passphrase_option(parser)
    parser.add_argument("--no-secrets", action="store_true", help="they come later, or from elsewhere")
    parser.add_argument("--insecure-host", metavar="HOST", help="with --set verify=false: its host, as a confirmation")


def _name(text: str) -> str:
    if not ACCOUNT_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no account name: lower-case letters, digits and - only")
    return text

"""`doctor`: what a person asks when something does not work. It changes nothing and tells nothing secret."""

import argparse
import asyncio
import os
import platform
import shutil
import sqlite3
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from providers.base import AccountSettings, SecretField
from tui.commandline.arguments import Commands, command, json_option
from tui.commandline.asking import secret_fields
from tui.commandline.output import Output
from tui.commandline.session import FAULTS, words
from tui.figures import count, size
from vault.config import Config, data_folder, default_path, load
from vault.errors import ConfigError, VaultError
from vault.secrets import Secrets, secrets_of

LOW_SPACE = 5_000_000_000
"""Bytes; less free in the vault is worth a word."""
_DISTRIBUTIONS = ("textual", "httpx", "keyring", "starlette", "uvicorn")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A problem makes the exit status 1 (configuration: 2)."""

    subject: str
    state: Literal["ok", "warning", "problem"]
    words: str


def add(commands: Commands) -> None:
    """Add the command."""
    json_option(command(commands, "doctor", "look at versions, places, the keyring, secrets and the disk", run))


def run(args: argparse.Namespace, out: Output) -> int:
    """Look at everything and print it; problems are named once more on stderr."""
    try:
        config, broken = load(None, os.environ), None
    except ConfigError as fault:
        config, broken = None, fault
    findings = [*_versions(), *_configuration(config, broken), *_places(config), *_secrets(config)]
    findings += _receiver(config)
    if args.json:
        for each in findings:
            out.record({"subject": each.subject, "state": each.state, "words": each.words})
    else:
        out.table(("WHAT", "STATE", "WORDS"), ((each.subject, each.state, each.words) for each in findings))
    for each in findings:
        if each.state == "problem":
            out.fail(each.subject, each.words)
    return 2 if broken else out.status


def version(distribution: str = "reeldesk") -> str:
    """The installed version of a distribution; of reeldesk itself also when it runs from a checkout."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[2] / "pyproject.toml"
        if distribution != "reeldesk" or not project.is_file():
            return "not installed"
        return f"{tomllib.loads(project.read_text('utf-8'))['project']['version']} (from a checkout)"


def _versions() -> Iterator[Finding]:
    yield Finding("reeldesk", "ok", version())
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    others = ", ".join(f"{name} {version(name)}" for name in _DISTRIBUTIONS)
    yield Finding("libraries", "ok", f"{others}, SQLite {sqlite3.sqlite_version}")


def _configuration(config: Config | None, broken: ConfigError | None) -> Iterator[Finding]:
    path = default_path(os.environ)
    if broken:
        yield Finding("configuration", "problem", broken.words)
        return
    if not path.exists():
        yield Finding("configuration", "warning", f"{path}: there is no such file yet; `reeldesk demo` needs none")
        return
    known = count(len(config.accounts) if config else 0, "account")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o022:
        yield Finding("configuration", "problem", f"{path}: others may change it ({mode:04o}): chmod go-w {path}")
    else:
        yield Finding("configuration", "ok", f"{path} ({mode:04o}): {known}")


def _places(config: Config | None) -> Iterator[Finding]:
    data = data_folder(os.environ)
    yield _private("data folder", data)
    ledger = config.ledger_path if config else data / "ledger.db"
    private = _private("ledger", ledger)
    yield private
    if config and ledger.exists():
        yield from _ledger()
    if config:
        yield from _vault(config.vault_path)


def _private(subject: str, path: Path) -> Finding:
    """A place that nobody else may read."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Finding(subject, "ok", f"{path}: not there yet; it is made when needed")
    except OSError as fault:
        return Finding(subject, "problem", words(fault))
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        return Finding(subject, "problem", f"{path}: others may read it ({mode:04o}): chmod go-rwx {path}")
    return Finding(subject, "ok", f"{path} ({mode:04o})")


def _ledger() -> Iterator[Finding]:
    from vault.desk import Desk

    try:
        desk = Desk.open(os.environ)
    except FAULTS as fault:
        yield Finding("ledger content", "problem", words(fault))
        return
    try:
        totals = desk.totals()
        held = f"{totals.held} held ({size(totals.held_bytes)})"
        yield Finding("ledger content", "ok", f"{count(totals.assets, 'asset')} known, {held}")
    finally:
        desk.close()


def _vault(path: Path) -> Iterator[Finding]:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        yield Finding("vault", "problem", f"{there} is a file, not a folder")
        return
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("vault", "problem", f"{path} cannot be written: {there} is not yours")
    else:
        yield Finding("vault", "ok", f"{path}" if there == path else f"{path}: not there yet; it is made when needed")
    free = shutil.disk_usage(there).free
    state: Literal["ok", "warning"] = "ok" if free >= LOW_SPACE else "warning"
    yield Finding("disk", state, f"{size(free)} free for {path}")


def _secrets(config: Config | None) -> Iterator[Finding]:
    secrets = secrets_of(config, os.environ) if config else Secrets(os.environ)
    yield Finding("keyring", "ok", secrets.describe_keyring())
    for account in config.accounts.values() if config else ():
        settings = account.settings
        if not settings.verify:
            yield Finding(settings.name, "warning", "verify = false: the TLS certificate is not checked")
        for field in secret_fields(settings):
            yield _secret(settings, field, secrets)


def _receiver(config: Config | None) -> Iterator[Finding]:
    """Where webhooks are received; whether it is switched on or not, `reeldesk listen` would do it there."""
    if config is None:
        return
    from vault.inbox.binding import Listening, tls_context

    it = config.receiver
    listening = Listening(it.host, it.port, it.tls_cert, it.tls_key, it.trusted_proxies, it.allow_plain)
    scheme = "https" if listening.encrypted else "http"
    public = it.public_url or "the same (no public_url is set)"
    state = "on" if it.on else "off (`reeldesk listen` receives all the same)"
    yield Finding("receiver", "ok", f"{state}; listens on {scheme}://{listening.where}; from outside: {public}")
    try:
        if tls_context(listening):
            yield Finding("receiver TLS", "ok", f"{it.tls_cert} and its key {it.tls_key}")
    except VaultError as fault:
        yield Finding("receiver TLS", "problem" if it.on else "warning", fault.words)
    if config.ledger_path.exists():
        yield from _addresses(it.on)


def _addresses(is_on: bool) -> Iterator[Finding]:
    from vault.desk import Desk

    try:
        desk = Desk.open(os.environ)
    except FAULTS:
        return  # it is told with the ledger
    try:
        for view in asyncio.run(desk.webhooks.addresses()):
            state: Literal["ok", "warning"] = "warning" if view.problem and is_on else "ok"
            yield Finding(f"{view.account} webhooks", state, view.problem or f"{view.shown} ({view.guard})")
    except FAULTS as fault:
        yield Finding("webhooks", "problem", words(fault))
    finally:
        desk.close()


def _secret(settings: AccountSettings, field: SecretField, secrets: Secrets) -> Finding:
    subject = f"{settings.name} {field.name}"
    try:
        found = secrets.find(settings.name, field.name)
    except VaultError as fault:
        return Finding(subject, "problem", fault.words)
    if found is None and field.required:
        where = secrets.where(settings.name, field.name)
        return Finding(subject, "problem", f"{where}: `reeldesk secret set {settings.name} {field.name}`")
    return Finding(subject, "ok", found.where if found else "not set; not needed")

"""config.toml: where the vault lies and which accounts there are. Every error names the file, the line and the key."""

import re
import tomllib
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from platformdirs import user_config_path, user_data_path

from providers import registry
from providers.base import AccountSettings
from providers.declaring import Option, problem_with, with_defaults
from vault.errors import ConfigError
from vault.given import variable
from vault.options import COMMON, CUSTODY, DESK, RECEIVER, TRIAGE, VAULT
from vault.options import DEFAULT_TEMPLATE as DEFAULT_TEMPLATE

TEMPLATE_FIELDS = frozenset({"account", "date", "title", "meeting", "kind", "variant", "ext"})
_SECTIONS = ("vault", "desk", "triage", "receiver", "custody", "accounts")
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


class ReceiverConfig(Struct, frozen=True):
    """Where and how webhooks are received."""

    on: bool = False
    """Whether a desk or `reeldesk work` begins with it."""
    host: str = "127.0.0.1"
    port: int = 8787
    public_url: str = ""
    """The address from outside, without a slash at its end; "": the one it listens on."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    allow_plain: bool = False
    rate_per_s: float = 2000.0


class AccountConfig(Struct, frozen=True):
    """An account as configured: what its client needs, and how we work with it (times in seconds)."""

    settings: AccountSettings
    poll_s: float = 300.0
    auto_fetch: bool = False
    spool: Path | None = None
    max_bytes_per_s: int = 0
    password_command: tuple[str, ...] = ()
    """Its words; `{name}` in any of them stands for a secret's name. Empty: there is none."""
    keep_days: float = 0.0
    """A rule of the user's: days after a meeting by which its recordings are deleted at the service; 0: no rule."""

    @property
    def name(self) -> str:
        """The account's name."""
        return self.settings.name


class Config(Struct, frozen=True):
    """The whole configuration; paths are absolute."""

    path: Path
    data: Path
    vault_path: Path
    template: str = DEFAULT_TEMPLATE
    workers: int = 4
    workers_per_account: int = 2
    max_bytes_per_s: int = 0
    """Of all transfers of a process together; 0: no limit."""
    on_leave: str = "ask"
    """What becomes of running transfers when the desk is left: ask, stop, hand_over."""
    last_frame: bool = True
    """Whether what the list looked like is kept when the desk is left, and shown at the next start until it is read."""
    grace_s: float = 600.0
    """Between asking for a release in the desk and telling the service."""
    receiver: ReceiverConfig = ReceiverConfig()
    timestamp_url: str = ""
    """Who puts time stamps (RFC 3161) on custody packets; "": nobody."""
    timestamp_ca: Path | None = None
    """Certificates that its signatures must lead to; None: they are not checked here."""
    accounts: Mapping[str, AccountConfig] = field(default_factory=dict)

    @property
    def ledger_path(self) -> Path:
        """Where the ledger lies."""
        return self.data / "ledger.db"


class Accounts(Mapping[str, AccountConfig]):
    """The accounts as they are configured now, while they come and go. May be read from any thread."""

    def __init__(self, accounts: Mapping[str, AccountConfig]) -> None:
        self._now = dict(accounts)

    def replace(self, accounts: Mapping[str, AccountConfig]) -> None:
        """Have these be the accounts; who reads finds the ones before, or these, and no mixture."""
        self._now = dict(accounts)

    def __getitem__(self, name: str) -> AccountConfig:
        return self._now[name]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._now))

    def __len__(self) -> int:
        return len(self._now)

    def items(self) -> ItemsView[str, AccountConfig]:
        """As they are now: none of them goes while they are gone through."""
        return dict(self._now).items()

    def values(self) -> ValuesView[AccountConfig]:
        """Likewise."""
        return dict(self._now).values()


def default_path(environ: Mapping[str, str]) -> Path:
    """Where config.toml is looked for."""
    named = environ.get("REELDESK_CONFIG")
    return Path(named).expanduser().absolute() if named else user_config_path("reeldesk") / "config.toml"


def data_folder(environ: Mapping[str, str]) -> Path:
    """Where the ledger and other state are kept."""
    named = environ.get("REELDESK_DATA")
    return Path(named).expanduser().absolute() if named else user_data_path("reeldesk")


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration. A file that was not named and does not exist means: nothing configured yet."""
    where = path or default_path(environ)
    try:
        text = where.read_text("utf-8")
    except FileNotFoundError:
        if path or environ.get("REELDESK_CONFIG"):
            step = "" if path else "; `reeldesk account add NAME` makes it there, `reeldesk demo` needs none"
            raise ConfigError(f"{where}: there is no such file{step}") from None
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{where}: cannot be read: {reason}") from None
    return parse(text, where, data_folder(environ))


def parse(text: str, path: Path, data: Path) -> Config:
    """The configuration in a text. Raises ConfigError."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and endless nesting
        raise ConfigError(f"{path}: this is not TOML: {str(error) or 'nested too deeply'}") from None
    return _Reader(text, path).config(document, data)


class _Reader:
    """Validates a document; knows in which line a key stands."""

    def __init__(self, text: str, path: Path) -> None:
        self._lines = text.splitlines()
        self._path = path

    def config(self, document: dict[str, Any], data: Path) -> Config:
        for key in document:
            if key not in _SECTIONS:
                known = ", ".join(f"[{name}]" for name in (*_SECTIONS[:-1], "accounts.NAME"))
                raise self._error("", key, f"is not known here; known are {known}")
        vault = self._section("vault", document.get("vault", {}), VAULT)
        self._check_template(vault["template"])
        desk = self._section("desk", document.get("desk", {}), DESK)
        custody = self._section("custody", document.get("custody", {}), CUSTODY)
        authority = custody["timestamp_ca"]
        accounts = document.get("accounts", {})
        if not isinstance(accounts, dict):
            raise self._error("", "accounts", "must be tables: [accounts.NAME]")
        return Config(
            path=self._path,
            data=data,
            vault_path=self._folder("vault", "path", vault["path"]),
            template=vault["template"],
            workers=vault["workers"],
            workers_per_account=vault["workers_per_account"],
            max_bytes_per_s=vault["max_bytes_per_s"],
            on_leave=desk["on_leave"],
            last_frame=desk["last_frame"],
            grace_s=float(self._section("triage", document.get("triage", {}), TRIAGE)["grace_s"]),
            receiver=self._receiver(document.get("receiver", {})),
            timestamp_url=custody["timestamp_url"],
            timestamp_ca=self._folder("custody", "timestamp_ca", authority) if authority else None,
            accounts=self._accounts(accounts),
        )

    def _accounts(self, tables: Mapping[str, Any]) -> dict[str, AccountConfig]:
        accounts = {name: self._account(name, table) for name, table in tables.items()}
        whose: dict[str, str] = {}
        for name, account in accounts.items():
            for key in {variable(name, each.name) for each in registry.info(account.settings.provider).secrets}:
                other = whose.setdefault(key, name)
                if other != name:
                    words = f"and {other} share {key}, which gives a secret: one of them needs another name"
                    raise self._error("", f"accounts.{name}", words)
        return accounts

    def _receiver(self, table: Any) -> ReceiverConfig:
        values = self._section("receiver", table, RECEIVER)
        if bool(values["tls_cert"]) != bool(values["tls_key"]):
            raise self._error("receiver", "tls_cert", "and tls_key belong together: name both, or none")
        files = {n: self._folder("receiver", n, values[n]) if values[n] else None for n in ("tls_cert", "tls_key")}
        rest = {"public_url": values["public_url"].rstrip("/"), "trusted_proxies": tuple(values["trusted_proxies"])}
        return ReceiverConfig(**(values | rest | files))

    def _folder(self, section: str, key: str, text: str) -> Path:
        try:
            folder = Path(text).expanduser()
        except RuntimeError:
            raise self._error(section, key, "names a user's folder (~) that is not known") from None
        if not text or "\0" in text:
            raise self._error(section, key, "is no path")
        return folder if folder.is_absolute() else (self._path.parent / folder).absolute()

    def _check_template(self, template: str) -> None:
        fields = set(re.findall(r"\{([^{}]*)\}", template))
        unknown = fields - TEMPLATE_FIELDS
        if unknown:
            known = ", ".join(sorted(TEMPLATE_FIELDS))
            raise self._error("vault", "template", f"names {{{min(unknown)}}}; known are {known}")
        if not {"meeting", "kind", "variant", "ext"} <= fields:
            raise self._error("vault", "template", "must name {meeting}, {kind}, {variant} and {ext}")
        if template.startswith("/") or ".." in template.split("/"):
            raise self._error("vault", "template", "must stay inside the vault")

    def _account(self, name: str, table: Any) -> AccountConfig:
        section = f"accounts.{name}"
        if not ACCOUNT_NAME.fullmatch(name):
            raise self._error("", section, "is no account name: lower-case letters, digits and - only")
        if not isinstance(table, dict):
            raise self._error("accounts", name, "must be a table: [accounts.NAME]")
        provider = table.get("provider")
        if provider not in registry.names():
            known = ", ".join(registry.names())
            raise self._error(section, "provider", f"must be one of {known}")
        info = registry.info(provider)
        common = {option.name for option in COMMON}
        own = {k: v for k, v in table.items() if k not in common and k != "provider"}
        options = with_defaults(info, self._section(section, own, info.options, also=common))
        shared = self._section(section, {k: v for k, v in table.items() if k in common}, COMMON)
        settings = AccountSettings(
            name,
            provider,
            options,
            ca_file=str(self._folder(section, "ca_file", shared["ca_file"])) if shared["ca_file"] else None,
            verify=shared["verify"],
            proxy=shared["proxy"],
            timeout_s=float(shared["timeout_s"]),
            rate_per_s=shared["rate_per_s"],
            allow_private=tuple(shared["allow_private"] or ()),
        )
        spool = self._folder(section, "spool", shared["spool"]) if shared["spool"] else None
        auto_fetch = info.fetch_at_once if shared["auto_fetch"] is None else shared["auto_fetch"]
        return AccountConfig(
            settings,
            float(shared["poll_s"]),
            auto_fetch,
            spool,
            shared["max_bytes_per_s"],
            tuple(shared["password_command"] or ()),
            float(shared["keep_days_at_service"]),
        )

    def _section(
        self, section: str, table: Any, options: tuple[Option, ...], also: set[str] | None = None
    ) -> dict[str, Any]:
        if not isinstance(table, dict):
            raise self._error("", section, "must be a table")
        declared = {option.name: option for option in options}
        for key in table:
            if key not in declared:
                known = ", ".join(sorted([*declared, *(also or ())]))
                raise self._error(section, key, f"is not known here; known are {known}")
        values = {}
        for name, option in declared.items():
            if name in table:
                problem = problem_with(option, table[name])
                if problem:
                    raise self._error(section, name, problem)
                values[name] = table[name]
            elif option.required:
                raise self._error(section, name, f"is missing: {option.words}")
            else:
                values[name] = option.default
        return values

    def _error(self, section: str, key: str, words: str) -> ConfigError:
        full = f"{section}.{key}" if section else key
        line = self._line(section, key)
        place = f"{self._path}, line {line}" if line else str(self._path)
        return ConfigError(f"{place}: {full} {words}")

    def _line(self, section: str, key: str) -> int:
        """The line (from 1) of a key, of its table where the key is missing, 0 when not found."""
        inside, table_line = not section, 0
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
            if header:
                name = re.sub(r"[\"'\s]", "", header.group(1))
                inside = name == section or (not section and name == key)
                if inside:
                    table_line = number
                    if not section:
                        return number
            elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*(=|\.)", line):
                return number
        return table_line or self._line_naming(key) or self._line_naming(section.rpartition(".")[2])

    def _line_naming(self, word: str) -> int:
        """For tables written in one line: the first line that names a key, as a word."""
        pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        return next((number for number, line in enumerate(self._lines, 1) if word and pattern.search(line)), 0)

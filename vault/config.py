"""config.toml: where the vault lies and which accounts there are. Every error names the file, the line and the key."""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_config_path, user_data_path

from providers import registry
from providers.base import AccountSettings, Option, with_defaults
from providers.origin import Origin
from vault.errors import ConfigError

DEFAULT_TEMPLATE = "{account}/{date}/{title} [{meeting}]/{kind}{variant}.{ext}"
TEMPLATE_FIELDS = frozenset({"account", "date", "title", "meeting", "kind", "variant", "ext"})
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")

_COMMON = (
    Option("ca_file", "a file of certificate authorities to trust for this account"),
    Option("verify", "false: the TLS certificate is not checked (anyone in between can read along)", "bool", True),
    Option("proxy", "an HTTP proxy for this account", "url"),
    Option("timeout_s", "seconds without a byte before a connection is given up", "number", 30.0),
    Option("poll_s", "seconds between syncs while the desk is open; 0: only by hand", "number", 300.0),
    Option("rate_per_s", "at most so many API requests a second", "number"),
    Option(
        "max_bytes_per_s",
        "transfers of this account: at most so many bytes a second, together; 0: no limit",
        "integer",
        0,
    ),
    Option("auto_fetch", "true: whatever becomes available is fetched; by default where links run out", "bool"),
    Option("spool", "a folder of saved deliveries (*.json with *.json.headers) that sync takes in"),
)
_VAULT = (
    Option("path", "where the recordings are kept", "text", "~/reeldesk"),
    Option("template", "how files are laid out there", "text", DEFAULT_TEMPLATE),
    Option("workers", "transfers at once, in all", "integer", 4),
    Option("workers_per_account", "transfers at once, for one account", "integer", 2),
    Option("max_bytes_per_s", "all transfers: at most so many bytes a second, together; 0: no limit", "integer", 0),
)
_DESK = (
    Option(
        "on_leave",
        "transfers that run when the desk is left: ask, stop them, or hand_over to a process without a screen",
        "choice",
        "ask",
        choices=("ask", "stop", "hand_over"),
    ),
)
_RECEIVER = (
    Option("on", "true: webhooks are received while a desk is open or `reeldesk work` runs", "bool", False),
    Option("host", "the address of this machine to listen on", "text", "127.0.0.1"),
    Option("port", "the port to listen on", "integer", 8787),
    Option("public_url", "how the services reach it from outside, through a reverse proxy", "url", ""),
    Option("tls_cert", "a file with the certificate (and its chain)", "text", ""),
    Option("tls_key", "the file with its private key, readable by its owner alone", "text", ""),
    Option("trusted_proxies", "addresses or networks whose X-Forwarded-For is believed", "texts", []),
    Option("allow_plain", "true: plain HTTP on other addresses than loopback, too", "bool", False),
    Option("rate_per_s", "at most so many requests a second from one source", "number", 2000.0),
)


@dataclass(frozen=True, slots=True)
class ReceiverConfig:
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


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """An account as configured: what its client needs, and how we work with it (times in seconds)."""

    settings: AccountSettings
    poll_s: float = 300.0
    auto_fetch: bool = False
    spool: Path | None = None
    max_bytes_per_s: int = 0

    @property
    def name(self) -> str:
        """The account's name."""
        return self.settings.name


@dataclass(frozen=True, slots=True)
class Config:
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
    receiver: ReceiverConfig = ReceiverConfig()
    accounts: Mapping[str, AccountConfig] = field(default_factory=dict)

    @property
    def ledger_path(self) -> Path:
        """Where the ledger lies."""
        return self.data / "ledger.db"


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
            raise ConfigError(f"{where}: there is no such file") from None
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
            if key not in ("vault", "desk", "receiver", "accounts"):
                raise self._error("", key, "is not known here; known are [vault], [desk], [receiver], [accounts.NAME]")
        vault = self._section("vault", document.get("vault", {}), _VAULT)
        for key in ("workers", "workers_per_account"):
            if not 1 <= vault[key] <= 32:
                raise self._error("vault", key, "must be between 1 and 32")
        self._check_template(vault["template"])
        desk = self._section("desk", document.get("desk", {}), _DESK)
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
            receiver=self._receiver(document.get("receiver", {})),
            accounts={name: self._account(name, table) for name, table in accounts.items()},
        )

    def _receiver(self, table: Any) -> ReceiverConfig:
        values = self._section("receiver", table, _RECEIVER)
        if not 0 < values["port"] < 65_536:
            raise self._error("receiver", "port", "must be between 1 and 65535")
        if values["rate_per_s"] <= 0:
            raise self._error("receiver", "rate_per_s", "must be more than 0")
        if bool(values["tls_cert"]) != bool(values["tls_key"]):
            raise self._error("receiver", "tls_cert", "and tls_key belong together: name both, or none")
        for network in values["trusted_proxies"]:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise self._error("receiver", "trusted_proxies", "must be addresses or networks (10.0.0.0/8)") from None
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
        common = {option.name for option in _COMMON}
        own = {k: v for k, v in table.items() if k not in common and k != "provider"}
        options = with_defaults(info, self._section(section, own, info.options, also=common))
        shared = self._section(section, {k: v for k, v in table.items() if k in common}, _COMMON)
        if not shared["timeout_s"]:
            raise self._error(section, "timeout_s", "must be more than 0")
        settings = AccountSettings(
            name,
            provider,
            options,
            ca_file=str(self._folder(section, "ca_file", shared["ca_file"])) if shared["ca_file"] else None,
            verify=shared["verify"],
            proxy=shared["proxy"],
            timeout_s=float(shared["timeout_s"]),
            rate_per_s=shared["rate_per_s"],
        )
        spool = self._folder(section, "spool", shared["spool"]) if shared["spool"] else None
        auto_fetch = info.fetch_at_once if shared["auto_fetch"] is None else shared["auto_fetch"]
        return AccountConfig(settings, float(shared["poll_s"]), auto_fetch, spool, shared["max_bytes_per_s"])

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


def problem_with(option: Option, value: Any) -> str:
    """Why a value does not fit an option, in words; "" when it does."""
    kind = option.kind
    if kind == "bool":
        return "" if isinstance(value, bool) else "must be true or false"
    if kind in ("integer", "number"):
        fits = isinstance(value, int if kind == "integer" else int | float) and not isinstance(value, bool)
        return "" if fits and 0 <= value <= 1e9 else "must be a number, 0 or more"
    if kind == "texts":
        fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return "" if fits else 'must be a list of texts, like ["one", "two"]'
    if not isinstance(value, str):
        return "must be a text in quotes"
    if kind == "choice" and value not in option.choices:
        return f"must be one of {', '.join(option.choices)}"
    if kind == "url" and value:
        return problem_with_address(value)
    if option.required and not value:
        return f"must not be empty: {option.words}"
    return ""


def problem_with_address(url: str) -> str:
    """Why an address cannot be an account's, in words; "" when it can."""
    origin = Origin.of(url)
    if origin is None:
        return "must be an address like https://host or https://host:port/path"
    if origin.scheme == "http" and not origin.is_loopback:
        return "must begin with https:// (http:// is accepted for loopback addresses only)"
    return ""

"""Ten accounts at five emulated services that know canaries as the right credentials, and may echo what they are sent.

Everything that is the test's own (files that hold a secret on purpose) lies in `given`; everything else below `folder`
was written by the program.
"""

import json
import os
import random
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

from providers.demo import free_port, save_delivery
from providers.emulation import Emulator, Loopback, ObjectStore
from providers.huawei import emulator as gateway
from providers.huawei.emulator import HuaweiEmulator
from providers.proconf.emulator import ProconfEmulator
from providers.story import ROOMS, Services
from providers.temasys.emulator import TemasysEmulator
from tests.e2e.canary import Aviary, variables
from tests.e2e.terminal import CHECKOUT

HOOKED = ("advice", "agents", "rooms", "standup")
ECHOED = ("authorization", "api-key", "guid", "cookie", "x-api-key", "proxy-authorization")
TAINTED = frozenset(
    {"title", "message", "name", "summary", "displayName", "text", "error", "data", "content", "caller"}
)
Passing = Callable[..., Any]


class Store(ObjectStore):
    """Signs every link with the same canary."""

    signature = ""

    def _sign(self, key: str, expires: str) -> str:
        return self.signature


class Echo:
    """A service that hostilely repeats the credentials it is sent. `how`: an HTTP status, `records`, or "" for not.

    302 leads to `elsewhere`; `records` answers honestly, and adds them to every text a person would read.
    """

    def __init__(self, emulator: Emulator) -> None:
        self.how = ""
        self.elsewhere = ""
        self.echoed = 0
        """So often was a credential there to be repeated."""
        self.emulator = emulator
        self._inner, emulator.app = emulator.app, self

    async def __call__(self, scope: Any, receive: Passing, send: Passing) -> None:
        if scope["type"] != "http" or not self.how:
            await self._inner(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        held = self._held(scope, body)
        if self.how != "records":
            await self._refuse(int(self.how), held, send)
            return

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._inner(scope, again, _Tainting(held, send).send)

    def _held(self, scope: Any, body: bytes) -> list[str]:
        held = [value.decode() for name, value in scope["headers"] if name.decode() in ECHOED]
        try:
            told = json.loads(body)
        except ValueError:
            told = {}
        if isinstance(told, dict):
            held += [told[name] for name in ("password", "s3SecretAccessKey", "url") if isinstance(told.get(name), str)]
        self.echoed += bool(held)
        return held

    async def _refuse(self, status: int, held: list[str], send: Passing) -> None:
        words = f"this is not welcome: {' and '.join(held)}"
        told = {
            "message": words,
            "error": {"code": status, "message": words, "key": words},
            "error_description": words,
            "errors": {words: [{"key": words, "description": words}]},
            "status": -1,
            "content": {"message": words},
            "retcode": "100-004",
            "data": None,
        }
        query = quote(held[0], safe="") if held else "nothing"
        location = f"{self.elsewhere}/next?X-Amz-Signature={query}&{query}"
        headers = {
            "content-type": "application/json",
            "location": location,
            "www-authenticate": f'Bearer realm="{held[-1] if held else ""}"',
            "retry-after": "1",
            "etag": f'"{query}"',
            "content-disposition": f"attachment; filename={query}.zip",
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


class _Tainting:
    """Adds what was sent to the texts of a JSON answer."""

    def __init__(self, held: list[str], send: Passing) -> None:
        self._held, self._send = " and ".join(held), send
        self._start: MutableMapping[str, Any] = {}
        self._body = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        if not any(b"json" in value for name, value in self._start["headers"] if name == b"content-type"):
            if self._start.pop("unsent", True):
                await self._send({**self._start})
                self._start["unsent"] = False
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        try:
            body = json.dumps(self._tainted(json.loads(self._body), ""), ensure_ascii=False).encode()
        except ValueError:
            body = self._body
        kept = [(name, value) for name, value in self._start["headers"] if name != b"content-length"]
        await self._send({**self._start, "headers": [*kept, (b"content-length", str(len(body)).encode())]})
        await self._send({"type": "http.response.body", "body": body})

    def _tainted(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            return {key: self._tainted(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [self._tainted(each, name) for each in value]
        return f"{value} {self._held}" if isinstance(value, str) and name in TAINTED and self._held else value


@dataclass
class House:
    """The accounts, their services, and where everything lies."""

    folder: Path
    aviary: Aviary
    services: Services
    echoes: list[Echo]
    secrets: dict[tuple[str, str], str]
    port: int
    others: list[Emulator] = field(default_factory=list)

    @property
    def given(self) -> Path:
        """What the test wrote itself, and a keyring's file."""
        return self.folder / "given"

    @property
    def config(self) -> Path:
        return self.folder / "config" / "config.toml"

    def echo(self, how: str) -> None:
        """From now on every service repeats what it is sent, so."""
        for echo in self.echoes:
            echo.how = how

    @property
    def environ(self) -> dict[str, str]:
        """Where things lie; no secret, but for the names of files that hold some."""
        homely = {name: str(self.folder / name.lower()) for name in ("HOME", "TMPDIR")}
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PYTHONPATH": str(CHECKOUT),
            "REELDESK_CONFIG": str(self.config),
            "REELDESK_DATA": str(self.folder / "data"),
            "REELDESK_PASSPHRASE_FILE": str(self.given / "passphrase"),
            "REELDESK_TEST_RING": str(self.given / "ring.json"),
            "PYTHON_KEYRING_BACKEND": "tests.tui.cli.ring.Ring",
            "CREDENTIALS_DIRECTORY": str(self.given / "credentials"),
            **homely,
        }

    @property
    def from_files(self) -> dict[str, str]:
        """Secrets as files that variables name, those of the command and systemd's credentials excepted."""
        named = variables({key: "" for key in self.secrets if key[0] not in ("agents", "calls")})
        return {f"{name}_FILE": str(self.given / "secrets" / name) for name in named}

    @property
    def from_variables(self) -> dict[str, str]:
        """All secrets as variables."""
        return variables(self.secrets)


def _emulators(aviary: Aviary, now: Callable[[], float]) -> tuple[Services, list[Emulator]]:
    """The demo's services with canaries for credentials, and the others that sign in in other ways."""
    services = Services.make(now)
    signature = aviary.make("presigned signature")
    services.cronofy.store, services.temasys.store = Store(now), Store(now)
    for store in (services.cronofy.store, services.temasys.store):
        assert isinstance(store, Store)
        store.signature = signature
    services.flexperto.api_key = aviary.make("flexperto api_key")
    services.cronofy.api_key = aviary.make("cronofy api_key", begin="CRN_")
    services.temasys.password = aviary.make("temasys password")
    services.temasys.app_key = aviary.make("temasys api_key")
    services.temasys.session_cookie = _cookies(services.temasys, aviary)  # type: ignore[method-assign]  # as a canary
    services.huawei.poll_wait = 0.05
    by_cookie, by_header = TemasysEmulator(now), TemasysEmulator(now)
    by_cookie._sessions.add(aviary.make("temasys cookie", "cookie"))
    by_header.auth, by_header.header_value = "header", aviary.make("temasys token", begin="Token ")
    bearer, header = ProconfEmulator(now), ProconfEmulator(now)
    bearer.token = aviary.make("proconf token", begin="x")
    header.header, header.scheme, header.token = "X-Api-Key", "", aviary.make("proconf header")
    for one in (bearer, header):
        one.script("town-hall", [(0, "The call began.")])
    pasted = HuaweiEmulator(now)
    pasted.lb_cookie, pasted.authmode, pasted.poll_wait = False, 1, 0.2
    return services, [by_cookie, by_header, bearer, header, pasted]


def _cookies(emulator: TemasysEmulator, aviary: Aviary) -> Callable[[], str]:
    def cookie() -> str:
        token = aviary.make(f"temasys session {len(emulator._sessions)}", "plain")
        emulator._sessions.add(token)
        return f"skylink_session={token}"

    return cookie


@contextmanager
def house(folder: Path, now: Callable[[], float], seed: int = 0) -> Iterator[House]:
    """The services, served until the end of the block, and a configuration for them."""
    aviary = Aviary(seed)
    services, others = _emulators(aviary, now)
    guids = (aviary.make(f"huawei Guid {number}", "plain") for number in range(10_000))
    for name in ("config", "data", "vault", "home", "tmpdir", "out", "given/secrets", "given/credentials"):
        (folder / name).mkdir(mode=0o700, parents=True)
    with Loopback() as net, mock.patch.object(gateway, "_new_guid", guids.__next__):
        for store in (services.cronofy.store, services.temasys.store):
            net.serve(store)
        own = [services.flexperto, services.cronofy, services.temasys, services.huawei, services.proconf, *others]
        echoes = [Echo(emulator) for emulator in own]
        for emulator in own:
            net.serve(emulator)
        for echo in echoes:
            echo.elsewhere = services.cronofy.store.base_url
        port = free_port(random.Random(seed))
        made = House(folder, aviary, services, echoes, {}, port, others)
        net.call(lambda: _tell(made))
        _furnish(made)
        yield made


def _tell(made: House) -> None:
    """The demo's story, the canaries' part in it, and what is to be kept where."""
    make, services = made.aviary.make, made.services
    hooks = {account: make(f"hook_secret of {account}", "plain") for account in HOOKED}
    base = f"http://127.0.0.1:{made.port}/hooks"
    services.tell({account: f"{base}/{account}/{quote(hooks[account], safe='')}" for account in HOOKED})
    services.flexperto.archive_faults.clear()
    services.cronofy.store.object_faults.clear()
    services.cronofy.other_secrets = (make("cronofy other_api_key", begin="CRN_"),)
    services.temasys.settings[services.temasys.username] |= {
        "s3Arn": "arn:aws:s3:::bucket/path",
        "s3AccessKeyId": "AKIAEXAMPLE",
        "s3SecretAccessKey": make("s3SecretAccessKey at the service"),
    }
    password = services.huawei.seats["1001"].password = make("huawei password")
    *_, bearer, header, pasted = made.others
    assert isinstance(pasted, HuaweiEmulator)
    assert isinstance(bearer, ProconfEmulator)
    assert isinstance(header, ProconfEmulator)
    pasted.add_agent("1002", make("huawei password of another"))
    pasted.seats["1002"].online = gateway.Online(gateway._new_guid(), pasted.now(), pasted.now())
    made.secrets |= {
        ("advice", "api_key"): services.flexperto.api_key,
        ("agents", "api_key"): services.cronofy.api_key,
        ("agents", "other_api_key"): services.cronofy.other_secrets[0],
        ("rooms", "password"): services.temasys.password,
        ("rooms", "api_key"): services.temasys.app_key,
        ("rooms-cookie", "cookie"): f"skylink_session={made.aviary.text('temasys cookie')}",
        ("rooms-header", "token"): made.aviary.text("temasys token"),
        ("calls", "password"): password,
        ("calls-guid", "guid"): pasted.seats["1002"].online.guid,
        ("standup-bearer", "token"): str(bearer.token),
        ("standup-header", "token"): str(header.token),
        **{(account, "hook_secret"): hooks[account] for account in HOOKED},
    }


def _furnish(made: House) -> None:
    """The files: configuration, secrets, a password command, saved deliveries."""
    given = made.given
    for name, text in variables(made.secrets).items():
        for folder in ("secrets", "credentials") if "_AGENTS_" in name else ("secrets",):
            path = given / folder / name
            path.touch(0o600)
            path.write_text(text)
    (given / "passphrase").touch(0o600)
    (given / "passphrase").write_text(made.aviary.make("passphrase") + "\n")
    # It tells of its own arguments and environment, and of the process that started it.
    command = given / "command"
    seen = made.folder / "out"
    command.write_text(
        "#!/bin/sh\n"
        f"cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline >> {seen}/command-$$\n"
        f"cat {given}/secrets/REELDESK_SECRET_CALLS_$(echo $1 | tr a-z A-Z)\n"
    )
    command.chmod(0o700)
    made.config.touch(0o600)
    made.config.write_text(_config(made))
    for account, emulator in (("agents", made.services.cronofy), ("rooms", made.services.temasys)):
        for number, delivery in enumerate(emulator.due_deliveries()):
            save_delivery(given / "spool" / account, f"{number:05d}", delivery)


def _config(made: House) -> str:
    services, (by_cookie, by_header, bearer, header, pasted) = made.services, made.others
    tables: dict[str, dict[str, Any]] = {
        "vault": {"path": str(made.folder / "vault")},
        "receiver": {"on": True, "host": "127.0.0.1", "port": made.port},
        "accounts.advice": {"provider": "flexperto", "base_url": services.flexperto.base_url},
        "accounts.agents": {
            "provider": "cronofy",
            "base_url": services.cronofy.base_url,
            "spool": str(made.given / "spool" / "agents"),
        },
        "accounts.rooms": {
            "provider": "temasys",
            "base_url": services.temasys.base_url,
            "username": "temasys",
            "auto_fetch": False,
            "spool": str(made.given / "spool" / "rooms"),
        },
        "accounts.rooms-cookie": {"provider": "temasys", "base_url": by_cookie.base_url, "auth": "cookie"},
        "accounts.rooms-header": {"provider": "temasys", "base_url": by_header.base_url, "auth": "header"},
        "accounts.calls": {
            "provider": "huawei",
            "base_url": services.huawei.base_url,
            "agent_id": "1001",
            "phone": "40038",
            "watch": True,
            "password_command": [str(made.given / "command"), "{name}"],
        },
        "accounts.calls-guid": {"provider": "huawei", "base_url": pasted.base_url, "agent_id": "1002"},
        "accounts.standup": {"provider": "proconf", "base_url": f"{services.proconf.base_url}/api", "rooms": [*ROOMS]},
        "accounts.standup-bearer": {
            "provider": "proconf",
            "base_url": f"{bearer.base_url}/api",
            "auth": "bearer",
            "rooms": ["town-hall"],
        },
        "accounts.standup-header": {
            "provider": "proconf",
            "base_url": f"{header.base_url}/api",
            "auth": "header",
            "header": "X-Api-Key",
            "rooms": ["town-hall"],
        },
    }
    lines: list[str] = []
    for table, options in tables.items():
        every = {"poll_s": 0} if table.startswith("accounts.") else {}
        # JSON's texts, numbers, lists and truth values are TOML's, too.
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in (options | every).items())]
    return "\n".join(lines) + "\n"

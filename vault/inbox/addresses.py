"""Where the services are to call: one address for each account, its secret part kept out of sight."""

import re
from collections.abc import Mapping
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from providers import catchup_page
from providers.origin import Origin
from providers.secret import Secret
from vault.config import Config
from vault.errors import VaultError
from vault.inbox.gate import BARE, SECRET, SHORTEST, Door, digest, doors_of
from vault.inbox.views import AddressView
from vault.ledger.hooks import Hooks

_MASKED_FROM = 4
_MASK = "…"


def base_of(config: Config, listens_on: str) -> str:
    """The address that services use: the public one, else the one listened on, else the one that would be."""
    receiver = config.receiver
    if receiver.public_url or listens_on:
        return receiver.public_url or listens_on
    host = f"[{receiver.host}]" if ":" in receiver.host else receiver.host
    return f"{'https' if receiver.tls_cert else 'http'}://{host}:{receiver.port}"


def masked(token: str) -> str:
    """The beginning of a secret, enough to tell two apart."""
    return f"{token[:_MASKED_FROM]}{_MASK}" if len(token) >= SHORTEST else _MASK


def hook_address(base: str, account: str, token: str | None) -> str:
    """The address for an account's webhooks. `token` None: its service signs, and the address holds no secret."""
    return f"{base}/hooks/{account}" + ("" if token is None else f"/{quote(token, safe='')}")


_HOOK = re.compile(r"(/hooks/[a-z0-9][a-z0-9-]*/)([^\s/?#\"'<>]+)")


def without_secret(text: str) -> str:
    """A text with the secret parts of a receiver's addresses masked, ours or another reeldesk's."""
    return _HOOK.sub(lambda found: found[1] + masked(found[2]), text)


def leads_below(shown: str, prefix: str) -> bool | None:
    """Whether an address, shown with its secrets masked, is `prefix` or one part below it; None where masks hide it."""
    if not shown:
        return None
    (origin, parts), (own, wanted) = _split(shown), _split(prefix)
    if origin is None or origin != own or not len(wanted) <= len(parts) <= len(wanted) + 1:
        return False
    pairs = list(zip(wanted, parts, strict=False))
    if all(part == one for part, one in pairs):
        return True
    hidden = all(part == one or (one.endswith(_MASK) and part.startswith(one[:-1])) for part, one in pairs)
    return None if hidden else False


def _split(address: str) -> tuple[Origin | None, list[str]]:
    scheme, _, rest = address.partition("://")
    host, *parts = rest.rstrip("/").split("/")
    return Origin.of(f"{scheme}://{host}"), parts


class _Standing(Struct, frozen=True):
    """How an account's configured secret stands. `replaced`: another one took its place."""

    text: str
    current: str
    replaced: bool

    @property
    def short(self) -> bool:
        return bool(self.text) and len(self.text) < SHORTEST

    @property
    def usable(self) -> bool:
        return bool(self.text) and not self.short and not self.replaced

    @property
    def is_new(self) -> bool:
        return bool(self.current) and self.current != digest(self.text)


def address_views(
    config: Config,
    hooks: Hooks,
    tokens: Mapping[str, Secret | VaultError | None],
    labels: Mapping[str, str],
    listens_on: str,
) -> tuple[AddressView, ...]:
    """The addresses of every account that receives something. Blocks.

    `tokens`: the secrets that are known here, or why one cannot be read.
    """
    base = base_of(config, listens_on)
    return tuple(
        _of(door, base, hooks, tokens[door.account], labels[door.account]) for door in doors_of(config.accounts)
    )


def _of(door: Door, base: str, hooks: Hooks, token: Secret | VaultError | None, label: str) -> AddressView:
    if not isinstance(token, VaultError):
        return _view(door, base, _standing(hooks, door.account, token), token, label)
    closed = _view(door, base, _Standing("", digest(""), replaced=False), None, label)
    return replace(closed, problem=token.words)


def _standing(hooks: Hooks, account: str, token: Secret | None) -> _Standing:
    text = token.reveal() if token else ""
    current, sha256 = hooks.current(account), digest(text)
    current = "" if current == BARE else current
    return _Standing(text, current, bool(text) and current != sha256 and hooks.knows(account, sha256))


def _view(door: Door, base: str, it: _Standing, token: Secret | None, label: str) -> AddressView:
    problem = _problem(door, it)
    if door.is_catchup:
        shown = f"{base}{catchup_page.PATH}/ROOM"
        guard = f"bearer token {masked(it.text)}" if it.usable else "bearer token"
        whole = token if it.usable else None
        return AddressView(door.account, label, guard, shown, whole, problem, is_catchup=True, base=base)
    bare = door.signs and not it.usable and not it.current
    whole = Secret(hook_address(base, door.account, None if bare else it.text)) if bare or it.usable else None
    shown = hook_address(base, door.account, None)
    if not bare:
        shown += f"/{masked(it.text) if it.usable else _MASK}"
    guards = ("signature" if door.signs else "", "" if bare else "secret address")
    guard = ", ".join(part for part in guards if part)
    return AddressView(door.account, label, guard, shown, whole, problem, subscribes=door.subscribes, base=base)


def _problem(door: Door, it: _Standing) -> str:
    opens_without = door.signs and not door.is_catchup and not it.current
    if it.short:
        rest = "what is signed comes in without it" if opens_without else "make a new one"
        return f"its {SECRET} has fewer than {SHORTEST} characters and opens nothing: {rest}"
    if it.usable:
        return f"its {SECRET} is a new one: it is taken when the receiver starts again" if it.is_new else ""
    if it.current:
        return f"its {SECRET} was replaced by one that is not known here: make a new one, or set the one in use"
    return "" if opens_without else f"it has no {SECRET} yet, so nothing can come in: make one"

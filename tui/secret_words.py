"""An account's secrets in words: where each lies, what is read before it, which stores there are. Never a value."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from providers import registry
from providers.declaring import SecretField, applies, lacking
from tui.describe import field, fields, heading, words
from tui.label import Glyphs, plain
from tui.widgets.columns import Column
from tui.widgets.ink import Line
from tui.widgets.lines import Row
from vault.given import variable
from vault.keyrings import StoreView
from vault.secret_state import SecretState, Source

if TYPE_CHECKING:
    from vault.desk import Desk

LEAST = 12
"""Characters of a new passphrase."""
_STORED = (Source.KEYRING, Source.SEALED, Source.MEMORY)
_STATES = {"available": "open", "locked": "locked", "none": "not there"}
NO_FILE = "there is no sealed file yet"


class SecretRow(Struct, frozen=True):
    """One secret of an account, as it is shown."""

    account: str
    name: str
    label: str
    about: str
    needed: str
    state: SecretState
    outranking: str

    @property
    def source(self) -> Source | None:
        """What kind of place it was found in; None where it was not."""
        return self.state.source if self.state.is_found else None


def read_secrets(desk: "Desk", account: str) -> tuple[SecretRow, ...]:
    """An account's secrets, each looked up. Blocks, up to the deadlines of commands and stores."""
    known = desk.config.accounts.get(account)
    if known is None:
        return ()
    info, options = registry.info(known.settings.provider), known.settings.options
    return tuple(_row(desk, account, each) for each in info.secrets if applies(each, options, info.options))


def _row(desk: "Desk", account: str, declared: SecretField) -> SecretRow:
    secrets, name = desk.secrets, declared.name
    state = secrets.look(account, name)
    needed = "one of them" if declared.one_of else "yes" if declared.required else "no"
    return SecretRow(account, name, declared.label, declared.words, needed, state, secrets.outranking(account, name))


def locked_out(desk: "Desk") -> tuple[str, ...]:
    """The accounts that lack a secret while the sealed file is there and locked. Blocks as `read_secrets` does."""
    names = tuple(name for name in desk.config.accounts if _lacks(desk, name))
    return names if names and sealed_of(desk.secrets.stores()).state == "locked" else ()


def _lacks(desk: "Desk", account: str) -> bool:
    known = desk.config.accounts.get(account)
    if known is None:
        return False  # it went meanwhile
    info = registry.info(known.settings.provider)
    found = {each.name for each in read_secrets(desk, account) if each.source is not None}
    return bool(lacking(info, known.settings.options, found.__contains__))


def sealed_of(stores: Sequence[StoreView]) -> StoreView:
    """The sealed file among the stores."""
    return next(store for store in stores if store.name == "sealed")


def keyring_of(stores: Sequence[StoreView]) -> StoreView:
    """The system keyring among the stores."""
    return next(store for store in stores if store.name == "keyring")


def problem_with_new(text: str) -> str:
    """Why a passphrase is not good enough for a new file, in words; "" when it is."""
    if len(text.strip()) >= LEAST:
        return ""
    return (
        f"it must have at least {LEAST} characters: whoever gets a copy of the file may try as many passphrases as "
        "they like, and short ones are found"
    )


# Rows


def columns() -> tuple[Column[SecretRow], ...]:
    """The list's columns."""

    def lies(row: SecretRow) -> Line:
        if row.source is None:
            return ((plain(row.state.brief), "warn" if row.needed != "no" else "dim"),)
        return ((plain(row.state.words), ""), (", hidden" if row.outranking and row.source in _STORED else "", "warn"))

    return (
        Column("Secret", 14, 0, lambda row: ((plain(row.name), "strong"),)),
        Column("Needed", 11, 2, lambda row: ((row.needed, "dim"),)),
        Column("Where it lies", 30, 1, lies, flex=True),
    )


def about_rows(
    row: SecretRow | None, stores: Sequence[StoreView], width: int, glyphs: Glyphs, told: str = ""
) -> list[Row]:
    """The current secret in full, what was just done with it (`told`), and the stores there are."""
    rows: list[Row] = []
    if row is not None:
        rows.append(Row(((plain(row.label), "strong"), (f"  {plain(row.about)}", "dim"))))
        rows += field("lies", row.state.words, width, "" if row.source else "warn")
        if row.outranking:
            rows += field(
                "first", f"{row.outranking} is read before any store, and hides what lies there", width, "warn"
            )
        rows += fields((("variable", variable(row.account, row.name)), ("just now", told)), width)
    rows += heading("Stores", width, glyphs)
    if not stores:
        rows += words("looking at them", width, "dim")
    for store in stores:
        rows += store_rows(store, width, glyphs)
    return rows


def store_rows(store: StoreView, width: int, glyphs: Glyphs) -> list[Row]:
    """A store and its state."""
    sign, ink = {"available": (glyphs.ok, "good"), "locked": (glyphs.bad, "warn")}.get(
        store.state, (glyphs.idle, "dim")
    )
    rows = [Row(((f"{sign} {plain(store.label)}", ink), (f"  {_STATES[store.state]}", "")))]
    if store.words not in ("unlocked", "it answers"):
        rows += [Row((("  ", ""), *each.line)) for each in words(store.words, width - 2, "dim")]
    if store.path is not None:
        rows += [Row((("  ", ""), *each.line)) for each in words(str(store.path), width - 2, "dim")]
    return rows


# What can be done


def target_of(row: SecretRow, stores: Sequence[StoreView]) -> str:
    """The store that `move` puts a secret into: "keyring" or "sealed"."""
    if row.source is Source.KEYRING:
        return "sealed"
    if row.source is Source.MEMORY and keyring_of(stores).state != "available":
        return "sealed"
    return "keyring"


def why_not_secret(command: str, row: SecretRow | None, stores: Sequence[StoreView]) -> str:
    """Why a command cannot act now; "" when it can or is not one of these."""
    if command == "secret.lock":
        return "" if not stores or sealed_of(stores).path else "there is no place for a sealed file"
    if command == "secret.passphrase":
        return _why_no_passphrase(stores)
    if command not in ("secret.set", "secret.move", "secret.forget"):
        return ""
    if row is None:
        return "this account needs no secret"
    if not stores:
        return "the stores are being looked at"
    if command == "secret.move":
        return _why_not_move(row, stores)
    if command == "secret.forget" and row.source is None and sealed_of(stores).state != "locked":
        return f"{row.name} lies in no store"
    return ""


def _why_not_move(row: SecretRow, stores: Sequence[StoreView]) -> str:
    if row.source not in _STORED:
        return (
            f"{row.name} lies in no store"
            if row.source is None
            else f"it is given by {row.state.words}: nothing to move"
        )
    keyring = keyring_of(stores)
    if target_of(row, stores) == "keyring" and keyring.state != "available":
        return f"not to the keyring: {keyring.words}"
    return ""


def _why_no_passphrase(stores: Sequence[StoreView]) -> str:
    if not stores:
        return "the stores are being looked at"
    state = sealed_of(stores).state
    return {"none": f"{NO_FILE}: L makes one", "locked": "unlock it first: L"}.get(state, "")


def forget_lines(row: SecretRow) -> tuple[str, ...]:
    """What is asked before a secret is forgotten."""
    lies = row.state.words if row.source in _STORED else "what lies in the stores"
    left = (f"{row.outranking} stays, and is used.",) if row.outranking else ()
    return (f"{row.name} of account {row.account}: {lies}.", "It cannot be brought back from here.", *left)

"""An account's form, made from what its provider declares: its fields, what is wrong in them, what is saved. Pure."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec import Struct, field

from providers.declaring import (
    Field,
    Option,
    ProviderInfo,
    SecretField,
    applies,
    problem_with_typed,
    problems,
    read,
    read_all,
    typed,
)
from providers.secret import Secret
from vault.options import COMMON

Values = Mapping[str, str]
"""What is typed, by the entries' ids."""
NAME, HOST = "account-name", "account-host"
DEFAULT, YES, NO = "by default", "true", "false"


class Entry(Struct, frozen=True):
    """One line of the form. Its id is its own: a secret may be declared twice, for different sign-ins."""

    id: str
    field: Field

    @property
    def option(self) -> Option | None:
        """None for a secret."""
        return self.field if isinstance(self.field, Option) else None

    @property
    def choices(self) -> tuple[str, ...]:
        """What can be chosen; nothing for what is typed or ticked."""
        option = self.option
        if option is not None and option.kind == "bool" and option.default is None:
            return (DEFAULT, YES, NO)
        return option.choices if option is not None and option.kind == "choice" else ()

    @property
    def ticked(self) -> bool:
        """Whether it is a matter of yes and no."""
        return self.option is not None and self.option.kind == "bool" and not self.choices


_NAME = Entry(
    NAME,
    Option(
        "name",
        "what reeldesk calls the account: lower-case letters, digits and -; it becomes part of folders and addresses",
        required=True,
        label="Name",
    ),
)
_HOST = Entry(
    HOST,
    Option(
        "host",
        "without a check of the certificate anyone in between can read along, the credential too",
        required=True,
        label="Type the host",
    ),
)


class AccountForm(Struct, frozen=True):
    """The form of an account at a provider. `name`: the account that is edited, "" for a new one.

    `written`: what config.toml says of it. `confirmed`: the host that was typed for `verify = false` before.
    `host_to_type`: as in vault.accounts, given here since it brings an editor of TOML along.
    """

    info: ProviderInfo
    name: str = ""
    written: Mapping[str, Any] = field(default_factory=dict)
    taken: Collection[str] = ()
    problem_with_name: Callable[[str, Collection[str]], str] = lambda name, taken: ""
    host_to_type: Callable[[str, Mapping[str, Any]], str] = lambda provider, options: ""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All fields there can be, in order: the usual ones, then those that are rarely needed."""
        declared: tuple[Field, ...] = (*self.info.options, *self.info.secrets, *COMMON)
        made = [Entry(f"field-{place}", each) for place, each in enumerate(declared)]
        usual = [entry for entry in made if not entry.field.advanced]
        rare: list[Entry] = []
        for entry in (entry for entry in made if entry.field.advanced):
            rare.append(entry)
            if entry.field.name == "verify":
                rare.append(_HOST)
        return (*(() if self.name else (_NAME,)), *usual, *rare)

    def is_rare(self, entry: Entry) -> bool:
        """Whether it is kept apart."""
        return entry.field.advanced or entry is _HOST

    @property
    def begun(self) -> dict[str, str]:
        """What the form begins with: what is written, else the defaults; secrets are always empty."""
        values = {NAME: "" if self.name else self._free_name(), HOST: ""}
        for entry in self.entries:
            option = entry.option
            if entry.id not in values:
                values[entry.id] = typed(option, self.written.get(option.name, option.default)) if option else ""
        return values

    def _free_name(self) -> str:
        name, number = self.info.name, 1
        while name in self.taken:
            number += 1
            name = f"{self.info.name}-{number}"
        return name

    @property
    def has_rare(self) -> bool:
        """Whether something that is rarely needed is set: then it is shown from the start."""
        rare = {entry.field.name for entry in self.entries if self.is_rare(entry)}
        return bool(rare & set(self.written))

    # As one types ------------------------------------------------------------------------------------------------

    def applying(self, values: Values) -> tuple[Entry, ...]:
        """The fields that these values ask for."""
        typed_options = {entry.field.name: values.get(entry.id, "") for entry in self.entries if entry.option}
        host = bool(self.host(values))
        return tuple(
            entry
            for entry in self.entries
            if (host if entry.id == HOST else applies(entry.field, typed_options, self.info.options))
        )

    def _declared(self, values: Values) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.applying(values) if entry.id not in (NAME, HOST))

    def host(self, values: Values) -> str:
        """The host that must be typed; "" where none must, or was before."""
        options: dict[str, Any] = {}
        for entry in self.entries:
            option = entry.option
            if option is None or entry.id in (NAME, HOST) or problem_with_typed(option, values.get(entry.id, "")):
                continue
            options[option.name] = read(option, values.get(entry.id, ""))
        wanted = self.host_to_type(self.info.name, options)
        before = self.host_to_type(self.info.name, self.written) if self.written else ""
        return "" if wanted == before else wanted

    def problems(self, values: Values, kept: Collection[str]) -> dict[str, str]:
        """What is wrong, entry's id to words. `kept`: names of secrets that are there already."""
        found: dict[str, str] = {}
        if not self.name and (words := self.problem_with_name(values.get(NAME, "").strip(), self.taken)):
            found[NAME] = words
        entries = self._declared(values)
        told = problems(
            self.info,
            {entry.field.name: values.get(entry.id, "") for entry in entries},
            common=COMMON,
            kept=self.kept(values, kept),
        )
        found |= {entry.id: told[entry.field.name] for entry in entries if entry.field.name in told}
        host = self.host(values)
        if host and values.get(HOST, "").strip().lower() != host:
            found[HOST] = f"must be {host}, as a sign that this is meant"
        return {entry.id: found[entry.id] for entry in self.entries if entry.id in found}

    def kept(self, values: Values, kept: Collection[str]) -> Collection[str]:
        """The secrets that need not be typed: all of them, where a password command is to print them."""
        commanded = next(entry for entry in self.entries if entry.field.name == "password_command")
        text = values.get(commanded.id, "").strip()
        option = commanded.option
        if option is not None and text and not problem_with_typed(option, text):
            return {secret.name for secret in self.info.secrets}
        return kept

    def only_secrets_missing(self, values: Values, found: Mapping[str, str]) -> tuple[SecretField, ...]:
        """The secrets that were not typed, where nothing else is wrong."""
        fields = {entry.id: entry.field for entry in self.entries}
        missing = [fields[id_] for id_ in found if not values.get(id_, "").strip()]
        secrets = tuple(each for each in missing if isinstance(each, SecretField))
        return secrets if len(secrets) == len(found) else ()

    # Saving ------------------------------------------------------------------------------------------------------

    def account(self, values: Values) -> str:
        """The account's name."""
        return self.name or values.get(NAME, "").strip()

    def options(self, values: Values) -> dict[str, Any]:
        """What config.toml is to say: of an account that is there, only what was changed (None: taken out).

        Raises ValueError for values that have problems.
        """
        begun = self.begun
        entries = [entry for entry in self._declared(values) if entry.option]
        if self.name:
            entries = [entry for entry in entries if values.get(entry.id, "") != begun[entry.id]]
        options = [entry.option for entry in entries if entry.option]
        found = read_all(options, {entry.field.name: values.get(entry.id, "") for entry in entries})
        return {option.name: found.get(option.name) for option in options} if self.name else found

    def secrets(self, values: Values) -> dict[str, Secret]:
        """The secrets that were typed. Raises InvalidSecret."""
        return {
            entry.field.name: Secret(values[entry.id])
            for entry in self._declared(values)
            if entry.option is None and values.get(entry.id, "").strip()
        }

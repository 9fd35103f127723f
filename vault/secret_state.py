"""What is known of one of an account's secrets, without its value: found and where, not set, or not known and why."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class Source(StrEnum):
    """What a secret came from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    SYSTEMD = "systemd"
    COMMAND = "command"
    KEYRING = "keyring"
    SEALED = "sealed"
    MEMORY = "memory"


class Knowledge(StrEnum):
    """How much is known of a secret."""

    FOUND = "found"
    NOT_SET = "not set"
    """Every place that there is was asked, and has none."""
    NOT_KNOWN = "not known"
    """A place that may have it could not be asked: it is locked, hangs or failed."""
    NOT_LOOKED_UP = "not looked up yet"
    UNUSABLE = "unusable"
    """What should give it gives nothing that can be used."""


class SecretState(Struct, frozen=True):
    """What is known of a secret. `source`: what gave it or, until it was looked up, what will be asked first."""

    knowledge: Knowledge
    place: str = ""
    """Where it was found or is to come from, in words."""
    source: Source | None = None
    reasons: tuple[str, ...] = ()
    """Why it is not known, not set or unusable, in words."""
    locked: str = ""
    """Why the sealed file could not be asked, and how it is unlocked, in words."""

    @property
    def is_found(self) -> bool:
        """Whether it is there and can be used."""
        return self.knowledge is Knowledge.FOUND

    @property
    def words(self) -> str:
        """All of it for a person."""
        return self._said(self.locked)

    @property
    def brief(self) -> str:
        """The same where little room is: why a secret is not set, and how the sealed file is unlocked, is left out."""
        if self.knowledge is Knowledge.NOT_SET:
            return str(self.knowledge)
        return self._said("the sealed file is locked" if self.locked else "")

    def _said(self, locked: str) -> str:
        why = "; ".join(filter(None, (*self.reasons, locked)))
        if self.knowledge is Knowledge.UNUSABLE:
            return why
        if self.knowledge is Knowledge.NOT_KNOWN:
            return f"{self.knowledge}: {why}"
        return self.place or "; ".join(filter(None, (self.knowledge, why)))

    def unlocked(self) -> "SecretState":
        """What is left of it once the sealed file was asked, and has it not."""
        return replace(self, locked="") if self.reasons or not self.locked else NOT_SET


NOT_SET = SecretState(Knowledge.NOT_SET)
NOT_LOOKED_UP = SecretState(Knowledge.NOT_LOOKED_UP)


def missed(unasked: Sequence[str], absent: Sequence[str], locked: str) -> SecretState:
    """A secret that was found nowhere.

    `unasked`: why places that may have it could not be asked; `absent`: which places there are none of; `locked`: why
    the sealed file could not be asked.
    """
    if unasked or locked:
        return SecretState(Knowledge.NOT_KNOWN, reasons=tuple(unasked), locked=locked)
    return SecretState(Knowledge.NOT_SET, reasons=tuple(absent))

"""What a test of an account gives: one step after the other, each with its outcome in words. Light to import."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import force_setattr

from providers.text import safe_text

MAX_WORDS = 1200


class Outcome(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    """It works, and something about it should be changed."""


class Step(Struct, frozen=True):
    """One step. Its words become one harmless line here: servers and their certificates have a say in them."""

    name: str
    outcome: Outcome
    words: str

    def __post_init__(self) -> None:
        force_setattr(self, "words", safe_text(self.words, MAX_WORDS))


def has_failed(steps: Iterable[Step]) -> bool:
    """Whether any step failed."""
    return any(step.outcome is Outcome.FAILED for step in steps)


class Limits(Struct, frozen=True):
    """How long each step of a test may take, in seconds."""

    name_s: float = 5.0
    connection_s: float = 5.0
    tls_s: float = 5.0
    """Of one handshake: where the first one is refused, a second one reads the certificate."""
    secrets_s: float = 30.0
    """A password command may take ten seconds for each, a keyring three."""
    credential_s: float = 40.0
    clock_s: float = 5.0


USUAL = Limits()


class Checked(str):
    """What works, in words (`Provider.check`), and apart from that what it shows of rights and what it leaves open."""

    __slots__ = ("rights", "unchecked")
    rights: str
    """The right that the answer proves; "" when it proves none."""
    unchecked: str
    """What can only be known by using it; "" for nothing."""

    def __new__(cls, words: str, *, rights: str = "", unchecked: str = "") -> "Checked":
        """Words with what is known beside them."""
        made = super().__new__(cls, words)
        made.rights = rights
        made.unchecked = unchecked
        return made

    @property
    def works(self) -> str:
        """The words without those about what is left open."""
        return self.removesuffix(f". Not checked: {self.unchecked}")

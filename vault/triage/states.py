"""The words of triage: flags, and how far a release is."""

from enum import StrEnum


class Flag(StrEnum):
    """What an operator thinks of an asset. Of the first three it has one at most; `hold` goes with any of them."""

    WANT = "want"
    """Fetched as soon as the service has it."""
    SKIP = "skip"
    """Not fetched unless by name, and not at risk."""
    FORGET = "forget"
    """The same, and nothing about it is a fault: it may be lost."""
    HOLD = "hold"
    """Never released."""


class ReleaseState(StrEnum):
    """How far a release is. The last four are its end."""

    WAITING = "waiting"
    """For the end of its grace, or to be tried again: nothing was sent."""
    CHECKING = "checking"
    """The grace is over: the copy is being read again, the service asked what it has."""
    SENDING = "sending"
    """The call was sent, or is about to be; its answer is not known."""
    ANSWERED = "answered"
    """The service took the call; its record does not say so yet."""
    CONFIRMED = "confirmed"
    STOPPED = "stopped"
    """In its grace, by an operator."""
    REFUSED = "refused"
    """Here, since something of the proof was missing."""
    FAILED = "failed"
    """At the service."""

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in _ENDED_RELEASES

    @property
    def can_be_stopped(self) -> bool:
        """Whether nothing was sent yet."""
        return self in (ReleaseState.WAITING, ReleaseState.CHECKING)


_ENDED_RELEASES = frozenset({ReleaseState.CONFIRMED, ReleaseState.STOPPED, ReleaseState.REFUSED, ReleaseState.FAILED})

"""The vault's own errors; their text is for a person."""


class VaultError(Exception):
    """Something on this machine stands in the way: the disk, the ledger, a missing proof. The text says what to do."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class ConfigError(VaultError):
    """config.toml cannot be used; the text names the file, the line and the key."""


class LedgerError(VaultError):
    """The ledger cannot be opened or written."""


class Superseded(LedgerError):
    """A list was asked for that nobody waits for any more: a newer one took its place."""


class SpoolError(VaultError):
    """A saved delivery, or the folder they lie in, cannot be read."""


class WrongBytes(VaultError):
    """All bytes arrived, and are not what they should be: asking for the same again would bring the same."""


class DiskFull(VaultError):
    """There is no room for the file; what is there of it is kept."""


class PartBusy(VaultError):
    """Another living process holds the part of this file."""


class NotReleased(VaultError):
    """Something here, or at the service, stands against releasing it; the text names the piece that is missing."""


class ReleaseBusy(VaultError):
    """Another release of the same meeting is being sent; this one is tried after it."""


class Overtaken(VaultError):
    """Another process took over this transfer; what this one has must not be committed."""


class Cancelled(VaultError):
    """Whoever asked for it does not want it any more; nothing was changed."""


class NotHandedOver(VaultError):
    """No process took the transfers over; the text says why."""

"""A credential in memory: it cannot be printed, logged, pickled or compared by accident."""

import weakref
from typing import ClassVar, NoReturn

from providers.digests import is_same


class InvalidSecret(ValueError):
    """The text cannot be a credential (empty, control characters inside, not ASCII)."""


class Secret:
    """Holds a credential. Only `reveal()` gives it back, at the one place that sends it.

    Surrounding white space (a pasted newline) is removed; anything that could not stand in an HTTP header is
    refused without echoing it. Raises InvalidSecret.
    """

    __slots__ = ("__weakref__", "_value")
    _living: ClassVar["weakref.WeakValueDictionary[int, Secret]"] = weakref.WeakValueDictionary()
    """Of the whole process: a report of a fault, wherever it happened, must know what it is not to tell."""

    def __init__(self, value: str) -> None:
        value = value.strip()
        if not value:
            raise InvalidSecret("the secret is empty")
        if not value.isascii() or not value.isprintable():
            raise InvalidSecret("the secret has characters that a credential cannot have")
        self._value = value
        Secret._living[id(self)] = self

    def reveal(self) -> str:
        """The credential itself."""
        return self._value

    @classmethod
    def living(cls) -> list[str]:
        """What every credential in this process's memory is, so that it can be kept out of a report."""
        held = (reference() for reference in cls._living.valuerefs())
        return [one._value for one in held if one is not None]

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and is_same(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a dict of secrets would compare them in other than constant time

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not to be pickled or copied")

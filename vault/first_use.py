"""What is made when it is first used: what nobody uses is neither loaded nor held."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Whole = TypeVar("Whole")
Made = TypeVar("Made")
_NOTHING = object()


class on_first_use(Generic[Whole, Made]):  # noqa: N801  # a decorator, written like `property`
    """Of a method that makes something: an attribute, made once, whichever thread uses it first.

    The method imports what it makes. The desk's first paint needs a third of the vault's modules, and waits for no
    others. What is made so may use others that are, in no circle.
    """

    def __init__(self, make: Callable[[Whole], Made]) -> None:
        self._make = make
        self._guard = threading.RLock()
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, whole: None, kind: type[Any]) -> "on_first_use[Whole, Made]": ...
    @overload
    def __get__(self, whole: Whole, kind: type[Any]) -> Made: ...
    def __get__(self, whole: Whole | None, kind: type[Any]) -> "Made | on_first_use[Whole, Made]":
        if whole is None:
            return self
        with self._guard:
            made: Any = whole.__dict__.get(self._name, _NOTHING)
            if made is _NOTHING:
                made = whole.__dict__[self._name] = self._make(whole)
        result: Made = made
        return result

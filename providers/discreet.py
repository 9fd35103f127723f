"""Values that do not show all they hold when they are printed or logged."""

from typing import Any, ClassVar

from msgspec import Struct


class Discreet(Struct, frozen=True):
    """A value whose repr leaves the fields named in `UNSHOWN` out: they hold secrets, personal data or a body.

    One that names there what is no field of its own cannot be made: TypeError.
    """

    UNSHOWN: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        if unknown := set(cls.UNSHOWN).difference(cls.__annotations__):
            raise TypeError(f"{cls.__name__}: {', '.join(sorted(unknown))} in UNSHOWN is no field")

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.UNSHOWN]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

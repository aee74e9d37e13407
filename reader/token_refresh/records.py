"""`@record`: a dataclass of which mypy alone knows that it is frozen, and that never prints what it holds.

A cold start of the function makes some sixty of these classes. Of the 340 microseconds that each takes with
`frozen=True`, the methods that refuse to set a field take 110 and `repr` takes 40; mypy refuses the first anyway, and a
secret may be among the values of the second. Equality and hash, written anew for each class, take another 100.
`scripts/bench worker` shows what that is worth.
https://typing.python.org/en/latest/spec/dataclasses.html#dataclass-transform
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[_T]) -> type[_T]:
    """Make a class of values that are given by name."""
    return _equal_by_value(dataclass(slots=True, kw_only=True, eq=False, repr=False)(cls))


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def positional_record(cls: type[_T]) -> type[_T]:
    """Make a class of values that can be given by place."""
    return _equal_by_value(dataclass(slots=True, eq=False, repr=False)(cls))


def _equal_by_value(cls: type[_T]) -> type[_T]:
    """Compare and hash by value, without the fields that `field` leaves out, as a dataclass does."""
    compared = _getter(each.name for each in fields(cls) if each.compare)  # type: ignore[arg-type] # a dataclass
    wanted = (each for each in fields(cls) if (each.compare if each.hash is None else each.hash))  # type: ignore[arg-type] # likewise
    hashed = _getter(each.name for each in wanted)

    def equal(self: object, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    cls.__eq__ = equal  # type: ignore[method-assign] # mypy knows one already, and the next
    cls.__hash__ = lambda self: hash(hashed(self))  # type: ignore[method-assign]
    return cls


def _getter(names: Iterable[str]) -> Callable[[object], Any]:
    return attrgetter(*([*names] or ["__class__"]))

"""`@record`: a dataclass of which mypy alone knows that it is frozen, and that never prints what it holds.

A cold start of the function makes some sixty of these classes. Of the 340 microseconds that each takes with
`frozen=True`, the methods that refuse to set a field take 110 and `repr` takes 40; mypy refuses the first anyway, and a
secret may be among the values of the second. `scripts/bench worker` shows what that is worth.
https://typing.python.org/en/latest/spec/dataclasses.html#dataclass-transform
"""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[_T]) -> type[_T]:
    """Make a class of values that are given by name."""
    return dataclass(slots=True, kw_only=True, unsafe_hash=True, repr=False)(cls)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def positional_record(cls: type[_T]) -> type[_T]:
    """Make a class of values that can be given by place."""
    return dataclass(slots=True, unsafe_hash=True, repr=False)(cls)

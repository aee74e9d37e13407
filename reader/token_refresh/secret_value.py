"""Values that hold a secret, and that no serializer opens."""

from collections.abc import Iterable
from typing import Any, Final, Generic, NoReturn, Self, TypeVar, final

MASK = "[secret]"

T = TypeVar("T", bound=str | bytes)


class Sealed:
    """Base of immutable values that hold a secret.

    Serializers open dataclasses, `__dict__` and what pickle gives them. Here they find none of these: orjson, msgspec,
    pydantic and pickle raise an error, and what falls back to `repr` shows a mask. The secret is behind one attribute
    or method, and code that names it wants it.
    """

    __slots__: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute once, in `__init__`."""
        if hasattr(self, name):
            raise AttributeError(f"{type(self).__name__} is immutable")
        super().__setattr__(name, value)

    def __delattr__(self, _name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._members() == other._members()

    def __hash__(self) -> int:
        return hash(self._members())

    def __dir__(self) -> Iterable[str]:
        """Leave the value out: inspectors print every attribute that is listed here."""
        return [name for name in super().__dir__() if name not in {"value", "_value"}]

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a secret and is not pickled: read it again where it is needed")

    def __getstate__(self) -> NoReturn:
        self.__reduce_ex__(0)

    def _members(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)


class Masked(Sealed, Generic[T]):
    """Hold a secret so that `repr`, `str`, `format` and a JSON fallback show a mask.

    It is not a `str`: what needs the value says so with `reveal`, and those places can be counted.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value: Final = value

    def reveal(self) -> T:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._value)

    def _members(self) -> tuple[T]:
        return (self._value,)


@final
class SecretValue(Masked[str]):
    """A secret text."""

    __slots__ = ()

"""A string that does not print itself."""

from typing import final

MASK = "[secret]"


@final
class SecretValue:
    """Hold a secret so that `repr`, `str`, `format` and a JSON fallback show a mask.

    It is not a `str`: what needs the value says so with `reveal`, and those places can be counted.
    """

    # No `__dict__`, which dumps of variables would print.
    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

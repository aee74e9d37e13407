"""HTTP headers by name, in any case; a header that matters may come only once."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, Union

from token_refresh.errors import ConfigurationError
from token_refresh.webhooks.errors import WebhookMalformed

GivenHeaders: TypeAlias = Union[Mapping[str, str], Iterable[tuple[str, str]], "Headers"]
"""A request's headers as frameworks have them: a mapping, or pairs of a name and a value."""


class Headers:
    """Read-only headers; `repr` shows none of them."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            # RFC 9110, section 5.1: names are case-insensitive; REST APIs and load balancers keep the sender's case.
            self._values.setdefault(name.lower(), []).append(value)

    @classmethod
    def of(cls, headers: GivenHeaders) -> "Headers":
        """Take any framework's headers; a mapping that lists a repeated header twice is understood."""
        if isinstance(headers, Headers):
            return headers
        given: Any = headers.items() if hasattr(headers, "items") else headers
        try:
            pairs: list[Any] = [(name, value) for name, value in given]
        except (TypeError, ValueError):
            pairs = [(None,)]
        if all(isinstance(part, str) for pair in pairs for part in pair):
            return cls(pairs)
        raise ConfigurationError(
            f"verify() needs the request's headers as a mapping or pairs of text, and got {type(headers).__name__}",
            fix="In most frameworks that is verifier.verify(request.headers, body)",
        )

    def get(self, name: str) -> str | None:
        """Return a header, or None; one that came twice is malformed: two programs could read two different values."""
        values = self._values.get(name, [])
        # RFC 9110, section 5.3: only lists may be repeated, and a proxy may pick the other value.
        if len(values) > 1:
            raise WebhookMalformed(f"the header {name} came {len(values)} times")
        return values[0] if values else None

    def need(self, name: str) -> str:
        """Return a header that has to be there."""
        value = self.get(name)
        if value is None:
            raise WebhookMalformed(f"the header {name} is missing")
        return value

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        return f"<{len(self._values)} headers>"

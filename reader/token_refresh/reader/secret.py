"""One version of a secret, as a reader gives it."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import Masked, Sealed, SecretValue

if TYPE_CHECKING:
    from token_refresh.reader.sources.source import Version

Stage = Literal["current", "previous"]


class Secret(Sealed):
    """A value of a secret; its `repr` masks it, and no serializer opens it.

    Attributes:
        secret_id: The reference that the reader was given.
        version_id: The version that holds the value; it may be logged.
        created_at: When that version was stored, by the clock of the store.
        stage: Whether the value is the current one, or one that is accepted beside it.
        value: The value.
    """

    __slots__ = ("_value", "created_at", "secret_id", "stage", "version_id")

    def __init__(
        self, *, secret_id: str, version_id: str, created_at: datetime, stage: Stage = "current", value: str | bytes
    ) -> None:
        self.secret_id: Final = secret_id
        self.version_id: Final = version_id
        self.created_at: Final = created_at
        self.stage: Final = stage
        self._value: Final[Masked[str | bytes]] = Masked(value)

    @property
    def value(self) -> str | bytes:  # noqa: D102 - described above
        return self._value.reveal()

    def __repr__(self) -> str:
        about = f"secret_id={self.secret_id!r}, version_id={self.version_id!r}, created_at={self.created_at!r}"
        return f"Secret({about}, stage={self.stage!r})"

    def text(self) -> str:
        """Return the value as text.

        Raises:
            InvalidSecretDocument: It is binary.
        """
        if isinstance(self.value, bytes):
            raise InvalidSecretDocument(f"{self.secret_id} is binary: read it with binary()")
        return self.value

    def json(self) -> Any:
        """Return the value, parsed; a new object at each call.

        Raises:
            InvalidSecretDocument: It is not JSON.
        """
        try:
            return json.loads(self.text())
        except (ValueError, RecursionError):
            pass  # raised below: the parser's error holds the value
        raise InvalidSecretDocument(f"{self.secret_id} is not JSON: read it with text()")

    def binary(self) -> bytes:
        """Return the value as bytes; text in UTF-8."""
        return self.value if isinstance(self.value, bytes) else self.value.encode()


def same_version(one: Secret, other: Secret) -> bool:
    """Say whether two values are of one version. A parameter that was deleted and created again counts from 1 again."""
    return (one.version_id, one.created_at) == (other.version_id, other.created_at)


def secrets_of(version: "Version", field_name: str | None, stage: Stage) -> tuple[Secret, ...]:
    """Return the values of a version, the first one of this stage: one, or those of a list in the field."""
    values = (version.content,) if field_name is None else _field(version, field_name)
    # Never empty: `secrets[0]` is the current value everywhere.
    return tuple(
        Secret(
            secret_id=version.reference.text,
            version_id=version.version_id,
            created_at=version.created_at,
            # In a list the first string is current, and the store can't say so.
            stage=stage if position == 0 else "previous",
            value=value,
        )
        for position, value in enumerate(values)
    )


def _field(version: "Version", name: str) -> tuple[str, ...]:
    # Few readers have a `field`, and pay for this.
    from token_refresh.stored.json_object import json_type, located, read_object  # noqa: PLC0415

    def read() -> tuple[str, ...]:
        if isinstance(version.content, bytes):
            raise InvalidSecretDocument(f"field {name}: the secret's value is binary; it must be a JSON object")
        found = read_object(SecretValue(version.content), f"field {name}").get(name)
        values = found if isinstance(found, list) else [found]
        strings = tuple(value for value in values if isinstance(value, str) and value)
        if not strings or len(strings) < len(values):
            kind = "missing" if found is None else f"a JSON {json_type(found)}"
            raise InvalidSecretDocument(
                f"field {name} must be a string or a list of strings, none of them empty; it is {kind}"
            )
        return strings

    return located(read, version.origin)

"""A stored value is a JSON object that can be written back."""

import pytest

from token_refresh.errors import InvalidSecretDocument
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import NESTING_LIMIT, read_object


@pytest.mark.parametrize("stored", ["", "{", "NaN", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', "[" * 100_000])
def test_what_is_not_json_is_refused(stored: str) -> None:
    """Text that is not strict JSON, or that no document could be written back from, is not a document."""
    with pytest.raises(InvalidSecretDocument, match=r"^the secret's value is not JSON; it must be a JSON object$"):
        read_object(SecretValue(stored))


def test_nesting_is_limited() -> None:
    """A document is refused that could be read and then not be written, since that would lose tokens."""

    def nested(lists: int) -> SecretValue:
        return SecretValue(f'{{"deep": {"[" * lists}1{"]" * lists}}}')

    read_object(nested(NESTING_LIMIT - 2))
    with pytest.raises(InvalidSecretDocument, match="nested deeper"):
        read_object(nested(NESTING_LIMIT - 1))

import json

import pytest

from token_refresh.secret_value import MASK, SecretValue


def test_no_way_of_showing_it_shows_it() -> None:
    """A secret value is masked in repr, str, format, containers and a JSON fallback."""
    secret = SecretValue("canary")

    printed = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        repr([secret]),
        json.dumps(secret, default=repr),
    ]

    assert [] == [text for text in printed if "canary" in text]
    assert MASK == str(secret)


def test_json_refuses_it() -> None:
    """A secret value can't slip into JSON by being a string."""
    with pytest.raises(TypeError):
        json.dumps(SecretValue("canary"))


def test_equality_is_that_of_the_values() -> None:
    """Two secret values are equal, and hash alike, where what they hold is; a plain string is never equal."""
    assert SecretValue("a") == SecretValue("a")
    assert hash(SecretValue("a")) == hash(SecretValue("a"))
    assert SecretValue("a") != SecretValue("b")
    assert SecretValue("a") != "a"


def test_an_empty_one_is_false() -> None:
    """An empty secret counts as none."""
    assert [False, True] == [bool(SecretValue("")), bool(SecretValue("x"))]

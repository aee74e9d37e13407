from token_refresh.secret_value import SecretValue


def test_equality_is_that_of_the_values() -> None:
    """Two secret values are equal, and hash alike, where what they hold is; a plain string is never equal."""
    assert SecretValue("a") == SecretValue("a")
    assert hash(SecretValue("a")) == hash(SecretValue("a"))
    assert SecretValue("a") != SecretValue("b")
    assert SecretValue("a") != "a"


def test_an_empty_one_is_false() -> None:
    """An empty secret counts as none."""
    assert [False, True] == [bool(SecretValue("")), bool(SecretValue("x"))]

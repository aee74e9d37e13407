"""What `@record` promises: values that compare, and that never print themselves."""

from token_refresh.records import positional_record, record


@record
class Credentials:
    """Two values."""

    client_id: str
    client_secret: str = "canary"


@positional_record
class Step:
    """One value."""

    until: int


def test_a_record_prints_no_value() -> None:
    """The text of a record names its class and holds nothing of what it was made of."""
    assert "Credentials" in repr(Credentials(client_id="canary"))
    assert "canary" not in repr(Credentials(client_id="canary"))
    assert "271828" not in repr(Step(271828))


def test_records_of_the_same_values_are_the_same() -> None:
    """Records compare by class and values, and can be members of a set."""
    assert {Step(1), Step(1)} == {Step(1)}
    assert Step(1) != Step(2)
    assert Credentials(client_id="a") == Credentials(client_id="a", client_secret="canary")

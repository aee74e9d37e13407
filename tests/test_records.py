"""What `@record` promises: values that compare, and that never print themselves."""

from dataclasses import field

from token_refresh.records import positional_record, record


@record
class Credentials:
    """Two values."""

    client_id: str
    client_secret: str = "canary"


@record
class Remembered:
    """A value, one that no hash knows, and one that no comparison knows."""

    name: str
    kept: dict[str, str] = field(default_factory=dict, hash=False)
    seen: str = field(default="", compare=False)


@record
class Nothing:
    """No value."""


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


def test_a_field_may_be_left_out() -> None:
    """What a field excepts from hash or comparison is excepted; records of different classes differ."""
    one, other = Remembered(name="a", seen="1"), Remembered(name="a", seen="2")

    assert (one, hash(one)) == (other, hash(other))
    assert hash(one) == hash(Remembered(name="a", kept={"b": "c"}))
    assert one != Remembered(name="a", kept={"b": "c"})
    assert {Nothing(), Nothing()} == {Nothing()}
    assert hash(Nothing()) != hash(Step(1))
    assert Nothing().__eq__(Step(1)) is NotImplemented

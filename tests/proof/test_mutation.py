"""Random bugs: what `scripts/prove mutation` plants is another function of the same name."""

import ast
from pathlib import Path
from random import Random

import pytest

from proof.mutation import PRODUCT, bug_in, changes, functions_of
from token_refresh_worker.core import schedule


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("a < b", "a <= b"),
        ("a is b", "a is not b"),
        ("a and b", "a or b"),
        ("not a", "a"),
        ("a + 1", "a - 1"),
        ("True", "False"),
        ("7", "8"),
        ("a if b else c", "a if not b else c"),
        ("f(x=1, y=2)", "f(y=2)"),
    ],
)
def test_what_is_wrong(code: str, wrong: str) -> None:
    """Each kind of expression has its bug."""
    ((_, new),) = changes(ast.parse(code, mode="eval").body)

    assert wrong == ast.unparse(ast.fix_missing_locations(new))


def test_a_bug_is_planted_in_its_function() -> None:
    """The code in the place of a function's does something else, and the same seed plants the same bug."""
    name = (str(Path(schedule.__file__)), "may_be_sent_again")
    bug, again = (bug_in(name, Random(3)) for _ in range(2))  # noqa: S311 - no secret

    assert bug is not None
    assert str(bug) == str(again)
    assert bug.code.co_code != schedule.may_be_sent_again.__code__.co_code
    assert "may_be_sent_again" in str(bug)


def test_every_function_is_found() -> None:
    """Methods and functions of a module have the names that Python gives them."""
    tree = ast.parse((PRODUCT[1] / "core" / "claims.py").read_text())

    assert {"Claim.ledger", "read_claim"} <= {name for name, _ in functions_of(tree)}

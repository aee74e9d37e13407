"""Random bugs: what `scripts/prove mutation` plants is another function of the same name."""

from collections import Counter
from importlib.util import find_spec
from random import Random

import pytest

from proof.mutation import PRODUCT, Product
from token_refresh_worker.core import schedule


@pytest.fixture(scope="module")
def product() -> Product:
    return Product.read()


def test_a_bug_is_planted_in_its_function(product: Product) -> None:
    """The code in the place of a function's does something else, and the same seed plants the same bug."""
    (function,) = (each for each in product.functions if each.name == "may_be_sent_again")
    bug, again = (product.bug_in(function, Random(3)) for _ in range(2))  # noqa: S311 - no secret

    assert bug is not None
    assert str(bug) == str(again)
    assert bug.code.co_code != schedule.may_be_sent_again.__code__.co_code
    assert "may_be_sent_again" in str(bug)
    assert function.node.lineno <= min(line for _, line in bug.lines)


def test_every_function_is_found(product: Product) -> None:
    """Methods and functions of a module have the names that Python gives them, and the folder that they are in."""
    path = str(PRODUCT[1] / "core" / "claims.py")
    found = {each.name: each.folder for each in product.functions if each.path == path}

    assert {
        "Claim.ledger": "token_refresh_worker/core",
        "read_claim": "token_refresh_worker/core",
    }.items() <= found.items()


def test_functions_are_drawn_by_their_lines(product: Product) -> None:
    """A function of thirty lines is drawn more often than one of three: a person slips in a line."""
    drawn = Counter[str]()
    for seed in range(3):
        for bug in product.draw(20, Random(seed), only="/fleet/"):  # noqa: S311 - no secret
            drawn["long" if bug.function.lines > 15 else "short"] += 1
    of_folder = [each for each in product.functions if "/fleet/" in each.path]
    long = sum(each.lines > 15 for each in of_folder) / len(of_folder)

    assert drawn["long"] / drawn.total() > 1.3 * long


def test_a_command_that_is_imported_late_is_planted_in(product: Product) -> None:
    """Each function's module has the name that a command imports it by: it is there before bugs are planted."""
    for path, module in {(each.path, each.module) for each in product.functions}:
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin == path

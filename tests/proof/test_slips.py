"""The bugs that `scripts/prove mutation` plants: of each kind there is one where its place is, and no other's."""

import ast
from itertools import islice

import pytest

from proof.slips import Types, replaced, slips_in

PROGRAM = """
class Grant:
    begins: int
    ends: int
    name: str


def lasts(since: int, until: int, *, whole: bool = False) -> int:
    return until - since


def act(grant: Grant, since: int, until: int, *, quiet: bool = False) -> object:
    {line}
"""


def wrong(line: str) -> set[tuple[str, str]]:
    """What could be wrong in a line of a function: the kinds, and the line as it is then."""
    found = set[tuple[str, str]]()
    types = Types()
    types.learn(ast.parse(PROGRAM.format(line=line)))
    for number in range(1000):
        module = ast.parse(PROGRAM.format(line=line))
        (*_, function) = module.body
        assert isinstance(function, ast.FunctionDef)
        for slip in islice(slips_in(function, module, types), number, number + 1):
            replaced(module, slip)
            found.add((slip.kind, "; ".join(ast.unparse(each) for each in function.body).replace("\n", " ")))
            break
        else:
            return found
    raise AssertionError("there is no end of them")


@pytest.mark.parametrize(
    ("line", "kind", "then"),
    [
        ("return since < until", "another comparison", "return since <= until"),
        ("return since < until", "another variable", "return until < until"),
        ("return quiet and since", "and for or", "return quiet or since"),
        ("return quiet and since", "a lost operand", "return quiet"),
        ("return quiet and since", "an ignored option", "return False and since"),
        ("return grant.name or since", "another precedence", "return since or grant.name"),
        ("return {1: 2} | {3: 4}", "another precedence", "return {3: 4} | {1: 2}"),
        ("return not quiet", "a lost not", "return quiet"),
        ("return since - until", "a swapped pair", "return until - since"),
        ("return since + 1", "a lost operand", "return since"),
        ("return True", "true for false", "return False"),
        ("return 2", "another number", "return 3"),
        ("return 30", "another number", "return 1800"),
        ("return since if quiet else until", "a lost branch", "return until"),
        ("return since if quiet else until", "a negated condition", "return since if not quiet else until"),
        ("return {1, 2}", "a forgotten member", "return {2}"),
        ("return {1: 2, 3: 4}", "a forgotten member", "return {1: 2}"),
        ("return since in (1, 2)", "a forgotten member", "return since in (1,)"),
        ("return grant[0]", "last for first", "return grant[-1]"),
        ("return grant[-1]", "first for last", "return grant[0]"),
        ("return f'{since} {until}'", "a swapped pair", "return f'{until} {since}'"),
        ("return lasts(since, 1)", "a swapped pair", "return lasts(1, since)"),
        ("return lasts(since, until, whole=quiet)", "a forgotten option", "return lasts(since, until)"),
        ("return lasts(since=1, until=2)", "a neighbour's value", "return lasts(since=2, until=2)"),
        ("return min(since, 3)", "another function", "return max(since, 3)"),
        ("return sorted(grant, key=act)", "a lost order", "return list(grant)"),
        ("return [a for a in grant if a if quiet]", "a lost condition", "return [a for a in grant if quiet]"),
        ("return grant.begins + grant.ends", "another attribute", "return grant.ends + grant.ends"),
        ("act(grant)", "a lost call", "pass"),
        ("yield grant", "a lost call", "if False:     yield grant"),
        ("grant.ends = until", "a lost assignment", "pass"),
        ("since += until", "what was there is lost", "since = until"),
        ("if quiet: return since", "a lost guard", "pass"),
        ("if quiet: act(grant)", "a lost branch", "pass"),
        ("if quiet: act(grant)", "a lost condition", "act(grant)"),
        ("for a in grant: act(a); break", "a lost call", "for a in grant:     pass     break"),
    ],
)
def test_what_is_wrong(line: str, kind: str, then: str) -> None:
    """Each kind of slip has its place, and is what a person would have written."""
    assert (kind, then) in wrong(line)


@pytest.mark.parametrize(
    "line",
    [
        "return grant",
        "return grant.name",
        "return act(grant, since)",
        "first, second = grant, since",
    ],
)
def test_what_a_type_checker_would_find(line: str) -> None:
    """Things of other types don't stand in each other's place: no such bug gets as far as the tests."""
    kinds = {kind for kind, _ in wrong(line)}

    assert not kinds & {"another attribute", "a swapped pair", "a forgotten member"}

"""The quick part of `scripts/prove search`, and bugs that are planted so that the search finds them."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest

import measured
from examples import drawn, drawn_at
from proof import bugs, commanded, edges, outages, put_back, report, scenarios, small
from proof.explore import search
from proof.mutants import MUTANTS, Mutant
from proof.world import Budget, Scenario

QUICK = scenarios.quick()
OF_BOTH_STORES = [
    [scenario for scenario in QUICK if (scenario.provider, scenario.name) == search]
    for search in dict.fromkeys((scenario.provider, scenario.name) for scenario in QUICK)
]
"""Each quick search, with each claim store that it has."""
FOUND_LATE = (
    small.STALE_SUCCESSORS,
    small.SUCCESSOR_GONE,
    small.NAMED,
    small.UNANCHORED,
    small.UNREADABLE,
    small.FILLED_OLD_LIST,
    small.TABLE_LOST_FORCED,
    small.TABLE_LOST_TWO,
    small.TWO_TABLES,
    commanded.AUTHORIZED,
    commanded.RECOVERED_DYING,
    commanded.RECOVERED_USED,
    edges.OLD_LIST,
    edges.CLOCK_JUMPS,
    replace(edges.CLOCK_JUMPS, provider="grace"),
    outages.STALE,
    outages.FROZEN,
    outages.KEY_DELETED,
    outages.AUTHORIZED_BEFORE,
    outages.OPERATOR,
    outages.MOVED,
    put_back.FORCED,
)
"""Searches of which a planted bug takes a third of a second or more: `scripts/prove mutants` has them, each night."""
ALSO_LATE = {
    "a locked claim known by its date alone",
    "a used token taken for one that may be alive",
    "no place to spare",
    "publish again after a refusal",
    "publish from whichever copy is there",
}
"""Planted bugs that take as long in searches that find another at once."""
FOUND_AT_ONCE = [mutant for mutant in MUTANTS if mutant.scenario not in FOUND_LATE and mutant.name not in ALSO_LATE]

OF_BUGS = {mutant.scenario.label: mutant.scenario for mutant in MUTANTS if mutant.patches is not bugs.nothing}
SMALL = [scenario for scenario in OF_BUGS.values() if scenario not in QUICK]


@pytest.mark.parametrize(
    "scenario",
    [scenario for place, of_both in enumerate(OF_BOTH_STORES) for scenario in drawn_at(of_both, place)],
    ids=lambda s: s.label,
)
def test_no_history_loses_a_grant(scenario: Scenario) -> None:
    """No interleaving, crash, lost response, stale read or operator within the bounds violates what must hold.

    Each run takes one claim store for each search, each night both.
    """
    result = search(scenario)

    assert result.violation is None, "\n".join((f"VIOLATION: {result.violation}", "Its history:", *result.trace))
    assert result.complete


@pytest.mark.parametrize("mutant", FOUND_AT_ONCE, ids=lambda m: m.name)
def test_a_planted_bug_is_found(mutant: Mutant) -> None:
    """A rule of the protocol that is left out is missed by the search."""
    with mutant.planted():
        result = search(mutant.scenario, seconds_limit=30)

    assert result.violation is not None


@pytest.mark.parametrize("scenario", drawn(SMALL, 3), ids=lambda s: s.label)
def test_without_a_bug_nothing_is_found(scenario: Scenario) -> None:
    """The searches that find planted bugs find nothing in the protocol itself: a third in each run, each night all."""
    assert search(scenario, worlds_limit=200).violation is None


def test_a_violation_comes_with_its_history_and_has_a_row() -> None:
    """The shortest history that leads to it, step by step; the table says what a planted bug violates, and how soon."""
    mutant = next(m for m in MUTANTS if m.name == "equal nonces")

    with mutant.planted():
        found = search(mutant.scenario)

    assert "VIOLATION: two redemptions are in flight" == found.trace[-1]
    assert 2 == sum("claims v0: c1, attempt 1" in line for line in found.trace)
    assert "redeems r0.0 at provider.example" in found.trace[-2]
    row = f"| {mutant.name} | two redemptions are in flight | 7 |"
    assert row in report.mutants([report.Planted(name=mutant.name, result=found)])


def test_the_one_window_is_recognised() -> None:
    """If the provider redeemed and the receiver died, the grant is lost, and that violates nothing."""
    result = search(replace(small.TWO, plans=("s",)))

    assert 0 < result.windows
    assert result.violation is None


def test_a_limited_search_says_that_it_is_not_complete() -> None:
    """A search that was cut short claims nothing about what it did not visit; two of the same bounds visit the same."""
    first, again = (search(small.DYING, worlds_limit=100) for _ in range(2))

    assert (False, first.worlds, first.left_alone) == (first.complete, again.worlds, again.left_alone)
    assert not search(small.DYING, seconds_limit=0.0).complete


def test_the_summary_is_of_todays_searches_and_bugs() -> None:
    """What docs/proof.json says is of today's rules, searches and bugs."""
    summary = json.loads(measured.SUMMARY.read_text())

    assert report.rules_digest() == summary["search"].get("rules"), "run `scripts/prove search --write`: core/ is new"
    assert report.searched_digest(scenarios.full()) == summary["search"]["of"]
    assert measured.digest(mutant.name for mutant in MUTANTS) == summary["mutants"]["of"]
    assert len({scenario.label for scenario in scenarios.full()}) == summary["search"]["planned"], "each named once"
    assert 0 < summary["search"]["searches"] <= summary["search"]["planned"]
    assert len(MUTANTS) == summary["mutants"]["planted"]


def test_a_limited_run_begins_no_other_search() -> None:
    """After its time a run keeps what has ended, and its summary says how many searches were planned."""
    planned = [
        Scenario(name=f"alone {n}", provider="static", claims="table", plans=("s",), budget=Budget()) for n in range(9)
    ]

    found = report.run(planned, seconds=0)
    said = report.summary(found, planned)

    assert (1, 9) == (said["searches"], said["planned"])
    assert report.searched_digest(planned) == said["of"]


def test_the_digest_is_of_code_alone() -> None:
    """Comments and docstrings may change without another search; a rule may not."""
    rule, said, other = (ast.parse(text) for text in ("x = 1", '"""Why."""\nx = 1  # so', "x = 2"))

    assert report.code_of(rule) == report.code_of(said) != report.code_of(other)


def test_a_run_keeps_its_table_and_its_summary(tmp_path: Path) -> None:
    """The whole table goes into a file of its own; the summary replaces that of the same proof, and no other."""
    alone = [
        search(Scenario(name="alone", provider=provider, claims=store, plans=("s",), budget=Budget()))
        for store in scenarios.STORES
        for provider in scenarios.PROVIDERS
    ]
    file = tmp_path / "proof.json"
    file.write_text('{"search": {"worlds": 1}, "mutants": {"planted": 73}}')

    measured.keep("searches", "What was searched", report.searches(alone), tmp_path)
    measured.summarise("search", report.summary(alone, [result.scenario for result in alone]), file)

    assert "| alone | runs s |" in (tmp_path / "searches.md").read_text()
    assert {"planted": 73} == json.loads(file.read_text())["mutants"]
    assert sum(result.worlds for result in alone) == json.loads(file.read_text())["search"]["worlds"]

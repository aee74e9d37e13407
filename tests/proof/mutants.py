"""Plant bugs into the protocol, one at a time, and check that the search finds each: `scripts/prove mutants`.

A bug that survives shows a rule that is not needed, or an invariant that is missing.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final
from unittest.mock import patch

from proof import bugs, report, scenarios
from proof.explore import search
from proof.world import Scenario
from token_refresh.core.claims import Redemption


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One bug, and the search that has to find it."""

    name: str
    patches: Callable[[], bugs.Patches]
    scenario: Scenario

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the bug while the context lasts."""
        with ExitStack() as stack:
            for target, name, value in self.patches():
                stack.enter_context(patch.object(target, name, value))
            yield


MUTANT_SECONDS: Final = 60.0
"""A planted bug that is not found by then has survived."""

MUTANTS: Final = (
    Mutant(name="redeem without a claim", patches=bugs.no_claim, scenario=scenarios.TWO),
    Mutant(name="claims without a nonce, so that two are equal", patches=bugs.equal_claims, scenario=scenarios.TWO),
    Mutant(name="claim again under another ID when refused", patches=bugs.second_claim, scenario=scenarios.TWO),
    Mutant(
        name="claim ID derived from the version, not from the chain",
        patches=bugs.claim_of_the_version,
        scenario=scenarios.EDITED,
    ),
    Mutant(
        name="a live claim on another version is ignored", patches=bugs.live(bugs.anywhere), scenario=scenarios.EDITED
    ),
    Mutant(name="a forced run ignores a live claim", patches=bugs.live(bugs.forced_past), scenario=scenarios.TWO),
    Mutant(name="claims end before their run does", patches=list, scenario=scenarios.SHORT_CLAIMS),
    Mutant(name="promote without RemoveFrom", patches=bugs.no_remove_from, scenario=scenarios.TWO),
    Mutant(name="promote from whichever version is current", patches=bugs.from_wherever, scenario=scenarios.REPLACED),
    Mutant(name="make tokens current before they are staged", patches=bugs.promote_first, scenario=scenarios.REPLACED),
    Mutant(name="recover what AWSPENDING is on, not what is derived", patches=bugs.by_label, scenario=scenarios.STAGED),
    Mutant(name="staged tokens are not recovered", patches=bugs.without("_promote"), scenario=scenarios.DYING),
    Mutant(name="stage under a fresh ID", patches=bugs.fresh_id, scenario=scenarios.DYING),
    Mutant(
        name="a record counts against whichever version is current",
        patches=bugs.any_version,
        scenario=scenarios.REPLACED,
    ),
    Mutant(name="no hold", patches=bugs.without("_held"), scenario=scenarios.DYING),
    Mutant(name="no hold for an edited copy", patches=bugs.no_elsewhere, scenario=scenarios.EDITED_DYING),
    Mutant(
        name="an unknown outcome is recorded as not redeemed",
        patches=bugs.records(Redemption.UNKNOWN),
        scenario=scenarios.DYING,
    ),
    Mutant(
        name="a request without an answer is repeated at a single-use provider",
        patches=bugs.always_repeats,
        scenario=scenarios.DYING,
    ),
    Mutant(
        name="no grace period is one that ends at once", patches=bugs.grace_of_zero, scenario=scenarios.WHOLE_SECONDS
    ),
    Mutant(name="tokens of an edited copy are not carried", patches=bugs.without("_carry"), scenario=scenarios.EDITED),
    Mutant(
        name="a claim on a version that is no longer current is kept",
        patches=bugs.without("_release"),
        scenario=scenarios.EDITED,
    ),
    Mutant(name="a run that fails does not release its claim", patches=bugs.never_released, scenario=scenarios.FAILING),
    Mutant(name="invalid_grant without a second look", patches=bugs.no_second_look, scenario=scenarios.REPLACED),
    Mutant(name="publish from whichever copy is shown", patches=bugs.published_unseen, scenario=scenarios.PUBLISHED),
    Mutant(name="claims do not list those before them", patches=bugs.no_list, scenario=scenarios.EDITED_DYING),
    Mutant(
        name="a claim label that was taken off is not put back", patches=bugs.label_left, scenario=scenarios.UNLABELLED
    ),
)


def plant() -> list[report.Planted]:
    """Plant each bug, search, and print a line as each is found."""
    found = []
    for mutant in MUTANTS:
        with mutant.planted():
            result = search(mutant.scenario, seconds_limit=MUTANT_SECONDS)
        found.append(report.Planted(name=mutant.name, result=result))
        verdict = result.violation or "SURVIVED"
        print(f"{mutant.name}\n    {verdict}; trace of {report.steps(result)}, {result.worlds:,} worlds", flush=True)
    print(f"\n{sum(1 for planted in found if planted.result.violation)} of {len(found)} planted bugs found")
    return found


def main() -> int:
    """Plant all bugs; 1 where one survives."""
    parser = argparse.ArgumentParser(prog="scripts/prove mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the figures into docs/proof.md")
    options = parser.parse_args()
    planted = plant()
    survived = any(not p.result.violation for p in planted)
    if options.write and not survived:
        report.write_mutants(planted)
    return int(survived)


if __name__ == "__main__":
    sys.exit(main())

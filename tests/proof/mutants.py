"""Plant bugs into the protocol, one at a time, and check that the search finds each: `scripts/prove mutants`.

A bug that survives shows a rule that is not needed, or an invariant that is missing.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final
from unittest.mock import patch

import measured
from proof import bugs, commanded, edges, outages, report, small
from proof.explore import search
from proof.world import Scenario
from token_refresh_worker.core.attempts import Fate


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
    Mutant(name="row 2 left out", patches=bugs.without("forward_stored_tokens"), scenario=small.DYING),
    Mutant(name="row 3 left out", patches=bugs.without("refuse_other_settings"), scenario=small.OTHER_HOST),
    Mutant(name="row 4 left out", patches=bugs.without("publish_newer_tokens"), scenario=small.PUBLISHED),
    Mutant(name="row 5 left out", patches=bugs.without("stop_at_used_token"), scenario=small.SUCCESSOR_GONE),
    Mutant(name="row 6 left out", patches=bugs.without("stop_at_rejected_grant"), scenario=small.REJECTED),
    Mutant(name="row 8 left out", patches=bugs.without("wait_for_open_claim"), scenario=small.TWO),
    Mutant(name="row 9 left out", patches=bugs.without("stop_at_unread_response"), scenario=small.UNREAD),
    Mutant(name="row 10 left out", patches=bugs.without("hold_unresolved_token"), scenario=small.DYING),
    Mutant(name="row 12 left out", patches=bugs.without("wait_for_daily_limit"), scenario=small.QUOTA),
    Mutant(name="an unreadable response not kept", patches=bugs.response_dropped, scenario=small.UNREAD),
    Mutant(name="a response kept before its run died not found", patches=bugs.response_unseen, scenario=small.UNREAD),
    Mutant(name="redeem without a claim", patches=bugs.no_claim, scenario=small.TWO),
    Mutant(name="equal nonces", patches=bugs.equal_nonces, scenario=small.ALIKE),
    Mutant(name="claim again under another ID when refused", patches=bugs.second_claim, scenario=small.TWO),
    Mutant(name="claim ID derived from the version", patches=bugs.claim_of_the_version, scenario=small.EDITED),
    Mutant(
        name="an open claim on another version is ignored",
        patches=bugs.open_claim_ignored(bugs.on_another_version),
        scenario=small.EDITED,
    ),
    Mutant(
        name="a forced run ignores an open claim",
        patches=bugs.open_claim_ignored(bugs.forced),
        scenario=small.TWO,
    ),
    Mutant(name="claims end before their run does", patches=bugs.claims_of(30), scenario=small.SHORT_CLAIMS),
    Mutant(name="claims end before a late write lands", patches=bugs.claims_of(120), scenario=small.LATE),
    Mutant(name="claims end before reads show the tokens", patches=bugs.claims_of(120), scenario=small.LONG_STALE),
    Mutant(name="no mark in the table where claims are short", patches=bugs.no_mark, scenario=small.SHORT_LIVED),
    Mutant(name="used tokens not waited for", patches=bugs.used_at_once, scenario=small.SHORT_LIVED),
    Mutant(name="no clock before a request", patches=bugs.no_clock, scenario=small.FROZEN),
    Mutant(name="promote from whichever version is current", patches=bugs.from_wherever, scenario=small.REPLACED),
    Mutant(name="make tokens current before they are staged", patches=bugs.promote_first, scenario=small.REPLACED),
    Mutant(name="stage under an ID that nobody derives", patches=bugs.fresh_id, scenario=small.DYING),
    Mutant(
        name="unknown recorded as not redeemed",
        patches=bugs.recorded(Fate.UNKNOWN, Fate.NOT_REDEEMED),
        scenario=small.DYING,
    ),
    Mutant(
        name="a request without a response is repeated at a single-use provider",
        patches=bugs.always_repeats,
        scenario=small.DYING,
    ),
    Mutant(name="force overrides an unknown outcome", patches=bugs.force_overrides_a_hold, scenario=small.FORCED),
    Mutant(name="the first attempt may be named again", patches=bugs.first_named, scenario=small.NAMED),
    Mutant(name="named when the run began", patches=bugs.named_when_it_began, scenario=small.NAMED),
    Mutant(name="every 503 is busy", patches=bugs.every_503_is_busy, scenario=small.GATEWAY),
    Mutant(name="`Retry-After` alone is busy", patches=bugs.retry_after_is_busy, scenario=small.GATEWAY),
    Mutant(name="408 and 499 are refusals", patches=bugs.timeouts_are_refusals, scenario=small.GATEWAY),
    Mutant(name="no grace is a grace that ends at once", patches=bugs.grace_of_zero, scenario=small.BEHIND),
    Mutant(name="two redemptions in one run", patches=bugs.redeems_twice, scenario=small.REJECTED),
    Mutant(name="invalid_grant without a second look", patches=bugs.no_second_look, scenario=small.REPLACED),
    Mutant(name="a rejected grant is never tried again", patches=bugs.rejected_for_ever, scenario=small.REJECTED),
    Mutant(name="no ledger", patches=bugs.kept(bugs.nothing_kept), scenario=small.MOVED_BACK),
    Mutant(name="used tokens forgotten after a day", patches=bugs.kept(bugs.day_kept), scenario=small.MOVED_BACK),
    Mutant(name="only one attempt kept", patches=bugs.kept(bugs.one_kept), scenario=small.MOVED_BACK),
    Mutant(name="attempts known by version", patches=bugs.by_version, scenario=small.EDITED_DYING),
    Mutant(name="refused claim not looked up", patches=bugs.refusal_not_looked_up, scenario=small.UNANCHORED),
    Mutant(name="refused claim not remembered", patches=bugs.refusal_not_remembered, scenario=small.UNANCHORED),
    Mutant(name="no anchor in the document", patches=bugs.no_anchor, scenario=small.UNLABELLED),
    Mutant(
        name="unreadable named claim passed",
        patches=bugs.unreadable_passed,
        scenario=small.STALE_SUCCESSORS,
    ),
    Mutant(
        name="something unreadable in a claim's place ignored",
        patches=bugs.unreadable_claim_is_none,
        scenario=small.UNREADABLE,
    ),
    Mutant(name="the worker's own grace", patches=bugs.own_grace, scenario=small.OTHER_GRACE),
    Mutant(name="no grace in the claim", patches=bugs.claim_lacks(grace=None), scenario=small.OTHER_GRACE),
    Mutant(name="no host in the claim", patches=bugs.claim_lacks(host=None), scenario=small.OTHER_HOST),
    Mutant(name="publish from whichever copy is there", patches=bugs.published_unseen, scenario=small.PUBLISHED),
    Mutant(name="publish over a young copy", patches=bugs.publish_over_young, scenario=small.STALE_PUBLISHED),
    Mutant(name="publish again after a refusal", patches=bugs.publish_again, scenario=small.PUBLISHED),
    Mutant(name="half the quota as limit", patches=bugs.nothing, scenario=small.HALF_THE_QUOTA),
    Mutant(name="lost table claimed at once", patches=bugs.lost_table_claimed, scenario=small.TABLE_LOST),
    Mutant(name="restored table claimed at once", patches=bugs.lost_table_claimed, scenario=small.TABLE_RESTORED),
    Mutant(
        name="lost table replaced from an old view",
        patches=bugs.lost_table_from_an_old_view,
        scenario=small.TABLE_LOST_FORCED,
    ),
    Mutant(name="one claim expected in a lost table", patches=bugs.one_lost_claim, scenario=small.TABLE_LOST_TWO),
    Mutant(name="another table accepted", patches=bugs.store_not_compared, scenario=small.TWO_TABLES),
    Mutant(name="claims moved without a fence", patches=bugs.no_fence, scenario=small.MOVED),
    Mutant(name="fence ignored", patches=bugs.fence_ignored, scenario=small.MOVED),
    Mutant(name="open claims moved", patches=bugs.open_claims_moved, scenario=outages.MOVED),
    Mutant(name="claims arrive twice", patches=bugs.arrives_again, scenario=small.MOVED_TWICE),
    Mutant(name="carried tokens name the old claim store", patches=bugs.carry_goes_back, scenario=small.MOVED_DYING),
    Mutant(
        name="limit counts claims, not versions",
        patches=bugs.claim_lacks(versions=1),
        scenario=small.MOVED_AT_THE_LIMIT,
    ),
    Mutant(name="refused tokens not kept", patches=bugs.nothing_kept_in_the_table, scenario=small.REFUSING),
    Mutant(name="row 1 left out", patches=bugs.without("store_kept_tokens"), scenario=small.REFUSING),
    Mutant(
        name="kept tokens removed before they are stored", patches=bugs.kept_forgotten_first, scenario=small.REFUSING
    ),
    Mutant(
        name="kept tokens stored on the current version",
        patches=bugs.kept_stored_on_the_current_version,
        scenario=outages.OPERATOR,
    ),
    Mutant(name="claim appended whatever is kept", patches=bugs.kept_unchecked, scenario=outages.FROZEN),
    Mutant(name="tokens kept under any claim", patches=bugs.kept_under_any_claim, scenario=outages.FROZEN),
    Mutant(name="sent past kept tokens", patches=bugs.kept_needed(bugs.never_needed), scenario=outages.KEY_DELETED),
    Mutant(
        name="kept tokens of an authorized set not needed",
        patches=bugs.kept_needed(bugs.needed_unless_authorized),
        scenario=outages.AUTHORIZED_BEFORE,
    ),
    Mutant(
        name="kept tokens removed without a record",
        patches=bugs.kept_forgotten_without_a_record,
        scenario=outages.STALE,
    ),
    Mutant(
        name="a command publishes over whichever copy is there",
        patches=bugs.command_publishes_unseen,
        scenario=commanded.AUTHORIZED,
    ),
    Mutant(
        name="client credentials over newer tokens",
        patches=bugs.client_over_newer_tokens,
        scenario=commanded.OTHER_CLIENT,
    ),
    Mutant(name="authorized over an edit", patches=bugs.authorized_over_an_edit, scenario=commanded.AUTHORIZED_EDITED),
    Mutant(
        name="authorized where the claims were",
        patches=bugs.authorized_where_the_claims_were,
        scenario=commanded.AUTHORIZED_MOVED,
    ),
    Mutant(name="revoked past an open claim", patches=bugs.revoked_past_an_open_claim, scenario=commanded.REVOKED),
    Mutant(name="attempts forgotten in a pause", patches=bugs.pause_forgets, scenario=small.PAUSED),
    Mutant(
        name="kept tokens always needed", patches=bugs.kept_needed(bugs.always_needed), scenario=outages.KEY_DELETED
    ),
    Mutant(
        name="a locked claim known by its date alone",
        patches=bugs.locked_claim_by_its_date,
        scenario=edges.MOVED_BACK_THEN_KEY,
    ),
    Mutant(name="locked tokens count as gone", patches=bugs.locked_tokens(bugs.gone), scenario=edges.LOCKED_SUCCESSOR),
    Mutant(
        name="a token sent past locked tokens",
        patches=bugs.locked_tokens(bugs.no_locked_rule),
        scenario=edges.MOVED_BACK_THEN_KEY,
    ),
    Mutant(
        name="a locked claim without a result is on no token",
        patches=bugs.locked_silence_is_nothing,
        scenario=edges.KEY_CHANGED,
    ),
    Mutant(name="an old list of versions trusted", patches=bugs.old_list_trusted, scenario=edges.OLD_LIST),
    Mutant(name="a forgotten token sent", patches=bugs.nothing_forgotten, scenario=edges.FAR_BACK),
    Mutant(name="an attempt from the future awaited", patches=bugs.future_awaited, scenario=edges.CLOCK_JUMPS),
    Mutant(name="an attempt from the future left out", patches=bugs.future_left_out, scenario=edges.CLOCK_JUMPS),
    Mutant(
        name="locked kept tokens always waited for",
        patches=bugs.kept_tokens_stop_every_run,
        scenario=replace(edges.KEPT_LOCKED, provider="grace"),
    ),
    Mutant(
        name="a lost response not asked for again while fresh",
        patches=bugs.never_repeated,
        scenario=replace(edges.FORCED_EARLY, provider="grace"),
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
    parser.add_argument("--write", action="store_true", help="put the summary into docs/proof.json")
    options = parser.parse_args()
    planted = plant()
    survived = any(not p.result.violation for p in planted)
    measured.keep("mutants", "Planted bugs", report.mutants(planted))
    if options.write and not survived:
        measured.summarise(
            "mutants", {"planted": len(planted), "found": len(planted), "of": measured.digest(p.name for p in planted)}
        )
    return int(survived)


if __name__ == "__main__":
    sys.exit(main())

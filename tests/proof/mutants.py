"""Plant bugs into the protocol, one at a time, and check that the search finds each: `scripts/prove mutants`.

A bug that survives shows a rule that is not needed, or an invariant that is missing.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final
from unittest.mock import patch

import measured
from proof import bugs, commanded, edges, outages, put_back, report, small
from proof.explore import search
from proof.world import Scenario
from token_refresh_worker.core.attempts import Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One bug, and the search that has to find it."""

    name: str
    patches: bugs.Bug
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

_PLANTED: Final[tuple[tuple[str, bugs.Bug, Scenario], ...]] = (
    ("row 2 left out", bugs.without("keep_living_set"), put_back.BACK),
    ("no living set found", bugs.nothing_living, put_back.BACK),
    ("living sets looked for in the ledger alone", bugs.living_in_the_ledger_alone, put_back.BY_HAND),
    ("living sets looked for in the list alone", bugs.living_in_the_list_alone, put_back.BACK),
    ("a dead token published by a forced run", bugs.published_beside_a_living_set, put_back.FORCED),
    ("a rejection dated by the copy", bugs.rejection_dated_by_the_copy, put_back.BACK),
    ("a rejected token taken for one that may be alive", bugs.rejected_may_live, put_back.BACK),
    ("a used token taken for one that may be alive", bugs.used_may_live, put_back.BY_HAND),
    ("`restore` judges a living set by itself", bugs.restored_by_its_own_judgement, put_back.DYING),
    ("row 3 left out", bugs.without("forward_stored_tokens"), small.DYING),
    ("row 4 left out", bugs.without("refuse_other_settings"), small.OTHER_HOST),
    ("row 5 left out", bugs.without("publish_newer_tokens"), small.PUBLISHED),
    ("row 6 left out", bugs.without("stop_at_used_token"), small.SUCCESSOR_GONE),
    ("row 7 left out", bugs.without("stop_at_rejected_grant"), small.REJECTED),
    ("row 9 left out", bugs.without("wait_for_open_claim"), small.TWO),
    ("row 10 left out", bugs.without("stop_at_unread_response"), small.UNREAD),
    ("row 11 left out", bugs.without("hold_unresolved_token"), small.DYING),
    ("row 13 left out", bugs.without("wait_for_daily_limit"), small.QUOTA),
    ("an unreadable response not kept", bugs.response_dropped, small.UNREAD),
    ("a refresh token under another name taken for none", bugs.misnamed_is_none, small.UNREAD),
    ("a response kept before its run died not found", bugs.response_unseen, small.UNREAD),
    ("redeem without a claim", bugs.no_claim, small.TWO),
    ("equal nonces", bugs.equal_nonces, small.ALIKE),
    ("claim again under another ID when refused", bugs.second_claim, small.TWO),
    ("claim ID derived from the version", bugs.claim_of_the_version, small.EDITED),
    ("an open claim on another version is ignored", bugs.open_claim_ignored(bugs.on_another_version), small.EDITED),
    ("a forced run ignores an open claim", bugs.open_claim_ignored(bugs.forced), small.TWO),
    ("claims end before their run does", bugs.claims_of(30), small.SHORT_CLAIMS),
    ("claims end before a late write lands", bugs.claims_of(120), small.LATE),
    ("claims end before reads show the tokens", bugs.claims_of(120), small.LONG_STALE),
    ("no mark in the table where claims are short", bugs.no_mark, small.SHORT_LIVED),
    ("used tokens not waited for", bugs.used_at_once, small.SHORT_LIVED),
    ("no clock before a request", bugs.no_clock, small.FROZEN),
    ("promote from whichever version is current", bugs.from_wherever, small.REPLACED),
    ("make tokens current before they are staged", bugs.promote_first, small.REPLACED),
    ("stage under an ID that nobody derives", bugs.fresh_id, small.DYING),
    ("unknown recorded as not redeemed", bugs.recorded(Fate.UNKNOWN, Fate.NOT_REDEEMED), small.DYING),
    ("a request without a response is repeated at a single-use provider", bugs.always_repeats, small.DYING),
    ("force overrides an unknown outcome", bugs.force_overrides_a_hold, small.FORCED),
    ("the first attempt may be named again", bugs.first_named, small.NAMED),
    ("named when the run began", bugs.named_when_it_began, small.NAMED),
    ("every 503 is busy", bugs.every_503_is_busy, small.GATEWAY),
    ("`Retry-After` alone is busy", bugs.retry_after_is_busy, small.GATEWAY),
    ("408 and 499 are refusals", bugs.timeouts_are_refusals, small.GATEWAY),
    ("a 4xx with server_error is a refusal", bugs.failures_are_refusals, small.GATEWAY),
    ("no grace is a grace that ends at once", bugs.grace_of_zero, small.BEHIND),
    ("two redemptions in one run", bugs.redeems_twice, small.REJECTED),
    ("invalid_grant without a second look", bugs.no_second_look, small.REPLACED),
    ("a rejected grant is never tried again", bugs.rejected_for_ever, small.REJECTED),
    ("no ledger", bugs.no_attempts_listed, small.MOVED_BACK),
    ("used tokens forgotten after a day", bugs.attempts_of_a_day_listed, small.MOVED_BACK),
    ("only one attempt kept", bugs.one_attempt_listed, small.MOVED_BACK),
    ("attempts known by version", bugs.by_version, small.EDITED_DYING),
    ("refused claim not looked up", bugs.refusal_not_looked_up, small.UNANCHORED),
    ("refused claim not remembered", bugs.refusal_not_remembered, small.UNANCHORED),
    ("no anchor in the document", bugs.no_anchor, small.UNLABELLED),
    ("unreadable named claim passed", bugs.unreadable_passed, small.STALE_SUCCESSORS),
    ("something unreadable in a claim's place ignored", bugs.unreadable_claim_is_none, small.UNREADABLE),
    ("the worker's own grace", bugs.own_grace, small.OTHER_GRACE),
    ("no grace in the claim", bugs.claim_lacks(grace=None), small.OTHER_GRACE),
    ("no host in the claim", bugs.claim_lacks(host=None), small.OTHER_HOST),
    ("publish from whichever copy is there", bugs.published_unseen, small.PUBLISHED),
    ("publish over a young copy", bugs.publish_over_young, small.STALE_PUBLISHED),
    ("publish again after a refusal", bugs.publish_again, small.PUBLISHED),
    ("places not looked at", bugs.places_not_looked_at, small.FILLED),
    ("no place to spare", bugs.no_spare_place, small.FILLED),
    ("an old list of versions taken for all", bugs.old_list_alone, small.FILLED_OLD_LIST),
    ("a version's day counted by one clock", bugs.places_free_after_a_day, small.FILLED_CLOCKS),
    ("labels not counted", bugs.labels_not_counted, small.LABELLED),
    ("half the quota as limit", bugs.nothing, small.HALF_THE_QUOTA),
    ("lost table claimed at once", bugs.lost_table_claimed, small.TABLE_LOST),
    ("restored table claimed at once", bugs.lost_table_claimed, small.TABLE_RESTORED),
    ("lost table replaced from an old view", bugs.lost_table_from_an_old_view, small.TABLE_LOST_FORCED),
    ("one claim expected in a lost table", bugs.one_lost_claim, small.TABLE_LOST_TWO),
    ("another table accepted", bugs.store_not_compared, small.TWO_TABLES),
    ("claims moved without a fence", bugs.no_fence, small.MOVED),
    ("fence ignored", bugs.fence_ignored, small.MOVED),
    ("open claims moved", bugs.open_claims_moved, outages.MOVED),
    ("claims arrive twice", bugs.arrives_again, small.MOVED_TWICE),
    ("carried tokens name the old claim store", bugs.carry_goes_back, small.MOVED_DYING),
    ("limit counts claims, not versions", bugs.claim_lacks(versions=1), small.MOVED_AT_THE_LIMIT),
    ("refused tokens not kept", bugs.nothing_kept_in_the_table, small.REFUSING),
    ("row 1 left out", bugs.without("store_kept_tokens"), small.REFUSING),
    ("kept tokens removed before they are stored", bugs.kept_forgotten_first, small.REFUSING),
    ("kept tokens stored on the current version", bugs.kept_stored_on_the_current_version, outages.OPERATOR),
    ("claim appended whatever is kept", bugs.kept_unchecked, outages.FROZEN),
    ("tokens kept under any claim", bugs.kept_under_any_claim, outages.FROZEN),
    ("sent past kept tokens", bugs.never_needed, outages.KEY_DELETED),
    ("kept tokens of an authorized set not needed", bugs.needed_unless_authorized, outages.AUTHORIZED_BEFORE),
    ("kept tokens removed without a record", bugs.kept_forgotten_without_a_record, outages.STALE),
    ("a command publishes over whichever copy is there", bugs.command_publishes_unseen, commanded.AUTHORIZED),
    ("client credentials over newer tokens", bugs.client_over_newer_tokens, commanded.OTHER_CLIENT),
    ("recovered tokens issued two hours late", bugs.recovered_late, commanded.RECOVERED),
    ("recovered tokens not made current", bugs.recovered_not_current, commanded.RECOVERED),
    ("the sent token recovered for the new one", bugs.sent_token_recovered, commanded.RECOVERED),
    ("a used token recovered again", bugs.recovered_used, commanded.RECOVERED_USED),
    ("the first recovery counts", bugs.first_recovery_counts, commanded.RECOVERED_DYING),
    ("restored over whatever is current", bugs.restored_over_anything, commanded.RESTORED),
    ("authorized over an edit", bugs.authorized_over_an_edit, commanded.AUTHORIZED_EDITED),
    ("authorized where the claims were", bugs.authorized_where_the_claims_were, commanded.AUTHORIZED_MOVED),
    ("an attempt on another token holds back a consent", bugs.held_by_any_attempt, commanded.AUTHORIZED),
    ("revoked past an open claim", bugs.revoked_past_an_open_claim, commanded.REVOKED),
    ("attempts forgotten in a pause", bugs.pause_forgets, small.PAUSED),
    ("kept tokens always needed", bugs.always_needed, outages.KEY_DELETED),
    ("a locked claim known by its date alone", bugs.locked_claim_by_its_date, edges.MOVED_BACK_THEN_KEY),
    ("locked tokens count as gone", bugs.locked_tokens_gone, edges.LOCKED_SUCCESSOR),
    ("a token sent past locked tokens", bugs.locked_tokens_ignored, edges.MOVED_BACK_THEN_KEY),
    ("a locked claim without a result is on no token", bugs.locked_silence_is_nothing, edges.KEY_CHANGED),
    ("an old list of versions trusted", bugs.old_list_trusted, edges.OLD_LIST),
    ("a forgotten token sent", bugs.nothing_forgotten, edges.FAR_BACK),
    ("an attempt from the future awaited", bugs.future_awaited, replace(edges.CLOCK_JUMPS, provider="grace")),
    ("an attempt from the future left out", bugs.future_left_out, edges.CLOCK_JUMPS),
    ("an expiry of years believed", bugs.expiry_believed, edges.DOUBTED),
    ("an unknown expiry holds nothing", bugs.unknown_expiry_holds_nothing, edges.UNKNOWN),
    ("a doubted expiry holds nothing", bugs.unknown_expiry_holds_nothing, edges.DOUBTED),
    ("the same access token asked for at each run", bugs.asked_at_each_run, edges.SAME_TOKENS),
    ("a grant that nobody uses not counted", bugs.only_the_access_token_ends, edges.NEVER_IDLE),
    ("held until the end that is due first", bugs.held_until_the_end_that_is_due_first, edges.UNUSED),
    (
        "locked kept tokens always waited for",
        bugs.kept_tokens_stop_every_run,
        replace(edges.KEPT_LOCKED, provider="grace"),
    ),
    (
        "a lost response not asked for again while fresh",
        bugs.never_repeated,
        replace(edges.FORCED_EARLY, provider="grace"),
    ),
)

MUTANTS: Final = tuple(Mutant(name=name, patches=bug, scenario=bounds) for name, bug, bounds in _PLANTED)


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

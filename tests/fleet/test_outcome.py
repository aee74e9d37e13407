"""What a run leaves on its row: the state, the next look, and the events that it calls for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fleet.rows import HOST, WINDOW, arn, change, failed, ran, ran_into, row, seen, sent, unread
from run.grant import DEAD_GRANT, REJECTED, ended
from run.two_grants import TwoGrants
from run.world import World
from testbed.builders import DAY, HOUR, IN_TABLE, MINUTE, NOW
from testbed.fakes import tokens
from token_refresh.errors import (
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretFull,
    SecretStoreUnavailable,
    TokenRefreshError,
)
from token_refresh_worker.core.announcement import Transition
from token_refresh_worker.fleet.core.dispatch import message_id
from token_refresh_worker.fleet.core.outcome import (
    JITTER,
    LONGEST_WAIT,
    MOST_UNSENT,
    after,
    announcement,
    changes,
    in_order,
)
from token_refresh_worker.fleet.core.row import LastRun, Row, State
from token_refresh_worker.run.failures import SecretName, too_large
from token_refresh_worker.run.keeping import tokens_kept
from token_refresh_worker.run.outcome import Outcome
from token_refresh_worker.stored.origin import ClaimStoreKind

SECRET = SecretName(secret_id="xero", region="eu-central-1")


def left(before: Row, how: Outcome, chance: float = 0.0) -> Row:
    return after(before, how, began_at=NOW, chance=chance)


def seen_after(before: Row, how: Outcome) -> LastRun:
    found = left(before, how).seen
    assert found is not None
    return found


@pytest.mark.parametrize("outcome", ["fresh", "refreshed", "recovered", "superseded"])
def test_success(outcome: str) -> None:
    """After a success the secret is healthy, its failures are forgotten, and it is looked at when it is due again."""
    before = row(found=seen(error_type="TokenEndpointUnavailable", failures=7))
    now = seen_after(before, ran(outcome))

    assert (State.HEALTHY, 0, NOW, "v2") == (now.state, now.failures, now.succeeded_at, now.tokens.version_id)
    assert now.error_type is None
    assert NOW + HOUR - WINDOW == left(before, ran(outcome)).next_at


def test_a_dead_grant_stays_dead_in_its_row() -> None:
    """While the provider's last word on the current tokens is a rejection, the row says so, due or not."""
    world = World(policy=IN_TABLE, issued_at=NOW, expires_at=NOW + DAY)
    member, states = row(), []
    for hours, responses in DEAD_GRANT:
        member = left(member, ended(world, hours, responses))
        assert member.seen is not None
        states.append((member.seen.state, member.seen.since))

    assert [(State.REAUTHORIZE, NOW)] * len(DEAD_GRANT) == states


def test_dead_tokens_over_a_living_set_ask_for_no_consent() -> None:
    """Somebody has to restore a version: the event is that of a correction, and each run looks again within the hour.

    A rejection that a forced run gets says no more about the host than any failure: it took no token.
    """
    world, member, found = TwoGrants(ClaimStoreKind.TABLE), row(), []
    world.by_command()
    living = world.refresh("b1")
    world.put_back(world.a1)
    world.pass_time(DAY)
    for force in (False, True, False):
        world.endpoint.responses = [REJECTED] * force
        run = world.run(force=force)
        with pytest.raises(InvalidSecretDocument) as error:
            run.execute()
        member = left(member, run.outcome(error=error.value))
        assert member.seen is not None
        found.append((member.seen.state, member.next_at - member.seen.at <= LONGEST_WAIT))
    sent = member.sent
    world.move_back(living)
    world.endpoint.responses = [tokens(refresh_token="b2")]
    mended = left(member, world.execute())

    assert [(State.ERROR, True)] * 3 == found
    assert ("InvalidSecretDocument", 1) == (sent and sent.error_type, sent and sent.failures)
    assert [Transition.CORRECTION_REQUIRED, Transition.WORKING_AGAIN] == [
        change.transition for change in in_order(mended.unsent)
    ]


@pytest.mark.parametrize(
    ("error_type", "state"),
    [
        ("ReauthorizationRequired", State.REAUTHORIZE),
        ("RefreshOutcomeUnknown", State.HELD),
        ("SecretEmpty", State.EMPTY),
        ("InvalidSecretDocument", State.ERROR),
        ("ConfigurationError", State.ERROR),
        ("ClientRejected", State.ERROR),
        ("SecretFull", State.HEALTHY),
        ("TokenEndpointUnavailable", State.HEALTHY),
        ("InvalidTokenResponse", State.HEALTHY),
        ("SecretStoreUnavailable", State.HEALTHY),
        ("TokensNotStored", State.HEALTHY),
        ("TokensKept", State.ERROR),
        ("KeptTokensUnreadable", State.ERROR),
    ],
)
def test_failures_and_states(error_type: str, state: State) -> None:
    """Each failure that a retry alone does not end has its state; the others leave the secret to become overdue."""
    now = seen_after(row(), ran_into(error_type))

    assert (state, error_type, 1) == (now.state, now.error_type, now.failures)
    assert NOW - HOUR == now.succeeded_at


def as_members(*errors: TokenRefreshError) -> list[State]:
    """The states of secrets whose runs ended with these errors."""
    return [seen_after(row(), replace(ran_into("SecretFull"), error=error)).state for error in errors]


def test_the_error_itself_says_whether_a_person_is_needed() -> None:
    """A fleet has what the error of this run says: a secret full of labels waits for a person, one of versions not."""
    of_labels, of_versions = SecretFull(""), SecretFull("")
    of_labels.needs_person = True

    assert [State.ERROR, State.HEALTHY] == as_members(of_labels, of_versions)


def test_what_wraps_an_error_keeps_whether_a_person_is_needed() -> None:
    """Tokens that Secrets Manager refuses while it throttles call for nobody, and those that a policy refuses do."""
    throttled, denied = SecretStoreUnavailable("throttled"), SecretAccessDenied("denied")

    assert [State.HEALTHY, State.ERROR] == as_members(tokens_kept(SECRET, throttled), tokens_kept(SECRET, denied))


def test_a_maintenance_page_calls_for_nobody() -> None:
    """A page in place of tokens passes, and no event calls a person; tokens too large to be stored do call one."""
    page = replace(ran_into("InvalidTokenResponse"), requests=1)
    too_much = replace(page, error=too_large(SECRET, 99_999))

    assert [] == changes(seen(), seen_after(row(found=seen()), page))
    assert [Transition.CORRECTION_REQUIRED] == [
        each.transition for each in changes(seen(), seen_after(row(found=seen()), too_much))
    ]


def test_a_transient_failure_repairs_nothing() -> None:
    """A secret that waits for a person still does after a run that did not get as far."""
    before = seen(state=State.REAUTHORIZE, error_type="ReauthorizationRequired")

    now = seen_after(row(found=before), ran_into("SecretStoreUnavailable"))

    assert (State.REAUTHORIZE, before.since) == (now.state, now.since)


def test_what_was_not_read_stays() -> None:
    """A run that could not read the secret leaves expiry, version, host and provider as the run before found them."""
    before = row()

    left_as = seen_after(before, unread("SecretAccessDenied"))
    assert (seen().tokens, HOST) == (left_as.tokens, left_as.host)
    assert "xero" == left(before, unread("SecretAccessDenied")).provider


def test_first_run_ever() -> None:
    """The first run fills the row, whether it failed or not, and whatever state it finds begins with it."""
    bad = seen_after(row(new=True), unread("SecretStoreUnavailable"))

    assert (State.HEALTHY, NOW, None, 1) == (bad.state, bad.since, bad.tokens.expires_at, bad.failures)
    assert "xero" == left(row(new=True, provider="unknown"), ran()).provider


def test_backoff_doubles() -> None:
    """Each failure in a row doubles the wait, up to an hour; the expiry is far away here."""
    now, waits = row(), []
    for _ in range(8):
        now = left(now, ran_into("SecretStoreUnavailable", expires_at=NOW + 99 * HOUR, due_at=NOW + HOUR))
        waits.append((now.next_at - NOW) / MINUTE)

    assert [2, 4, 8, 16, 32, 60, 60, 60] == waits


def test_what_a_success_mends() -> None:
    """A run that succeeds after an error notes which; the next failure and the next success leave that as it is."""
    mended = left(row(found=failed("SecretAccessDenied", at=NOW)), ran(at=NOW + MINUTE))
    later = left(left(mended, ran_into("SecretStoreUnavailable", at=NOW + 2 * MINUTE)), unread("InternalError"))

    noted = [each.seen and (each.seen.mended, each.seen.mended_at) for each in (mended, left(mended, ran()), later)]
    assert [("SecretAccessDenied", NOW + MINUTE)] * 3 == noted


def test_a_store_that_refuses_all_makes_nobody_wait() -> None:
    """While Secrets Manager refuses everybody, the next look is a minute away: the fault is not the secret's."""
    before = row(found=seen(error_type="TokensKept", failures=9))
    now = after(before, ran_into("TokensKept"), began_at=NOW, chance=1.0, store_refuses=True)

    assert NOW + MINUTE == now.next_at


def test_a_look_is_followed_at_once() -> None:
    """A run that only read leaves the secret due, with its provider and host."""
    looked = ran("would_refresh", due_at=NOW)
    now = left(row(new=True, next_at=NOW - MINUTE, provider="unknown"), replace(looked, requests=0))

    assert (NOW, "xero", HOST, None) == (now.next_at, now.provider, now.host, now.sent)


def test_a_look_in_the_second_in_which_it_was_due() -> None:
    """A run that looks in the very second in which its secret joined has reported: the row asks for another run."""
    joined = row(new=True, next_at=NOW)

    assert message_id(joined) != message_id(left(joined, ran("would_refresh")))


def test_the_last_request_is_remembered() -> None:
    """Runs that send nothing leave the last request as it is; failures in a row are counted, and at one host alone."""
    failed = left(row(), ran_into("TokenEndpointUnavailable"))
    idle = left(failed, replace(ran_into("RefreshOutcomeUnknown", at=NOW + MINUTE), requests=0))
    again = left(idle, ran_into("TokenEndpointUnavailable", at=NOW + HOUR))
    elsewhere = left(again, replace(ran_into("TokenEndpointUnavailable"), host="new.example"))
    kept = left(again, ran_into("TokensKept"))

    assert failed.sent == idle.sent == sent("TokenEndpointUnavailable", at=NOW)
    assert sent("TokenEndpointUnavailable", at=NOW + HOUR, failures=2) == again.sent
    assert sent("TokenEndpointUnavailable", at=NOW, host="new.example") == elsewhere.sent
    assert sent(None, at=NOW) == kept.sent, "the provider gave tokens"
    assert [False, True, False] == [found.is_retry for found in (row(), failed, kept)]


def test_refused_until_stored() -> None:
    """A secret that Secrets Manager refused counts as refused until new tokens are current, whatever runs find."""
    refused = left(row(), ran_into("TokensKept"))
    later = left(refused, ran_into("TokensKept", at=NOW + HOUR))
    fresh = left(later, ran("fresh", at=NOW + HOUR))

    assert [True, True, True, False] == [each.is_refused for each in (refused, later, fresh, left(fresh, ran()))]
    assert NOW == seen_after(refused, ran_into("TokensKept", at=NOW + HOUR)).refused_at


AWAY, FAR = "TokenEndpointUnavailable", {"expires_at": NOW + 99 * HOUR, "due_at": NOW + HOUR}
IN_QUARTER: Any = {"expires_at": NOW + 4 * MINUTE, "due_at": NOW + 4 * MINUTE - WINDOW}
EXPIRED: Any = {"expires_at": NOW, "due_at": NOW - WINDOW}


@pytest.mark.parametrize(
    ("failures", "how", "waits"),
    [
        (0, ran(due_at=None), MINUTE),
        (0, ran(due_at=NOW - HOUR), MINUTE),
        (0, ran("yielded", retry_at=NOW + 2 * MINUTE), 2 * MINUTE),
        (0, ran("yielded", retry_at=NOW), MINUTE),
        (9, ran_into(AWAY, **FAR), 10 * MINUTE),
        (9, ran_into("TableUnavailable"), 4 * MINUTE),
        (0, ran("yielded", retry_at=NOW + 5 * HOUR, expires_at=NOW + WINDOW, due_at=NOW), WINDOW * 3 / 4),
        (0, ran_into("ReauthorizationRequired"), WINDOW * 3 / 4),
        (0, ran_into("ReauthorizationRequired", **EXPIRED), LONGEST_WAIT),
        (3, ran_into(AWAY, **IN_QUARTER), MINUTE),
        (3, replace(ran_into(AWAY, **IN_QUARTER), retry_at=NOW + 3 * MINUTE), 3 * MINUTE),
        (3, ran_into(AWAY, **EXPIRED), 10 * MINUTE),
        (3, ran_into("RefreshOutcomeUnknown", **IN_QUARTER), MINUTE),
    ],
)
def test_when_to_look_next(failures: int, how: Outcome, waits: timedelta) -> None:
    """What is due at once is looked at a minute later, never in a loop; a claim, and what a provider asks, is heeded.

    Hosts and tables that are back are found soon. No retry sleeps through the last quarter of the window, in which
    what was refused is tried each minute. Retries are spread by up to half a minute; a success is not.
    """
    before = row(found=seen(error_type=AWAY, failures=failures)) if failures else row()

    assert NOW + waits == left(before, how).next_at
    assert (JITTER if how.name != "refreshed" else 0 * MINUTE) == left(before, how, 1.0).next_at - NOW - waits


def test_a_yield_counts_as_nothing() -> None:
    """A run that yielded is neither a failure nor a success; what a table refused is not refused by Secrets Manager."""
    now = seen_after(row(), ran("yielded", retry_at=NOW + 2 * MINUTE))

    assert (0, NOW - HOUR) == (now.failures, now.succeeded_at)
    assert not left(row(), ran_into("TableUnavailable")).is_refused


def test_scopes_that_are_gone_are_announced() -> None:
    """A refresh that took scopes leaves an event for the bus, and the secret is healthy."""
    run = replace(ran(), scopes_lost=1)

    assert State.HEALTHY is seen_after(row(), run).state
    assert {Transition.SCOPES_SHRUNK} == {change.transition for change in left(row(), run).unsent}


BROKEN = {
    State.REAUTHORIZE: Transition.REAUTHORIZATION_REQUIRED,
    State.ERROR: Transition.CORRECTION_REQUIRED,
    State.HELD: Transition.REFRESH_HELD,
    State.EMPTY: Transition.DOCUMENT_MISSING,
}


def changed(before: LastRun | None, found: LastRun) -> list[Transition]:
    return [found.transition for found in changes(before or LastRun(at=NOW, since=NOW), found)]


@pytest.mark.parametrize("state", BROKEN)
def test_each_state_is_an_event(state: State) -> None:
    """A secret that comes into a state in which somebody has to know of it is one event, and none while it stays."""
    found = seen(state=state, since=NOW)

    assert [BROKEN[state]] == changed(seen(), found) == changed(None, found)
    assert [] == changed(found, found)
    assert all([BROKEN[state]] == changed(seen(state=other), found) for other in BROKEN if other is not state)
    assert [[], []] == [changed(before, seen()) for before in (seen(), None)]


@pytest.mark.parametrize("state", BROKEN)
def test_the_way_back_is_an_event(state: State) -> None:
    """A secret that works again is an event, which says of a rejected grant that it was authorized again.

    Also if the secret had other troubles in between.
    """
    before = seen(state=state, rejected=state is State.REAUTHORIZE)

    works = Transition.REAUTHORIZED if state is State.REAUTHORIZE else Transition.WORKING_AGAIN
    assert [works] == changed(before, seen())
    assert [Transition.REAUTHORIZED] == changed(replace(before, rejected=True), seen())


def test_a_new_grant_that_ends_soon() -> None:
    """A person who authorizes again for less than a week gets both events: that it worked, and that it ends."""
    soon = seen(grant_ending_at=NOW - HOUR, at=NOW, ending=True)

    both = changes(seen(state=State.REAUTHORIZE, rejected=True), soon)
    assert [Transition.REAUTHORIZED, Transition.GRANT_ENDING] == [
        found.transition for found in in_order(frozenset(both))
    ]


def test_what_a_failed_run_shows_of_the_grant() -> None:
    """That a grant ends is said by a run that succeeded; after one that failed it may still be prolonged."""
    ends: Any = {"grant_ending_at": NOW - MINUTE}
    before = row(found=seen(**ends))
    failed = after(before, ran_into("TokenEndpointUnavailable", **ends), began_at=NOW, chance=0)
    good = after(failed, ran("fresh", at=NOW + MINUTE, **ends), began_at=NOW, chance=0)
    again = after(good, ran_into("TokenEndpointUnavailable", at=NOW + HOUR, **ends), began_at=NOW, chance=0)
    rejected = after(again, ran_into("ReauthorizationRequired", at=NOW + HOUR, **ends), began_at=NOW, chance=0)

    assert [False, True, True, False] == [made.seen.ending for made in (failed, good, again, rejected) if made.seen]
    assert [0, 1, 1, 2] == [len(made.unsent) for made in (failed, good, again, rejected)]


def test_other_troubles_end_no_rejection() -> None:
    """A grant stays rejected until a run succeeds, whatever the runs in between run into."""

    def through(*errors: str) -> Row:
        current = row()
        for number, error in enumerate(errors):
            current = after(current, ran_into(error, at=NOW + number * HOUR), began_at=NOW, chance=0)
        return after(current, ran("refreshed", at=NOW + 9 * HOUR), began_at=NOW, chance=0)

    def order(current: Row) -> list[str]:
        return [found.transition.value for found in in_order(current.unsent)]

    assert ["Reauthorization Required", "Correction Required", "Reauthorized"] == order(
        through("ReauthorizationRequired", "ClientRejected", "SecretStoreUnavailable")
    )
    assert ["Correction Required", "Working Again"] == order(through("ClientRejected"))


def test_no_row_grows_without_end() -> None:
    """A bus that never takes an event leaves the last twenty on the row: what consumers hear last is how things are."""
    full = [replace(change(), found_at=NOW - number * HOUR) for number in range(MOST_UNSENT, 0, -1)]

    left = after(row(unsent=frozenset(full)), ran_into("ClientRejected"), began_at=NOW, chance=0)
    assert [*full[1:], change(Transition.CORRECTION_REQUIRED)] == in_order(left.unsent)


def test_what_the_event_says() -> None:
    """The event names secret, version, provider, fleet and since when, and has nothing else in it."""
    event = announcement(row("a"), change(Transition.REAUTHORIZATION_REQUIRED), fleet="prod")

    assert Transition.REAUTHORIZATION_REQUIRED is event.transition
    named = {"secret_id": arn("a"), "version_id": "v1", "provider": "xero", "fleet": "prod"}
    assert named | {"since": "2026-11-24T12:00:00Z"} == event.detail
    assert announcement(row(new=True), change(), fleet="prod").version_id is None

"""A host that says 429: how many runs it gets, when in the minute, and that nothing counts as failed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from fleet.rows import HOST, arn, failed, ran, ran_into, row, rows, seen
from testbed.builders import HOUR, MINUTE, NOW
from token_refresh.errors import TokenEndpointUnavailable
from token_refresh_worker.fleet.aws import items
from token_refresh_worker.fleet.core.busy import busy_hosts, earliest_seconds
from token_refresh_worker.fleet.core.dispatch import decide
from token_refresh_worker.fleet.core.fleet import Fleet, ProviderLimits
from token_refresh_worker.fleet.core.outcome import after
from token_refresh_worker.fleet.core.row import BUSY, REJECTED, LastRequest, LastRun, Row, State
from token_refresh_worker.run.outcome import Outcome

LANE = f"xero/{HOST}"
AWAY = TokenEndpointUnavailable.__name__
SECOND = timedelta(seconds=1)


def busy(*, at: timedelta = 30 * SECOND) -> Outcome:
    """A run that a busy host refused."""
    error = TokenEndpointUnavailable("")
    error.busy = True
    return replace(ran_into("TokenEndpointUnavailable", at=NOW - at), error=error)


def refused(count: int, *, at: timedelta = 30 * SECOND, host: str = HOST, every: timedelta | None = HOUR) -> list[Row]:
    """Secrets that a busy host refused so long ago; each is due again, and due so often."""
    before = row(found=replace(seen(), succeeded_at=NOW - every if every else None))
    left = after(before, replace(busy(at=at), host=host), began_at=NOW, chance=0)
    return [replace(left, secret_arn=arn(f"refused/{host}/{n}"), next_at=NOW) for n in range(count)]


def took(count: int, *, at: timedelta = 30 * SECOND) -> list[Row]:
    """Secrets that it refreshed so long ago."""
    return [row(f"took/{at}/{n}", found=seen(at=NOW - at, due_at=NOW - at + 40 * MINUTE)) for n in range(count)]


def share(*parts: list[Row]) -> int | None:
    return busy_hosts([each for part in parts for each in part], NOW).get(LANE)


def test_nothing_failed() -> None:
    """A refused request is no failure of the secret: it is due again in a minute, among those that are well."""
    left = after(row(), busy(), began_at=NOW, chance=0)

    assert NOW + 30 * SECOND == left.next_at
    assert LastRequest(at=NOW - 30 * SECOND, host=HOST, error_type=BUSY, failures=0) == left.sent
    assert (False, False) == (left.has_failed, left.is_retry)
    assert left == items.read_row(items.write_row(left, "prod"), NOW)
    failed = after(left, ran_into("TokenEndpointUnavailable"), began_at=NOW, chance=0)
    assert (True, 1) == (failed.has_failed, failed.sent.failures if failed.sent else None)
    refused_since = after(failed, busy(), began_at=NOW, chance=0).sent
    assert LastRequest(at=NOW - 30 * SECOND, host=HOST, error_type=BUSY, failures=1) == refused_since


def test_it_opens_no_breaker() -> None:
    """However many are refused, the host is there, and gets what it takes."""
    decision = decide(Fleet(rows=[*refused(100), *took(20)]), NOW)

    assert {} == decision.breakers
    assert 22 == len(decision.messages)


SHARES = {
    "step": ((refused(1), took(30)), 33),
    "calm": ((refused(9, at=90 * SECOND), took(100), took(50, at=90 * SECOND)), 150),
    "idle": ((refused(9, at=90 * SECOND), took(100, at=90 * SECOND)), 150),
    "not before that": ((refused(9), took(100, at=90 * SECOND)), 11),
    "nothing taken": ((refused(60),), 4),
    "what they need": ((refused(58), took(2)), 3),
    "one": ((refused(1),), 1),
    "every two hours": ((refused(600, every=2 * HOUR),), 20),
    "each minute": ((refused(9, every=10 * SECOND),), 36),
    "never taken": ((refused(9, every=None),), 1),
    "dead": ((refused(60), [row(str(n), found=seen(state=State.REAUTHORIZE)) for n in range(120)]), 4),
    "failures": ((refused(9), took(10), [row(str(n), found=failed(AWAY, at=NOW - SECOND)) for n in range(90)]), 11),
    "clocks apart": ((refused(9, at=-SECOND), took(10, at=-SECOND)), 11),
}


@pytest.mark.parametrize(("parts", "runs"), SHARES.values(), ids=SHARES)
def test_what_it_gets(parts: tuple[list[Row], ...], runs: int) -> None:
    """What it took in its best minute since it refused and a tenth more, or a half; and two or four times the need."""
    assert runs == share(*parts)


def test_it_is_busy_for_five_minutes() -> None:
    """After that it has no share, and other hosts never have one."""
    assert share(refused(9, at=5 * MINUTE - SECOND)) is not None
    assert share(refused(9, at=5 * MINUTE), took(9)) is None
    assert {LANE, "xero/other"} == busy_hosts([*refused(9), *refused(1, host="other"), *rows(3)], NOW).keys()
    assert {} == busy_hosts([row(new=True)], NOW)


def test_a_success_does_not_hide_the_refusal() -> None:
    """The row of a request that was refused and then succeeded says when it was refused, also if a run waited."""
    (first,) = refused(1, at=3 * MINUTE)
    yielded = replace(ran("yielded", at=NOW - 2 * MINUTE, retry_at=NOW), requests=0)
    waited = after(first, yielded, began_at=NOW, chance=0)

    for before in (first, waited):
        done = after(before, ran(at=NOW - MINUTE), began_at=NOW, chance=0)
        assert done.seen is not None
        assert (BUSY, NOW - 3 * MINUTE) == (done.seen.mended, done.seen.mended_at)
        assert share([done]) == 2
    # The error that a person repaired is worth more.
    denied = replace(ran_into("SecretAccessDenied", at=NOW - 2 * MINUTE), requests=0)
    failed = after(first, denied, began_at=NOW, chance=0)
    mended = after(failed, ran(at=NOW - MINUTE), began_at=NOW, chance=0)
    assert mended.seen is not None
    assert "SecretAccessDenied" == mended.seen.mended


def _seconds(
    decision_rows: list[Row], *, ahead: timedelta = timedelta(), limits: Mapping[str, ProviderLimits] | None = None
) -> list[int]:
    decision = decide(Fleet(rows=decision_rows, providers=limits or {}), NOW + ahead)
    return [second for second, messages in enumerate(decision.seconds) for _ in messages]


def test_messages_are_spread() -> None:
    """A busy host's messages are spread evenly over the whole minute."""
    seconds = _seconds([*refused(40), *took(18)])

    assert 20 == len(seconds)
    assert {3} == {later - earlier for earlier, later in pairwise(seconds)}
    generous = {"xero": ProviderLimits(runs_per_second=2)}
    assert seconds == _seconds([*refused(40), *took(18)], limits=generous), "also below the provider's own rate"


def test_what_was_refused_waits_once_it_has_expired() -> None:
    """Then it comes after what can be saved, in turn, since some may always be refused; a dead grant comes last."""
    late = seen(at=NOW - HOUR, error_type=REJECTED, state=State.REAUTHORIZE, expires_at=NOW - MINUTE)
    dead = row("dead", found=late)

    def with_tokens(of: LastRun, given: list[Row]) -> list[Row]:
        return [replace(each, seen=replace(each.seen, tokens=of.tokens)) for each in given if each.seen]

    def handed(*given: Row) -> set[str]:
        return {message.secret_arn for message in decide(Fleet(rows=given), NOW).messages}

    (oldest,) = (replace(each, secret_arn=arn("oldest")) for each in with_tokens(late, refused(1, at=90 * SECOND)))
    authorized = row("authorized", found=replace(late, state=State.HEALTHY))
    soon = with_tokens(seen(expires_at=NOW + MINUTE), [authorized, *refused(1)])
    due = {each.secret_arn for each in took(2)}
    assert {*due, arn("oldest")} == handed(*with_tokens(late, refused(58)), oldest, dead, *took(2))
    assert {min(due), arn("oldest")} == handed(oldest, dead, *took(1))
    assert {each.secret_arn for each in soon} == handed(oldest, dead, *took(1), *soon)


def test_a_lone_message_comes_at_another_second() -> None:
    """What was refused at one second of a minute comes at another one, and so gets through between others' requests."""
    (alone,) = refused(1, at=30 * SECOND)

    assert [pytest.approx(30 + 0.618 * 60 - 60, abs=0.1)] == earliest_seconds([alone], [LANE], NOW)
    drawn = {earliest_seconds([row()], [LANE], NOW + n * MINUTE)[0] // 20 for n in range(20)}
    assert {0, 1, 2} == drawn
    assert [0.0] == earliest_seconds([row()], [], NOW)


def test_others_go_first() -> None:
    """A busy host keeps no other host of its provider waiting, and no other provider."""
    others = [row(f"other/{n}", found=seen(at=NOW - MINUTE, host="other.example")) for n in range(20)]

    decision = decide(Fleet(rows=[*refused(300), *took(9), *others, *rows(20, provider="hubspot")]), NOW)

    sent = [message.secret_arn for second in decision.seconds[:5] for message in second]
    assert 40 == sum("other/" in name or "hubspot" in name for name in sent)


def test_a_declared_rate_holds_as_well() -> None:
    """A busy host of a provider that names its limit gets no more than that, and no less."""
    for a_minute in (5, 30):
        limits = {"xero": ProviderLimits(runs_per_second=a_minute / 60 / 0.95)}

        assert a_minute == len(_seconds([*refused(9), *took(50), *rows(60)], limits=limits))

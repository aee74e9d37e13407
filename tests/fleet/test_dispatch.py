from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import DAY, HOUR, MINUTE, NOW
from fleet.rows import failed, pause, row, rows, seen
from token_refresh_worker.fleet.core.breaker import BreakerReason
from token_refresh_worker.fleet.core.dispatch import (
    Decision,
    Fleet,
    Limits,
    Message,
    ProviderLimits,
    decide,
    limits_of,
    message_id,
)
from token_refresh_worker.fleet.core.row import Pauses, Row, State

SMALL = Limits(writes_per_second=4.0)
"""A budget of 120 runs a minute."""


def handed(decision: Decision) -> list[str]:
    return [message.secret_arn.split(":")[-1][:-7] for message in decision.messages]


def of(everything: list[Row], **others: Any) -> Fleet:
    return Fleet(rows=everything, **others)


def test_what_is_due_is_handed_out() -> None:
    """A row is handed out from `next_at` on, and not before; a secret that no run has seen is due at once."""
    fleet = of([row("due"), row("new", new=True), row("later", next_at=NOW + timedelta(seconds=1))])

    assert ["new", "due"] == handed(decide(fleet, NOW))


def test_no_row_lets_a_secret_sleep() -> None:
    """A secret is looked at a day after its last run, and if there was none: a wrong `next_at` hides it no longer."""
    never = row("never", new=True, next_at=NOW + 9 * DAY)
    fleet = of([row(str(hours), next_at=NOW + 9 * DAY, found=seen(at=NOW - hours * HOUR)) for hours in (23, 24)])

    assert (["24"], ["never"]) == (handed(decide(fleet, NOW)), handed(decide(of([never]), NOW)))


def test_earliest_expiry_first() -> None:
    """What expires first is handed out first, in any order of the rows; what no run has read counts as expiring now."""
    known = [row(str(n), found=seen(expires_at=NOW + n * MINUTE)) for n in (5, 1, -9, 3)]

    assert ["-9", "new", "1", "3", "5"] == handed(decide(of([*known, row("new", new=True)]), NOW))


def test_budget() -> None:
    """A minute hands out what the write budget allows; the rest waits."""
    decision = decide(of(rows(80, provider="a") + rows(80, provider="b"), limits=SMALL), NOW)

    assert (120, 40) == (len(decision.messages), decision.waiting)
    assert Limits().runs_a_minute == 1200


def test_what_is_under_way_is_not_handed_out_again() -> None:
    """A secret that was handed out is left alone until its run has moved `next_at`, or the lease is over."""
    under_way = row("under-way")
    fleet = of([under_way, row("due")], handed_out={message_id(under_way)})
    reported = of([replace(under_way, next_at=NOW - MINUTE)], handed_out={message_id(under_way)})

    assert (["due"], 1) == (handed(decide(fleet, NOW)), decide(fleet, NOW).under_way)
    assert ["under-way"] == handed(decide(reported, NOW))


def test_the_queue_is_never_the_backlog() -> None:
    """What earlier minutes handed out and nobody has reported on counts against the budget of this one."""
    everything = rows(60, provider="a") + rows(100, provider="b")
    fleet = of(everything, handed_out={message_id(r) for r in everything[:50]}, limits=SMALL)

    assert 70 == len(decide(fleet, NOW).messages)


def test_pauses() -> None:
    """Nothing is handed out that is paused: as a secret, with its provider, or with the fleet."""
    everything = [row("own", pause=pause()), row("provider", provider="hubspot"), row("due")]

    assert ["due"] == handed(decide(of(everything, pauses=Pauses(providers={"hubspot": pause()})), NOW))
    assert [] == handed(decide(of(everything, pauses=Pauses(fleet=pause())), NOW))
    assert 2 == len(decide(of(everything, pauses=Pauses(fleet=pause(timedelta(0)))), NOW).messages)


def test_no_provider_has_more_than_half_while_others_wait() -> None:
    """However many urgent secrets one provider has, half of the budget is left to the others."""
    urgent = rows(500, provider="big", expires_at=NOW - HOUR)
    decision = decide(of(urgent + rows(50, provider="small"), limits=SMALL), NOW)

    counted = Counter(name.split("/")[0] for name in handed(decision))
    assert {"big": 70, "small": 50} == counted


def test_a_lone_provider_has_the_whole_budget() -> None:
    """Where nobody else waits, one provider has all of the budget."""
    assert 120 == len(decide(of(rows(500, provider="big"), limits=SMALL), NOW).messages)


def test_an_open_breaker_lets_few_through() -> None:
    """Of a provider that does not respond, nothing is handed out until the pause is over, and then one secret."""
    down = [
        row(f"down/{n}", provider="down", found=failed("TokenEndpointUnavailable", at=NOW - MINUTE)) for n in range(8)
    ]

    closed = decide(of(down + rows(3, provider="up")), NOW)
    half_open = decide(of(down), NOW + 2 * MINUTE)

    assert BreakerReason.NO_RESPONSE is closed.breakers["down"].reason
    assert ["up/0", "up/1", "up/2"] == handed(closed)
    assert 1 == len(half_open.messages)
    probing = {message_id(r) for r in down if r.secret_arn == half_open.messages[0].secret_arn}
    assert [] == decide(of(down, handed_out=probing), NOW + 2 * MINUTE).messages
    assert [True] == [message.probe for message in half_open.messages]
    assert {False} == {message.probe for message in closed.messages}


@pytest.mark.parametrize("state", [State.HELD, State.REAUTHORIZE, State.EMPTY])
def test_what_an_open_breaker_lets_through_shows_something(state: State) -> None:
    """A run that would send no request shows nothing about the provider, so another secret's run is let through."""
    soon = NOW + MINUTE * 16  # before the last quarter of its window
    last = seen(error_type="RefreshOutcomeUnknown", at=NOW - 10 * MINUTE, state=state, expires_at=soon)
    idle = [row(f"a/{n}", found=last) for n in range(5)]

    assert ["b"] == handed(decide(of([*idle, row("b", found=seen(expires_at=NOW + HOUR))]), NOW))
    assert 1 == len(decide(of(idle), NOW).messages)


def test_an_open_breaker_lets_a_secret_through_that_no_run_has_read() -> None:
    """Nobody knows that a new secret's run would send nothing, so it may go before one that surely sends nothing."""
    held = seen(
        error_type="RefreshOutcomeUnknown", at=NOW - 10 * MINUTE, state=State.HELD, expires_at=NOW + 16 * MINUTE
    )
    idle = [row(f"a/{n}", found=held) for n in range(5)]

    assert ["new"] == handed(decide(of([*idle, row("new", new=True)]), NOW))


def test_half_open_breakers_keep_to_their_number() -> None:
    """Also beyond its half of the budget, a provider with an open breaker gets no more runs than the breaker allows."""
    down = [row(f"d/{n}", found=failed("TokenEndpointUnavailable", at=NOW - HOUR / 2)) for n in range(11)]
    back = [row(f"b/{n}", found=seen(at=NOW - MINUTE)) for n in range(9)]
    decision = decide(of(down + back + rows(60), limits=Limits(writes_per_second=2.8)), NOW)

    assert (45, 45) == (decision.breakers["xero"].allowed, len(decision.messages))


def test_a_stuck_provider_does_not_eat_the_budget() -> None:
    """What an open breaker keeps in the queue does not count against the other providers."""
    down = [
        row(f"down/{n}", provider="down", found=failed("TokenEndpointUnavailable", at=NOW - MINUTE)) for n in range(60)
    ]
    fleet = of(down + rows(200, provider="up"), handed_out={message_id(r) for r in down}, limits=SMALL)

    assert 120 == len(decide(fleet, NOW).messages)


def test_a_slow_provider_does_not_eat_the_budget() -> None:
    """What a provider that responds slowly holds up counts against the others up to its fair share, and no further."""
    slow, small = rows(300, provider="slow"), rows(100, provider="small")
    under_way = {message_id(r) for r in slow[:120]}

    decision = decide(of(slow + small, handed_out=under_way, limits=SMALL), NOW)
    alone = decide(of(slow, handed_out=under_way, limits=SMALL), NOW)

    assert {"small"} == {name.split("/")[0] for name in handed(decision)}
    assert (60, 0) == (len(decision.messages), len(alone.messages))


def test_unknown_providers_are_treated_with_care() -> None:
    """A provider without a profile counts as single-use."""
    fleet = of([], providers={"upwork": ProviderLimits(single_use=False)})

    assert (False, True) == (limits_of(fleet, "upwork").single_use, limits_of(fleet, "other").single_use)


def test_a_providers_own_rate() -> None:
    """A provider gets no more requests in any second, nor in the minute, than it allows."""
    slow = {"slow": ProviderLimits(runs_per_second=2.0)}
    decision = decide(of(rows(300, provider="slow") + rows(10, provider="fast"), providers=slow), NOW)

    per_second = [Counter(message.group.split("-")[0] for message in second) for second in decision.seconds]
    assert {2} == {counted["slow"] for counted in per_second}
    assert (100, 10) == (sum(c["slow"] for c in per_second), sum(c["fast"] for c in per_second))
    assert 200 == decision.waiting


@pytest.mark.parametrize(("rate", "sent"), [(0.1, 5), (1.0, 50)])
def test_a_rate_takes_no_budget(rate: float, sent: int) -> None:
    """What a provider's rate keeps back does not take its half of the budget: the others get all that is left."""
    slow = {"slow": ProviderLimits(runs_per_second=rate)}
    urgent = rows(300, provider="slow", expires_at=NOW - HOUR)
    decision = decide(of(urgent + rows(300, provider="fast"), providers=slow, limits=SMALL), NOW)

    counted = Counter(message.group.split("-")[0] for message in decision.messages)
    assert (sent, 120 - sent) == (counted["slow"], counted["fast"])


def test_one_request_an_hour() -> None:
    """A provider that allows less than one request a minute gets none in most minutes."""
    slow = {"slow": ProviderLimits(runs_per_second=1 / 1200)}
    fleet = of(rows(300, provider="slow"), providers=slow)

    assert 3 == sum(len(decide(fleet, NOW + number * MINUTE).messages) for number in range(60))


def test_messages_are_spread() -> None:
    """A full budget is spread over the minute; a few messages go at once."""
    full = decide(of(rows(1200, provider="a") + rows(800, provider="b")), NOW)

    assert (50, {24}) == (len(full.seconds), {len(second) for second in full.seconds})
    assert 1 == len(decide(of(rows(20)), NOW).seconds)


def test_shards_follow_the_share() -> None:
    """A provider has four runs at once, more with a larger share, and never all of them."""
    groups = Counter(m.group.split("-")[0] for m in _one_of_each_group(rows(900, provider="big") + rows(20)))
    alone = Counter(m.group.split("-")[0] for m in _one_of_each_group(rows(500, provider="big")))

    assert {"big": 12, "xero": 4} == groups
    assert {"big": 12} == alone


def _one_of_each_group(everything: list[Row]) -> list[Message]:
    decision = decide(of(everything), NOW)
    return list({message.group: message for message in decision.messages}.values())


def test_a_secret_stays_in_its_group() -> None:
    """The same secret is always in the same group of its provider, so the queue never runs it twice at once."""
    first, second = (
        decide(of([replace(each, next_at=next_at) for each in rows(40)]), NOW).messages for next_at in (NOW, NOW - HOUR)
    )

    assert [m.message_id for m in first] != [m.message_id for m in second]
    assert [m.group for m in first] == [m.group for m in second]


def test_message_ids() -> None:
    """A message's ID is the same for the same row, and another one once a run has moved `next_at`."""
    assert message_id(row()) == message_id(row(provider="other"))
    assert message_id(row()) != message_id(row(next_at=NOW + timedelta(milliseconds=1)))
    assert message_id(row("a")) != message_id(row("b"))


def test_nothing_to_do() -> None:
    """An empty fleet hands out nothing."""
    assert Decision(seconds=[], breakers={}, under_way=0, waiting=0) == decide(of([]), NOW)

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fleet.rows import HOST, pause, row, rows, seen
from testbed.builders import DAY, HOUR, MINUTE, NOW
from token_refresh_worker.fleet.core.breaker import STORE, BreakerReason
from token_refresh_worker.fleet.core.dispatch import decide, message_id
from token_refresh_worker.fleet.core.fleet import Decision, DispatchedMessage, Fleet, Limits, ProviderLimits, limits_of
from token_refresh_worker.fleet.core.row import Pauses, Row, State

SMALL = Limits(writes_per_second=4.0)
"""A budget of 120 runs a minute."""


def handed(decision: Decision) -> list[str]:
    return [message.secret_arn.split(":")[-1][:-7] for message in decision.messages]


def of(everything: list[Row], **others: Any) -> Fleet:
    return Fleet(rows=everything, **others)


def failing(
    count: int, error_type: str = "TokenEndpointUnavailable", *, ago: timedelta = MINUTE, name: str = "d", **known: Any
) -> list[Row]:
    """Due secrets whose last run failed so long ago."""
    return [row(f"{name}/{n}", found=seen(error_type=error_type, at=NOW - ago, **known)) for n in range(count)]


def sent_at(
    rows: Iterable[Row], at: datetime = NOW - MINUTE, group: str = "xero-0", times: int = 1
) -> dict[str, DispatchedMessage]:
    """What was handed out and has not reported."""
    return {message_id(each): DispatchedMessage(at=at, group=group, times=times) for each in rows}


def test_what_is_due_is_handed_out() -> None:
    """A row is handed out from `next_at` on, and not before; a secret that no run has seen is due at once."""
    fleet = of([row("due"), row("new", new=True), row("later", next_at=NOW + timedelta(seconds=1))])

    assert ["new", "due"] == handed(decide(fleet, NOW))


def test_no_row_lets_a_secret_sleep() -> None:
    """A secret is looked at a day after its last run: a wrong `next_at` hides it no longer."""
    fleet = of([row(str(hours), next_at=NOW + 9 * DAY, found=seen(at=NOW - hours * HOUR)) for hours in (23, 24)])

    assert ["24"] == handed(decide(fleet, NOW))


def test_earliest_expiry_first() -> None:
    """What expires first is handed out first, in any order of the rows; what no run has read counts as expiring now."""
    known = [row(str(n), found=seen(expires_at=NOW + n * MINUTE)) for n in (5, 1, -9, 3)]

    assert ["-9", "new", "1", "3", "5"] == handed(decide(of([*known, row("new", new=True)]), NOW))


def test_the_dead_keep_away_no_living() -> None:
    """Of a provider or host that rejects more than it takes, what came due last goes first; else what expires first."""
    dead = replace(failing(1, "ReauthorizationRequired")[0], next_at=NOW + HOUR)

    def begun(*others: Row, host: str = HOST, provider: str = "xero") -> list[str]:
        # The last one is due far ahead: its run is about something else, such as its copy.
        times = [*(NOW - n * MINUTE for n in range(9)), NOW + 10**6 * DAY]
        found = [seen(due_at=at, expires_at=at + HOUR, host=host) for at in times]
        waiting = [row(str(n), found=each, provider=provider) for n, each in enumerate(found)]
        return handed(decide(of([*waiting, *others]), NOW))

    assert list("87654") == begun() == begun(dead, provider="hubspot")
    assert list("01234") == begun(dead) == begun(dead, host="another")


def test_what_is_under_way_is_not_handed_out_again() -> None:
    """A secret that was handed out is left alone until its run has moved `next_at`, or the lease is over."""
    under_way = row("under-way")
    fleet = of([under_way, row("due")], handed_out=sent_at([under_way]))
    reported = of([replace(under_way, next_at=NOW - MINUTE)], handed_out=sent_at([under_way]))

    assert (["due"], 1) == (handed(decide(fleet, NOW)), decide(fleet, NOW).under_way)
    assert ["under-way"] == handed(decide(reported, NOW))


def test_the_queue_is_never_the_backlog() -> None:
    """What earlier minutes handed out and nobody has reported on counts against the budget of this one."""
    everything = rows(60, provider="a") + rows(100, provider="b")
    fleet = of(everything, handed_out=sent_at(everything[:50]), limits=SMALL)

    assert 70 == len(decide(fleet, NOW).messages)


def test_pauses() -> None:
    """Nothing is handed out that is paused: as a secret, with its provider, or with the fleet."""
    everything = [row("own", pause=pause()), row("provider", provider="hubspot"), row("due")]

    assert ["due"] == handed(decide(of(everything, pauses=Pauses(providers={"hubspot": pause()})), NOW))
    assert [] == handed(decide(of(everything, pauses=Pauses(fleet=pause())), NOW))
    assert 2 == len(decide(of(everything, pauses=Pauses(fleet=pause(timedelta(0)))), NOW).messages)


def test_no_provider_has_more_than_half_while_others_wait() -> None:
    """However many urgent secrets one provider has, half of the budget is left to the others; alone, it has all."""
    urgent = rows(500, provider="big", expires_at=NOW - HOUR)
    decision = decide(of(urgent + rows(50, provider="small"), limits=SMALL), NOW)

    counted = Counter(name.split("/")[0] for name in handed(decision))
    assert {"big": 70, "small": 50} == counted
    assert 120 == len(decide(of(rows(500, provider="big"), limits=SMALL), NOW).messages)


def test_an_open_breaker_lets_few_through() -> None:
    """Of a provider that does not respond, nothing is handed out until the pause is over, and then one secret."""
    down = [replace(each, provider="down") for each in failing(8, name="down")]

    closed = decide(of(down + rows(3, provider="up")), NOW)
    half_open = decide(of(down), NOW + 7 * MINUTE)

    assert BreakerReason.NO_RESPONSE is closed.breakers[f"down/{HOST}"].reason
    assert ["up/0", "up/1", "up/2"] == handed(closed)
    assert 1 == len(half_open.messages)
    probe = [r for r in down if r.secret_arn == half_open.messages[0].secret_arn]
    assert [] == decide(of(down, handed_out=sent_at(probe, NOW + 6 * MINUTE)), NOW + 7 * MINUTE).messages
    assert [True] == [message.probe for message in half_open.messages]
    assert {False} == {message.probe for message in closed.messages}


@pytest.mark.parametrize("state", [State.HELD, State.REAUTHORIZE, State.EMPTY])
def test_what_an_open_breaker_lets_through_shows_something(state: State) -> None:
    """A run that would send no request shows nothing about the provider, so another secret's run is let through."""
    soon = NOW + MINUTE * 16  # before the last quarter of its window
    idle = failing(5, "RefreshOutcomeUnknown", ago=10 * MINUTE, name="a", state=state, expires_at=soon)

    failed_too = failing(1, ago=10 * MINUTE, name="b", expires_at=NOW + HOUR)

    assert ["b/0"] == handed(decide(of([*idle, *failed_too]), NOW))
    late = {"state": State.HELD, "expires_at": NOW + MINUTE, "due_at": NOW - HOUR}
    sends = failing(1, "RefreshOutcomeUnknown", ago=10 * MINUTE, name="c", **late)
    assert ["c/0"] == handed(decide(of([*idle, *failed_too, *sends]), NOW)), "in its last quarter"
    assert 1 == len(decide(of(idle), NOW).messages)


def test_a_tenant_that_has_not_failed_is_the_better_probe() -> None:
    """Where a provider's breaker is open, a tenant that failed alone may be dead whatever becomes of the others."""
    down = [each for n in range(15) for each in failing(1, ago=10 * MINUTE, name=str(n), host=str(n))]
    good = row("b", found=seen(expires_at=NOW + HOUR, host="b", requests=0))

    assert ["b"] == handed(decide(of([*down, good]), NOW))


def test_a_secret_that_no_run_has_read_sends_nothing() -> None:
    """It heeds no breaker and no rate, and takes nobody's groups: its first run only reads."""
    down = failing(5)
    none = {"xero": ProviderLimits(runs_per_second=1e-9)}
    decision = decide(of([*down, row("new", new=True)], providers=none), NOW)

    assert [("unknown-0", False)] == [(message.group, message.probe) for message in decision.messages]


def test_a_lane_starts_slowly() -> None:
    """Where nothing has succeeded lately, five runs are under way at once, and none beside them."""
    idle = [row(f"a/{n}", found=seen(expires_at=NOW + n * MINUTE)) for n in range(30)]
    one_good = [*idle, row("good", found=seen(at=NOW - MINUTE), next_at=NOW + HOUR)]

    assert 5 == len(decide(of(idle), NOW).messages)
    assert 10 == len(decide(of(one_good), NOW).messages)
    assert 7 == len(decide(of(one_good, handed_out=sent_at(idle[:3])), NOW).messages)


def test_what_failed_takes_no_room_from_the_others() -> None:
    """Retries don't count for the slow start of their host: a few dead tenants hold up nobody."""
    dead = failing(3, ago=20 * MINUTE)
    idle = rows(4)
    fleet = of(dead + [replace(each, seen=seen(at=NOW - HOUR)) for each in idle])

    assert 7 == len(decide(fleet, NOW).messages)


def test_the_store_refuses() -> None:
    """While Secrets Manager refuses, two secrets go, by lot: one that it refused, and one that it took last time."""
    refused = failing(3, "TokensKept", ago=HOUR, name="r", refused_at=NOW - HOUR)
    fleet = of([row("new", new=True), *refused, *rows(30)], store_refuses=True)
    decision = decide(fleet, NOW)

    assert ["r", "xero"] == [name.partition("/")[0] for name in handed(decision)]
    assert 1 < len({name for minute in range(9) for name in handed(decide(fleet, NOW + minute * MINUTE))[:1]})
    assert {True} == {message.probe for message in decision.messages}
    assert STORE in decision.breakers
    assert 1 == len(handed(decide(of(rows(30), store_refuses=True), NOW)))


def test_the_store_is_probed_at_no_dead_host() -> None:
    """A refused secret whose host has an open breaker is no probe of the store: its run may send a request there."""
    refused = [replace(each, provider="dead") for each in failing(4, refused_at=NOW - HOUR)]

    decision = decide(of([*refused, *rows(30)], store_refuses=True), NOW)

    assert {STORE, f"dead/{HOST}"} == decision.breakers.keys()
    assert ["xero"] == [name.partition("/")[0] for name in handed(decision)]


def test_three_locked_secrets_hold_up_no_new_fleet() -> None:
    """Where the only other secrets are new, one is read, so that the next minute can show that the store is back."""
    locked = failing(3, "TokensKept", ago=HOUR, name="r", refused_at=NOW - HOUR)
    new = [row(f"new/{n}", new=True) for n in range(9)]

    assert ["r", "new"] == [name[:-2] for name in handed(decide(of([*locked, *new], store_refuses=True), NOW))]


def test_what_failed_starts_beside_the_others() -> None:
    """In a quiet lane, expired secrets that fail without a request take none of the five places of the others."""
    bad = failing(9, "SecretAccessDenied", ago=HOUR, name="bad", requests=0, expires_at=NOW - HOUR)
    quiet = [row(f"good/{n}", found=seen(at=NOW - HOUR)) for n in range(9)]

    names = Counter(name.partition("/")[0] for name in handed(decide(of([*bad, *quiet]), NOW)))
    assert {"bad": 5, "good": 5} == names


def test_what_failed_leaves_half_of_the_budget() -> None:
    """However many secrets fail, and however long they have expired, half of a minute is for the others."""
    bad = failing(200, "SecretAccessDenied", ago=HOUR, name="bad", requests=0, expires_at=NOW - HOUR)

    names = Counter(name.partition("/")[0] for name in handed(decide(of([*bad, *rows(200)], limits=SMALL), NOW)))
    assert 60 <= names["xero"]


def test_half_open_breakers_keep_to_their_number() -> None:
    """Also beyond its half of the budget, a provider with an open breaker gets no more runs than the breaker allows."""
    down = failing(11, ago=HOUR / 2)
    back = [row(f"b/{n}", found=seen(at=NOW - MINUTE)) for n in range(9)]
    fresh = [row(f"f/{n}", found=seen(requests=0)) for n in range(60)]
    decision = decide(of(down + back + fresh, limits=Limits(writes_per_second=2.8)), NOW)

    assert (45, 45) == (decision.breakers[f"xero/{HOST}"].allowed, len(decision.messages))


def test_a_stuck_provider_does_not_eat_the_budget() -> None:
    """What an open breaker keeps in the queue does not count against the other providers."""
    down = [replace(each, provider="down") for each in failing(60)]
    fleet = of(down + rows(200, provider="up"), handed_out=sent_at(down), limits=SMALL)

    assert 120 == len(decide(fleet, NOW).messages)


def test_a_slow_provider_does_not_eat_the_budget() -> None:
    """What a provider that responds slowly holds up counts against the others up to its fair share, and no further."""
    slow, small = rows(300, provider="slow"), rows(100, provider="small")
    under_way = sent_at(slow[:120])

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
    assert {1, 2} == {counted["slow"] for counted in per_second}
    assert (114, 10) == (sum(c["slow"] for c in per_second), sum(c["fast"] for c in per_second))
    assert 186 == decision.waiting


@pytest.mark.parametrize(("rate", "sent"), [(0.1, 5), (1.0, 57)])
def test_a_rate_takes_no_budget(rate: float, sent: int) -> None:
    """What a provider's rate keeps back does not take its half of the budget: the others get all that is left."""
    slow = {"slow": ProviderLimits(runs_per_second=rate)}
    urgent = rows(300, provider="slow", expires_at=NOW - HOUR)
    decision = decide(of(urgent + rows(300, provider="fast"), providers=slow, limits=SMALL), NOW)

    counted = Counter(message.group.split("-")[0] for message in decision.messages)
    assert (sent, 120 - sent) == (counted["slow"], counted["fast"])


def test_one_request_an_hour() -> None:
    """A provider that allows less than one request a minute gets none in most minutes."""
    slow = {"slow": ProviderLimits(runs_per_second=1 / 1140)}
    fleet = of(rows(30, provider="slow"), providers=slow)

    assert 3 == sum(len(decide(fleet, NOW + number * MINUTE).messages) for number in range(60))


def test_messages_are_spread() -> None:
    """A full budget is spread over the minute; a few messages go at once."""
    full = decide(of(rows(1200, provider="a") + rows(800, provider="b")), NOW)

    assert (55, {22, 12}) == (len(full.seconds), {len(second) for second in full.seconds})
    assert 1 == len(decide(of(rows(20)), NOW).seconds)


def test_groups_follow_the_need() -> None:
    """A provider has four groups, one more for each 25 messages, and never more than 60 % of all runs at once."""
    many = decide(of(rows(600, provider="big") + rows(20)), NOW).messages
    alone = decide(of(rows(1200, provider="big")), NOW).messages

    assert {"big": 24, "xero": 4} == Counter(group.rpartition("-")[0] for group in {m.group for m in many})
    assert 38 == len({message.group for message in alone})
    assert max(Counter(message.group for message in many).values()) <= 25


def test_a_group_that_hangs_gets_nothing_new() -> None:
    """Where a group is stuck, its provider has all the groups that it may have, and the stuck one comes last."""
    stuck, due = rows(7, name="stuck"), rows(37)

    def groups(handed_out: dict[str, DispatchedMessage]) -> set[str]:
        return {message.group for message in decide(of(stuck + due, handed_out=handed_out), NOW).messages}

    others = {f"xero-{n}" for n in range(1, 38)}
    assert others == groups(sent_at(stuck, at=NOW - 3 * MINUTE))
    assert others == groups(sent_at(stuck, at=NOW - MINUTE)), "and soon"
    assert 4 == len(groups(sent_at(stuck, at=NOW - MINUTE, group="xero-failed-0")))


def test_hosts_that_fail_widen_a_provider() -> None:
    """Where first runs fail, more groups are open: some of this minute's runs may hang, and hold up no others."""
    dead = [replace(failing(1, name=str(n), host=str(n))[0], next_at=NOW + HOUR) for n in range(10)]

    few, many = (len({m.group for m in decide(of(dead[:n] + rows(20)), NOW).messages}) for n in (4, 5))

    assert (4, 20) == (few, many)


def test_what_failed_or_was_lost_has_groups_of_its_own() -> None:
    """What failed last may hang again, and what never reported may kill its function."""
    lost = rows(1, name="lost")
    fleet = of([*failing(1, ago=20 * MINUTE), *lost, *rows(1)], handed_out=sent_at(lost, at=NOW - 6 * MINUTE))

    assert {"xero-failed-0", "xero-lost-0", "xero-0"} == {message.group for message in decide(fleet, NOW).messages}


@pytest.mark.parametrize(("times", "wait"), [(1, 6), (2, 12), (3, 24), (4, 24)])
def test_what_never_reports_comes_back_later_each_time(times: int, wait: int) -> None:
    """A run that may have killed its function is handed out after 6 minutes, then 12, then 24."""
    fleet = of(rows(1), handed_out=sent_at(rows(1), NOW, times=times))

    assert [0, 1] == [len(decide(fleet, NOW + minutes * MINUTE).messages) for minutes in (wait - 1, wait)]


def test_message_ids() -> None:
    """A message's ID is the same for the same row, and another one once a run has moved `next_at`."""
    assert message_id(row()) == message_id(row(provider="other"))
    assert message_id(row()) != message_id(row(next_at=NOW + timedelta(milliseconds=1)))
    assert message_id(row("a")) != message_id(row("b"))

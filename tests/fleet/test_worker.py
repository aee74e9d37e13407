from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from fleet.doubles import MemoryBus, MemoryIndex
from fleet.rows import HOST, arn, opened, pause, ran, ran_into, row, seen
from testbed.builders import DAY, HOUR, MINUTE, NOW
from testbed.fakes import FakeClock, FakeLog
from token_refresh.errors import ConfigurationError, SecretAccessDenied, SecretStoreUnavailable, TableUnavailable
from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.aws.index import IndexEntry
from token_refresh_worker.fleet.core.breaker import StoreHealth
from token_refresh_worker.fleet.core.row import Pauses, Row, State
from token_refresh_worker.fleet.worker import (
    FleetWorkerDependencies,
    find_member,
    fitted,
    provider_of,
    report,
    tell_store,
)
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.outcome import Outcome, OutcomeName


def crew(
    *rows: Row, bus: MemoryBus | None = None, pauses: Pauses | None = None, now: datetime = NOW
) -> FleetWorkerDependencies:
    index = MemoryIndex(*rows, now=now)
    for provider, each in (pauses or Pauses()).providers.items():
        index.pause(each, provider=provider)
    return FleetWorkerDependencies(
        fleet="prod", index=index, send_event=bus, log=FakeLog(), read_document=lambda _: {}, chance=lambda: 0.0
    )


def entry(member: Row) -> IndexEntry:
    return IndexEntry(row=member, pauses=Pauses(), read_at=NOW)


def report_all(workers: FleetWorkerDependencies, *runs: Outcome) -> None:
    """Report runs one after the other, each on the row as the one before has left it."""
    for run in runs:
        (member,) = workers.index.rows()
        report(workers, entry(member), run)


def events(bus: MemoryBus) -> list[tuple[Transition, datetime]]:
    return [(event.transition, event.since) for event in bus.sent]


def logged(workers: FleetWorkerDependencies) -> FakeLog:
    assert isinstance(workers.log, FakeLog)
    return workers.log


def rejected(at: datetime = NOW) -> Outcome:
    return ran_into("ReauthorizationRequired", at=at, version_id="v1")


def good(at: datetime = NOW, **known: Any) -> Outcome:
    return ran(at=at, **{"due_at": NOW + HOUR} | known)


def in_error(at: datetime) -> Outcome:
    return ran_into("ClientRejected", at=at)


DEAD, LIVES = Transition.REAUTHORIZATION_REQUIRED, Transition.REAUTHORIZED
ENDS = {1: NOW, 2: NOW + 90 * DAY, 91: NOW + 90 * DAY, 92: NOW + 180 * DAY, 93: NOW + 180 * DAY}


def test_only_members_run() -> None:
    """A message for a secret that is not in the index, or is paused, starts no run."""
    assert find_member(crew(), arn("tokens")) is None
    assert find_member(crew(row(pause=pause())), arn("tokens")) is None
    assert find_member(crew(row(), pauses=Pauses(providers={"xero": pause()})), arn("tokens")) is None
    found = find_member(crew(row()), arn("tokens"))
    assert found is not None
    assert row() == found.row


def test_a_pause_from_before_the_fleet() -> None:
    """A row shows a pause that a run met in the claims, so that `fleet resume` ends it; after `resume`, it does not."""
    paused = Outcome(name=OutcomeName.YIELDED, at=NOW, retry_at=NOW + DAY, paused="their maintenance")
    workers = crew(row())
    report(workers, entry(row()), paused)
    (shown,) = workers.index.rows()
    assert shown.pause is not None
    assert (NOW + DAY, "their maintenance") == (shown.pause.until, shown.pause.why)

    workers = crew(row())
    workers.index.look_at(arn("tokens"), NOW + MINUTE)  # As `resume` does.
    report(workers, entry(row()), paused)
    assert [(None, NOW + MINUTE)] == [(member.pause, member.next_at) for member in workers.index.rows()]


def test_a_persons_run_makes_its_secret_due() -> None:
    """A removal sees a run that nobody handed out by the secret's row, and none begins on what leaves meanwhile."""
    fresh = row(next_at=NOW + HOUR, found=seen(expires_at=NOW + DAY, due_at=NOW + HOUR))
    workers = crew(fresh)

    assert find_member(workers, arn("tokens"))
    assert [NOW + HOUR] == [member.next_at for member in workers.index.rows()]
    assert find_member(workers, arn("tokens"), becomes_due=True)
    assert [NOW] == [member.next_at for member in workers.index.rows()]

    class Leaving(MemoryIndex):
        def entry(self, secret_arn: str) -> IndexEntry | None:
            found = MemoryIndex.entry(self, secret_arn)
            self.remove(secret_arn, NOW, quietly=True)
            return found

    workers = replace(workers, index=Leaving(fresh))
    assert find_member(workers, arn("tokens"), becomes_due=True) is None


@pytest.mark.parametrize("breaker", ["xero", f"xero/{HOST}"])
def test_an_open_breaker_stops_what_is_in_the_queue(breaker: str) -> None:
    """A run that was handed out before its provider's or host's breaker opened does not begin, and is due anew."""
    elsewhere = {"xero": row("other", provider="hubspot", next_at=NOW - HOUR)}
    tenant = row("other", found=seen(host="other.example"), next_at=NOW - HOUR)
    workers = crew(row(next_at=NOW - HOUR), elsewhere.get(breaker, tenant))
    workers.index.tell_breakers(opened(breaker), NOW)

    assert find_member(workers, arn("tokens"), heeds_breakers=True) is None
    assert find_member(workers, arn("other"), heeds_breakers=True)
    assert find_member(workers, arn("tokens")), "one that the breaker lets through, or that a person asked for"
    assert ["breaker_open"] == [fields["reason"] for fields in logged(workers).fields]
    assert NOW in {member.next_at for member in workers.index.rows()}


def test_a_refusing_store_stops_what_is_in_the_queue() -> None:
    """While Secrets Manager refuses, no run begins but the probes."""
    workers = crew(row())
    for name in "abc":
        assert find_member(workers, arn("tokens"), heeds_breakers=True)
        workers.index.note_refused(arn(name))

    assert find_member(workers, arn("tokens"), heeds_breakers=True) is None
    assert find_member(workers, arn("tokens"))


def test_what_a_message_asks_for() -> None:
    """A secret whose host nobody knows is only read. A probe, or a secret that failed twice, gets one request."""
    message, person = Trigger(name="fleet"), Trigger(name="on_demand")
    twice = seen(error_type="TokenEndpointUnavailable", failures=2)

    assert replace(message, dry_run=True) == fitted(message, row(new=True), NOW)
    assert message == fitted(message, row(found=seen(error_type="TokenEndpointUnavailable")), NOW)
    assert replace(message, once=True) == fitted(message, row(found=twice), NOW)
    assert fitted(replace(message, probe=True), row(), NOW).once
    assert person == fitted(person, row(new=True), NOW)


def test_a_rejected_grant_is_sent_again_before_its_time() -> None:
    """One that is handed out before its time is forced; at its time, and for a living one, the protocol decides."""
    message, later = Trigger(name="fleet"), NOW + HOUR
    dead = seen(error_type="ReauthorizationRequired", state=State.REAUTHORIZE, expires_at=NOW - HOUR)

    assert replace(message, force=True) == fitted(message, row(found=dead, next_at=later), NOW)
    assert message == fitted(message, row(found=dead), NOW)
    assert message == fitted(message, row(next_at=later), NOW)


def test_a_refused_secret_counts_once() -> None:
    """A secret that Secrets Manager refuses counts until it is stored, however often it fails; a success ends a row."""
    workers = crew(row(), row("other"))

    def ends(name: str, run: Outcome) -> frozenset[str]:
        found = workers.index.entry(arn(name))
        assert found is not None
        report(workers, found, run)
        tell_store(workers, found, run)
        return workers.index.store().refused

    refused = [
        ends("tokens", ran_into("TokensKept")),
        ends("other", ran()),
        ends("tokens", ran_into("SecretStoreUnavailable", at=NOW + MINUTE)),
        ends("tokens", ran(at=NOW + 2 * MINUTE)),
        ends("tokens", ran_into("TokensNotStored", at=NOW + 3 * MINUTE)),
    ]

    assert [{arn("tokens")}, set(), set(), set(), {arn("tokens")}] == refused


def test_the_store_that_takes_most_is_no_failure() -> None:
    """Three refused secrets open the store's breaker only if it took none for three minutes; one success closes it."""
    refused = frozenset(map(arn, "abc"))

    def refuses(taken_at: datetime | None, of: frozenset[str] = refused) -> bool:
        return StoreHealth(refused=of, taken_at=taken_at).refuses(NOW)

    assert (True, True, False) == (refuses(None), refuses(NOW - 3 * MINUTE), refuses(NOW - 2.9 * MINUTE))
    assert not refuses(None, of=frozenset(map(arn, "ab")))
    assert refuses(NOW + 3 * MINUTE), "a damaged time must not keep it closed"


def test_successes_are_noted_now_and_then() -> None:
    """That Secrets Manager took tokens is written every 20 seconds, and at once after it refused something."""
    workers = crew(row())

    def note(seconds: float) -> datetime | None:
        found = workers.index.entry(arn("tokens"))
        assert found is not None
        tell_store(workers, replace(found, read_at=NOW + timedelta(seconds=seconds)), ran())
        return workers.index.store().taken_at

    assert [NOW, NOW, NOW + timedelta(seconds=20)] == [note(seconds) for seconds in (0, 19, 20)]
    workers.index.note_refused(arn("other"))
    assert NOW + timedelta(seconds=21) == note(21)


def test_a_report_is_repeated_for_seconds() -> None:
    """A report that DynamoDB refuses is repeated, for five seconds at most; other failures are not."""
    clock, calls = FakeClock(), list[str]()

    class Failing(MemoryIndex):
        def report(self, *_row: Row, **_over: Row | None) -> bool:
            calls.append("report")
            raise errors[-1]

    errors = [SecretAccessDenied("denied"), TableUnavailable("throttled")]
    while errors:
        workers = replace(crew(), index=Failing(row()), clock=clock)
        report(workers, entry(row()), good())
        calls.append("|")
        errors.pop()

    assert 5 > clock.seconds
    assert 2 < calls.index("|")
    assert ["report", "|"] == calls[calls.index("|") + 1 :]


def test_a_report_whose_response_was_lost() -> None:
    """A repeat that finds its own report counts the run once, and announces what it changed."""
    bus = MemoryBus()

    class Lossy(MemoryIndex):
        def report(self, row: Row, *, over: Row | None = None) -> bool:
            stored = MemoryIndex.report(self, row, over=over)
            if stored:
                raise TableUnavailable("the response was lost")
            return stored

    workers = replace(crew(bus=bus), index=Lossy(row()), clock=FakeClock())
    report(workers, entry(row()), in_error(NOW))

    (member,) = workers.index.rows()
    assert member.seen is not None
    assert 1 == member.seen.failures
    assert [(Transition.CORRECTION_REQUIRED, NOW)] == events(bus)


def test_a_breaker_that_cannot_be_told_is_logged() -> None:
    """A table that refuses the store's breaker fails no run: its tokens are kept."""

    class Refusing(MemoryIndex):
        def note_refused(self, secret_arn: str) -> None:
            raise SecretStoreUnavailable(f"dynamodb:UpdateItem failed for {secret_arn}")

    workers = replace(crew(), index=Refusing())
    tell_store(workers, entry(row()), ran_into("TokensKept"))

    assert ["store_breaker_not_told"] == logged(workers).events


def test_no_tag_chooses_the_provider() -> None:
    """Until a run has read the document, and after one that failed, the document names the provider.

    Where the document names none, the deployment does.
    """
    tagged = entry(row(new=True, provider="tagged"))
    failed_first = entry(row(found=seen(error_type="SecretAccessDenied"), provider="tagged"))
    never_read = entry(replace(failed_first.row, seen=None))

    assert "xero" == provider_of(tagged, lambda: {"provider": "xero"}, "generic")
    assert "xero" == provider_of(failed_first, lambda: {"provider": "xero"}, "generic")
    assert "generic" == provider_of(tagged, dict, "generic")
    assert "generic" == provider_of(never_read, lambda: {"provider": ""}, "generic")
    with pytest.raises(ConfigurationError, match="must be the name of a profile, and is a JSON number"):
        provider_of(never_read, lambda: {"provider": 7}, "generic")
    assert "xero" == provider_of(entry(row()), dict, "generic")


CORRECT, WORKS, ENDING = Transition.CORRECTION_REQUIRED, Transition.WORKING_AGAIN, Transition.GRANT_ENDING
ANNOUNCED = {
    "a grant and its repair, once": (
        [rejected(), rejected(NOW + HOUR), good(NOW + 2 * HOUR), good(NOW + 3 * HOUR)],
        [],
        [(DEAD, 0), (LIVES, 2)],
    ),
    "a lost event": ([rejected(), rejected(NOW + HOUR)], [0], [(DEAD, 0)]),
    "no transition is lost": (
        [in_error(NOW), good(NOW + HOUR), good(NOW + 2 * HOUR)],
        [0, 1],
        [(CORRECT, 0), (WORKS, 1)],
    ),
    "to yield is no new grant": (
        [rejected(), ran("yielded", at=NOW + HOUR), good(NOW + 4 * HOUR)],
        [],
        [(DEAD, 0), (LIVES, 4)],
    ),
    "own times": (
        [good(NOW + days * DAY, grant_ending_at=ends_at) for days, ends_at in ENDS.items()],
        [3],
        [(ENDING, 0), (LIVES, 2 * 24), (ENDING, 90 * 24), (LIVES, 92 * 24)],
    ),
}


@pytest.mark.parametrize(("runs", "lost", "announced"), ANNOUNCED.values(), ids=ANNOUNCED)
def test_what_is_announced(runs: list[Outcome], lost: list[int], announced: list[tuple[Transition, int]]) -> None:
    """However many runs find the same, each transition is one event, in order, with a time of its own.

    If the bus can't be reached, the run still counts, and the next one sends the event.
    """
    bus = MemoryBus()
    workers = crew(row(found=seen(at=NOW - HOUR)), bus=bus, now=NOW + 93 * DAY)

    for number, run in enumerate(runs):
        bus.error = SecretStoreUnavailable("the bus is out of reach") if number in lost else None
        report_all(workers, run)

    assert [(transition, NOW + hours * HOUR) for transition, hours in announced] == events(bus)
    assert ["fleet_report_failed"] * len(lost) == logged(workers).events


def test_a_repeated_event_has_the_same_since() -> None:
    """A worker that dies between the event and its row, or loses the bus's response, sends the same event again."""

    class DeafBus(MemoryBus):
        def __call__(self, announcement: Announcement) -> None:
            super().__call__(announcement)
            if 1 == len(self.sent):
                raise SecretStoreUnavailable("the response was lost")

    bus = DeafBus()
    report_all(crew(row(), bus=bus), *(rejected(NOW + hours * HOUR) for hours in range(3)))

    assert [(DEAD, NOW)] * 2 == events(bus)


def test_two_runs_at_once_are_one_event() -> None:
    """A run whose row was read before another run's event was sent does not send it again."""
    bus = MemoryBus()
    workers = crew(row(), bus=bus)

    for seconds in range(2):
        report(workers, entry(row()), rejected(NOW + seconds * MINUTE))

    assert [(DEAD, NOW)] == events(bus)


@pytest.mark.parametrize("there", [[], [row(found=seen(at=NOW))]], ids=["it left", "a newer run reported"])
def test_a_report_that_comes_too_late(there: list[Row]) -> None:
    """A run on a secret that has left meanwhile, or that a newer run has reported on, changes neither row nor bus."""
    bus = MemoryBus()
    workers = crew(*there, bus=bus)

    report(workers, entry(row()), rejected(NOW - HOUR / 2))

    assert (there, []) == (list(workers.index.rows()), bus.sent)
    assert ["fleet_report_superseded"] == logged(workers).events


@pytest.mark.parametrize(("bus", "runs"), [(MemoryBus(), 1), (None, 1), (None, 2)])
def test_without_a_bus(bus: MemoryBus | None, runs: int) -> None:
    """Without a bus, or without a transition, the row alone is written: nobody will ever send what is to be sent."""
    workers = crew(row(), bus=bus)

    report_all(workers, *[good(), rejected(NOW + HOUR)][:runs])

    (member,) = workers.index.rows()
    assert (frozenset(), NOW + runs * HOUR) == (member.unsent, member.next_at)

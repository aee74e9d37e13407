"""Kill a run exactly before or after one of its external calls, and see what becomes of the grant."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from testbed.aws.faults import Action
from testbed.provider import script
from testbed.testbed import TOKEN_REQUEST, ProviderKind, Testbed
from testbed.worker import FORCED, SCHEDULED

TABLE: Final = "of the claim table"


class When(StrEnum):
    """Where the call stands as the process is killed."""

    BEFORE = "before"
    """It is never carried out."""
    AFTER = "after"
    """It was carried out, and the reply never arrived."""
    LATE = "late"
    """It is still on its way, and carried out only after other runs have found the claim over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """A point of a run."""

    number: int
    """Which external call, from 1."""
    call: str
    nth_of_service: int
    """Which call to its service, from 1."""
    when: When

    @property
    def of_table(self) -> bool:
        """Whether it is a call to the claim table."""
        return self.call.endswith(TABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A kind of run."""

    name: str
    due: bool
    event: dict[str, Any] = field(hash=False)
    prepare: Callable[[Testbed], None]
    published: bool = False
    table: bool = False
    """Whether claims are in a table."""

    def testbed(self, provider: ProviderKind) -> Testbed:
        """Return a testbed in which such a run is about to begin, once it is prepared."""
        return Testbed(provider, due=self.due, published=self.published, table=self.table, full=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What became of a killed run."""

    runs: tuple[str, ...]
    """How the runs after it ended, until nothing was left to do."""
    requests: int
    """Token requests that were sent, by the killed run and by those after it."""
    alive: bool
    """Whether the provider accepts the refresh token that is current in the end."""
    served: bool
    """Whether consumers had a valid access token at every moment, a hold included."""
    up_to_date: bool
    """Whether consumers read the token set that is current in the end."""
    lines: tuple[int, ...]
    """How many last lines each run after it logged."""


def _interrupt_after_stage(testbed: Testbed) -> None:
    """Leave tokens that were staged and not promoted."""
    hold = testbed.store.fault("hold_before", "UpdateSecretVersionStage")
    with testbed.begin() as worker:
        hold.wait()
        worker.kill()
    hold.release(apply=False)
    hold.over.wait()


def _publish(testbed: Testbed) -> None:
    """Publish the first token set, and let it become due."""
    testbed.run()
    testbed.pass_until_due()


REFRESH: Final = Scenario(name="refresh", due=True, event=SCHEDULED, prepare=lambda _: None)
RECOVERY: Final = Scenario(name="recovery", due=True, event=SCHEDULED, prepare=_interrupt_after_stage)
FORCED_RUN: Final = Scenario(name="forced run", due=False, event=FORCED, prepare=lambda _: None)
PUBLISHING: Final = Scenario(
    name="refresh with a published copy", due=False, event=SCHEDULED, prepare=_publish, published=True
)
REFRESH_BY_TABLE: Final = replace(REFRESH, name="refresh, claims in a table", table=True)
FORCED_BY_TABLE: Final = replace(FORCED_RUN, name="forced run, claims in a table", table=True)
SCENARIOS: Final = (REFRESH, RECOVERY, FORCED_RUN, PUBLISHING, REFRESH_BY_TABLE, FORCED_BY_TABLE)


@functools.cache
def boundaries(scenario: Scenario, provider: ProviderKind) -> tuple[Boundary, ...]:
    """Find all points at which a run can be killed, by running it undisturbed."""
    with scenario.testbed(provider) as testbed:
        scenario.prepare(testbed)
        begun = len(testbed.trace)
        testbed.run(scenario.event)
        calls = testbed.trace[begun:]
    services = [_service(call) for call in calls]
    return tuple(
        Boundary(number=number, call=call, nth_of_service=services[:number].count(_service(call)), when=when)
        for number, call in enumerate(calls, 1)
        for when in When
        # A read changes nothing however late it is; a token request that outlives a claim is TCP's to give up.
        if when is not When.LATE or not call.startswith(("Get", TOKEN_REQUEST))
    )


def _service(call: str) -> str:
    return call if call == TOKEN_REQUEST else "table" if call.endswith(TABLE) else "secret"


def kill(scenario: Scenario, provider: ProviderKind, boundary: Boundary) -> Aftermath:
    """Kill a run at `boundary`, and run again until nothing is left to do."""
    with scenario.testbed(provider) as testbed:
        scenario.prepare(testbed)
        sent, first = testbed.requests_sent, testbed.document
        let_go = _kill(testbed, scenario, boundary)
        testbed.read_stale()
        ended = []
        if boundary.when is When.LATE:
            ended.append(testbed.run())
            testbed.pass_claim()
            ended.append(testbed.run())
            let_go()
        ended += testbed.run_until_done()
        if testbed.document == first and scenario.event == FORCED:
            testbed.pass_until_due()
            ended += testbed.run_until_done()
        served = testbed.access_token_valid
        if ended[-1].name == "RefreshOutcomeUnknown":
            testbed.pass_hold()
            served = served and testbed.access_token_valid
            ended += testbed.run_until_done()
        return Aftermath(
            runs=tuple(run.name for run in ended),
            requests=testbed.requests_sent - sent,
            alive=testbed.alive,
            served=served,
            up_to_date=testbed.up_to_date,
            lines=tuple(len(run.last_lines) for run in ended),
        )


def _kill(testbed: Testbed, scenario: Scenario, boundary: Boundary) -> Callable[[], None]:
    """Kill a run; return what carries out a call that was still on its way."""
    if boundary.call == TOKEN_REQUEST:
        testbed.endpoint.play(script.hold("before_commit" if boundary.when is When.BEFORE else "after_commit"))
        with testbed.begin(scenario.event) as worker:
            testbed.endpoint.wait_until_held()
            worker.kill()
        # A request held before it was redeemed stays so until the testbed ends.
        return lambda: None
    action: Action = "hold_after" if boundary.when is When.AFTER else "hold_before"
    service = testbed.table if boundary.of_table and testbed.table else testbed.store
    hold = service.fault(action, nth=boundary.nth_of_service)
    with testbed.begin(scenario.event) as worker:
        hold.wait()
        worker.kill()

    def end(*, apply: bool = True) -> None:
        hold.release(apply=apply)
        hold.over.wait()

    if boundary.when is not When.LATE:
        end(apply=False)
    return end

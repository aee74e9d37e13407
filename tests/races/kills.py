"""Kill a run exactly before or after one of its external calls, and see what becomes of the grant."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from races.worker import FORCED, SCHEDULED
from races.world import TOKEN_REQUEST, Provider, World
from testbed.aws.faults import Action
from testbed.provider import script


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
    nth_of_store: int
    """Which call to Secrets Manager, from 1, if it is one."""
    when: When


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A kind of run."""

    name: str
    due: bool
    event: dict[str, Any] = field(hash=False)
    prepare: Callable[[World], None]
    published: bool = False

    def world(self, provider: Provider) -> World:
        """Give a world in which such a run is about to begin, once it is prepared."""
        return World(provider, due=self.due, published=self.published)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What became of a killed run."""

    runs: tuple[str, ...]
    """How the runs after it ended, until at rest."""
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


def _interrupt_after_stage(world: World) -> None:
    """Leave tokens that were staged and not promoted."""
    hold = world.store.fault("hold_before", "UpdateSecretVersionStage")
    with world.begin() as worker:
        hold.wait()
        worker.kill()
    hold.release(apply=False)
    hold.over.wait()


def _publish(world: World) -> None:
    """Publish the first token set, and let it become due."""
    world.run()
    world.pass_until_due()


SCENARIOS: Final = (
    Scenario(name="refresh", due=True, event=SCHEDULED, prepare=lambda _: None),
    Scenario(name="recovery", due=True, event=SCHEDULED, prepare=_interrupt_after_stage),
    Scenario(name="forced run", due=False, event=FORCED, prepare=lambda _: None),
    Scenario(name="refresh with a published copy", due=False, event=SCHEDULED, prepare=_publish, published=True),
)
REFRESH, RECOVERY, FORCED_RUN, PUBLISHING = SCENARIOS


@functools.cache
def boundaries(scenario: Scenario, provider: Provider) -> tuple[Boundary, ...]:
    """Find all points at which a run can be killed, by running it undisturbed."""
    with scenario.world(provider) as world:
        scenario.prepare(world)
        begun = len(world.trace)
        world.run(scenario.event)
        calls = world.trace[begun:]
    return tuple(
        Boundary(number=number, call=call, nth_of_store=number - calls[:number].count(TOKEN_REQUEST), when=when)
        for number, call in enumerate(calls, 1)
        for when in When
        # A read changes nothing however late it is; a token request that outlives a claim is TCP's to give up.
        if when is not When.LATE or not call.startswith(("Get", TOKEN_REQUEST))
    )


def kill(scenario: Scenario, provider: Provider, boundary: Boundary) -> Aftermath:
    """Kill a run at `boundary`, and run again until at rest."""
    with scenario.world(provider) as world:
        scenario.prepare(world)
        sent, first = world.requests_sent, world.document
        let_go = _kill(world, scenario, boundary)
        ended = []
        if boundary.when is When.LATE:
            ended.append(world.run())
            world.pass_claim()
            ended.append(world.run())
            let_go()
        ended += world.rest()
        if world.document == first and scenario.event == FORCED:
            world.pass_until_due()
            ended += world.rest()
        served = world.access_token_valid
        if ended[-1].name == "RefreshOutcomeUnknown":
            world.pass_hold()
            served = served and world.access_token_valid
            ended += world.rest()
        return Aftermath(
            runs=tuple(run.name for run in ended),
            requests=world.requests_sent - sent,
            alive=world.alive,
            served=served,
            up_to_date=world.up_to_date,
            lines=tuple(len(run.last_lines) for run in ended),
        )


def _kill(world: World, scenario: Scenario, boundary: Boundary) -> Callable[[], None]:
    """Kill a run; return what carries out a call that was still on its way."""
    if boundary.call == TOKEN_REQUEST:
        world.endpoint.play(script.hold("before_commit" if boundary.when is When.BEFORE else "after_commit"))
        with world.begin(scenario.event) as worker:
            world.endpoint.wait_until_held()
            worker.kill()
        # A request held before it was redeemed stays so until the world ends.
        return lambda: None
    action: Action = "hold_after" if boundary.when is When.AFTER else "hold_before"
    hold = world.store.fault(action, nth=boundary.nth_of_store)
    with world.begin(scenario.event) as worker:
        hold.wait()
        worker.kill()

    def end(*, apply: bool = True) -> None:
        hold.release(apply=apply)
        hold.over.wait()

    if boundary.when is not When.LATE:
        end(apply=False)
    return end

"""A run dies when the token is due. The schedule's next runs refresh before the token expires."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from run.grant import REJECTED
from run.world import Killed, World
from testbed.builders import DAY, HOUR, MINUTE, NOW, origin, policy
from testbed.fakes import tokens
from token_refresh.errors import RefreshOutcomeUnknown
from token_refresh.stored.refresh_window import LATE_START
from token_refresh_infra.context import read_parameters
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_worker.core.schedule import due_at
from token_refresh_worker.core.versions import OUTCOME
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse
from token_refresh_worker.providers.lifetime import shortest_lifetime
from token_refresh_worker.stored.origin import ClaimStoreKind

SECOND: Final = timedelta(seconds=1)
LONGEST_MINUTES: Final = 48 * 60
GRACES: Final = (timedelta(0), 10 * MINUTE, HOUR / 2, DAY)
"""Of Slack, Atlassian, Xero and Upwork."""
RUNS: Final = 9
"""More than fit into a refresh window by default."""
PLACES: Final = 20
"""More than a run has before and after its calls."""


@dataclass(slots=True)
class Death:
    """Counts the places before and after the calls of a run, and ends it at one of them."""

    left: int

    def __call__(self, _call: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


@dataclass(slots=True)
class ProviderWithGrace:
    """Accepts a refresh token again within its grace, and revokes the grant if one comes later."""

    world: World
    lifetime: timedelta
    grace: timedelta
    death: Death
    used_at: datetime | None = None

    def sign(self, _request: TokenRequest) -> None:
        """Sign nothing."""

    def send(self, _request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        del timeout_seconds
        self.death("send")
        now = self.world.clock.service_now
        if self.used_at is not None and now >= self.used_at + self.grace:
            return REJECTED
        self.used_at = self.used_at or now
        self.death("send")
        return tokens(lifetime=self.lifetime)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A token set, its deployment, and a run that dies."""

    store: ClaimStoreKind
    lifetime: timedelta
    grace: timedelta
    ours: bool
    """Whether the set has our bookkeeping."""
    dies_at: int
    phase: float
    """Which part of a period lies between the moment from which the token is due and the first run."""
    late: tuple[float, float]
    """How many minutes late the first run starts, and the others."""

    @property
    def world(self) -> World:
        known = replace(policy(grace=self.grace, claim_store=self.store), lifetime=self.lifetime)
        place = origin(grace=self.grace, claim_store=known.claim_store, lifetime=self.lifetime) if self.ours else {}
        return World(policy=known, issued_at=NOW, expires_at=NOW + self.lifetime, **place)

    @property
    def period(self) -> timedelta:
        """The longest time between two runs in the default deployment for such tokens."""
        claims = {"claim_table": "create"} if self.store is ClaimStoreKind.TABLE else {}
        deployed: dict[str, Any] = {
            "environment": "prod",
            "token_lifetime_seconds": self.lifetime // SECOND,
            "replay_grace_seconds": self.grace // SECOND,
        }
        return read_parameters(SingleParameters, deployed | claims).longest_gap_seconds * SECOND


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a lifetime that the claim store supports, in whole minutes, and all else."""
    store = draw(st.sampled_from(ClaimStoreKind))
    minutes = st.integers(int(shortest_lifetime(store) / MINUTE), LONGEST_MINUTES)
    return Case(
        store=store,
        lifetime=draw(minutes | st.integers(27, 120).filter(lambda m: m * MINUTE >= shortest_lifetime(store))) * MINUTE,
        grace=draw(st.sampled_from(GRACES)),
        ours=draw(st.booleans()),
        dies_at=draw(st.integers(1, PLACES)),
        phase=draw(st.sampled_from([0.0, 0.5, 1.0])),
        late=(draw(st.sampled_from([0.0, 1.0])), draw(st.sampled_from([0.0, 1.0]))),
    )


def left_after(case: Case) -> timedelta | None:
    """Play a case, and return how long the token still lived when its successor was stored.

    None where no run can help: the run died with the only response of a provider that sends none again.
    """
    world, death = case.world, Death(case.dies_at)
    world.endpoint = provider = ProviderWithGrace(world, case.lifetime, case.grace, death)  # type: ignore[assignment]
    due = due_at(world.run().reader.read().current.document, world.policy)
    assert due is not None
    first = due + case.phase * case.period
    run_at(world, first + case.late[0] * LATE_START)
    world.store.before = world.store.after = death
    if world.table is not None:
        world.table.before = world.table.after = death
    with suppress(Killed):
        world.execute()
    death.left = 0  # It made fewer calls than that.
    if provider.used_at is not None and not case.grace and OUTCOME not in world.labels():
        return None
    ended = ""
    for number in range(1, RUNS):
        if ended in {"refreshed", "recovered", "fresh"}:
            break
        run_at(world, first + number * case.period + case.late[1] * LATE_START)
        with suppress(RefreshOutcomeUnknown):
            ended = world.outcome()
    return NOW + case.lifetime - world.clock.service_now


def run_at(world: World, moment: datetime) -> None:
    """Let time pass until then."""
    world.pass_time(moment - world.clock.service_now)


@settings(max_examples=300)
@given(cases())
def test_the_next_runs_refresh_before_the_token_expires(case: Case) -> None:
    """Whatever lifetime a claim store supports, with and without our bookkeeping, at whichever call the run dies."""
    left = left_after(case)

    assert left is None or left > timedelta(0)

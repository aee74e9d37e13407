"""A consent is never held back: no claim, record, rejection, backoff or doubt of an earlier set delays its refresh."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import pytest

from run.grant import LOST, NOT_SENT, REJECTED
from run.test_locked_versions import change_key
from run.test_stop_at_unread_response import unread
from run.world import Killed, World, fail
from testbed.builders import DAY, HOUR, MINUTE, NOW, origin, policy
from testbed.fakes import tokens
from token_refresh.errors import SecretStoreUnavailable, TokenRefreshError
from token_refresh_admin.changes.change import fields_of
from token_refresh_admin.changes.store import NewGrant, find_lost_claim
from token_refresh_worker.core.schedule import due_at
from token_refresh_worker.core.versions import CLAIM, CURRENT
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.stored.origin import ClaimStoreKind

SECOND: Final = timedelta(seconds=1)
VERSIONS, TABLE = ClaimStoreKind
UPWORK: Final = load_provider("upwork").host
GRACES: Final = (timedelta(0), 10 * MINUTE)
DELAYS: Final = (-SECOND, timedelta(0), SECOND, 5 * MINUTE)
"""How long after what happened before it the code is sent; or before it, while the provider takes its time."""
LIVES: Final = (None, 5 * MINUTE, HOUR)
"""How long its access token lives: without an expiry, it is due at once."""

CLIENT_REJECTED: Final = FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401", error="invalid_client")
LATER: Final = FailedRequest(kind=FailureKind.BUSY, seen="HTTP 429", retry_after=DAY)


def run(world: World, *responses: EndpointResponse) -> None:
    """Force a run, whatever comes of it."""
    world.endpoint.responses[:] = responses
    with suppress(TokenRefreshError, Killed):
        world.execute(force=True)
    world.endpoint.responses.clear()


def killed_at(name: str, *, after: bool = False) -> Callable[[World], None]:
    """Return what ends a run before or after a call."""

    def happens(world: World) -> None:
        with world.at(name, fail(Killed()), after=after):
            run(world)

    return happens


def responded(*responses: EndpointResponse, times: int = 1) -> Callable[[World], None]:
    """Return what lets runs get such responses, one a minute after the claim of the one before."""

    def happens(world: World) -> None:
        for number in range(times):
            if number:
                world.pass_claim()
            run(world, *responses)

    return happens


def refused_to_store(world: World) -> None:
    """Secrets Manager refuses the tokens that a run has received, and a table keeps them."""
    world.keeps = True

    def refuse(name: str) -> None:
        if name.startswith("put REFRESH_OUTCOME"):
            raise SecretStoreUnavailable("down")

    world.store.before = refuse
    run(world)
    world.store.before = lambda _: None


def lost_table(world: World) -> None:
    run(world)
    if world.table is not None:
        world.table.item.clear()


def broken_clock(world: World) -> None:
    """A run whose clock is a year ahead dies with its claim."""
    world.pass_time(365 * DAY)
    killed_at("append claim" if world.table else f"put {CLAIM}", after=True)(world)
    world.pass_time(-365 * DAY)


EVENTS: Final[dict[str, Callable[[World], None]]] = {
    "nothing": lambda _: None,
    "refreshed": responded(),
    "claimed": lambda world: killed_at("append claim" if world.table else f"put {CLAIM}", after=True)(world),
    "redeemed": killed_at("put REFRESH_OUTCOME"),
    "lost": responded(LOST),
    "rejected": responded(REJECTED),
    "rejected often": responded(REJECTED, times=3),
    "client rejected": responded(CLIENT_REJECTED, times=4),
    "not sent": responded(*[NOT_SENT] * 4, times=4),
    "rate limited": responded(*[LATER] * 4, times=2),
    "unread": responded(unread()),
    "not stored": refused_to_store,
    "lost table": lost_table,
    "broken clock": broken_clock,
}


@dataclass(frozen=True, slots=True)
class Consent:
    """A new grant: when it comes, what it brings, and which key is refused."""

    delay: timedelta
    life: timedelta | None
    brings: str
    key_changes: str = ""
    """When the secret gets another key, and KMS refuses the one before."""

    def stored_in(self, world: World) -> None:
        sent_at = world.clock.service_now + self.delay
        world.pass_time(max(self.delay, timedelta(0)))
        if self.key_changes == "before":
            change_key(world)
        parts, known = world.run().parts, {}
        with suppress(TokenRefreshError):
            known = fields_of(world.store.read(label=CURRENT))
        NewGrant(
            tokens=tokens(7, refresh_token=self.brings, lifetime=self.life),
            sent_at=sent_at,
            lost_claim=find_lost_claim(parts, known),
        ).store(parts, known, dict)
        if self.key_changes == "after":
            change_key(world)


def consents(key_changes: str) -> Iterator[Consent]:
    for delay in DELAYS:
        for life in LIVES:
            yield Consent(delay, life, "new", key_changes)
            # Of the same text in the same second, nobody knows which of the two a run has sent.
            if delay > timedelta(0):
                yield Consent(delay, life, "refresh-0", key_changes)


def world_of(store: ClaimStoreKind, grace: timedelta) -> World:
    known = replace(policy(grace=grace, claim_store=store, host=UPWORK), lifetime=HOUR)
    place = origin(claim_store=store, grace=grace, host=UPWORK)
    return World(policy=known, issued_at=NOW - HOUR, expires_at=NOW + MINUTE, **place)


def refreshed_after(world: World) -> timedelta:
    """Return how long after the current tokens fall due a run refreshes them."""
    current, document = world.run().reader.read(), world.current()["refreshToken"]
    world.pass_time(max(timedelta(0), (due_at(current.current.document, world.policy) or current.now) - current.now))
    since = world.clock.service_now
    for _ in range(200):
        with suppress(TokenRefreshError):
            if world.outcome() == "refreshed":
                assert document == world.endpoint.requests[-1].fields["refresh_token"]
                return world.clock.service_now - since
        world.pass_time(MINUTE)
    raise AssertionError("held back for hours")


@pytest.mark.parametrize("key_changes", ["", "before", "after"])
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("store", list(ClaimStoreKind))
def test_no_consent_is_held_back(store: ClaimStoreKind, event: str, key_changes: str) -> None:
    """It is refreshed by the first run when it is due, whatever became of the set before.

    It may bring the very refresh token of before.
    """
    for grace in GRACES:
        for consent in consents(key_changes):
            world = world_of(store, grace)
            EVENTS[event](world)
            consent.stored_in(world)

            late = refreshed_after(world)
            assert timedelta(0) == late, (grace, consent, late)

"""Faults that last, and providers that do what RFC 6749 allows and few expect."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from builders import DAY, HOUR, MINUTE, SINGLE_USE, policy
from fakes import tokens
from token_refresh.errors import RefreshOutcomeUnknown, SecretAccessDenied, TokensNotStored
from token_refresh_worker.stored.origin import ClaimStoreKind
from world import World

BOTH_STORES = pytest.mark.parametrize("store", list(ClaimStoreKind))


def denied(name: str) -> Callable[[str], None]:
    """Deny each call of that name: the key or the role was changed."""

    def deny(called: str) -> None:
        if called == name:
            raise SecretAccessDenied(name)

    return deny


@BOTH_STORES
def test_a_promotion_that_is_denied_for_hours_costs_no_token(store: ClaimStoreKind) -> None:
    """The tokens are stored, so nothing is sent again; once it is allowed, they become current."""
    world = World(policy=policy(grace=timedelta(0), claim_store=store))
    world.store.before = denied("move AWSCURRENT")
    for _ in range(30):
        with pytest.raises(SecretAccessDenied):
            world.execute()
        world.pass_time(HOUR / 4)
    assert 1 == len(world.endpoint.requests)

    world.store.before = lambda _: None

    assert "recovered" == world.outcome()
    assert ("access-1", 1) == (world.current()["accessToken"], len(world.endpoint.requests))


@BOTH_STORES
def test_a_promotion_that_is_refused_for_days_costs_no_token(
    store: ClaimStoreKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label that never moves looks like another run that is always faster: the run yields and sends nothing more."""
    world = World(policy=policy(grace=timedelta(0), claim_store=store))
    monkeypatch.setattr(type(world.store), "move_label", lambda *_, **__: False)

    for _ in range(30):
        world.outcome()
        world.pass_time(2 * HOUR)

    assert 1 == len(world.endpoint.requests)


@BOTH_STORES
def test_a_key_that_is_denied_after_the_redemption_costs_one_request(store: ClaimStoreKind) -> None:
    """New tokens can't be stored, which is the one window; the token isn't sent again before the last quarter."""
    world = World(policy=policy(grace=timedelta(0), claim_store=store))
    world.execute()
    world.pass_time(17 * HOUR)
    world.store.before = denied("put REFRESH_OUTCOME")
    with pytest.raises(TokensNotStored, match=r"SecretAccessDenied"):
        world.execute()
    world.pass_time(5 * MINUTE)

    for _ in range(4):
        with pytest.raises(RefreshOutcomeUnknown):
            world.execute()
        world.pass_time(HOUR)
    assert 2 == len(world.endpoint.requests)


def test_a_key_that_is_denied_before_the_claim_sends_nothing() -> None:
    """With claims in the secret, the claim is the first write: what can't be written can't be redeemed."""
    world = World(policy=SINGLE_USE)
    world.store.before = denied("put REFRESH_CLAIM")

    with pytest.raises(SecretAccessDenied):
        world.execute()
    assert [] == world.endpoint.requests


@BOTH_STORES
@pytest.mark.parametrize(
    "issued",
    [
        ["refresh-0"] * 4,
        [None] * 4,
        ["refresh-1", "refresh-0", "refresh-1", "refresh-0"],
        ["refresh-1", None, "refresh-2"],
    ],
    ids=["the same", "none", "two in turn", "now and then"],
)
def test_a_provider_may_issue_any_refresh_token(issued: list[str | None], store: ClaimStoreKind) -> None:
    """The same one, none, or one from before: a token counts as used only since it was last issued."""
    world = World(policy=policy(grace=timedelta(0), claim_store=store))
    world.endpoint.responses = [tokens(n, refresh_token=token) for n, token in enumerate(issued)]

    for _ in issued:
        assert "refreshed" == world.outcome()
        world.pass_time(DAY * 2 / 3)
    assert len(issued) == len(world.endpoint.requests)

"""The three providers of the proof: what a refresh token that was redeemed is good for."""

import pytest

from proof.providers import Provider
from proof.world import EPOCH_SECONDS, GRACE_SECONDS
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse

NOW = EPOCH_SECONDS


def test_a_single_use_token_that_is_sent_again_revokes_its_family() -> None:
    """Reuse of a single-use refresh token ends the whole grant, its successor included."""
    once, response, _ = Provider("single-use").redeem("r0.0", NOW)
    twice, again, reused = once.redeem("r0.0", NOW)

    assert isinstance(response, TokenResponse)
    assert isinstance(again, FailedRequest)
    assert FailureKind.GRANT_REJECTED is again.kind
    assert reused
    assert (True, False) == (once.alive("r0.1", NOW), twice.alive("r0.1", NOW))


@pytest.mark.parametrize(("seconds", "alive"), [(0, True), (GRACE_SECONDS - 1, True), (GRACE_SECONDS, False)])
def test_a_grace_period_lets_a_token_be_sent_again(seconds: int, *, alive: bool) -> None:
    """Within the grace period a used refresh token is redeemed again; after it, it is rejected, no more."""
    once, _, _ = Provider("grace").redeem("r0.0", NOW)
    twice, response, reused = once.redeem("r0.0", NOW + seconds)

    assert alive == isinstance(response, TokenResponse)
    assert alive == once.alive("r0.0", NOW + seconds)
    assert not reused
    assert twice.alive("r0.1", NOW)


def test_a_static_provider_keeps_the_token() -> None:
    """A provider that never changes the refresh token sends none, and the old one stays good."""
    once, response, _ = Provider("static").redeem("r0.0", NOW)

    assert isinstance(response, TokenResponse)
    assert response.refresh_token is None
    assert once.alive("r0.0", NOW)


def test_authorizing_again_starts_a_family() -> None:
    """A person who authorizes again gets a new family; a single-use provider ends the old one with it."""
    provider, token = Provider("single-use").authorize()

    assert "r1.0" == token
    assert (False, True) == (provider.alive("r0.0", NOW), provider.alive(token, NOW))
    assert provider.ended_by_operator(0)

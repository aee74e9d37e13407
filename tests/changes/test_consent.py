"""Whose grant has come is judged before the code is used, and before anything is stored."""

from dataclasses import replace
from typing import Any

import pytest

from run.world import World
from testbed.fakes import FakeStore, tokens
from token_refresh.errors import SecretEmpty
from token_refresh.secret_value import SecretValue
from token_refresh_worker.changes.authorization import AuthorizationRequest, Redirect
from token_refresh_worker.changes.change import fields_of
from token_refresh_worker.changes.consent import Account, AnotherAccount, Consent, Target, check_account, take_redirect
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.stored.credentials import ClientCredentials


def consent(world: World, expected: Account) -> Consent:
    """An authorization of which `expected` is expected."""
    return Consent(
        authorization=AuthorizationRequest(
            endpoint="https://example.com/authorize",
            client=ClientCredentials(client_id="client", client_secret=SecretValue("client-secret")),
            redirect_uri="https://example.com/callback",
            scope=None,
            pkce=True,
        ),
        target=Target(
            known=fields_of(world.store.read(label=CURRENT)),
            change=dict,
            judge=lambda found, is_complete: check_account(expected, found, is_complete=is_complete, again=("Again",)),
        ),
    )


def complete(world: World, provider: str, expected: Account, kept: dict[str, str]) -> None:
    world.provider = load_provider(provider)
    redirect = Redirect(code=SecretValue("code"), kept=kept)
    consent(world, expected).complete(world.run().parts, redirect, sent_at=world.clock.service_now)


def test_what_the_redirect_says_spares_the_code() -> None:
    """Another account in the redirect ends it before the exchange: the code stays unused, and the old grant alive."""
    world = World(realmId="1")
    before = world.current()

    with pytest.raises(AnotherAccount, match=r"realmId 2, and realmId 1 was expected.*its code was not used"):
        complete(world, "quickbooks", {"realmId": "1"}, {"realmId": "2"})

    assert ([], before) == (world.endpoint.requests, world.current())


@pytest.mark.parametrize("came", [{"team_id": "T2"}, {}])
def test_what_the_response_says_spares_the_secret(came: dict[str, Any]) -> None:
    """Another account in the response, or none, is not stored; the one of the old document proves nothing."""
    world = World(team_id="T1")
    world.endpoint.responses.append(replace(tokens(7), kept=came))
    before = world.current()

    with pytest.raises(AnotherAccount, match=r"team_id T1 was expected; nothing is stored: its tokens are dropped"):
        complete(world, "slack", {"team_id": "T1"}, {})

    assert (1, before) == (len(world.endpoint.requests), world.current())


def test_no_account_is_none_that_is_expected() -> None:
    """What nobody has named is not the account whose name reads as Python's `None`."""
    with pytest.raises(AnotherAccount, match="an account that it doesn't name"):
        check_account({"team_id": "None"}, {}, is_complete=True, again=())


@pytest.mark.parametrize("before", [7, 8])
def test_the_expected_account_is_stored(before: int) -> None:
    """The right account is stored, whatever was there, also where one side has its identifier as a number."""
    world = World(merchant_id=before)
    world.endpoint.responses.append(replace(tokens(7), kept={"merchant_id": "7"}))

    complete(world, "square", {"merchant_id": 7}, {})

    assert ("refresh-7", "7") == (world.current()["refreshToken"], world.current()["merchant_id"])


def test_reads_that_stay_stale_use_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a read nobody knows the time, nor what the tokens would be put on."""
    world = World()
    monkeypatch.setattr(FakeStore, "read", lambda *_, **__: None)

    with pytest.raises(SecretEmpty, match="has no value yet"):
        take_redirect(world.run().parts, "state")


def test_a_taken_redirect_is_no_token_document() -> None:
    """An empty secret whose first exchange failed is still empty for a run: nobody has to mend it."""
    world = World(stored=False)
    take_redirect(world.run().parts, "state")

    with pytest.raises(SecretEmpty, match="has no value yet"):
        world.execute()

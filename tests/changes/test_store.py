"""Whose grant has come is judged before it is stored, and it is stored whatever happens to the secret meanwhile."""

import itertools
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from run.world import World, refuse
from testbed.builders import NOW
from testbed.fakes import PUBLISHED_ID, FakeStore, tokens
from token_refresh.errors import SecretAccessDenied, SecretEmpty
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.authorization_request import AuthorizationRequest, Redirect, with_variables
from token_refresh_admin.changes.authorize import (
    Account,
    AnotherAccount,
    Target,
    check_account,
    complete_authorization,
    take_redirect,
)
from token_refresh_admin.changes.change import fields_of, is_snake
from token_refresh_admin.changes.publish import StoredGrant
from token_refresh_admin.changes.store import SWAPS, NewGrant
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.variables import variables_in
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.origin import in_table


def authorize(world: World, **known: Any) -> StoredGrant:
    """Store the tokens of a new grant; what was known before the consent is `known`."""
    grant = NewGrant(tokens=tokens(7), sent_at=world.clock.service_now)
    return grant.store(world.run().parts, known, dict)


@pytest.mark.parametrize("key", ["providerVariables", "provider_variables"])
@pytest.mark.parametrize("spelled", [{"accessToken": "a"}, {"access_token": "a"}, {"client_id": "c"}, {}])
def test_variables_are_stored_where_they_are_read(spelled: dict[str, str], key: str) -> None:
    """A variable that a redirect or an option brings counts, and none is lost, however tokens and key are spelled."""
    changed = with_variables({**spelled, key: {"shop": "old", "tenant": "acme"}}, {"shop": "new"})

    assert {"shop": "new", "tenant": "acme"} == variables_in(changed)
    assert {*spelled, key} == {*changed}
    assert {"shop": "new"} == variables_in(with_variables(spelled, {"shop": "new"}))


def test_an_edit_during_the_consent() -> None:
    """The tokens are put on what is stored by now: a client secret that was replaced meanwhile stays replaced."""
    world = World(published=True)
    known = fields_of(world.store.read(label=CURRENT))
    world.save(clientSecret="rotated")

    stored = authorize(world, **known)

    assert ("rotated", "refresh-7") == (world.current()["clientSecret"], world.current()["refreshToken"])
    assert stored.copy.replace(stored.document, stored.version_id)
    assert stored.version_id == world.current(PUBLISHED_ID)["sourceVersionId"]


def test_what_can_not_be_read_any_more() -> None:
    """The tokens are stored all the same, on what was known before; only replacing the copy fails, with its error."""
    world = World(published=True)
    world.store.before = refuse(f"read {CURRENT}", SecretAccessDenied("denied"))
    world.copy.before = refuse(f"read {CURRENT}", SecretAccessDenied("denied copy"))

    stored = authorize(world, clientId="known")

    world.store.before = lambda _: None
    assert (stored.version_id, "known") == (world.labels()[CURRENT], world.current()["clientId"])
    with pytest.raises(SecretAccessDenied, match="denied copy"):
        stored.copy.replace(stored.document, stored.version_id)


def test_a_secret_that_never_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """After five refusals the tokens replace whatever is there: without them the grant would be lost."""
    world, refusals = World(), itertools.count(1)
    monkeypatch.setattr(FakeStore, "move_label", lambda *_, **__: next(refusals) > SWAPS)

    stored = authorize(world)

    assert SWAPS + 1 == next(refusals)
    assert stored.version_id == world.labels()[CURRENT]


def test_what_came_with_the_old_grant_goes_with_it() -> None:
    """A key that a response brings belongs to its grant: where the new one lacks it, the old one's does not stay."""
    world = World(instance_url="https://old.example", note="an operator's")
    world.provider = load_provider("salesforce")

    authorize(world, instance_url="https://old.example")

    assert "instance_url" in world.provider.response.extra
    assert ("an operator's", None) == (world.current()["note"], world.current().get("instance_url"))


def test_claims_that_were_moved_during_the_consent() -> None:
    """The document names the claim store of today: runs of the one before would send nothing."""
    world = World()
    world.execute(force=True)
    known, parts = fields_of(world.store.read(label=CURRENT)), world.run().parts
    world.pass_time(timedelta(hours=1))
    assert world.move(in_table("claims"))

    NewGrant(tokens=tokens(7), sent_at=world.clock.service_now).store(parts, known, dict)

    assert {"store": "table", "table": "claims"}.items() <= world.current()["tokenRefresh"].items()


AUTHORIZATION = AuthorizationRequest(
    endpoint="https://example.com/authorize",
    client=ClientCredentials(client_id="client", client_secret=SecretValue("client-secret")),
    redirect_uri="https://example.com/callback",
    scope=None,
    pkce=True,
)


def complete(world: World, provider: str, expected: Account, extra: dict[str, str]) -> None:
    world.provider = load_provider(provider)
    redirect = Redirect(code=SecretValue("code"), extra=extra)
    target = Target(
        known=fields_of(world.store.read(label=CURRENT)),
        change=dict,
        judge=lambda found, is_complete: check_account(expected, found, is_complete=is_complete, again=("Again",)),
    )
    complete_authorization(world.run().parts, AUTHORIZATION, target, redirect, take=lambda: world.clock.service_now)


@pytest.mark.parametrize("came", [{"team_id": "T2"}, {}])
def test_what_the_response_says_spares_the_secret(came: dict[str, Any]) -> None:
    """Another account in the response, or none, is not stored; the one of the old document proves nothing."""
    world = World(team_id="T1")
    world.endpoint.responses.append(replace(tokens(7), extra=came))
    before = world.current()

    with pytest.raises(AnotherAccount, match=r"team_id T1 was expected; nothing is stored: its tokens are discarded"):
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
    world.endpoint.responses.append(replace(tokens(7), extra={"merchant_id": "7"}))

    complete(world, "square", {"merchant_id": 7}, {})

    assert ("refresh-7", "7") == (world.current()["refreshToken"], world.current()["merchant_id"])


def test_reads_that_stay_stale_use_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a read nobody knows the time, nor what the tokens would be put on."""
    world = World()
    monkeypatch.setattr(FakeStore, "read", lambda *_, **__: None)

    with pytest.raises(SecretEmpty, match="has no value yet"):
        take_redirect(world.run().parts, "state", NOW)


def test_a_taken_redirect_is_no_token_document() -> None:
    """An empty secret whose first exchange failed is still empty for a run: nobody has to mend it."""
    world = World(stored=False)
    take_redirect(world.run().parts, "state", NOW)

    with pytest.raises(SecretEmpty, match="has no value yet"):
        world.execute()


def test_a_client_in_the_other_spelling() -> None:
    """A set in camel case with `client_id` beside it keeps its spelling and every key when a new grant is stored."""
    world = World()
    del_client = {key: value for key, value in world.current().items() if not key.startswith("client")}
    world.store.put("9" * 36, SecretValue(json.dumps({**del_client, "client_id": "other", "note": 1})), label=CURRENT)

    authorize(world)

    kept = world.current()
    assert ("refresh-7", "other", 1) == (kept["refreshToken"], kept["client_id"], kept["note"])
    assert "refresh_token" not in kept


def test_the_spelling_that_a_command_keeps() -> None:
    """Tokens say the spelling; without them the client does; where both spellings are there, snake case stays."""
    assert not is_snake({"refreshToken": "r", "client_id": "c"})
    assert not is_snake({"clientId": "c"})
    assert is_snake({"client_id": "c"})
    assert is_snake({"refresh_token": "r", "clientId": "c"})
    assert is_snake({"refresh_token": "r", "accessToken": "a"})

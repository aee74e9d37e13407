"""What a command writes into `tokenRefresh` when it stores the current document again, and which claims are open."""

from dataclasses import replace

import pytest

from testbed.builders import DAY, HOST, HOUR, IN_TABLE, NOW, attempt, claim, mark, origin, policy, snapshot, token_set
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.stored.origin import Origin


def test_a_set_that_names_no_origin_gets_that_of_its_claim() -> None:
    """Host and grace are those under which it was last redeemed, and the fingerprint says that it is ours."""
    found = snapshot(claim(host="stored.example", grace=HOUR)).marked(IN_TABLE)

    token = mark("refresh-0")
    assert Origin(host="stored.example", grace=HOUR, claim_store=IN_TABLE.claim_store, token=token) == found


def test_a_first_set_gets_the_origin_of_the_settings() -> None:
    """Nothing stored says to whom the token belongs."""
    found = snapshot().marked(IN_TABLE)

    assert (HOST, DAY, IN_TABLE.claim_store) == (found.host, found.grace, found.claim_store)


def test_a_stored_origin_stays() -> None:
    """The token belongs to the host that is stored with it, whatever the settings."""
    found = snapshot(current=token_set(**origin(host="stored.example", grace=HOUR))).marked(policy())

    assert ("stored.example", HOUR, mark("refresh-0")) == (found.host, found.grace, found.token)


def test_a_set_of_something_else_is_not_marked_as_ours() -> None:
    """Nor is one that has no refresh token."""
    ours = token_set(**origin())
    foreign = snapshot(
        claim(fate=Fate.NOT_REDEEMED), current=token_set("v1", stored_at=NOW, refreshToken="other", **origin())
    )
    none = replace(ours, document=replace(ours.document, refresh_token=SecretValue("")))

    assert foreign.is_foreign
    assert foreign.marked(policy()).token is None
    assert snapshot(current=none).marked(policy()).token is None


@pytest.mark.parametrize("was_used", [False, True])
def test_a_consent_waits_for_a_claim_only_if_it_was_put_back(*, was_used: bool) -> None:
    """Whoever puts a consent back that was used may do so while a run redeems what it brought."""
    consent = token_set("v1", **origin(authorized=True, token=mark("refresh-0")))
    earlier = (attempt("c1", brought="refresh-1"),) if was_used else ()
    newest = claim("c2", earlier=earlier, token="refresh-1", claimed_at=NOW)

    open_until = snapshot(newest, current=consent).open_until

    assert open_until == (newest.ends_at if was_used else None)

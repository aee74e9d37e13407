"""What a command writes into `tokenRefresh` when it stores the current document again."""

from dataclasses import replace

from testbed.builders import DAY, HOST, HOUR, IN_TABLE, NOW, claim, mark, origin, policy, snapshot, token_set
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

"""Nothing forbids a refresh. What a run checks before its claim, sends, and makes of the tokens."""

from dataclasses import replace
from datetime import timedelta

import pytest

from run.world import FIRST_CLAIM, World, killed
from testbed.builders import DAY, FORCED, HOUR, IN_TABLE, MINUTE, NOW, RUN, claim, mark, ms, origin, policy, snapshot
from testbed.fakes import tokens
from token_refresh.errors import (
    ConfigurationError,
    DeadlineExceeded,
    InvalidSecretDocument,
    SecretEmpty,
    TokenEndpointUnavailable,
)
from token_refresh_worker.core.attempts import Fate
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.core.steps import Redeem
from token_refresh_worker.core.versions import CLAIM, OUTCOME, claim_version_id, staged_version_id
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.redemption import SIGNATURES


def test_the_next_claim_says_what_it_redeems() -> None:
    """It follows the newest one, and carries what later runs need."""
    newest = claim("c1", fate=Fate.UNKNOWN, claim_number=7, grace=HOUR)

    step = plan(snapshot(newest), replace(FORCED, limit=MINUTE), policy())

    assert isinstance(step, Redeem)
    made = step.claim
    assert ("c1", claim_version_id("c1"), "v0", 2, NOW) == (
        step.after,
        made.claim_id,
        made.version_id,
        made.attempt_number,
        made.claimed_at,
    )
    assert (mark("refresh-0"), 8, "provider.example", HOUR, 10 * MINUTE, "nonce") == (
        made.fingerprint,
        made.number,
        made.host,
        made.grace,
        made.time_to_live,
        made.nonce,
    )
    assert ["c1"] == [a.claim_id for a in made.earlier]


@pytest.mark.parametrize(("settings", "after", "versions"), [(policy(), None, 2), (IN_TABLE, "v0", 1)])
def test_a_first_claim_is_its_claim_store_s(settings: Policy, after: str | None, versions: int) -> None:
    """It takes one or two versions; in a table it follows the token set, since claims may be in the secret.

    Nothing stored says to which host a first token belongs: the claim says where it is sent, and its grace.
    """
    first = snapshot()

    step = plan(first, RUN, settings)

    assert isinstance(step, Redeem)
    assert (None, None) == (first.host, first.grace)
    assert ("provider.example", DAY, Fate.NO_RESULT) == (step.claim.host, step.claim.grace, step.claim.fate)
    assert (claim_version_id(after), versions) == (step.claim.claim_id, step.claim.versions)
    assert (None, 1, 1) == (step.after, step.claim.number, step.claim.attempt_number)


def test_a_due_token_set_is_refreshed() -> None:
    """The new tokens become current, with everything else that was in the document; the claim is named there."""
    world = World(other=[1])
    first = world.labels()["AWSCURRENT"]

    assert "refreshed" == world.outcome()

    expected = {"accessToken": "access-1", "refreshToken": "refresh-1", "expiresAt": ms(NOW + DAY), "issuedAt": ms(NOW)}
    others = {"clientId": "client", "clientSecret": "hush", "other": [1]}
    assert others | expected | origin(claim_id=FIRST_CLAIM, number=1, lifetime=DAY) == world.current()
    staged = staged_version_id(FIRST_CLAIM, first)
    assert {"AWSCURRENT": staged, "AWSPREVIOUS": first, CLAIM: FIRST_CLAIM, OUTCOME: staged} == world.labels()
    assert (1, 1) == (len(world.endpoint.requests), world.credentials_read)


def test_what_is_sent_is_the_current_refresh_token_with_the_client_s_credentials() -> None:
    """The request has the refresh token that is current, and authenticates with what the document's client is given."""
    world = World(clientId="theirs")
    world.execute()
    world.execute(force=True)

    client = {"client_id": "theirs", "client_secret": "hush"}
    sent = [{"grant_type": "refresh_token", "refresh_token": f"refresh-{number}"} | client for number in range(2)]
    assert [(form, {}) for form in sent] == [(request.fields, request.headers) for request in world.endpoint.requests]


def test_new_tokens_live_from_when_their_request_was_sent() -> None:
    """The time of issue is when the request that brought the tokens was sent: not the first one, nor any later."""
    world = World()
    world.pass_time(MINUTE)

    def slowly() -> EndpointResponse:
        world.pass_time(timedelta(seconds=5))
        return tokens()

    world.endpoint.responses = [
        FailedRequest(kind=FailureKind.BUSY, seen="HTTP 429", retry_after=timedelta(seconds=17)),
        slowly,
    ]

    assert "refreshed" == world.outcome()
    sent_at = NOW + MINUTE + timedelta(seconds=17)
    assert (ms(sent_at), ms(sent_at + DAY)) == (world.current()["issuedAt"], world.current()["expiresAt"])


def test_tokens_that_are_due_at_once_are_not_refreshed_again() -> None:
    """A run refreshes once, also where the provider hands out tokens that are all but expired."""
    world = World()
    world.endpoint.responses = [tokens(1, lifetime=timedelta(seconds=1))]

    assert "refreshed" == world.outcome()
    assert 1 == len(world.endpoint.requests)


# What ends a run before its claim.


def test_a_secret_without_a_value_is_named() -> None:
    """A secret that nobody filled yet is an error that says what to do."""
    says = (
        r"^secret tokens in eu-central-1 has no value yet: store the first token set with "
        r"`token-refresh authorize tokens --region eu-central-1`$"
    )
    with pytest.raises(SecretEmpty, match=says):
        World(stored=False).execute()


def test_a_binary_secret_is_named() -> None:
    """A secret stored as binary is an error that says what to store instead."""
    world = World(stored=False)
    world.save_bytes("AAAA")

    with pytest.raises(InvalidSecretDocument, match="is not a token document: it is binary, and must be text"):
        world.execute()


def test_a_document_without_room_for_tokens_claims_nothing() -> None:
    """A document that could not be stored with longer tokens is refused before anything is redeemed."""
    world = World(note="x" * 50_000)

    with pytest.raises(
        InvalidSecretDocument, match=r"of secret tokens in eu-central-1 has \d+ bytes, which leaves no room"
    ):
        world.execute()
    assert ([], 1) == (world.endpoint.requests, len(world.labels()))


def test_an_endpoint_that_can_not_be_used_claims_nothing() -> None:
    """A wrong proxy variable is an error before the claim, so it costs no attempt."""
    world = World()
    before = world.model.snapshot()
    world.endpoint_error = ConfigurationError("the proxy variable")

    with pytest.raises(ConfigurationError, match="the proxy variable"):
        world.execute()
    assert before == world.model.snapshot()


def test_a_run_with_too_little_time_claims_nothing() -> None:
    """A run that could not redeem and store safely leaves the secret as it is."""
    world = World()
    before = world.model.snapshot()

    with pytest.raises(DeadlineExceeded, match=r"^14 s are left to refresh secret tokens in eu-central-1, and 15 s"):
        world.execute(time_left_seconds=14.0)
    assert before == world.model.snapshot()


@pytest.mark.parametrize("failures", [SIGNATURES - 1, SIGNATURES])
def test_signing_is_tried_again_before_the_claim(failures: int) -> None:
    """Where AWS fails for a moment, the request is signed a moment later; if that lasts, the run ends unclaimed."""
    world = World()
    world.provider = signing(world.provider)
    failed = FailedRequest(kind=FailureKind.NOT_SENT, seen="throttled")
    world.endpoint.signatures = [failed] * failures

    if failures == SIGNATURES:
        with pytest.raises(TokenEndpointUnavailable, match=r"could not be signed \(throttled\); nothing was sent"):
            world.outcome()
        assert CLAIM not in world.labels()
    else:
        assert "refreshed" == world.outcome()
    assert SIGNATURES == len(world.endpoint.signed)


def signing(provider: Provider) -> Provider:
    return replace(provider, request=replace(provider.request, auth_method=AuthMethod.PRIVATE_KEY_JWT))


# What a run costs at Secrets Manager and at the claim table.


STORED = ["put REFRESH_OUTCOME", "move AWSCURRENT"]
REFRESH = ["read AWSCURRENT", "read REFRESH_CLAIM", "list versions", "put REFRESH_CLAIM", *STORED]


def calls(world: World, **how: bool) -> tuple[list[str], list[str]]:
    """Run, and give the calls at the secret and at the table."""
    world.store.calls.clear()
    if world.table:
        world.table.calls.clear()
    world.execute(**how)
    return world.store.calls, world.table.calls if world.table else []


def test_calls_with_claims_in_versions() -> None:
    """A refresh reads twice, lists once and writes three times, the first too; a run with a fresh token reads twice."""
    world = World()

    assert (REFRESH, []) == calls(world)
    assert (["read AWSCURRENT", "read REFRESH_CLAIM"], []) == calls(world)
    assert (REFRESH, []) == calls(world, force=True)


def test_calls_with_claims_in_a_table() -> None:
    """A refresh makes one read, one list and two writes at Secrets Manager, one read and one write at the table."""
    world = World(policy=IN_TABLE)
    # A document that names no store yet costs one read more: claims may be in the secret.
    assert ["read AWSCURRENT", "read REFRESH_CLAIM", "list versions", *STORED] == calls(world)[0]
    world.pass_time(20 * HOUR)

    assert (["read AWSCURRENT", "list versions", *STORED], ["read claim", "append claim"]) == calls(world)
    assert (["read AWSCURRENT"], ["read claim"]) == calls(world)


def test_a_fresh_token_set_that_somebody_stored_costs_four_reads() -> None:
    """After another claim, a run also reads what is stored under it: this could be the tokens that follow."""
    world = World()
    killed(world, "put REFRESH_OUTCOME")
    world.save(refreshToken="other", expires_at=NOW + DAY)

    assert (["read AWSCURRENT", "read REFRESH_CLAIM", "read version", "read version"], []) == calls(world)


def test_a_wrong_time_is_corrected_where_it_is() -> None:
    """Beside a time that can't be read the tokens may be the only ones: a consent comes last, and no file has them."""
    world = World(stored=False)
    world.save_text('{"accessToken": "a", "refreshToken": "r", "expiresAt": "tomorrow"}')

    with pytest.raises(
        InvalidSecretDocument, match=r"^the current version \S+ of secret tokens .* expiresAt is not a time"
    ) as raised:
        world.execute()

    put = "aws secretsmanager put-secret-value --secret-id tokens --region eu-central-1 --secret-string"
    assert str(raised.value).endswith(
        "Bring the last good one back: `token-refresh restore tokens --region eu-central-1`. If there is none, pipe "
        f"the corrected value into: `{put} file:///dev/stdin`. Or get a new token set: "
        "`token-refresh authorize tokens --region eu-central-1`"
    )

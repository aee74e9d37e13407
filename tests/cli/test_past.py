"""What became of older token sets, and which may come back: judged by what a run would read if they were current."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, HOUR, MINUTE, NOW, attempt, claim, origin, policy
from fakes import SECRET_ID, tokens
from run.grant import LOST, REJECTED
from run.world import FIRST_CLAIM, Killed, World, fail
from token_refresh.errors import InvalidSecretDocument, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.cli.history.past import Past, TokenFate
from token_refresh_worker.cli.history.restore import judge
from token_refresh_worker.cli.history.versions import list_versions
from token_refresh_worker.cli.secret.finding import Finding, Health
from token_refresh_worker.core.attempts import REDEMPTIONS_KEPT, Fate
from token_refresh_worker.core.claims import write_claim
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.snapshot import RunState
from token_refresh_worker.core.versions import CLAIM, CURRENT
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.stored.origin import ClaimStoreKind

BOTH = pytest.mark.parametrize("store", list(ClaimStoreKind))
VERSIONS, TABLE = ClaimStoreKind
FIRST = f"{3:032}"
"""The first token set of a world; its claims and what they brought have derived IDs."""

CLIENT_REJECTED = FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401", error="invalid_client")


@dataclass(slots=True)
class SingleUse:
    """A provider that takes each refresh token once, unless it is told what to respond."""

    plays: list[EndpointResponse] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    """The used tokens that were sent again."""

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        del timeout_seconds
        token = request.fields["refresh_token"]
        response = self.plays.pop() if self.plays else None
        if response is not None and response is not LOST:
            return response
        if token in self.used:
            self.again.add(token)
            return REJECTED
        self.used.add(token)
        return response or tokens(len(self.used))


class Secret(World):
    """A token secret of such a provider, and what an operator sees of its past."""

    def __init__(self, store: ClaimStoreKind, *, grace: timedelta = timedelta(0)) -> None:
        super().__init__(policy=policy(claim_store=store, grace=grace), **origin(claim_store=store, grace=grace))
        self.single_use = SingleUse()
        self.endpoint = self.single_use  # type: ignore[assignment]

    def refresh(self, *plays: EndpointResponse) -> None:
        """Force a run, whatever comes of it, three minutes after the last one."""
        self.pass_time(3 * MINUTE)
        self.single_use.plays[:] = plays
        with contextlib.suppress(TokenRefreshError, Killed):
            self.execute(force=True)

    def past(self) -> Past:
        listing = self.model.call("ListSecretVersionIds", {"SecretId": SECRET_ID, "IncludeDeprecated": True}, now=0)
        entries = [v | {"CreatedDate": datetime.fromtimestamp(v["CreatedDate"], UTC)} for v in listing["Versions"]]
        return Past(
            secret=SecretName(secret_id=SECRET_ID, region="eu-central-1"),
            claim_store=self.policy.claim_store,
            needs_refresh_token=True,
            listed=list_versions(entries, self.store, needs_refresh_token=True),
            table=self.table,
        )

    def fate(self, version_id: str = FIRST) -> TokenFate:
        past = self.past()
        return past.fate_of_token(past.snapshots[version_id])[0]

    def verdict(self, version_id: str = FIRST) -> Finding:
        past = self.past()
        snapshot = past.snapshot(past.versions[version_id])
        return judge(past, snapshot, plan(snapshot, RunState(), self.policy), self.policy)

    def refused(self, version_id: str = FIRST) -> bool:
        return self.verdict(version_id).health is Health.BROKEN


@BOTH
def test_how_the_newest_attempt_ended(store: ClaimStoreKind) -> None:
    """Its record counts, wherever claims are: a rejected set stays away, and one that nobody redeemed may come back."""
    rejected, free = Secret(store), Secret(store)
    rejected.refresh(REJECTED)
    free.refresh(CLIENT_REJECTED)

    assert (TokenFate.REJECTED, True) == (rejected.fate(), rejected.refused())
    assert (TokenFate.UNUSED, False) == (free.fate(), free.refused())


@BOTH
def test_a_redeemed_set_comes_back_with_the_tokens_that_it_brought(store: ClaimStoreKind) -> None:
    """Without a grace, too: the next run makes the newest tokens current, and sends none."""
    secret = Secret(store)
    secret.refresh()
    secret.refresh()

    assert (TokenFate.REDEEMED, False) == (secret.fate(), secret.refused())

    sent = set(secret.single_use.used)
    secret.save(note="older", **origin(claim_store=store, grace=timedelta(0)))
    assert "recovered" == secret.outcome()
    assert ("refresh-2", "older") == (secret.current()["refreshToken"], secret.current()["note"])
    assert sent == secret.single_use.used


@BOTH
def test_the_tokens_that_it_brought_are_gone(store: ClaimStoreKind) -> None:
    """Within the grace, too: no run sends a token again that it knows to be redeemed."""
    secret = Secret(store, grace=DAY)
    secret.refresh()
    secret.refresh(CLIENT_REJECTED)
    received = secret.labels()[CURRENT]
    secret.save_text("garbage")
    secret.model.drop(SECRET_ID, received)

    assert secret.refused()
    assert "the tokens that it brought are gone" in secret.verdict().text


@BOTH
def test_the_tokens_that_it_brought_were_rejected(store: ClaimStoreKind) -> None:
    """A dead grant doesn't come back with an older set."""
    secret = Secret(store)
    secret.refresh()
    secret.refresh(REJECTED)

    assert secret.refused()
    assert "rejected the refresh token that replaced that set's" in secret.verdict().text


@BOTH
def test_tokens_that_were_stored_late(store: ClaimStoreKind) -> None:
    """They count more than the rejection of a second request with the same token, as for a run."""
    secret = Secret(store)

    with secret.at("put REFRESH_OUTCOME", secret.refresh):
        secret.execute(force=True)

    assert {"refresh-0"} == secret.single_use.again
    assert (TokenFate.REDEEMED, False) == (secret.fate(), secret.refused())


def test_an_attempt_from_the_future() -> None:
    """No run wrote it, and so it says nothing about the token."""
    secret = Secret(VERSIONS)
    future = attempt(fate=Fate.UNKNOWN, claimed_at=NOW + DAY)
    newest = claim(FIRST_CLAIM, token="another", earlier=(future,))
    secret.store.put(FIRST_CLAIM, write_claim(newest), label=CLAIM)

    assert TokenFate.UNUSED is secret.fate()


def test_a_lost_table() -> None:
    """Sets name claims that the table doesn't have any more, and nobody knows which tokens were redeemed under them."""
    secret = Secret(TABLE)
    secret.refresh()
    assert secret.table is not None
    secret.table.item = {}

    assert (TokenFate.PERHAPS, True) == (secret.fate(), secret.refused())


def test_an_unreadable_table() -> None:
    """Nobody knows what became of any token."""
    secret = Secret(TABLE)
    secret.refresh()
    assert secret.table is not None
    secret.table.item["claim"] = SecretValue("garbage")

    assert {} == secret.past().snapshots
    with pytest.raises(InvalidSecretDocument):
        secret.verdict()


@pytest.mark.parametrize(("rotates", "fate"), [(True, TokenFate.PERHAPS), (False, TokenFate.UNUSED)])
def test_more_refreshes_than_a_ledger_keeps(fate: TokenFate, *, rotates: bool) -> None:
    """A set from before them may be redeemed, unless its refresh token was issued again since; a later one is free."""
    secret = Secret(TABLE)
    for number in range(REDEMPTIONS_KEPT + 2):
        secret.pass_time(HOUR)
        secret.refresh(tokens(number + 1, refresh_token="" if rotates else "refresh-0"))

    later = secret.save(refreshToken="later")

    assert (fate, TokenFate.UNUSED) == (secret.fate(), secret.fate(later))


def refresh(secret: Secret) -> None:
    secret.refresh()


def lose_response(secret: Secret) -> None:
    secret.refresh(LOST)


def reject_client(secret: Secret) -> None:
    secret.refresh(CLIENT_REJECTED)


def die_with_a_claim(secret: Secret) -> None:
    with secret.at("append claim" if secret.table else "put REFRESH_CLAIM", fail(Killed()), after=True):
        secret.refresh()


def die_with_tokens(secret: Secret) -> None:
    with secret.at("put REFRESH_OUTCOME", fail(Killed())):
        secret.refresh()


def die_before_the_promotion(secret: Secret) -> None:
    with secret.at("move AWSCURRENT", fail(Killed())):
        secret.refresh()


def overtake(secret: Secret) -> None:
    with secret.at("put REFRESH_OUTCOME", secret.refresh):
        secret.refresh()


def edit(secret: Secret) -> None:
    with contextlib.suppress(json.JSONDecodeError):
        secret.save_text(json.dumps(secret.current() | {"note": secret.clock.seconds}))


def authorize(secret: Secret) -> None:
    secret.save(refreshToken=f"new-{secret.clock.seconds}", expires_at=secret.clock.service_now + DAY)


def garbage(secret: Secret) -> None:
    secret.save_text("garbage")


def a_day_passes(secret: Secret) -> None:
    secret.pass_time(DAY)


ACTS = [refresh, lose_response, reject_client, die_with_a_claim, die_with_tokens, die_before_the_promotion, overtake]
ACTS += [edit, authorize, garbage, a_day_passes]


@BOTH
@given(acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_no_restored_set_brings_a_used_token_to_the_provider(
    store: ClaimStoreKind, acts: list[Callable[[Secret], None]]
) -> None:
    """Whatever happened before: of a set that may come back, runs of two days don't send a token that was used."""
    for wanted in [version.version_id for version in happened(store, acts).past().listed if version.document]:
        secret = happened(store, acts)
        if secret.refused(wanted):
            continue
        value = secret.past().versions[wanted].value
        assert value is not None
        token, used = json.loads(value.reveal())["refreshToken"], set(secret.single_use.used)
        secret.single_use.again.clear()
        secret.save_text(value.reveal())
        for _ in range(12):
            secret.pass_time(4 * HOUR)
            with contextlib.suppress(TokenRefreshError):
                secret.execute()

        assert token not in used & secret.single_use.again


def happened(store: ClaimStoreKind, acts: list[Callable[[Secret], None]]) -> Secret:
    secret = Secret(store)
    for act in acts:
        secret.pass_time(timedelta(seconds=40))
        act(secret)
    return secret

"""`restore`: no past leads it to a set whose refresh token was used."""

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from changes.past import BOTH, CLIENT_REJECTED, Secret
from examples import examples
from run.grant import LOST
from run.world import Killed, fail
from testbed.builders import DAY, HOUR
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.stored.origin import ClaimStoreKind

GROUP = "unmeasured"


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
@settings(max_examples=examples(100))
def test_no_restored_set_brings_a_used_token_to_the_provider(
    store: ClaimStoreKind, acts: list[Callable[[Secret], None]]
) -> None:
    """Whatever happened before: of a set that may come back, runs of two days don't send a token that was used.

    But for the newest of which nothing says that it is dead, where the current one is: there is nothing to lose.
    """
    for wanted in [version.version_id for version in happened(store, acts).past().listed if version.document]:
        secret = happened(store, acts)
        if secret.refused(wanted) or secret.past().living_version == wanted:
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

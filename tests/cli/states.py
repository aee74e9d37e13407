"""Every state that a token secret can be stored in, each made with the commands and servers of a test."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cli.scene import Cli, Tokens, claim
from testbed.builders import DAY, HOUR
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

SINGLE_USE = {"REPLAY_GRACE_SECONDS": "0"}
PUBLISHED = {"PUBLISHED_SECRET_ID": "published"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a state is made with."""

    cli: Cli
    tokens: Tokens
    store: SecretsManagerServer
    endpoint: TokenEndpoint

    def refresh(self, *options: str, **variables: str) -> None:
        self.cli("refresh", *options, **variables)
        self.store.clock_offset_seconds += 2  # The service tells the time in whole seconds.


State = Callable[[Stage], dict[str, str] | None]
"""Makes a state, and gives the variables that the commands then run with."""


def fresh(stage: Stage) -> None:
    stage.tokens.store(expires_in=DAY)


def due(stage: Stage) -> None:
    stage.tokens.store(expires_in=7 * HOUR)


def overdue(stage: Stage) -> None:
    stage.tokens.store(expires_in=2 * HOUR)


def expired(stage: Stage) -> None:
    stage.tokens.store(expires_in=-HOUR)


def without_access_token(stage: Stage) -> None:
    stage.tokens.store(accessToken=None)


def without_expiry(stage: Stage) -> None:
    stage.tokens.store(expiresAt=None)


def refreshed(stage: Stage) -> None:
    stage.tokens.store()
    stage.refresh()


def failed(stage: Stage, times: int = 1, **changes: Any) -> None:
    stage.tokens.store(**{"expires_in": 7 * HOUR, **changes})
    for _ in range(times):
        stage.endpoint.play(script.error("invalid_client", http_status=401))
        stage.refresh("--force")


def failed_while_fresh(stage: Stage) -> None:
    failed(stage, expires_in=DAY)


def backing_off(stage: Stage) -> None:
    failed(stage, times=2)


def backing_off_and_expired(stage: Stage) -> None:
    failed(stage, times=2, expires_in=-HOUR)


def rejected(stage: Stage, **changes: Any) -> None:
    stage.tokens.store(**{"expires_in": 7 * HOUR, **changes})
    stage.endpoint.grant.revoke()
    stage.refresh()


def rejected_and_expired(stage: Stage) -> None:
    rejected(stage, expires_in=-HOUR)


def rejected_and_overdue(stage: Stage) -> None:
    rejected(stage, expires_in=2 * HOUR)


def rejected_and_published_before(stage: Stage) -> dict[str, str]:
    rejected(stage)
    stage.store.client().create_secret(Name="published")
    return PUBLISHED


def held(stage: Stage, **changes: Any) -> dict[str, str]:
    stage.tokens.store(**{"expires_in": 7 * HOUR, **changes})
    stage.endpoint.play(script.status(500))
    stage.refresh(**SINGLE_USE)
    return SINGLE_USE


def held_and_expired(stage: Stage) -> dict[str, str]:
    return held(stage, expires_in=-HOUR)


def held_and_overdue(stage: Stage) -> dict[str, str]:
    return held(stage, expires_in=3 * HOUR)


def staged(stage: Stage) -> None:
    stage.tokens.store(expires_in=7 * HOUR)
    stage.store.fault("deny", "UpdateSecretVersionStage")
    stage.refresh()


def staged_and_edited(stage: Stage) -> None:
    staged(stage)
    stage.tokens.put({**stage.tokens.current(), "note": "edited"})


def claimed(stage: Stage) -> None:
    claim(stage.store, stage.tokens.store(expires_in=7 * HOUR))


def claim_of_a_dead_run(stage: Stage) -> None:
    claimed(stage)
    stage.store.clock_offset_seconds = 330


def claim_of_a_dead_run_single_use(stage: Stage) -> dict[str, str]:
    claim_of_a_dead_run(stage)
    return SINGLE_USE


def used(stage: Stage) -> None:
    stage.tokens.store(expires_in=DAY)
    first = stage.tokens.current()
    stage.refresh("--force")
    stage.refresh("--force")
    stage.store.clock_offset_seconds += 330  # The last claim has ended.
    lose_received_tokens(stage.store)
    stage.tokens.put(first)


def of_another_host(stage: Stage) -> None:
    origin = {"host": "api.example.com", "grace_seconds": 0, "store": "versions"}
    stage.tokens.store(expires_in=7 * HOUR, tokenRefresh=origin)


def of_another_host_and_published_before(stage: Stage) -> dict[str, str]:
    of_another_host(stage)
    stage.store.client().create_secret(Name="published")
    return PUBLISHED


def of_another_host_and_overdue(stage: Stage) -> None:
    origin = {"host": "api.example.com", "grace_seconds": 0, "store": "versions"}
    stage.tokens.store(expires_in=2 * HOUR, tokenRefresh=origin)


def claims_in_a_table(stage: Stage) -> dict[str, str]:
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "table", "table": "claims"}
    stage.tokens.store(expires_in=7 * HOUR, tokenRefresh=origin)
    return {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}  # nobody is there


def published_before(stage: Stage) -> dict[str, str]:
    fresh(stage)
    stage.store.client().create_secret(Name="published")
    return PUBLISHED


def too_short_lived(stage: Stage) -> None:
    now = datetime.now(UTC).timestamp() * 1000
    stage.tokens.store(issuedAt=int(now), expiresAt=int(now + 1_800_000))


def ending(stage: Stage) -> dict[str, str]:
    ends_at = (datetime.now(UTC) + 5 * DAY).isoformat()
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "grant_ends_at": ends_at}
    stage.tokens.store(expires_in=20 * DAY, tokenRefresh=origin)
    return {"PROVIDER": "linkedin"}


def garbage(stage: Stage) -> None:
    fresh(stage)
    stage.tokens.put("garbage")


def empty(stage: Stage) -> None:
    stage.store.client().create_secret(Name="upwork-oauth-tokens")


def lose_received_tokens(store: SecretsManagerServer) -> None:
    """Lose every token set but the first."""
    (secret,) = store.secrets.snapshot()
    first, *later = secret.versions
    spoilt = (replace(v, value="gone") if "accessToken" in str(v.value) else v for v in later)
    store.secrets.restore((replace(secret, versions=(first, *spoilt)),))


STATES: tuple[State, ...] = (
    *(fresh, due, overdue, expired, without_access_token, without_expiry, refreshed),
    *(failed, failed_while_fresh, backing_off, backing_off_and_expired),
    *(rejected, rejected_and_expired, rejected_and_overdue, rejected_and_published_before),
    *(held, held_and_expired, held_and_overdue, staged, staged_and_edited),
    *(claimed, claim_of_a_dead_run, claim_of_a_dead_run_single_use, used),
    *(of_another_host, of_another_host_and_published_before, of_another_host_and_overdue, claims_in_a_table),
    *(published_before, too_short_lived, ending, garbage, empty),
)

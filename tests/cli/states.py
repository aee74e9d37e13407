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


State = Callable[..., dict[str, str] | None]
"""Makes a state, and gives the variables that the commands then run with."""


def refreshed(stage: Stage) -> None:
    stage.tokens.store()
    stage.refresh()


def failed(stage: Stage, times: int = 1, **changes: Any) -> None:
    stage.tokens.store(**{"expires_in": 7 * HOUR, **changes})
    for _ in range(times):
        stage.endpoint.play(script.error("invalid_client", http_status=401))
        stage.refresh("--force")


def rejected(stage: Stage, **changes: Any) -> None:
    stage.tokens.store(**{"expires_in": 7 * HOUR, **changes})
    stage.endpoint.grant.revoke()
    stage.refresh()


def held(stage: Stage, **changes: Any) -> dict[str, str]:
    stage.tokens.store(**{"expires_in": 7 * HOUR, **changes})
    stage.endpoint.play(script.status(500))
    stage.refresh(**SINGLE_USE)
    return SINGLE_USE


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


def used(stage: Stage) -> None:
    stage.tokens.store(expires_in=DAY)
    first = stage.tokens.current()
    stage.refresh("--force")
    stage.refresh("--force")
    stage.store.clock_offset_seconds += 330  # The last claim has ended.
    lose_received_tokens(stage.store)
    stage.tokens.put(first)


def claims_in_a_table(stage: Stage) -> dict[str, str]:
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "table", "table": "claims"}
    stage.tokens.store(expires_in=7 * HOUR, tokenRefresh=origin)
    return {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9"}  # nobody is there


def too_short_lived(stage: Stage) -> None:
    now = datetime.now(UTC).timestamp() * 1000
    stage.tokens.store(issuedAt=int(now), expiresAt=int(now + 1_800_000))


def ending(stage: Stage) -> dict[str, str]:
    ends_at = (datetime.now(UTC) + 5 * DAY).isoformat()
    origin = {"host": "127.0.0.1", "grace_seconds": 0, "store": "versions", "grant_ends_at": ends_at}
    stage.tokens.store(expires_in=20 * DAY, tokenRefresh=origin)
    return {"PROVIDER": "linkedin"}


def lose_received_tokens(store: SecretsManagerServer) -> None:
    """Lose every token set but the first."""
    (secret,) = store.secrets.snapshot()
    first, *later = secret.versions
    spoilt = (replace(v, value="gone") if "accessToken" in str(v.value) else v for v in later)
    store.secrets.restore((replace(secret, versions=(first, *spoilt)),))


def _stored(**changes: Any) -> State:
    """Make tokens be stored, and nothing else."""

    def arise(stage: Stage) -> None:
        stage.tokens.store(**{"expires_in": 7 * HOUR, **changes})

    return arise


def _then(arise: State, *, published: bool = False, single_use: bool = False, **how: Any) -> State:
    """Make another state: with a published secret that is empty, or at a single-use provider; `how` is its own."""

    def arises(stage: Stage) -> dict[str, str]:
        variables = arise(stage, **how) or {}
        if published:
            stage.store.client().create_secret(Name="published")
        return variables | (PUBLISHED if published else {}) | (SINGLE_USE if single_use else {})

    return arises


def _put(value: str) -> State:
    return lambda stage: stage.tokens.put(value) and None


_OF_ANOTHER_HOST: dict[str, Any] = {"host": "api.example.com", "grace_seconds": 0, "store": "versions"}

STATES: dict[str, State] = {
    "fresh": _stored(expires_in=DAY),
    "due": _stored(),
    "overdue": _stored(expires_in=2 * HOUR),
    "expired": _stored(expires_in=-HOUR),
    "without access token": _stored(accessToken=None),
    "without expiry": _stored(expiresAt=None),
    "refreshed": refreshed,
    "failed": failed,
    "failed while fresh": _then(failed, expires_in=DAY),
    "backing off": _then(failed, times=2),
    "backing off and expired": _then(failed, times=2, expires_in=-HOUR),
    "rejected": rejected,
    "rejected and expired": _then(rejected, expires_in=-HOUR),
    "rejected and overdue": _then(rejected, expires_in=2 * HOUR),
    "rejected and published before": _then(rejected, published=True),
    "held": held,
    "held and expired": _then(held, expires_in=-HOUR),
    "held and overdue": _then(held, expires_in=3 * HOUR),
    "staged": staged,
    "staged and edited": staged_and_edited,
    "claimed": claimed,
    "claim of a dead run": claim_of_a_dead_run,
    "claim of a dead run, single use": _then(claim_of_a_dead_run, single_use=True),
    "used": used,
    "of another host": _stored(tokenRefresh=_OF_ANOTHER_HOST),
    "of another host and published before": _then(_stored(tokenRefresh=_OF_ANOTHER_HOST), published=True),
    "of another host and overdue": _stored(expires_in=2 * HOUR, tokenRefresh=_OF_ANOTHER_HOST),
    "claims in a table": claims_in_a_table,
    "published before": _then(_stored(expires_in=DAY), published=True),
    "too short-lived": too_short_lived,
    "ending": ending,
    "garbage": _put("garbage"),
    "empty": lambda stage: stage.store.client().create_secret(Name="upwork-oauth-tokens") and None,
}

"""Whoever may force runs can't end the grant, however often they ask."""

import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from testbed.reader_surroundings import Api
from testbed.secrets_manager.limits import ServiceError
from token_refresh.reader import Runtime, TokenReader, httpx_auth
from worker.ground import TOKENS, Ground

DAY = timedelta(hours=24)
FORCED_A_DAY = 12


@pytest.fixture(params=["versions", "table"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    with Ground(table=request.param == "table") as ground:
        ground.endpoint.grant.access_token_seconds = 2 * 3600
        ground.fresh()
        yield ground


def now(ground: Ground) -> datetime:
    return datetime.fromtimestamp(ground.store.now()).astimezone()


def current(ground: Ground) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ground.store.call("GetSecretValue", {"SecretId": TOKENS})["SecretString"])
    return document


def newest_claim(ground: Ground) -> dict[str, Any]:
    """Give the newest claim as it is stored."""
    if ground.table:
        (item,) = ground.table.tables["claims"].values()
        text = item["claim"]["S"]
    else:
        request = {"SecretId": TOKENS, "VersionStage": "REFRESH_CLAIM"}
        text = ground.store.call("GetSecretValue", request)["SecretString"]
    claim: dict[str, Any] = json.loads(text)
    return claim


def most_in_a_day(moments: list[datetime]) -> int:
    return max(sum(start <= moment < start + DAY for moment in moments) for start in moments)


def test_a_flood_of_forced_events_leaves_the_grant_alive(ground: Ground) -> None:
    """Two days of forced events each ten minutes: 12 redeem in a day, the others get the time to come back."""
    forced: list[datetime] = []
    refused = watch_refusals(ground)
    for minutes in range(0, 2 * 24 * 60, 10):
        ended = ground.run({"force": True})
        assert ended in {"refreshed", "yielded"}, ground.error
        if ended == "refreshed":
            # A forced event that meets due tokens refreshes as a scheduled one does, and counts as one.
            forced += [now(ground)] if newest_claim(ground)["forced"] else []
        else:
            retry_at = datetime.fromisoformat(ground.last_lines[0]["retry_at"])
            assert now(ground) - timedelta(minutes=1) < retry_at <= now(ground) + DAY
        if minutes % 30 == 0:
            assert ground.run() in {"fresh", "refreshed"}, ground.error
        assert ground.store.now() < current(ground)["expiresAt"] / 1000
        ground.pass_seconds(600)

    assert FORCED_A_DAY == most_in_a_day(forced)
    assert ground.endpoint.grant.alive
    assert ground.endpoint.grant.accepts(current(ground)["refreshToken"])
    assert [] == refused


def watch_refusals(ground: Ground) -> list[str]:
    """Give a list to which the codes are added with which the services refuse a call from now on."""
    refused: list[str] = []
    handle = ground.store.handle

    def watched(operation: str, request: Any, **call: Any) -> Any:
        try:
            return handle(operation, request, **call)
        except ServiceError as error:
            if "specified secret value" not in error.message:
                refused.append(error.code)
            raise

    ground.store.handle = watched  # type: ignore[method-assign]
    return refused


class Function:
    """Lambda's client, for a function that is the real handler."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.forced: list[datetime] = []
        self.ages_seconds: list[float] = []

    def invoke(self, *, Payload: bytes, **_: object) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        event = json.loads(Payload)
        if event.get("force"):
            self.forced.append(now(self.ground))
            self.ages_seconds.append(self.ground.store.now() - current(self.ground)["issuedAt"] / 1000)
        return {"Payload": io.BytesIO(json.dumps({"outcome": self.ground.run(event)}).encode())}


def test_a_consumer_that_rejects_everything_asks_rarely(ground: Ground) -> None:
    """A day of an API that responds 401 each other minute: few forced refreshes, hours apart, none of a young token."""
    assert "refreshed" == ground.run({"force": True})
    function: Any = Function(ground)
    reader = TokenReader(
        TOKENS,
        client=ground.store.client(),
        background=False,
        refresh_function="worker",
        lambda_client=function,
        runtime=Runtime(clock=ground.store.now, chance=lambda: 0.5),
    )
    with Api() as api, httpx.Client(auth=httpx_auth.TokenAuth(reader)) as client:
        for minutes in range(0, 24 * 60, 2):
            assert 401 == client.get(api.url).status_code
            if minutes % 30 == 0:
                assert ground.run() in {"fresh", "refreshed"}, ground.error
            ground.pass_seconds(120)

    assert 1 <= len(function.forced) <= 4
    assert min(function.ages_seconds) >= 300
    assert all(later - earlier >= timedelta(hours=1) for earlier, later in pairwise(function.forced))
    assert ground.endpoint.grant.alive
    assert ground.endpoint.grant.accepts(current(ground)["refreshToken"])

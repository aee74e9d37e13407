"""Replicas of the published secret: what `status` and `doctor` say of each region."""

import json

import pytest

from cli.scene import Cli, Tokens
from testbed.builders import DAY
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.stored.tags import REPLICAS_TAG

AGAIN = (
    "aws secretsmanager replicate-secret-to-regions --secret-id published --add-replica-regions Region=eu-west-1 "
    "--region eu-central-1"
)


@pytest.fixture(autouse=True)
def published(cli: Cli, tokens: Tokens, store: SecretsManagerServer, environment: dict[str, str]) -> None:
    """A fresh token set and its copy, which the deployment replicates to one region."""
    environment["PUBLISHED_SECRET_ID"] = "published"
    store.client().create_secret(Name="published", Tags=[{"Key": REPLICAS_TAG, "Value": "eu-west-1 --help"}])
    tokens.store(expires_in=DAY)
    cli("refresh")


def test_in_sync(cli: Cli, store: SecretsManagerServer) -> None:
    """A replica that follows is healthy, and both commands say so."""
    store.secrets.replicate("published", eu_west_1="InSync")

    ended = cli("status")

    assert (0, True) == (ended.code, "eu-west-1 in sync" in ended.screen)
    assert "ok replicas: eu-west-1 in sync" in cli("doctor").screen
    assert [{"region": "eu-west-1", "status": "InSync"}] == json.loads(cli("status", "--json").out)["replicas"]


@pytest.mark.parametrize(("minutes", "code"), [(9, 0), (11, 1)])
def test_behind(cli: Cli, store: SecretsManagerServer, minutes: int, code: int) -> None:
    """Replication takes a moment after each refresh; only where it lasts, somebody should look."""
    store.secrets.replicate("published", eu_west_1="InProgress")
    store.clock_offset_seconds += 60 * minutes

    ended = cli("status")

    assert code == ended.code
    assert (code == 1) == ("the replica of published in eu-west-1 is behind for" in ended.screen)
    assert "eu-west-1 not in sync yet" in ended.screen


@pytest.mark.parametrize(("status", "said"), [({"eu_west_1": "Failed"}, "failed"), ({}, "is gone")])
def test_failed_or_gone(cli: Cli, store: SecretsManagerServer, status: dict[str, str], said: str) -> None:
    """A replica that failed, or that AWS removed, is broken: consumers there read old tokens, or none."""
    store.secrets.replicate("published", **status)

    ended = cli("status")

    assert 2 == ended.code
    assert f"the replica of published in eu-west-1 {said}: consumers there read old tokens, or none" in ended.screen
    assert AGAIN in ended.screen
    assert "FAILED tokens: the replica of published in eu-west-1" in cli("doctor").screen
    assert "--help" not in ended.screen


def test_without_the_permission(cli: Cli, store: SecretsManagerServer) -> None:
    """Who may not describe the published secret is told that nobody looked, and all else is as before."""
    store.fault("deny", "DescribeSecret", times=None)

    ended = cli("status")

    assert 0 == ended.code
    assert "not looked at, which takes secretsmanager:DescribeSecret on published" in ended.screen
    assert None is json.loads(cli("status", "--json").out)["replicas"]

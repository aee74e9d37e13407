"""docs/deploy.md, "Change the key": what the deployed policies open, while versions are under two keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.conftest import EVERYTHING
from infra.enforced import KEY, World, asks
from testbed.policy import IamPolicy
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.synthesis import Synthesis, synthesise
from token_refresh_worker.core.versions import CLAIM
from token_refresh_worker.handlers import refresh

if TYPE_CHECKING:
    from testbed.aws.faults import Call

OLD = KEY.replace("1234abcd-", "5678abcd-")
ENCRYPTED_ANEW = ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")
"""https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_update-encryption-key.html"""


@pytest.fixture
def deployed(code: Path) -> Synthesis:
    """Step 2 of the page: a new key, and the one before."""
    return synthesise(EVERYTHING | {"encrypt_logs": False, "kms_key": KEY, "previous_kms_keys": [OLD]}, code)


def enforce(world: World, policy: IamPolicy, under_the_old_key: set[str]) -> None:
    """Let a role call, and ask for the key of the day on which a version was stored."""

    def key_of(call: Call) -> str:
        secret = world.store.secrets.find(str(call.arn))
        labels = dict(secret.labels) if secret else {}
        version_id = call.version_id or labels.get(call.version_stages[0] if call.version_stages else "AWSCURRENT")
        return OLD if call.operation == "GetSecretValue" and version_id in under_the_old_key else KEY

    def authorize(call: Call) -> str | None:
        needed = [replace(a, resource=key_of(call)) if a.action.startswith("kms:") else a for a in asks(call)]
        refused = [ask for ask in needed if not policy.allows(ask)]
        return f"{refused[0].action} on {refused[0].resource}" if refused else None

    world.store.authorize = authorize


def test_the_next_refresh(deployed: Synthesis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that stays under the old key is read with it, and nothing is written under it any more."""
    with SecretsManagerServer() as store, TokenEndpoint(reuse="revokes") as endpoint:
        world = World(deployed, store, endpoint)
        world.fill_all(lives_seconds=60)
        with world.running(monkeypatch):
            refresh({}, None)
        secret = store.secrets.find(world.token)
        assert secret is not None
        labels = dict(secret.labels)
        stay = {v.version_id for v in secret.versions} - {labels.get(label, "") for label in ENCRYPTED_ANEW}
        assert labels[CLAIM] in stay
        policy = world.policy(deployed, deployed.policy_of_role("lambda.amazonaws.com"))
        enforce(world, policy, stay)

        with world.running(monkeypatch):
            ended = refresh({"force": True}, None)

    assert "refreshed" == ended["outcome"]
    assert [200, 200] == [request.status for request in endpoint.requests]
    assert ("kms:Decrypt", OLD) in {(action, resource) for _, action, resource in policy.used}
    assert {"kms:Decrypt"} == {action for _, action, resource in policy.grants(["kms:"]) if resource == OLD}

import tomllib
from pathlib import Path
from typing import Any

import pytest

from infra.conftest import EVERYTHING
from infra.enforced import ACCOUNT, FUNCTION, KEY, World, asks, refused, role_arn
from testbed.aws.faults import Call
from testbed.policy import Ask, IamPolicy
from testbed.synthesis import ROOT, Synthesis, synthesise
from token_refresh_worker.handlers import refresh

OF_THE_SECRETS = ("operators", "consumers")
"""What can't be said of secrets that are there already."""


class Retained:
    """The policies that stay on the secrets, in front of the store, and the role that calls."""

    def __init__(self, world: World, deployment: Synthesis) -> None:
        self._world = world
        self._of_secrets = {}
        for resource in deployment.resources("SecretsManager::ResourcePolicy"):
            secret = deployment.template["Resources"][resource["Properties"]["SecretId"]["Ref"]]
            statements = [without_principal(s) for s in resource["Properties"]["ResourcePolicy"]["Statement"]]
            anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
            policy = world.policy(deployment, [anything, *statements])
            self._of_secrets[world.arns[secret["Properties"]["Name"]]] = policy

    def admit(self, deployment: Synthesis, role: str) -> None:
        """Let the worker of a deployment call, with a role of this name: both kinds of policies decide."""
        own = self._world.policy(deployment, deployment.policy_of_role("lambda.amazonaws.com"))
        caller = {
            "aws:PrincipalArn": role_arn(role),
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalIsAWSService": "false",
            "aws:SecureTransport": "true",
            "lambda:SourceFunctionArn": FUNCTION,
        }

        def authorize(call: Call) -> str | None:
            of_secret = self._of_secrets.get(call.arn or "", IamPolicy(statements=[]))
            asked = Ask(action=f"secretsmanager:{call.operation}", resource=call.arn or "", context=caller)
            if of_secret.statements and not of_secret.allows(asked):
                return f"the secret's policy: {asked.action}"
            return refused(own, asks(call))

        self._world.store.authorize = authorize


def without_principal(statement: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in statement.items() if name != "Principal"}


@pytest.fixture
def again(world: World, code: Path) -> Synthesis:
    """A deployment that adopts what a destroyed one left, as docs/tutorial.md says."""
    page = (ROOT / "docs" / "tutorial.md").read_text("utf-8").split("## Destroyed and adopted again")[1]
    shown = tomllib.loads(page.split("```toml\n")[1].split("```")[0])
    left = {"token_secret": world.token, "published_secret": world.published, "kms_key": KEY}
    assert left.keys() <= shown.keys()
    kept = {name: value for name, value in EVERYTHING.items() if name not in OF_THE_SECRETS}
    return synthesise(kept | left, code)


def role_of(deployment: Synthesis) -> str:
    (name,) = [
        role["Properties"]["RoleName"]
        for role in deployment.resources("IAM::Role")
        if role["Properties"]["RoleName"].endswith("-worker")
    ]
    return str(name)


def test_adopted_again(world: World, everything: Synthesis, again: Synthesis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker of a new deployment refreshes what a destroyed one left: the policies that stayed name its role."""
    retained = Retained(world, everything)
    for deployment in (everything, again):
        retained.admit(deployment, role_of(deployment))
        with world.running(monkeypatch):
            assert "refreshed" == refresh({"force": True}, None)["outcome"]

    assert 2 == len(world.endpoint.requests)
    assert {"ok"} == {logged.outcome for logged in world.store.calls} - {"ResourceNotFoundException"}

"""Checks of `scripts/prove account` hold against the emulator, and fail where their assumption is broken there."""

import copy
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from account import checks_worker as checks
from account.account import Account, Contradicted, DeploymentFailed
from deployment.conftest import World
from testbed.emulator import ACCOUNT, REGION, Emulator, Stack
from testbed.synthesis import synthesise

Deploy = Callable[..., World]


def account_of(world: World) -> Account:
    """Give the deployed stack to the checks."""
    waits = [world.bring_forward]

    def pause(_seconds: float) -> None:
        if waits:
            waits.pop()()
        time.sleep(2)

    return Account(
        prefix="trw-check-abc123",
        region=REGION,
        spare_region="eu-west-1",
        make_client=lambda service, _region, _credentials=None: (
            world.store.client() if service == "secretsmanager" else world.stack.emulator.client(service)
        ),
        deployments=None,
        provider=Grants(world),
        conformance=(),
        outputs=world.stack.outputs,
        pause=pause,
    )


@dataclass(slots=True)
class Grants:
    """Begins grants at the testbed's provider."""

    world: World

    def authorize(self) -> dict[str, str]:
        document = self.world.endpoint.token_set(lives_seconds=0)
        return {name: str(value) for name, value in document.items() if name != "expiresAt"}


def test_refreshes(deploy: Deploy) -> None:
    """The deployed function refreshes on demand, and its schedule does by itself; without its policy it can't."""
    world = deploy(claim_table="create", token_lifetime_seconds=1800)

    assert "refreshed and published" in checks.refreshed_on_demand(account_of(world))
    assert "refreshed" in checks.refreshed_by_schedule(account_of(world))

    iam: Any = world.stack.emulator.client("iam")
    name, _ = world.stack.role()
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    with pytest.raises(Contradicted, match="a forced run ended as"):
        checks.refreshed_on_demand(account_of(world))


@dataclass(slots=True)
class Creations:
    """Creates stacks in the emulator; it takes any subnet, so another resource fails in its place."""

    emulator: Emulator
    code: Path
    stacks: dict[str, Stack] = field(default_factory=dict)

    def deploy(self, stack: str, values: Mapping[str, str]) -> dict[str, str]:
        given = {name: value for name, value in values.items() if not name.startswith("vpc_")}
        made = synthesise({**given, "stack": stack, "account": ACCOUNT, "region": REGION}, self.code)
        template = copy.deepcopy(made.template)
        if given != values:
            twice = [{"Key": "twice", "Value": value} for value in "ab"]
            kept = [name for name, r in template["Resources"].items() if r.get("DeletionPolicy")]
            trust = {"Version": "2012-10-17", "Statement": []}
            role = {"AssumeRolePolicyDocument": trust, "Tags": twice}
            template["Resources"]["Fails"] = {"Type": "AWS::IAM::Role", "Properties": role, "DependsOn": kept}
        self.stacks[stack] = Stack(emulator=self.emulator, name=stack, template=template)
        try:
            return self.stacks[stack].create(self.code).outputs
        except AssertionError as failed:
            raise DeploymentFailed(str(failed)) from None

    def delete(self, stack: str) -> None:
        self.emulator.client("cloudformation").delete_stack(StackName=stack)


def test_a_second_creation(emulator: Emulator, code: Path) -> None:
    """After a creation that failed, the same stack is created at once."""
    prefix = f"trw-check-{uuid.uuid4().hex[:6]}"
    account = Account(
        prefix=prefix,
        region=REGION,
        spare_region="eu-west-1",
        make_client=lambda *_: None,
        deployments=Creations(emulator, code),
        provider=None,
        conformance=(),
        values={"environment": prefix, "tags": f"{checks.TAG}={prefix}"},
    )

    assert "created at once" in checks.created_again(account)

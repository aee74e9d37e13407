"""Checks of `scripts/prove account` hold against the emulator, and fail where their assumption is broken there."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from account import checks_worker as checks
from account.account import Account, Contradicted
from deployment.conftest import World
from testbed.emulator import REGION

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

"""`doctor` and the account's quota of functions at once, which a fleet needs more of than a new account may have."""

from typing import Any, cast

import pytest

from cli.aws import Account
from cli.scene import Cli, grades
from token_refresh.advice import in_words
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.function import check_concurrency
from token_refresh_worker.cli.finding import Finding, Health


class LambdaAccount:
    """An account's Lambda, in the place of the command's context."""

    region = "eu-central-1"

    def __init__(self, left: int, *mappings: dict[str, Any]) -> None:
        self.responses: dict[str, dict[str, Any]] = {
            "lambda:GetAccountSettings": {
                "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": left}
            },
            "lambda:ListEventSourceMappings": {"EventSourceMappings": list(mappings)},
        }

    def ask(self, action: str, *_: str, **members: str) -> dict[str, Any]:
        assert members in ({}, {"FunctionName": "worker"})
        return self.responses[action]


def checked(left: int, *mappings: dict[str, Any]) -> Finding:
    return check_concurrency(cast("Context", LambdaAccount(left, *mappings)), "worker")


@pytest.mark.parametrize(
    ("left", "mappings", "health"),
    [
        (66, [], Health.HEALTHY),
        (65, [{}], Health.BROKEN),
        (10, [], Health.BROKEN),
        (10, [{"ScalingConfig": {"MaximumConcurrency": 8}}], Health.HEALTHY),
    ],
)
def test_the_quota(left: int, mappings: list[dict[str, Any]], health: Health) -> None:
    """What other functions leave must suffice for the runs at once that are deployed, dispatcher and resync."""
    assert health is checked(left, *mappings).health


def test_what_to_do() -> None:
    """A quota that is too small fails, with the command that asks for more."""
    found = checked(10)

    assert "lets 10 functions run at once, and the fleet uses 66" in found.text
    assert "--quota-code L-B99A9384 --desired-value 1000 --region eu-central-1" in in_words(found.remedy)


def test_of_a_fleet_alone(cli: Cli, account: Account) -> None:
    """The quota is checked for a fleet's worker, which has no schedule of its own."""
    account.deploy(variables={"FLEET_NAME": "prod", "CLAIM_TABLE": "prod"})
    found = grades(cli("doctor", "--function=worker", "--json"))

    assert "concurrent runs" in found
    assert "schedule" not in found

from pathlib import Path
from typing import Any

import pytest

from infra.conftest import BARE
from testbed.policy import Ask, Policy, resolve
from testbed.synthesis import Deployment, synthesise

BUS = "arn:aws:events:eu-central-1:123456789012:event-bus/grants"
DEFAULT = BUS.replace("grants", "default")
PLACE = {"account": "123456789012", "region": "eu-central-1", "token_lifetime_seconds": "86400"}


class Named(dict[str, str]):
    """What references resolve to: the partition is AWS's own, and all else stands for itself."""

    def __missing__(self, name: str) -> str:
        return "aws" if name == "AWS::Partition" else f"arn:aws:unnamed:::{name}"


@pytest.fixture(scope="module")
def with_bus(code: Path) -> Deployment:
    return synthesise(BARE | PLACE | {"event_bus": "grants"}, code)


@pytest.mark.parametrize(
    ("resource", "source", "allowed"),
    [
        (BUS, "token-refresh", True),
        (BUS, "somebody.else", False),
        (BUS.replace("grants", "default"), "token-refresh", False),
    ],
    ids=["its events", "another source", "another bus"],
)
def test_the_worker_sends_its_own_events_to_one_bus(
    with_bus: Deployment, resource: str, source: str, *, allowed: bool
) -> None:
    """The worker's role may send this project's events to the bus that is named, and no others and nowhere else."""
    policy = Policy(statements=resolve(with_bus.policy_of_role("lambda.amazonaws.com"), Named()))
    worker = Named()[f"{with_bus.logical_id('Lambda::Function')}.Arn"]
    context = {"events:source": source, "lambda:SourceFunctionArn": worker}
    ask = Ask(action="events:PutEvents", resource=resource, context=context)

    assert allowed == policy.allows(ask)
    assert "grants" == with_bus.one("Lambda::Function")["Environment"]["Variables"]["EVENT_BUS"]


def test_without_a_bus_nothing_is_sent(adopted: Deployment) -> None:
    """Without `event_bus` the worker has neither the variable nor the permission."""
    granted: list[Any] = [action for action, _ in adopted.permissions("lambda.amazonaws.com")]

    assert not any(action.startswith("events:") for action in granted)
    assert "EVENT_BUS" not in adopted.one("Lambda::Function")["Environment"]["Variables"]

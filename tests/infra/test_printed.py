"""What alarms, pages and messages print fits what the templates make: its names, and the commands themselves."""

import re
from pathlib import Path
from typing import Any

import pytest

from infra.conftest import FLEET, RECEIVER
from printed.everywhere import VALUE, check, of_help, of_messages, of_pages
from testbed.synthesis import Deployment, synthesise

FUNCTION = re.compile(r"--(?:function|invoke|function-name)[= ](token-refresh\S*)")


def text(value: Any) -> str:
    """A text of a template, with `VALUE` for what CloudFormation fills in."""
    if isinstance(value, str):
        return value
    parts = value["Fn::Join"][1] if "Fn::Join" in value else [VALUE]
    return "".join(part if isinstance(part, str) else VALUE for part in parts)


def first_commands(deployment: Deployment) -> dict[str, str]:
    """The command that each alarm's description says to run first."""
    alarms = deployment.resources("CloudWatch::Alarm") + deployment.resources("CloudWatch::CompositeAlarm")
    texts = {a["Properties"]["AlarmName"]: text(a["Properties"]["AlarmDescription"]) for a in alarms}
    found = {name: re.search(r"First: (.+?)\.?$", said) for name, said in texts.items()}
    assert all(found.values()), [name for name, match in found.items() if not match]
    return {name: match[1] for name, match in found.items() if match}


def functions(deployment: Deployment) -> set[str]:
    return {function["Properties"]["FunctionName"] for function in deployment.resources("Lambda::Function")}


@pytest.fixture(scope="module")
def fleet(code: Path) -> Deployment:
    return synthesise(FLEET, code)


@pytest.fixture(scope="module")
def receiver(code: Path) -> Deployment:
    return synthesise(RECEIVER, code)


def test_commands_of_alarms(plain: Deployment, with_table: Deployment, fleet: Deployment, receiver: Deployment) -> None:
    """Each alarm's first command is one that its program takes, with the region, and a log or function of the stack."""
    for deployment in (plain, with_table, fleet, receiver):
        found = first_commands(deployment)
        groups = {group["Properties"]["LogGroupName"] for group in deployment.resources("Logs::LogGroup")}
        assert len(found) > 4
        for line in found.values():
            check(line)
            assert re.search(r" --region \S+$", line)
            assert {*re.findall(r"logs tail (/\S+)", line)} <= groups
            assert {*FUNCTION.findall(line)} <= functions(deployment)


def test_names_of_functions(plain: Deployment) -> None:
    """A function that a page, help or a message names is called so by the template of `infra/deployments/prod.toml`."""
    printed = {name for _, line in [*of_pages(), *of_help(), *of_messages()] for name in FUNCTION.findall(line)}

    of_fleet = {"token-refresh-prod-fleet-prod"}  # `mode = "fleet"`, `fleet = "prod"` (docs/fleet-operations.md)
    assert printed - of_fleet == functions(plain)

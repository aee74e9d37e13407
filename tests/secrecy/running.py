"""One run of a scenario in a function of its own, and the secrets that it meets."""

import os
from pathlib import Path
from typing import Final

from secrecy.canaries import random_part
from secrecy.preparations import IN_ENVIRONMENT, IN_STORE, PLANTED
from secrecy.scenarios import Scenario
from testbed.aws_lambda.function import Function, Invoked
from testbed.testbed import Testbed

TESTS: Final = Path(__file__).parents[1]
PATH: Final = f"{TESTS}{os.pathsep}{TESTS.parent}"
"""Where a process of its own finds the tests and the testbed."""


def run(function: Function, scenario: Scenario, world: Testbed) -> Invoked:
    """Run, with secrets in the token document and in the environment."""
    world.save({**world.document, "password": IN_STORE, "nested": {IN_STORE: [IN_STORE]}})
    scenario.prepare(world)
    environment = world.environment | {
        "LOG_LEVEL": "DEBUG",
        "UPWORK_CLIENT_ID": IN_ENVIRONMENT,
        "UPWORK_CLIENT_SECRET": IN_ENVIRONMENT,
        **scenario.environment,
    }
    return function.invoke(
        {"event": scenario.event, "environment": environment, "defect": scenario.defect},
        deadline_seconds=scenario.deadline_seconds,
    )


def secrets_of(world: Testbed) -> dict[str, str]:
    """Return everything that must appear nowhere, by name."""
    issued = {f"token {number}": random_part(token) for number, token in enumerate(world.endpoint.grant.secrets)}
    return {**PLANTED, **issued, "client secret": random_part(world.endpoint.client_secret)}

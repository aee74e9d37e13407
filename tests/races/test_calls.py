from __future__ import annotations

import json
import subprocess
import sys

import pytest

from races.world import PROVIDERS, Provider, World

IN_A_FRESH_INTERPRETER = """
import json, sys
from token_refresh.handler import handler
outcome = handler({}, None)["outcome"]
print(json.dumps([outcome, sorted({"httpx", "structlog", "tenacity"} & set(sys.modules))]))
"""


def test_fresh() -> None:
    """A run that finds the token fresh makes two calls, and imports no HTTP client, no retries and no structlog."""
    with World(due=False) as world:
        world.run({"force": True})
        before = len(world.store.calls)

        printed = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", IN_A_FRESH_INTERPRETER], env=world.environment, capture_output=True, check=True
        ).stdout

        assert ["fresh", []] == json.loads(printed.splitlines()[-1])
        assert 2 == len(world.store.calls) - before
        assert 1 == world.requests_sent


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_refresh(provider: Provider) -> None:
    """A run that refreshes makes nine calls and one token request, its client secret included, day after day."""
    with World(provider) as world:
        for day in range(1, 5):
            before = len(world.store.calls)

            assert "refreshed" == world.run().name
            assert (9, day) == (len(world.store.calls) - before, world.requests_sent)
            world.pass_until_due()

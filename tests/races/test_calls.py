from __future__ import annotations

import json
import subprocess
import sys

import pytest

from testbed.testbed import PROVIDERS, Provider, Testbed

IN_A_FRESH_INTERPRETER = """
import json, sys
from token_refresh.handler import handler
outcome = handler({}, None)["outcome"]
print(json.dumps([outcome, sorted({"httpx", "structlog", "tenacity"} & set(sys.modules))]))
"""


def test_fresh() -> None:
    """A run that finds the token fresh makes two calls, and imports no HTTP client, no retries and no structlog."""
    with Testbed(due=False) as testbed:
        testbed.run({"force": True})
        before = len(testbed.store.calls)

        printed = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", IN_A_FRESH_INTERPRETER], env=testbed.environment, capture_output=True, check=True
        ).stdout

        assert ["fresh", []] == json.loads(printed.splitlines()[-1])
        assert 2 == len(testbed.store.calls) - before
        assert 1 == testbed.requests_sent


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_refresh(provider: Provider) -> None:
    """A run that refreshes makes nine calls and one token request, its client secret included, day after day."""
    with Testbed(provider) as testbed:
        for day in range(1, 5):
            before = len(testbed.store.calls)

            assert "refreshed" == testbed.run().name
            assert (9, day) == (len(testbed.store.calls) - before, testbed.requests_sent)
            testbed.pass_until_due()

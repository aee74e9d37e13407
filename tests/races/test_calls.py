from __future__ import annotations

import pytest

from testbed.testbed import PROVIDERS, Provider, Testbed


def test_fresh() -> None:
    """A run that finds the token fresh makes two calls."""
    with Testbed(due=False) as testbed:
        testbed.run({"force": True})
        before = len(testbed.store.calls)

        assert "fresh" == testbed.run().name
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

from __future__ import annotations

import pytest

from races.world import PROVIDERS, Provider, World


def test_fresh() -> None:
    """A run that finds the token fresh makes two calls."""
    with World(due=False) as world:
        world.run({"force": True})
        before = len(world.store.calls)

        assert "fresh" == world.run().name
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

"""Rule 4: the current token was used, and the tokens that it brought are gone."""

import pytest

from builders import SINGLE_USE
from run.world import World
from token_refresh.errors import ReauthorizationRequired
from token_refresh_worker.core.versions import CURRENT


def test_a_used_token_whose_successor_is_gone_is_not_sent() -> None:
    """The error names the secret and the command: sent again, the token could revoke the grant."""
    world = World(policy=SINGLE_USE)
    versions = [world.labels()[CURRENT]]
    for _ in range(2):
        world.execute(force=True)
        versions.append(world.labels()[CURRENT])
    world.store.move_label(CURRENT, to=versions[0], remove_from=versions[2])
    for version_id in versions[1:]:
        world.model.drop("tokens", version_id)

    with pytest.raises(ReauthorizationRequired, match=r"`token-refresh authorize tokens --region eu-central-1`"):
        world.execute()
    assert 2 == len(world.endpoint.requests)

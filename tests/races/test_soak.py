from __future__ import annotations

from races.soak import Soak


def test_short_soak() -> None:
    """A few random rounds of kills, faults, forced runs and operators break no invariant, from a fixed seed."""
    soak = Soak(seed=20261124)

    for _ in range(3):
        soak.life(rounds=3)

    assert soak.endings["killed"] > 0
    assert soak.endings["refreshed"] > 0

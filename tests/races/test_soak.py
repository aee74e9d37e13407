from races.soak import Soak


def test_short_soak() -> None:
    """A few random rounds of kills, faults, forced runs and operators break no invariant, from a fixed seed."""
    soak = Soak(seed=20261124)

    for lives in range(1, 13):
        soak.life(rounds=3)
        # Which call a kill or a hold meets depends on who is faster.
        if lives >= 3 and soak.endings["killed"] and soak.endings["refreshed"]:
            break

    assert soak.endings["killed"] > 0
    assert soak.endings["refreshed"] > 0

"""Rule 6: nothing is due; and how often a schedule looks."""

from dataclasses import replace

from run.world import World
from testbed.builders import MINUTE, NOW


def test_a_schedule_that_is_slower_than_the_window_is_warned_of() -> None:
    """Tokens that live half an hour expire between runs that are forty minutes apart: each run says so."""
    world = World(expires_at=NOW + 25 * MINUTE, issued_at=NOW - 5 * MINUTE)
    for period, warned in ((40 * MINUTE, True), (10 * MINUTE, False), (None, False)):
        world.log.events.clear()
        run = world.run()
        run.parts = replace(run.parts, run_period=period)
        run.execute()
        assert warned is ("token_lifetime_too_short" in world.log.events)

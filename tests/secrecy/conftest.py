"""Worlds in which scenarios begin anew: a function makes its clients once, most of what an invocation costs."""

from collections.abc import Callable, Iterator

import pytest

from secrecy.scenarios import Scenario
from testbed.testbed import Testbed


@pytest.fixture(scope="module")
def world_of() -> Iterator[Callable[[Scenario], Testbed]]:
    """Give a scenario its world."""
    with Testbed() as plain, Testbed(table=True, keeps=True) as keeping:

        def begun(scenario: Scenario) -> Testbed:
            world = keeping if scenario.keeps else plain
            world.begin_anew()
            return world

        yield begun

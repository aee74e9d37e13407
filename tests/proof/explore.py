"""Visit every world that is reachable within a scenario's bounds, the nearest first, so that a trace is shortest."""

import time
from dataclasses import dataclass, field

from proof.ports import searching
from proof.rules import Change, Rules, canonical
from proof.traces import tell
from proof.world import Scenario, Violation, World


@dataclass(slots=True)
class Result:
    """What one search found."""

    scenario: Scenario
    worlds: int
    left_alone: int
    """Different stored states, with a provider and a time, from which undisturbed runs were made."""
    windows: int
    """Worlds in which the one window was hit: a token set was issued, and nobody who could store it is left."""
    complete: bool
    seconds: float
    violation: str | None = None
    trace: list[str] = field(default_factory=list)


def search(scenario: Scenario, *, worlds_limit: int | None = None, seconds_limit: float | None = None) -> Result:
    """Visit every world of a scenario, or as many as the limits say, up to the first violation."""
    with searching(scenario):
        return _Search(scenario).run(worlds_limit, seconds_limit)


class _Search:
    def __init__(self, scenario: Scenario) -> None:
        self._rules = Rules(scenario)
        first = self._rules.start()
        self._known = {first}
        self._worlds = [first]
        self._parents = [-1]

    def run(self, worlds_limit: int | None, seconds_limit: float | None) -> Result:
        began = time.process_time()
        at, found = 0, None
        while at < len(self._worlds) and found is None:
            if worlds_limit is not None and len(self._worlds) >= worlds_limit:
                break
            if seconds_limit is not None and at % 256 == 0 and time.process_time() - began > seconds_limit:
                break
            found = self._visit(at)
            at += 1
        violation, trace = (None, []) if found is None else (found[0], self._trace(at - 1, *found))
        return Result(
            scenario=self._rules.scenario,
            worlds=len(self._worlds),
            left_alone=len(self._rules.progress),
            windows=sum(1 for world in self._worlds if world.lost),
            complete=found is None and at == len(self._worlds),
            seconds=time.process_time() - began,
            violation=violation,
            trace=trace,
        )

    def _visit(self, at: int) -> tuple[str, Change | None] | None:
        """Check one world, and note those that follow it; give what is violated, and by which change."""
        world = self._worlds[at]
        try:
            self._rules.check(world)
        except Violation as violation:
            return str(violation), None
        for change in self._rules.changes(world):
            if change.world is None:
                return str(change.violation), change
            then = canonical(change.world)
            if then not in self._known:
                self._known.add(then)
                self._worlds.append(then)
                self._parents.append(at)
        return None

    def _trace(self, at: int, violation: str, last: Change | None) -> list[str]:
        path: list[World] = []
        while at >= 0:
            path.append(self._worlds[at])
            at = self._parents[at]
        return tell(self._rules, path[::-1], last, violation)

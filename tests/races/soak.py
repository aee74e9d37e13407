"""Schedules, forced runs, kills, faults and operators at random, with the invariants checked after each round.

`scripts/prove soak --seed N --rounds N` prints its seed first, so that what it finds can be run again.
"""

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, get_args

from testbed.aws.faults import Action
from testbed.provider import script
from testbed.testbed import PROVIDERS, Testbed
from testbed.worker import FORCED, KILLED, SCHEDULED, Ended
from token_refresh import errors
from token_refresh_worker.core.schedule import SETTLED

OUTCOMES: Final = {"fresh", "refreshed", "recovered", "superseded", "yielded"}
ERRORS: Final = {name for name in vars(errors) if isinstance(getattr(errors, name), type)} - {"InternalError"}
ROUNDS_PER_WORLD: Final = 6

_FAULTS: Final = [action for action in get_args(Action) if not action.startswith("hold")]
_RESPONSES: Final = (
    script.close(),
    script.close(read=False),
    script.close(commit=True),
    script.html(403),
    script.html(502, commit=True),
    script.error("invalid_client", http_status=401),
    script.status(429),
    script.status(200, {"error": "server_error"}),
    script.truncated(commit=True),
)


class Violation(Exception):  # noqa: N818 - it is no error of the program but what it looks for
    """An invariant does not hold."""


class Soak:
    """Random rounds on one testbed after the other."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.endings: Counter[str] = Counter()
        self.lost = 0
        """Grants that fell into the one window: the provider had committed and no version held what it issued."""

    def life(self, rounds: int) -> None:
        """Live through `rounds` rounds on one secret.

        Raises:
            Violation: An invariant does not hold.
        """
        dice = self._random
        provider, due, table, full = (
            dice.choice(PROVIDERS),
            dice.random() < 0.7,
            dice.random() < 0.5,
            dice.random() < 0.5,
        )
        with Testbed(provider, due=due, table=table, full=full) as testbed:
            if dice.random() < 0.5:
                testbed.read_stale(seed=dice.randrange(1 << 32))
            for _ in range(rounds):
                self._disturb(testbed)
                self._runs(testbed)
                self._calm(testbed)
                self._check(testbed)
                self._pass_time(testbed)

    def _disturb(self, testbed: Testbed) -> None:
        dice = self._random
        for _ in range(dice.choice((0, 0, 1, 2))):
            dice.choice((testbed.store, testbed.claims)).fault(
                dice.choice(_FAULTS), nth=dice.randint(1, 20), times=dice.choice((1, 1, 3)), seconds=dice.random() / 5
            )
        if dice.random() < 0.3:
            testbed.endpoint.play(dice.choice(_RESPONSES))

    def _runs(self, testbed: Testbed) -> None:
        """Start one to four runs at once, stop at a random call, and kill one of them there."""
        dice = self._random
        is_held, let_go = self._hold(testbed)
        forced = dice.random() < 0.3
        events = [FORCED] * forced + [SCHEDULED] * dice.choice((1, 1, 2, 3))
        workers = [testbed.begin(event) for event in events]
        victim = dice.choice(workers)
        while not (held := is_held(0.02)) and any(worker.running for worker in workers):
            pass
        if held:
            if dice.random() < 0.8:
                victim.kill()
            if dice.random() < 0.2:
                self._edit(testbed)
            let_go()
        # The forced run last: it may wait for the claim of the one that was killed, and is alone then.
        for worker in reversed(workers):
            if worker is workers[0] and forced and worker.running:
                testbed.pass_claim()
            ended = worker.wait()
            self.endings[ended.name] += 1
            _check_ending(ended)

    def _hold(self, testbed: Testbed) -> tuple[Callable[[float], bool], Callable[[], None]]:
        """Hold a random call; return what asks whether it is held, and what lets it go."""
        dice = self._random
        if dice.random() < 0.25:
            testbed.endpoint.play(script.hold(dice.choice(("before_commit", "after_commit"))))
            return testbed.endpoint.is_held, testbed.endpoint.release
        action: Action = dice.choice(("hold_before", "hold_after"))
        service = dice.choice((testbed.store, testbed.store, testbed.claims))
        hold, apply = service.fault(action, nth=dice.randint(1, 10)), dice.random() < 0.5

        def let_go() -> None:
            hold.release(apply=apply)
            hold.over.wait()

        return hold.reached.wait, let_go

    def _edit(self, testbed: Testbed) -> None:
        """Save an edited copy of the tokens, as an operator would who knows nothing of the worker."""
        testbed.save({**testbed.document, "note": f"edited {self._random.random()}"})

    def _calm(self, testbed: Testbed) -> None:
        """Let everything that disturbed end, and every claim and backoff; what was held is dropped."""
        testbed.clear_faults()
        testbed.endpoint.unplay()

    def _check(self, testbed: Testbed) -> None:
        """Check what must hold after a round, with runs that nobody disturbs."""
        ended = _run_until_done(testbed)
        for run in ended:
            _check_ending(run)
        if ended[-1].name == "RefreshOutcomeUnknown":
            if not testbed.access_token_valid:
                raise Violation("a hold left consumers without a valid access token")
            testbed.pass_hold()
            ended += _run_until_done(testbed)
        self.endings.update(run.name for run in ended)
        if testbed.alive:
            return
        if testbed.newest_stored:
            raise Violation(f"a grant was lost whose tokens are all stored, at a provider of {testbed.provider.name}")
        if testbed.provider.reuse != "revokes":
            raise Violation(f"a grant was lost at a provider of {testbed.provider.name}")
        self.lost += 1
        testbed.pass_until_due()
        testbed.pass_hold()
        if (last := _run_until_done(testbed)[-1].name) != "ReauthorizationRequired":
            raise Violation(f"a dead grant ended in {last}")
        testbed.authorize()
        testbed.pass_seconds(SETTLED.total_seconds() + 1)  # Before that, a read may still show the dead grant.
        if (names := [run.name for run in _run_until_done(testbed)])[-1] != "fresh" or not testbed.alive:
            raise Violation(f"a new authorization did not heal: {names}")

    def _pass_time(self, testbed: Testbed) -> None:
        """Let time pass, or an operator act."""
        dice = self._random
        actions: tuple[Callable[[], None], ...] = (
            lambda: None,
            testbed.pass_claim,
            testbed.pass_until_due,
            testbed.pass_until_due,
            testbed.authorize,
            lambda: self._edit(testbed),
        )
        dice.choice(actions)()


def _run_until_done(testbed: Testbed) -> list[Ended]:
    """Run until done, and restore what a run names: a consent saved by hand may lie over a set that still lives."""
    ended = testbed.run_until_done()
    if ended[-1].name != "InvalidSecretDocument":
        return ended
    named = re.search(r"restore \S+ --region \S+ --version ([0-9a-f-]+)", ended[-1].message or "")
    if named is None:  # Such as a document that is not complete.
        raise Violation(f"a run found no token document: {ended[-1].message}")
    testbed.restore(named[1])
    ended += testbed.run_until_done()
    if ended[-1].name == "InvalidSecretDocument":
        raise Violation(f"what was restored leads nowhere: {ended[-1].message}")
    return ended


def _check_ending(ended: Ended) -> None:
    if ended.name not in OUTCOMES | ERRORS | {KILLED}:
        raise Violation(f"a run ended in {ended.name}")
    if ended.name != KILLED and len(ended.last_lines) != 1:
        raise Violation(f"a run that ended in {ended.name} logged {len(ended.last_lines)} last lines")


def main() -> int:
    """Soak; 1 where an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="scripts/prove soak", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.rounds} rounds", flush=True)
    soak = Soak(options.seed)
    begun = time.monotonic()
    try:
        for done in range(0, options.rounds, ROUNDS_PER_WORLD):
            soak.life(min(ROUNDS_PER_WORLD, options.rounds - done))
            print(f"\r{done + ROUNDS_PER_WORLD} rounds", end="", file=sys.stderr)
    except Violation as violation:
        print(f"\nseed {options.seed}: {violation}")
        return 1
    print(f"\n{soak.endings.total()} runs in {time.monotonic() - begun:.0f} s, no invariant broken")
    print(*(f"{count:6} {name}" for name, count in soak.endings.most_common()), sep="\n")
    print(f"{soak.lost} grants fell into the window of single use, and each was authorized again")
    return 0


if __name__ == "__main__":
    sys.exit(main())

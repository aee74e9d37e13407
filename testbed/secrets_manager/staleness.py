"""Stale reads: Secrets Manager is eventually consistent, so a read may give an earlier state, and the next a newer one.

    server.staleness = Staleness(writes=8, seconds=300, seed=1)

From then on each client's read of a secret gives its present state or one of the last `writes` states that were
replaced less than `seconds` ago, at random: back and forth.
"""

import random
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from testbed.secrets_manager.state import StoredSecret

READS = frozenset({"GetSecretValue", "DescribeSecret", "ListSecretVersionIds"})


@dataclass(slots=True)
class Staleness:
    """How old reads may be."""

    writes: int
    seconds: float
    seed: int = 0
    likelihood: float = 0.5
    """How often a read is stale, where an earlier state is young enough."""
    reads: int = 0
    """How many reads were stale so far."""
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable on purpose

    def choose(self, past: list[StoredSecret]) -> StoredSecret | None:
        """Choose an earlier state, or None for the present."""
        if not past or self._random.random() >= self.likelihood:
            return None
        self.reads += 1
        return self._random.choice(past)


class EarlierStates:
    """The states that each secret had before its last writes."""

    def __init__(self, *, depth: int = 16) -> None:
        self._states: dict[str, deque[tuple[float, StoredSecret]]] = defaultdict(lambda: deque(maxlen=depth))

    def replaced(self, secret: StoredSecret, at: float) -> None:
        """Note the state that a write has just replaced."""
        self._states[secret.arn].append((at, secret))

    def of(self, secret: StoredSecret, staleness: Staleness, now: float) -> list[StoredSecret]:
        """Return the states that a read may still see, the newest first."""
        return list(self._young(secret.arn, staleness, now))

    def _young(self, arn: str, staleness: Staleness, now: float) -> Iterator[StoredSecret]:
        for at, secret in list(reversed(self._states[arn]))[: staleness.writes]:
            if now - at > staleness.seconds:
                return
            yield secret

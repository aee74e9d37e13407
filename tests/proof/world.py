"""What a world is, what its numbers stand for, and how far one search goes."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, NamedTuple, TypeVar

from token_refresh.core.schedule import Policy

EPOCH_SECONDS: Final = 1_800_000_000
"""When a search begins, by the service's clock."""

LIFETIME_SECONDS: Final = 86_400
WINDOW_SECONDS: Final = 28_800
GRACE_SECONDS: Final = 86_400
DUE_SECONDS: Final = 4 * 3600
"""How far off the first token set's expiry is: inside the window, and before its last quarter."""

CLAIM_SECONDS: Final = 120
RUN_SECONDS: Final = 60
"""The time limit of the function: a run that is older was ended by Lambda."""

CLAIM_ENDS: Final = CLAIM_SECONDS + 1
GRACE_ENDS: Final = GRACE_SECONDS + 1


class Budget(NamedTuple):
    """How often each kind of misfortune may still strike in one history."""

    crashes: int = 0
    losses: int = 0
    """Replies lost: the adapter repeats a store's call; a token request stays without an answer."""
    faults: int = 0
    """Calls that fail for good, applied or not; a token request is refused for the client's sake."""
    operator: int = 0
    """Actions of a person."""
    jumps: int = 0
    """Jumps of the service's clock, taken from the scenario's list."""


class Worker(NamedTuple):
    """Where one worker stands: a run that is under way, and the runs that follow it."""

    plan: str
    """A letter for each run that is left, this one first: `s` scheduled, `f` forced."""
    node: int
    """The history of the run that is under way: which replies it had so far."""
    sent_again: bool = False
    """Whether the call that it is about to make was carried out once already, and the reply lost."""
    unstored: int = -1
    """The family of which it holds tokens that are not stored yet; -1 for none."""
    superseded: bool = False
    """Whether the grant was rejected when another version was current already."""


class World(NamedTuple):
    """One state of everything; equal worlds have equal futures. Numbers stand for interned values."""

    store: int
    provider: int
    now: int
    budget: Budget
    lost: int
    """Families (one bit each) of which a token set was issued and, by a crash or a lost reply, never stored."""
    unknown: bool
    """Whether a run died, or lost a reply, so that an outcome may be unknown."""
    faulted: bool
    """Whether a call failed for good."""
    workers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The bounds of one search."""

    name: str
    provider: str
    plans: tuple[str, ...]
    """The runs of each worker, a letter each; a run follows the one before when that ended or died."""
    budget: Budget
    jumps: tuple[int, ...] = ()
    """By how many seconds the service's clock jumps; each at any point, in this order."""
    operator: tuple[str, ...] = ()
    """What the operator may do."""
    published: bool = False
    paused: bool = False
    """Whether a run may outlive its time limit, frozen and thawed, as Lambda's never do."""
    time_to_live_seconds: int = CLAIM_SECONDS
    floored: bool = False
    """Whether the service's `Date`, which has whole seconds, lies before the `CreatedDate` of what was just stored."""

    @property
    def grace_seconds(self) -> int:
        """What the provider documents, and `REPLAY_GRACE_SECONDS` says; a static provider never ends it."""
        return {"single-use": 0, "grace": GRACE_SECONDS, "static": GRACE_SECONDS}[self.provider]

    @property
    def policy(self) -> Policy:
        """The worker's configuration."""
        return Policy(
            refresh_window=timedelta(seconds=WINDOW_SECONDS),
            replay_grace=timedelta(seconds=self.grace_seconds),
            claim_time_to_live=timedelta(seconds=self.time_to_live_seconds),
        )

    @property
    def bounds(self) -> str:
        """Say them in one line."""
        b = self.budget
        said = [
            "workers " + " ".join(self.plans),
            *(f"{count} {name}" for name, count in zip(_NAMES, b, strict=True) if count),
            *(["jumps of " + ", ".join(f"{seconds} s" for seconds in self.jumps)] if self.jumps else []),
            *(["operator: " + ", ".join(self.operator)] if self.operator else []),
            *(["published copy"] if self.published else []),
            *(["runs outlive their time limit"] if self.paused else []),
            *(["`Date` a fraction of a second behind `CreatedDate`"] if self.floored else []),
        ]
        return "; ".join(said)


_NAMES: Final = ("crashes", "lost replies", "faults", "operator actions", "clock jumps")

T = TypeVar("T", bound=Hashable)


class Interned(Generic[T]):
    """Numbers for values, so that worlds are small and quickly compared."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}
        self._values: list[T] = []

    def number(self, value: T) -> int:
        """Give the value's number, a new one where it is new."""
        number = self._numbers.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number

    def __getitem__(self, number: int) -> T:
        return self._values[number]

    def __len__(self) -> int:
        return len(self._values)


class Violation(Exception):  # noqa: N818 - it is what was found, in a program that looks for it
    """What must hold does not."""

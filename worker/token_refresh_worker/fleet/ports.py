"""What a fleet needs of the world; `aws` implements it, and fakes pass the same contract tests."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from token_refresh_worker.fleet.core.breaker import StoreHealth
from token_refresh_worker.fleet.core.enrolment import Tombstone
from token_refresh_worker.fleet.core.fleet import Handed, Message
from token_refresh_worker.fleet.core.row import Change, Pause, Pauses, Row

CLOCK_TICK: Final = timedelta(seconds=1)
"""AWS gives the time in whole seconds, so the order of two runs this close is unknown: the later report counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What the index says about one secret."""

    row: Row
    pauses: Pauses
    breakers: frozenset[str] = frozenset()
    """The hosts and providers whose breaker is open."""
    store: StoreHealth = field(default_factory=StoreHealth)
    """What the workers noted about Secrets Manager."""
    read_at: datetime
    """By the clock of DynamoDB."""


class Index(Protocol):
    """The index of one fleet. Every method raises a `TokenRefreshError` if the table refuses or can't be reached."""

    def rows(self) -> Iterator[Row]:
        """Read all rows; changes of the last minutes may be missing."""

    def read_again(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Read these rows as they are now, in any order, without those that have left the fleet."""

    def read_clock(self) -> datetime:
        """Read the time by the table's clock, which decides what is due; this machine's may be wrong."""

    def pauses(self) -> Pauses:
        """Read the pauses of the fleet and of its providers."""

    def entry(self, secret_arn: str) -> IndexEntry | None:
        """Read one secret's row, pauses and open breakers, consistently; None if the secret is not in the fleet."""

    def report(self, row: Row, *, over: Row | None = None) -> bool:
        """Store what a run left.

        False if a newer run has reported, or the secret has left the fleet; with `over` also if any run has reported
        since that row was read.
        """

    def announced(self, secret_arn: str, change: Change) -> None:
        """Remember that the bus took the event of a change."""

    def add(self, row: Row) -> bool:
        """Add a row; False if the secret has one. What left comes back as it was, and due."""

    def look_at(self, secret_arn: str, now: datetime) -> bool:
        """Make a secret due; False if it is not in the fleet."""

    def remove(self, secret_arn: str, now: datetime, *, quietly: bool) -> Row | None:
        """Turn a row into a tombstone, or `quietly` a tombstone into a quiet one that left now.

        The secret and its claims stay. Returns the row as it was; None if there is neither.
        """

    def tombstones(self) -> Iterator[Tombstone]:
        """Read the secrets that left within a week, and some that left earlier."""

    def pause(self, pause: Pause | None, *, secret_arn: str | None = None, provider: str | None = None) -> bool:
        """Pause one secret, one provider, or the fleet, or resume it; False if the secret is not in the fleet."""

    def handed_out(self, now: datetime) -> Mapping[str, Handed]:
        """Give what was handed out lately, by the messages' IDs."""

    def tell_breakers(self, lanes: Iterable[str], now: datetime) -> None:
        """Tell the workers which breakers are open: for five minutes, or until the next call."""

    def remember(self, messages: Mapping[str, str], now: datetime) -> None:
        """Remember messages that were sent, and their groups, by their IDs."""

    def store(self) -> StoreHealth:
        """Read what the workers noted about Secrets Manager."""

    def dispatched_at(self) -> datetime | None:
        """Read when a dispatcher last told the workers which breakers are open; None if none ever did."""

    def note_refused(self, secret_arn: str) -> None:
        """Note that Secrets Manager refused a secret."""

    def note_taken(self, now: datetime) -> None:
        """Note that Secrets Manager took a secret's new tokens."""


Send = Callable[[Sequence[Message]], list[str]]
"""Sends messages to the queue between dispatcher and worker, and gives the IDs of those that it took."""

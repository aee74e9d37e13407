"""What stays of a secret that left a fleet: a tombstone, which `fleet status` shows for a week."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from token_refresh.aws.arn import secret_name

TOMBSTONES_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """One secret that left."""

    secret_arn: str
    provider: str
    left_at: datetime
    quietly: bool
    """Whether `fleet remove` took it out; otherwise its tag or the secret itself vanished."""

    @property
    def name(self) -> str:
        """The secret's name, without the six characters that Secrets Manager appends."""
        return secret_name(self.secret_arn)


def standing(tombstones: Iterable[Tombstone], now: datetime) -> list[Tombstone]:
    """Return those of the last week, the newest first."""
    # DynamoDB deletes late, by days at times.
    recent = [stone for stone in tombstones if stone.left_at > now - TOMBSTONES_KEPT]
    return sorted(recent, key=lambda stone: (stone.left_at, stone.secret_arn), reverse=True)

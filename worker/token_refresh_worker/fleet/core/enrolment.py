"""Who is in a fleet: what a resync changes in the index, given the secrets that carry the fleet's tag, and who left.

A secret joins by the tag `token-refresh:fleet` with the fleet's name, and leaves when the tag or the secret is gone. It
leaves a tombstone, which `fleet status` shows for a week.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from token_refresh.aws.arn import secret_name
from token_refresh_worker.fleet.core.row import UNKNOWN_PROVIDER, Row, State

TOMBSTONE_LIFE: Final = timedelta(days=7)


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


def recent_tombstones(tombstones: Iterable[Tombstone], now: datetime) -> list[Tombstone]:
    """Return those of the last week, the newest first."""
    # DynamoDB deletes late, by days at times.
    recent = [stone for stone in tombstones if stone.left_at > now - TOMBSTONE_LIFE]
    return sorted(recent, key=lambda stone: (stone.left_at, stone.secret_arn), reverse=True)


FLEET_TAG: Final = "token-refresh:fleet"
PROVIDER_TAG: Final = "token-refresh:provider"
"""Optional: the provider under which a secret is scheduled until its first run has read the document."""

STALE: Final = timedelta(minutes=10)
"""`ListSecrets` may be five minutes behind; rows and changes that are younger are left alone."""

BELIEVABLE_LOSS: Final = 5
"""A listing that lacks more secrets than this and than a fifth of the fleet removes none: it is probably incomplete."""

_WAITS_FOR_A_PERSON: Final = frozenset({State.REAUTHORIZE, State.EMPTY, State.ERROR, State.HELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedSecret:
    """One secret as `ListSecrets` describes it, without its value."""

    secret_arn: str
    tags: Mapping[str, str]
    changed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync:
    """What to change in the index."""

    add: Sequence[Row]
    look_at: Sequence[Row]
    """Rows whose secret a person may have repaired, with `next_at` moved to now."""
    remove: Sequence[Row]
    not_believed: int
    """Rows that the listing lacks and that were kept, because it lacks too many."""
    size: int
    """Rows before the changes."""


def compare_index(  # noqa: PLR0913 - what there is, and how to compare it, each by its name
    listed: Iterable[TaggedSecret],
    rows: Iterable[Row],
    tombstones: Collection[Tombstone] = (),
    *,
    fleet: str,
    now: datetime,
    believe: bool = False,
) -> Resync:
    """Compare a complete listing with all rows of the fleet.

    To `believe` the listing is to remove the rows that it lacks, however many there are.
    """
    members = {secret.secret_arn: secret for secret in listed if secret.tags.get(FLEET_TAG) == fleet}
    known = {row.secret_arn: row for row in rows}
    # A secret that was added a moment ago may not be in the listing yet; one that is yet to be added is damage.
    gone = [row for arn, row in known.items() if arn not in members and abs(now - row.added_at) > STALE]
    # Nor is the tag gone from it that `fleet remove` took off a moment ago.
    removed = {stone.secret_arn for stone in tombstones if stone.quietly and stone.left_at > now - STALE}
    believed = believe or len(gone) <= max(BELIEVABLE_LOSS, len(known) // 5)
    return Resync(
        # By equality: the filter of `ListSecrets` matches prefixes, so `prod` also lists `prod-eu`.
        add=[enrol(secret, now) for arn, secret in members.items() if arn not in known and arn not in removed],
        look_at=[
            replace(row, next_at=now)
            for arn, row in known.items()
            if arn in members and _was_repaired(row, members[arn], now)
        ],
        remove=gone if believed else [],
        not_believed=0 if believed else len(gone),
        size=len(known),
    )


def enrol(secret: TaggedSecret, now: datetime) -> Row:
    """Make the row of a new member: due at once."""
    provider = secret.tags.get(PROVIDER_TAG) or UNKNOWN_PROVIDER
    return Row(secret_arn=secret.secret_arn, provider=provider, added_at=now, next_at=now)


def _was_repaired(row: Row, secret: TaggedSecret, now: datetime) -> bool:
    """Whether somebody changed a secret that waits for a person; the runs themselves change it only by refreshing."""
    if row.seen is None or row.seen.state not in _WAITS_FOR_A_PERSON or secret.changed_at is None:
        return False
    # The times are those of one service, so a run's own write is never later than the run.
    return row.next_at > now and secret.changed_at > row.seen.at

"""Replicas of the published secret in other regions: what Secrets Manager says of them, and what is missing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from token_refresh.advice import Command
from token_refresh.aws.arn import KMS_KEY
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.deployment import tags_in
from token_refresh_admin.cli.finding import Finding
from token_refresh_worker.run.failures import span
from token_refresh_worker.stored.tags import REPLICAS_TAG

MAY_BE_BEHIND: Final = timedelta(minutes=10)
"""AWS documents no bound; replication takes seconds."""
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


class ReplicaStatus(StrEnum):
    """As `DescribeSecret` has it in `ReplicationStatus`, and one more."""

    IN_SYNC = "InSync"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    GONE = "Gone"
    """The deployment has made one, and Secrets Manager lists none: it removes a replica without a usable version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One region's."""

    region: str
    status: ReplicaStatus
    key_arn: str | None = None
    """The key of that region which encrypts it; None for AWS's own."""
    changed_at: datetime | None = None
    """When the secret changed last."""


def read_replicas(context: Context, secret_id: str) -> tuple[Replica, ...]:
    """Return the replicas that a secret has, or that its deployment gave it, by region.

    Source: the API page of `DescribeSecret`.
    """
    described = context.call("DescribeSecret", secret_id)
    found = [_replica(entry, described.get("LastChangedDate")) for entry in described.get("ReplicationStatus", ())]
    # A tag proves nothing, and here it only says what to look for.
    expected = filter(_REGION.fullmatch, tags_in(described).get(REPLICAS_TAG, "").split())
    listed = {replica.region for replica in found}
    # A replica has the tags of its primary, and no replicas.
    is_primary = described.get("PrimaryRegion", context.region) == context.region
    gone = [Replica(region=r, status=ReplicaStatus.GONE) for r in expected if r not in listed and is_primary]
    return tuple(sorted([*found, *gone], key=lambda replica: replica.region))


def _replica(entry: Mapping[str, Any], changed_at: object) -> Replica:
    status, key_arn = str(entry.get("Status")), str(entry.get("KmsKeyId"))
    return Replica(
        region=str(entry.get("Region")),
        status=ReplicaStatus(status) if status in set(ReplicaStatus) else ReplicaStatus.IN_PROGRESS,
        key_arn=key_arn if re.fullmatch(KMS_KEY, key_arn) else None,
        changed_at=changed_at if isinstance(changed_at, datetime) else None,
    )


def words_for(replicas: tuple[Replica, ...]) -> str:
    """Say in a few words how replicas are."""
    words = {
        ReplicaStatus.IN_SYNC: "in sync",
        ReplicaStatus.IN_PROGRESS: "not in sync yet",
        ReplicaStatus.FAILED: "failed",
        ReplicaStatus.GONE: "gone",
    }
    return ", ".join(f"{replica.region} {words[replica.status]}" for replica in replicas)


def examine_replicas(
    context: Context, secret_id: str, replicas: tuple[Replica, ...], now: datetime
) -> Iterator[Finding]:
    """Report a region whose consumers read old tokens, or none."""
    for replica in replicas:
        behind = now - replica.changed_at if replica.changed_at else timedelta(0)
        where = f"the replica of {secret_id} in {replica.region}"
        see = Command.of(
            "aws secretsmanager describe-secret --secret-id {} --query ReplicationStatus --region {}",
            *(secret_id, context.region),
        )
        if replica.status is ReplicaStatus.IN_PROGRESS and behind > MAY_BE_BEHIND:
            yield Finding.attention(f"{where} is behind for {span(behind)}", "see whether it failed: ", see)
        if replica.status in {ReplicaStatus.FAILED, ReplicaStatus.GONE}:
            how = "failed" if replica.status is ReplicaStatus.FAILED else "is gone"
            key = f",KmsKeyId={replica.key_arn}" if replica.key_arn else ""
            line = "aws secretsmanager replicate-secret-to-regions --secret-id {} --add-replica-regions {} --region {}"
            again = Command.of(line, secret_id, f"Region={replica.region}{key}", context.region)
            yield Finding.broken(
                f"{where} {how}: consumers there read old tokens, or none",
                *("see why: ", see),
                ". Correct that: the function's role needs kms:GenerateDataKey and kms:Encrypt on a key of that "
                "region, and no other secret there may have the name. Then replicate again: ",
                again,
            )

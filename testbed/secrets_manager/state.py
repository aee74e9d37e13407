"""A secret's versions and labels, and the rules that Secrets Manager keeps for them: frozen values, pure functions."""

import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from testbed.aws.errors import ServiceError
from testbed.secrets_manager.limits import DAY_SECONDS, LABELS_PER_SECRET, not_found

CURRENT, PREVIOUS = "AWSCURRENT", "AWSPREVIOUS"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """One version of a secret: its value never changes."""

    version_id: str
    value: str | bytes = field(repr=False)
    kind: str  # the member of requests and responses that carries the value
    created_at: float
    key: str = ""
    """The KMS key that encrypts it: the one of the day on which it was stored, unless a change encrypted it anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """A secret with its versions, oldest first, and its labels, each on one version ID."""

    name: str
    arn: str
    created_at: float
    changed_at: float = field(compare=False)
    deleted_at: float | None = None
    versions: tuple[StoredVersion, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    policy: str | None = None
    """Kept for those that ask, and not enforced."""
    key: str = ""
    """The KMS key of new versions."""
    refused: tuple[tuple[str, str], ...] = ()
    """Keys that KMS refuses, each with the error code that Secrets Manager then responds with."""
    replication: tuple[tuple[str, str], ...] = ()
    """What `ReplicationStatus` says of each region; the replicas themselves are not played."""

    def version(self, version_id: str | None) -> StoredVersion | None:
        """Find a version by its ID."""
        return next((version for version in self.versions if version.version_id == version_id), None)

    def labels_of(self, version_id: str) -> list[str]:
        """Return the labels of a version, in the service's (alphabetical) order."""
        return [label for label, holder in self.labels if holder == version_id]

    @property
    def identity(self) -> dict[str, Any]:
        """Return the two members that nearly every response starts with."""
        return {"ARN": self.arn, "Name": self.name}


def asked_version(secret: StoredSecret, version_id: str | None, stage: str | None) -> StoredVersion:
    """Find the version that a read asks for: by ID, by label, by both, or else the current one."""
    if version_id is None:
        stage = stage or CURRENT
        version = secret.version(dict(secret.labels).get(stage))
        if version is None:
            raise not_found(f"staging label: {stage}")
        return version
    version = secret.version(version_id)
    if version is None:
        raise not_found(f"VersionId: {version_id}")
    if stage is not None and stage not in secret.labels_of(version_id):
        raise ServiceError(
            "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId."
        )
    return version


def new_version(request: Mapping[str, Any], now: float) -> StoredVersion | None:
    """Read the version that a request wants to write, if it has a value."""
    kinds = [kind for kind in ("SecretString", "SecretBinary") if request.get(kind) is not None]
    if not request.get("ClientRequestToken"):
        raise ServiceError(
            "InvalidRequestException", "You must provide a ClientRequestToken value. We recommend a UUID-type value."
        )
    if len(kinds) > 1:
        raise ServiceError(
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        )
    if not kinds:
        return None
    return StoredVersion(
        version_id=request["ClientRequestToken"], value=request[kinds[0]], kind=kinds[0], created_at=now
    )


def decryptable(secret: StoredSecret, version: StoredVersion) -> StoredVersion:
    """Return the version, unless KMS refuses its key: denied, disabled, deleted.

    Raises:
        ServiceError: `AccessDeniedException` as others have seen it, `DecryptionFailure` as the API reference has it.
    """
    code = dict(secret.refused).get(version.key)
    if code is not None:
        raise ServiceError(
            code,
            "Access to KMS is not allowed"
            if code == "AccessDeniedException"
            else "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
        )
    return version


def rekeyed(secret: StoredSecret, key: str) -> tuple[StoredVersion, ...]:
    """Return the versions after a change of the key: those with one of three labels are encrypted anew.

    See `KmsKeyId` of https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecret.html.
    """
    refused, labels = dict(secret.refused), dict(secret.labels)
    again = {labels.get(label) for label in (CURRENT, "AWSPENDING", PREVIOUS)}
    return tuple(replace(v, key=key) if v.version_id in again and v.key not in refused else v for v in secret.versions)


def attach(labels: dict[str, str], label: str, version_id: str) -> None:
    """Move a label; AWSPREVIOUS follows AWSCURRENT to the version that lost it."""
    holder = labels.get(label)
    labels[label] = version_id
    if label == CURRENT and holder not in (None, version_id):
        labels[PREVIOUS] = str(holder)


def compare(holder: str | None, label: str, removed: str | None, target: str | None) -> None:
    """Refuse to move a label unless the request names the version that holds it."""
    if target is None and label == CURRENT:
        problem = (
            "You can only move staging label AWSCURRENT to a different secret version."
            " It can\N{RIGHT SINGLE QUOTATION MARK}t be completely removed."
        )
    elif removed is None and holder not in (None, target):
        problem = (
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version"
            f" {holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    elif removed is not None and removed != holder:
        problem = f"The parameter RemoveFromVersionId isn't valid. Staging label {label} isn't attached to it."
    elif removed is None and target is None:
        problem = "You must provide MoveToVersionId, RemoveFromVersionId, or both."
    else:
        return
    raise ServiceError("InvalidParameterException", problem)


def limited(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Return labels as they are kept, unless there are too many."""
    if len(labels) > LABELS_PER_SECRET:
        raise ServiceError(
            "LimitExceededException", f"The versions of a secret can't have more than {LABELS_PER_SECRET} labels."
        )
    return tuple(sorted(labels.items()))


def pruned(
    versions: tuple[StoredVersion, ...], labelled: set[str], now: float, *, quota: int
) -> tuple[StoredVersion, ...]:
    """Drop the oldest versions above the quota that have no label and are older than a day, or refuse."""
    excess = len(versions) - quota
    removable = [v for v in versions if v.version_id not in labelled and now - v.created_at >= DAY_SECONDS]
    if excess > len(removable):
        raise ServiceError("LimitExceededException", f"A secret can't have more than {quota} versions of the last day.")
    dropped = set(removable[: max(excess, 0)])
    return tuple(version for version in versions if version not in dropped)


def arn_suffix(*seed: object) -> str:
    """Return the six characters at the end of an ARN, which look random."""
    alphabet = string.ascii_letters + string.digits
    digest = hashlib.sha256(repr(seed).encode()).digest()
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:6])

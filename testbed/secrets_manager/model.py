"""What Secrets Manager does to the secrets of one region: a pure state machine, without I/O and without a clock.

It speaks the service's own words: `call("PutSecretValue", {"SecretId": ...}, now=...)` returns the response or raises
the error that the service would send. Rules come from the API reference of the service, texts and shapes from responses
that others recorded from the real one; `tests/conformance` holds both against it.

The state is made of frozen values, so that `snapshot()` costs nothing and can be hashed.
"""

import string
from dataclasses import replace
from typing import Any

from testbed.aws.errors import ServiceError
from testbed.aws.service import Request, Response
from testbed.secrets_manager.limits import (
    ACCOUNT_ID,
    DAY_SECONDS,
    SECRETS_PER_BATCH,
    VERSIONS_PER_SECRET,
    checked,
    not_found,
)
from testbed.secrets_manager.listing import list_secrets
from testbed.secrets_manager.state import (
    CURRENT,
    StoredSecret,
    StoredVersion,
    arn_suffix,
    asked_version,
    attach,
    compare,
    decryptable,
    limited,
    new_version,
    pruned,
    rekeyed,
)

Snapshot = tuple[StoredSecret, ...]


class SecretsModel:
    """The secrets of one region. Not thread-safe: who shares it holds a lock around each call."""

    def __init__(self, region: str = "eu-central-1", *, quota: int = VERSIONS_PER_SECRET) -> None:
        self.region = region
        self.quota = quota
        """How many versions a secret may have before old ones without labels are removed."""
        self._secrets: dict[str, StoredSecret] = {}

    def snapshot(self) -> Snapshot:
        """Return the whole state as a hashable value."""
        return tuple(self._secrets[name] for name in sorted(self._secrets))

    def restore(self, snapshot: Snapshot) -> None:
        """Make a snapshot the state again."""
        self._secrets = {secret.name: secret for secret in snapshot}

    def call(self, operation: str, request: Request, *, now: float) -> Response:
        """Carry out one operation, wholly or not at all.

        Args:
            operation: Name of the operation, as in the API reference.
            request: Members of the request, as in the API reference.
            now: Unix time in seconds.

        Raises:
            ServiceError: The service would have refused.
        """
        handle = self._OPERATIONS.get(operation)
        if handle is None:
            raise ServiceError("UnknownOperationException", f"This server does not know {operation}.")
        return handle(self, checked(request), round(now, 3))

    def drop(self, name: str, version_id: str) -> None:
        """Remove a version and its labels."""
        secret = self._secrets[name]
        versions = tuple(version for version in secret.versions if version.version_id != version_id)
        labels = tuple((label, holder) for label, holder in secret.labels if holder != version_id)
        self._secrets[name] = replace(secret, versions=versions, labels=labels)

    def refuse(self, name: str, key: str, code: str | None = "AccessDeniedException") -> None:
        """Let KMS refuse a key from now on, so that versions under it are unreadable; or, without a code, no longer."""
        secret = self._secrets[name]
        refused = {**dict(secret.refused), key: code}
        still = tuple((k, c) for k, c in sorted(refused.items()) if c is not None)
        self._secrets[name] = replace(secret, refused=still)

    def replicate(self, name: str, **status_of: str) -> None:
        """Let a secret's description say how the replicas in these regions are, as in `eu_west_1="InSync"`."""
        statuses = tuple((region.replace("_", "-"), status) for region, status in status_of.items())
        self._secrets[name] = replace(self._secrets[name], replication=statuses)

    def find(self, secret_id: str) -> StoredSecret | None:
        """Find a secret by name, ARN, or ARN without its suffix."""
        if secret := self._secrets.get(secret_id):
            return secret
        return next((s for s in self._secrets.values() if secret_id in (s.arn, s.arn.rpartition("-")[0])), None)

    def _described(self, request: Request) -> StoredSecret:
        secret = self.find(request.get("SecretId", ""))
        if secret is None:
            raise not_found()
        return secret

    def _secret(self, request: Request) -> StoredSecret:
        secret = self._described(request)
        if secret.deleted_at is not None:
            raise ServiceError(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            )
        return secret

    def _keep(self, secret: StoredSecret, now: float, **changes: Any) -> StoredSecret:
        changed = replace(secret, changed_at=now, **changes)
        self._secrets[secret.name] = changed
        return changed

    def _get_secret_value(self, request: Request, _now: float) -> Response:
        secret = self._secret(request)
        version = decryptable(secret, asked_version(secret, request.get("VersionId"), request.get("VersionStage")))
        return {
            **secret.identity,
            "VersionId": version.version_id,
            version.kind: version.value,
            "VersionStages": secret.labels_of(version.version_id),
            "CreatedDate": version.created_at,
        }

    def _batch_get_secret_value(self, request: Request, now: float) -> Response:
        secret_ids = request.get("SecretIdList", ())
        if not 1 <= len(secret_ids) <= SECRETS_PER_BATCH:
            raise ServiceError("InvalidParameterException", "SecretIdList must have 1 to 20 members; no filters here.")
        response: Response = {"SecretValues": [], "Errors": []}
        for secret_id in secret_ids:
            try:
                response["SecretValues"].append(self._get_secret_value({"SecretId": secret_id}, now))
            except ServiceError as error:
                response["Errors"].append({"SecretId": secret_id, "ErrorCode": error.code, "Message": error.message})
        return response

    def _put_secret_value(self, request: Request, now: float) -> Response:
        secret = self._secret(request)
        version = new_version(request, now)
        if version is None:
            raise ServiceError("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
        secret = self._add(secret, version, request.get("VersionStages", (CURRENT,)), now)
        return {
            **secret.identity,
            "VersionId": version.version_id,
            "VersionStages": secret.labels_of(version.version_id),
        }

    def _add(self, secret: StoredSecret, version: StoredVersion, stages: tuple[str, ...], now: float) -> StoredSecret:
        """Append a version; an existing one is never overwritten, and repeating it moves no label."""
        version = replace(version, key=secret.key)
        if existing := secret.version(version.version_id):
            if (existing.kind, existing.value) == (version.kind, version.value):
                return secret
            raise ServiceError(
                "ResourceExistsException",
                f"You can't use ClientRequestToken {version.version_id} because that value is already in use for a"
                f" version of secret {secret.arn}.",
            )
        labels = dict(secret.labels)
        for stage in stages if secret.versions else {*stages, CURRENT}:
            attach(labels, stage, version.version_id)
        versions = pruned((*secret.versions, version), set(labels.values()), now, quota=self.quota)
        return self._keep(secret, now, versions=versions, labels=limited(labels))

    def _update_secret(self, request: Request, now: float) -> Response:
        """Change the key; the service's other members are not modelled."""
        secret = self._secret(request)
        return self._keep(secret, now, key=request["KmsKeyId"], versions=rekeyed(secret, request["KmsKeyId"])).identity

    def _update_secret_version_stage(self, request: Request, now: float) -> Response:
        secret = self._secret(request)
        label, target = request["VersionStage"], request.get("MoveToVersionId")
        labels = dict(secret.labels)
        compare(labels.get(label), label, request.get("RemoveFromVersionId"), target)
        if target is None:
            del labels[label]
        elif secret.version(target) is None:
            raise not_found(f"VersionId: {target}")
        else:
            attach(labels, label, target)
        return self._keep(secret, now, labels=limited(labels)).identity

    def _create_secret(self, request: Request, now: float) -> Response:
        name = request.get("Name", "")
        if not name or not set(name) <= {*string.ascii_letters, *string.digits, *"-/_+=.@!"}:
            raise ServiceError(
                "ValidationException",
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following:"
                " -/_+=.@!",
            )
        version = new_version(request, now)
        secret = self._secrets.get(name)
        if secret is None:
            arn = (
                f"arn:aws:secretsmanager:{self.region}:{ACCOUNT_ID}:secret:{name}-{arn_suffix(self.region, name, now)}"
            )
            tags = tuple(sorted((tag["Key"], tag["Value"]) for tag in request.get("Tags", ())))
            key = request.get("KmsKeyId", "")
            secret = StoredSecret(name=name, arn=arn, created_at=now, changed_at=now, tags=tags, key=key)
        elif secret.deleted_at is not None:
            message = "You can't create this secret because a secret with this name is already scheduled for deletion."
            raise ServiceError("InvalidRequestException", message)
        elif version is None or secret.version(version.version_id) is None:
            message = f"The operation failed because the secret {name} already exists."
            raise ServiceError("ResourceExistsException", message)
        if version is None:
            return self._keep(secret, now).identity
        return {**self._add(secret, version, (CURRENT,), now).identity, "VersionId": version.version_id}

    def _describe_secret(self, request: Request, _now: float) -> Response:
        secret = self._described(request)
        response = {**secret.identity, "CreatedDate": secret.created_at, "LastChangedDate": secret.changed_at}
        if secret.deleted_at is not None:
            response["DeletedDate"] = secret.deleted_at
        if secret.key:
            response["KmsKeyId"] = secret.key
        if secret.tags:
            response["Tags"] = [{"Key": key, "Value": value} for key, value in secret.tags]
        if secret.replication:
            response["ReplicationStatus"] = [{"Region": region, "Status": s} for region, s in secret.replication]
        if secret.labels:
            holders = {holder for _, holder in secret.labels}
            response["VersionIdsToStages"] = {holder: secret.labels_of(holder) for holder in holders}
        return response

    def _list_secret_version_ids(self, request: Request, _now: float) -> Response:
        secret = self._secret(request)
        listed = [
            {
                "VersionId": version.version_id,
                "CreatedDate": version.created_at,
                "KmsKeyIds": [version.key or "DefaultEncryptionKey"],
                **({"VersionStages": labels} if (labels := secret.labels_of(version.version_id)) else {}),
            }
            for version in secret.versions
        ]
        if not request.get("IncludeDeprecated"):
            listed = [entry for entry in listed if "VersionStages" in entry]
        start = int(request.get("NextToken", "0"))
        end = start + request.get("MaxResults", VERSIONS_PER_SECRET)
        more = {"NextToken": str(end)} if end < len(listed) else {}
        return {**secret.identity, "Versions": listed[start:end], **more}

    def _list_secrets(self, request: Request, _now: float) -> Response:
        return list_secrets(self._secrets.values(), request)

    def _get_resource_policy(self, request: Request, _now: float) -> Response:
        secret = self._described(request)
        return {**secret.identity, **({"ResourcePolicy": secret.policy} if secret.policy else {})}

    def _put_resource_policy(self, request: Request, now: float) -> Response:
        return self._keep(self._secret(request), now, policy=request["ResourcePolicy"]).identity

    def _tag_resource(self, request: Request, now: float) -> Response:
        secret = self._secret(request)
        tags = {**dict(secret.tags), **{tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}}
        self._keep(secret, now, tags=tuple(sorted(tags.items())))
        return {}

    def _untag_resource(self, request: Request, now: float) -> Response:
        secret = self._secret(request)
        kept = tuple((key, value) for key, value in secret.tags if key not in request.get("TagKeys", ()))
        self._keep(secret, now, tags=kept)
        return {}

    def _delete_secret(self, request: Request, now: float) -> Response:
        secret = self._described(request)
        if request.get("ForceDeleteWithoutRecovery"):
            del self._secrets[secret.name]
            return {**secret.identity, "DeletionDate": now}
        self._keep(secret, now, deleted_at=now)
        return {**secret.identity, "DeletionDate": now + request.get("RecoveryWindowInDays", 30) * DAY_SECONDS}

    def _restore_secret(self, request: Request, now: float) -> Response:
        return self._keep(self._described(request), now, deleted_at=None).identity

    _OPERATIONS = {  # noqa: RUF012 - a table of the methods above, which nobody changes
        "BatchGetSecretValue": _batch_get_secret_value,
        "CreateSecret": _create_secret,
        "DeleteSecret": _delete_secret,
        "DescribeSecret": _describe_secret,
        "GetResourcePolicy": _get_resource_policy,
        "GetSecretValue": _get_secret_value,
        "ListSecretVersionIds": _list_secret_version_ids,
        "ListSecrets": _list_secrets,
        "PutResourcePolicy": _put_resource_policy,
        "PutSecretValue": _put_secret_value,
        "RestoreSecret": _restore_secret,
        "TagResource": _tag_resource,
        "UntagResource": _untag_resource,
        "UpdateSecret": _update_secret,
        "UpdateSecretVersionStage": _update_secret_version_stage,
    }

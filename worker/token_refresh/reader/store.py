"""The one thing that readers ask of AWS: what a secret holds now."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from token_refresh.aws.arn import arn_region
from token_refresh.aws.causes import Cause, Failure, failure_of, failure_of_code
from token_refresh.aws.clients import configured_region, make_client
from token_refresh.aws.errors import AwsRequest, named_error
from token_refresh.reader import lifecycle

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from token_refresh.errors import TokenRefreshError

# A read takes some 10 ms. One that is stuck is better repeated; the worst case is 14 s, and a flight's limit 30 s.
CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 5
ATTEMPTS = 2
# What one `BatchGetSecretValue` may ask for.
BATCH_SIZE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a secret, as it was stored; `origin` names it in messages, with the region and the action."""

    secret_id: str
    origin: str
    version_id: str
    created_at: datetime
    content: str | bytes = field(repr=False)


class Clients:
    """Makes boto3 clients when they are first needed, one for each service and region; all readers share them."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str | None], Any] = {}
        self._lock = threading.Lock()
        lifecycle.watch(self)

    def get(self, service: str, region: str | None, *, read_timeout_seconds: float, attempts: int) -> Any:
        """Give the client, in the configured region where `region` is None."""
        region = region or configured_region()
        with self._lock:
            client = self._made.get((service, region))
            if client is None:
                from botocore.config import Config  # noqa: PLC0415 - 0.2 s, which only the first read should cost

                config = Config(
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=read_timeout_seconds,
                    retries={"mode": "standard", "total_max_attempts": attempts},
                )
                client = self._made[service, region] = make_client(service, region=region, config=config)
            return client

    def after_fork(self) -> None:
        """Make new clients: parent and child would write to the same connections."""
        self._lock = threading.Lock()
        self._made = {}

    def after_restore(self) -> None:
        """Keep the clients: botocore itself opens connections anew, and making a client costs 0.1 s."""


CLIENTS = Clients()


class SecretStore:
    """Reads secrets through a boto3 client, the caller's or our own, and names what goes wrong."""

    def __init__(self, client: "SecretsManagerClient | None") -> None:
        self._client = client
        self._made: SecretsManagerClient | None = None
        self._inherited = False
        lifecycle.watch(self)

    def read(self, secret_id: str) -> Version:
        """Get the current version.

        Raises:
            TokenRefreshError: It can't be had; the message says why and what to do.
        """
        response = self._ask(secret_id, "GetSecretValue", lambda client: client.get_secret_value(SecretId=secret_id))
        return _version(secret_id, self.region_of(secret_id), "GetSecretValue", response)

    def read_all(self, secret_ids: tuple[str, ...]) -> dict[str, Version]:
        """Get the current versions of several secrets, up to twenty with one call.

        Raises:
            TokenRefreshError: One of them can't be had; the message says which, why, and what to do.
        """
        versions = {}
        for start in range(0, len(secret_ids), BATCH_SIZE):
            versions.update(self._read_batch(secret_ids[start : start + BATCH_SIZE]))
        return versions

    def region_of(self, secret_id: str) -> str:
        """Say in which region a secret is looked up, for messages."""
        client = self._client or self._made
        return str(client.meta.region_name) if client else likely_region(secret_id)

    def after_fork(self) -> None:
        """Remember that the caller's client brought the parent's connections along."""
        self._inherited = True

    def after_restore(self) -> None:
        """Keep everything: botocore itself opens connections anew."""

    def _read_batch(self, secret_ids: tuple[str, ...]) -> dict[str, Version]:
        names = ", ".join(secret_ids)
        response = self._ask(
            names, "BatchGetSecretValue", lambda client: client.batch_get_secret_value(SecretIdList=list(secret_ids))
        )
        region = self.region_of(secret_ids[0])
        for refused in response.get("Errors", []):
            failure = failure_of_code(refused.get("ErrorCode"), refused.get("Message"))
            raise _named(failure, refused.get("SecretId", names), region, "GetSecretValue")
        found = {key: value for value in response["SecretValues"] for key in (value["Name"], value["ARN"])}
        missing = [secret_id for secret_id in secret_ids if secret_id not in found]
        if missing:
            failure = Failure(cause=Cause.NOT_FOUND, code="ResourceNotFoundException")
            raise _named(failure, missing[0], region, "BatchGetSecretValue")
        return {
            secret_id: _version(secret_id, region, "BatchGetSecretValue", found[secret_id]) for secret_id in secret_ids
        }

    def _ask(self, secret_id: str, action: str, ask: Callable[["SecretsManagerClient"], Any]) -> Any:
        """Carry out one call and name its failure, in a frame that holds no answer."""
        problem: TokenRefreshError
        try:
            return ask(self._connect(secret_id))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is named below and raised
            problem = _named(failure_of(error), secret_id, self.region_of(secret_id), action)
        raise problem

    def _connect(self, secret_id: str) -> "SecretsManagerClient":
        if self._client is None:
            region = arn_region(secret_id)
            self._made = CLIENTS.get(
                "secretsmanager", region, read_timeout_seconds=READ_TIMEOUT_SECONDS, attempts=ATTEMPTS
            )
            return self._made
        if self._inherited:
            self._client.close()  # which closes the child's copies of the connections; it opens its own
            self._inherited = False
        return self._client


def _version(secret_id: str, region: str, action: str, response: Any) -> Version:
    content, version_id = response.get("SecretString"), response["VersionId"]
    return Version(
        secret_id=secret_id,
        origin=f"secret {secret_id} in {region}, version {version_id} (secretsmanager:{action})",
        version_id=version_id,
        created_at=response["CreatedDate"].astimezone(UTC),
        content=response["SecretBinary"] if content is None else content,
    )


def likely_region(secret_id: str) -> str:
    """Say in which region a secret will be looked up, as far as that is known without a client."""
    return (
        arn_region(secret_id) or configured_region() or os.environ.get("AWS_DEFAULT_REGION") or "the configured region"
    )


def _named(failure: Failure, secret_id: str, region: str, action: str) -> "TokenRefreshError":
    return named_error(failure, AwsRequest(action=f"secretsmanager:{action}", name=secret_id, region=region))

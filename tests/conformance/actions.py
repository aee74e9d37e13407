"""What the suite does to a secret, in the words of the protocol."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ClientError


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True)
class Refused:
    """The refusal that a `with refusal()` block met."""

    code: str = ""
    message: str = ""
    status: int = 0
    headers: dict[str, str] | None = None


@contextmanager
def refusal() -> Iterator[Refused]:
    """Expect a call to be refused."""
    refused = Refused()
    with pytest.raises(ClientError) as caught:
        yield refused
    response: Any = caught.value.response
    refused.code, refused.message = response["Error"]["Code"], response["Error"]["Message"]
    refused.status = response["ResponseMetadata"]["HTTPStatusCode"]
    refused.headers = response["ResponseMetadata"]["HTTPHeaders"]


def put(client: Any, secret: str, value: str, *labels: str, version_id: str | None = None) -> str:
    """Store a version, with labels or else as the current one, and return its ID."""
    stages = {"VersionStages": list(labels)} if labels else {}
    version_id = version_id or new_id()
    client.put_secret_value(SecretId=secret, ClientRequestToken=version_id, SecretString=value, **stages)
    return version_id


def move(client: Any, secret: str, label: str, *, to: str | None = None, away_from: str | None = None) -> None:
    """Move a label, or take it off."""
    versions = {"MoveToVersionId": to, "RemoveFromVersionId": away_from}
    named = {member: version_id for member, version_id in versions.items() if version_id}
    client.update_secret_version_stage(SecretId=secret, VersionStage=label, **named)


def value_by_id(client: Any, secret: str, version_id: str) -> str:
    return str(client.get_secret_value(SecretId=secret, VersionId=version_id)["SecretString"])


def value_by_label(client: Any, secret: str, label: str) -> str:
    return str(client.get_secret_value(SecretId=secret, VersionStage=label)["SecretString"])


def holders(client: Any, secret: str) -> dict[str, str]:
    """Return which version ID has each label."""
    stages: dict[str, list[str]] = client.describe_secret(SecretId=secret).get("VersionIdsToStages", {})
    pairs = [(label, version_id) for version_id, labels in stages.items() for label in labels]
    assert len(pairs) == len(dict(pairs)), "a label is on two versions"
    return dict(pairs)


def all_at_once(calls: Sequence[Callable[[], object]]) -> list[str]:
    """Make calls from as many threads, released together; return "ok" or the code of the refusal of each."""
    barrier = Barrier(len(calls))

    def outcome(call: Callable[[], Any]) -> str:
        barrier.wait()
        try:
            call()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))

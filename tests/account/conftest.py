"""A stand-in of an account: the strict services with the real worker, and fakes of what the testbed lacks."""

import contextlib
import io
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from account.account import Account
from testbed.testbed import CLAIM_TABLE, PUBLISHED, SINGLE_USE, TOKENS, Testbed
from testbed.worker import FORCED, SCHEDULED

GROUP = "deployments"

REGION, SPARE = "eu-central-1", "eu-west-1"
WORKER_ROLE = "arn:aws:iam::123456789012:role/worker"


@dataclass(slots=True)
class World:
    """An account whose services a test replaces, so that they break an assumption."""

    testbed: Testbed
    services: dict[str, Any] = field(default_factory=dict)
    deployed: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    """The outputs of what is deployed."""
    on_deploy: Callable[[str, Mapping[str, str]], None] = lambda stack, values: None  # noqa: ARG005 - nothing, unless a test says more
    on_pause: Callable[[], None] = lambda: None
    denied: set[str] = field(default_factory=set)
    """The access keys that secrets' policies refuse."""
    seconds: float = 0.0
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account(
            prefix="trw-check-abc123",
            region=REGION,
            spare_region=SPARE,
            make_client=self.client,
            deployments=self,
            provider=self,
            conformance=(),
            pause=self.pause,
            now=lambda: self.seconds,
            values={"environment": "trw-check-abc123", "tags": "one=1"},
            outputs={
                "TokenSecretId": TOKENS,
                "PublishedSecretId": PUBLISHED,
                "ClaimTableName": CLAIM_TABLE,
                "FunctionName": "worker",
                "ScheduleName": "worker",
                "KeyArn": "old",
                "NextKeyArn": "new",
                "StrangerRoleArn": "arn:aws:iam::123456789012:role/stranger",
                "CallerArn": "arn:aws:iam::123456789012:role/caller",
                "DeniedAccessUrl": "denied",
                "DeadLettersUrl": "dead",
            },
        )
        self.services["lambda"] = SimpleNamespace(
            invoke=self.invoke, get_function_configuration=lambda **_: {"Role": WORKER_ROLE}
        )
        self.testbed.store.authorize = lambda call: "refused" if call.access_key_id in self.denied else None

    def client(self, service: str, region: str, credentials: Mapping[str, str] | None = None) -> Any:
        if service == "secretsmanager":
            return self.testbed.store.client(region_name=region, **(credentials or {}))
        return self.services[service]

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert "worker" == FunctionName
        assert FORCED == json.loads(Payload)
        ended = self.testbed.run(FORCED)
        payload = ended.payload or {"errorType": ended.name, "errorMessage": "canary-message"}
        return {"Payload": io.BytesIO(json.dumps(payload).encode())}

    def scheduled(self) -> None:
        self.testbed.run(SCHEDULED)

    def replicate(self) -> None:
        """Copy the published secret to the spare region, as AWS does; empty, it has a replica, too."""
        here, there = (self.testbed.store.client(region_name=region) for region in (REGION, SPARE))
        self.testbed.store.secrets.replicate(PUBLISHED, eu_west_1="InSync")
        if PUBLISHED not in [secret["Name"] for secret in there.list_secrets()["SecretList"]]:
            there.create_secret(Name=PUBLISHED)
        with contextlib.suppress(here.exceptions.ResourceNotFoundException):
            value = here.get_secret_value(SecretId=PUBLISHED)["SecretString"]
            there.put_secret_value(SecretId=PUBLISHED, SecretString=value, ClientRequestToken=str(uuid.uuid4()))

    def refused(self, operation: str, code: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": "canary-message 123456789012"}}, operation)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_pause()

    def deploy(self, stack: str, values: Mapping[str, str]) -> dict[str, str]:
        self.deployed.append((stack, dict(values)))
        self.on_deploy(stack, values)
        return self.made

    def delete(self, stack: str) -> None:
        """A stack that a check made."""

    def authorize(self) -> dict[str, str]:
        tokens = self.testbed.endpoint.grant.authorize()
        return {"accessToken": tokens["access_token"], "refreshToken": tokens["refresh_token"]}

    def reject(self, *, rejected: bool) -> None:
        self.deployed.append(("reject", {"rejected": str(rejected)}))


@pytest.fixture
def world() -> Iterator[World]:
    with Testbed(SINGLE_USE, published=True, table=True) as testbed:
        yield World(testbed)

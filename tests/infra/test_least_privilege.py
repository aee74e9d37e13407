from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from infra.policy import Ask, Policy, resolve
from infra.synthesis import Deployment
from testbed.aws_lambda.function import Function
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import SecretAccessDenied, TokenRefreshError
from token_refresh.reader import TokenReader
from token_refresh_worker.handlers import refresh

if TYPE_CHECKING:
    from testbed.aws.faults import Call

KEY = "arn:aws:kms:eu-central-1:123456789012:key/the-key"
SECRETS_AND_KEY = ("secretsmanager:", "kms:")
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:the-worker"
FROM_THE_WORKER = {"lambda:SourceFunctionArn": FUNCTION}
KEY_ACTION = {"GetSecretValue": "kms:Decrypt", "PutSecretValue": "kms:GenerateDataKey"}


class World:
    """The deployment, come true on this machine: its secrets in a store that enforces its policies, and a provider."""

    def __init__(self, deployment: Deployment, store: SecretsManagerServer, endpoint: TokenEndpoint) -> None:
        self.store, self.endpoint = store, endpoint
        variables = deployment.one("Lambda::Function")["Environment"]["Variables"]
        self.token, self.client = variables["TOKEN_SECRET_ID"], variables["CLIENT_SECRET_ID"]
        self.published = variables["PUBLISHED_SECRET_ID"]
        self.arns = {name: self.create(name) for name in (self.token, self.client, self.published)}
        known = {"AWS::Partition": "aws", deployment.logical_id("KMS::Key") + ".Arn": KEY}
        known[deployment.logical_id("Lambda::Function") + ".Arn"] = FUNCTION
        for name in (self.token, self.published):
            known[deployment.logical_id("SecretsManager::Secret", Name=name)] = self.arns[name]
        self._known = Resolved(known)
        self.environment = variables | store.environment | {"TOKEN_ENDPOINT": endpoint.url}

    def create(self, name: str) -> str:
        arn: str = self.store.call("CreateSecret", {"Name": name, "ClientRequestToken": str(uuid.uuid4())})["ARN"]
        return arn

    def fill(self, name: str, document: dict[str, Any]) -> None:
        version = {"SecretString": json.dumps(document), "ClientRequestToken": str(uuid.uuid4())}
        self.store.call("PutSecretValue", {"SecretId": name, **version})

    def fill_all(self, *, lives_seconds: float) -> None:
        tokens = self.endpoint.grant.authorize()
        expires_at = round((time.time() + lives_seconds) * 1000)
        credentials = {"clientId": self.endpoint.client_id, "clientSecret": self.endpoint.client_secret}
        self.fill(self.client, credentials)
        self.fill(
            self.token,
            {
                "accessToken": tokens["access_token"],
                "refreshToken": tokens["refresh_token"],
                "expiresAt": expires_at,
            },
        )

    def policy(self, statements: list[dict[str, Any]]) -> Policy:
        return Policy(statements=resolve(statements, self._known))

    def enforce(self, policy: Policy) -> None:
        def authorize(call: Call) -> str | None:
            refused = [ask for ask in asks(call) if not policy.allows(ask)]
            return f"{refused[0].action} on {refused[0].resource}" if refused else None

        self.store.authorize = authorize

    @contextmanager
    def running(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield


class Resolved(dict[str, str]):
    """What references resolve to; what the tests say nothing about stands for itself."""

    def __missing__(self, name: str) -> str:
        return f"arn:aws:unnamed:::{name}"


def asks(call: Call) -> list[Ask]:
    """What AWS asks for a call on a secret that a customer-managed key encrypts."""
    arn = call.arn or f"arn:aws:secretsmanager:{call.region}:123456789012:secret:{call.secret_id}-??????"
    labels = {"secretsmanager:VersionStage": call.version_stages[0]} if call.version_stages else {}
    context = FROM_THE_WORKER | labels
    permissions = [Ask(action=f"secretsmanager:{call.operation}", resource=arn, context=context)]
    if action := KEY_ACTION.get(call.operation):
        key_context = {
            "kms:ViaService": f"secretsmanager.{call.region}.amazonaws.com",
            "kms:EncryptionContext:SecretARN": arn,
        }
        permissions.append(Ask(action=action, resource=KEY, context=key_context))
    return permissions


@pytest.fixture
def world(everything: Deployment) -> Iterator[World]:
    with SecretsManagerServer() as store, TokenEndpoint(reuse="revokes") as endpoint:
        yield World(everything, store, endpoint)


@pytest.fixture
def worker_policy(world: World, everything: Deployment) -> Policy:
    return world.policy(everything.policy_of_role("lambda.amazonaws.com"))


def test_worker_does_its_job(world: World, worker_policy: Policy) -> None:
    """Under Lambda's runtime client, with the synthesised policy enforced and nothing else, the worker refreshes."""
    world.fill_all(lives_seconds=60)
    world.enforce(worker_policy)

    with Function(world.environment) as function:
        due, fresh = function.invoke({}), function.invoke({})

    assert (None, "refreshed") == (due.error_type, (due.payload or {}).get("outcome"))
    assert (None, "fresh") == (fresh.error_type, (fresh.payload or {}).get("outcome"))
    assert {"ok"} == {logged.outcome for logged in world.store.calls} - {"ResourceNotFoundException"}


def test_nothing_granted_goes_unused(world: World, worker_policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every action on every secret, and on the key, is needed for one refresh and its publication."""
    world.fill_all(lives_seconds=60)
    world.enforce(worker_policy)

    with world.running(monkeypatch):
        refresh({}, None)

    assert set(worker_policy.grants(SECRETS_AND_KEY)) == {
        use for use in worker_policy.used if use[1].startswith(SECRETS_AND_KEY)
    }


def test_everything_granted_is_needed(everything: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one action on any one resource taken away, the run fails and says what it lacks."""
    ended = [run_without(number, everything, monkeypatch) for number in range(12)]

    assert ["SecretAccessDenied"] * 12 == ended
    with pytest.raises(IndexError):
        run_without(12, everything, monkeypatch)


def run_without(number: int, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the worker with one of its permissions taken away, and return how it ended."""
    with SecretsManagerServer() as store, TokenEndpoint(reuse="revokes") as endpoint:
        world = World(deployment, store, endpoint)
        world.fill_all(lives_seconds=60)
        policy = world.policy(deployment.policy_of_role("lambda.amazonaws.com"))
        world.enforce(policy.without(policy.grants(SECRETS_AND_KEY)[number]))
        with world.running(monkeypatch):
            try:
                return str(refresh({}, None)["outcome"])
            except TokenRefreshError as error:
                return type(error).__name__


def test_consumers_only_read_what_is_published(world: World, everything: Deployment) -> None:
    """The policy for consumers reads and describes the published secret alone, and changes nothing."""
    policy = world.policy(everything.one("IAM::ManagedPolicy")["PolicyDocument"]["Statement"])
    operations = ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "DescribeSecret", "DeleteSecret")

    allowed = {
        (operation, name, label)
        for operation in operations
        for name, arn in world.arns.items()
        for label in ("AWSCURRENT", "AWSPREVIOUS", "REFRESH_OUTCOME", None)
        if policy.allows(
            Ask(
                action=f"secretsmanager:{operation}",
                resource=arn,
                context={"secretsmanager:VersionStage": label} if label else {},
            )
        )
    }

    assert {("GetSecretValue", world.published), ("DescribeSecret", world.published)} == {
        (operation, name) for operation, name, _ in allowed
    }
    assert ["kms:Decrypt"] == [action for _, action, _ in policy.grants(["kms:"])]


def test_consumers_reader_works(world: World, everything: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the policy for consumers and nothing else, `TokenReader` reads what was published, and not the tokens."""
    world.fill_all(lives_seconds=60)
    with world.running(monkeypatch):
        refresh({}, None)
    world.enforce(world.policy(everything.one("IAM::ManagedPolicy")["PolicyDocument"]["Statement"]))

    with world.running(monkeypatch):
        assert TokenReader(world.published).get()
        with pytest.raises(SecretAccessDenied):
            TokenReader(world.token).get()


def test_only_the_workers_own_code(world: World, worker_policy: Policy) -> None:
    """The worker's role reads nothing for another function, or for whoever took its credentials away from Lambda."""

    def reads(context: dict[str, str]) -> bool:
        ask = Ask(action="secretsmanager:GetSecretValue", resource=world.arns[world.token], context=context)
        return worker_policy.allows(ask)

    assert [True, False, False] == [
        reads(FROM_THE_WORKER),
        reads({"lambda:SourceFunctionArn": f"{FUNCTION}-2"}),
        reads({}),
    ]


def test_key_opens_for_secrets_manager_alone(world: World, worker_policy: Policy) -> None:
    """The key decrypts the stack's own secrets, through Secrets Manager, and nothing else that it may encrypt."""

    def decrypts(via: str, arn: str) -> bool:
        context = {"kms:ViaService": via, "kms:EncryptionContext:SecretARN": arn}
        return worker_policy.allows(Ask(action="kms:Decrypt", resource=KEY, context=context))

    service, other = "secretsmanager.eu-central-1.amazonaws.com", world.create("upwork/prod/other")

    assert decrypts(service, world.arns[world.token])
    assert not decrypts(service, other)
    assert not decrypts("s3.eu-central-1.amazonaws.com", world.arns[world.token])
    assert not worker_policy.allows(Ask(action="kms:Decrypt", resource=KEY))

"""Secrets of a deployment in a strict store that enforces policies, and a provider."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from testbed.aws.faults import Call
from testbed.policy import Ask, IamPolicy, Meaning, resolve
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.synthesis import Synthesis

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FUNCTION = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:the-worker"
_KEY_ACTION = {"GetSecretValue": "kms:Decrypt", "PutSecretValue": "kms:GenerateDataKey"}


class World:
    """The deployment, come true on this machine: its secrets in a store that enforces its policies, and a provider."""

    def __init__(self, deployment: Synthesis, store: SecretsManagerServer, endpoint: TokenEndpoint) -> None:
        self.store, self.endpoint = store, endpoint
        variables = deployment.one("Lambda::Function")["Environment"]["Variables"]
        self.token, self.client = variables["TOKEN_SECRET_ID"], variables["CLIENT_SECRET_ID"]
        self.published = variables["PUBLISHED_SECRET_ID"]
        self.arns = {name: self.create(name) for name in (self.token, self.client, self.published)}
        self.environment = variables | store.environment | {"TOKEN_ENDPOINT": endpoint.url}

    def create(self, name: str) -> str:
        arn: str = self.store.call("CreateSecret", {"Name": name, "ClientRequestToken": str(uuid.uuid4())})["ARN"]
        return arn

    def fill(self, name: str, document: dict[str, Any]) -> None:
        version = {"SecretString": json.dumps(document), "ClientRequestToken": str(uuid.uuid4())}
        self.store.call("PutSecretValue", {"SecretId": name, **version})

    def fill_all(self, *, lives_seconds: float) -> None:
        document = self.endpoint.token_set(lives_seconds=lives_seconds)
        self.fill(self.client, {name: document.pop(name) for name in ("clientId", "clientSecret")})
        self.fill(self.token, document)

    def policy(self, deployment: Synthesis, statements: list[dict[str, Any]]) -> IamPolicy:
        """Return a policy of a deployment whose references mean what is here."""
        meaning = Meaning({"AWS::AccountId": ACCOUNT})
        for logical_id, resource in deployment.template["Resources"].items():
            match resource["Type"].removeprefix("AWS::"):
                case "KMS::Key":
                    meaning[f"{logical_id}.Arn"] = KEY
                case "Lambda::Function":
                    meaning[f"{logical_id}.Arn"] = FUNCTION
                case "IAM::Role":
                    meaning[f"{logical_id}.Arn"] = role_arn(resource["Properties"]["RoleName"])
                case "SecretsManager::Secret":
                    meaning[logical_id] = self.arns[resource["Properties"]["Name"]]
        return IamPolicy(statements=resolve(statements, meaning))

    def enforce(self, policy: IamPolicy) -> None:
        """Let calls be made by a role that has this identity policy."""
        self.store.authorize = lambda call: refused(policy, asks(call))

    @contextmanager
    def running(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield


def refused(policy: IamPolicy, needed: list[Ask]) -> str | None:
    """Return which permission a policy lacks first."""
    lacking = [ask for ask in needed if not policy.allows(ask)]
    return f"{lacking[0].action} on {lacking[0].resource}" if lacking else None


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def asks(call: Call, *, function: str = FUNCTION, key: str | None = KEY) -> list[Ask]:
    """What AWS asks for a call of a function on a secret, which a customer-managed key may encrypt."""
    arn = call.arn or f"arn:aws:secretsmanager:{call.region}:{ACCOUNT}:secret:{call.secret_id}-??????"
    labels = {"secretsmanager:VersionStage": call.version_stages[0]} if call.version_stages else {}
    by_id = call.version_id is not None and call.operation == "GetSecretValue"
    version = {"secretsmanager:VersionId": str(call.version_id)} if by_id else {}
    context = {"lambda:SourceFunctionArn": function} | labels | version
    permissions = [Ask(action=f"secretsmanager:{call.operation}", resource=arn, context=context)]
    if key and (action := _KEY_ACTION.get(call.operation)):
        key_context = {
            "kms:ViaService": f"secretsmanager.{call.region}.amazonaws.com",
            "kms:EncryptionContext:SecretARN": arn,
        }
        permissions.append(Ask(action=action, resource=key, context=key_context))
    return permissions

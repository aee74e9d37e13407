import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.conftest import FLEET
from infra.test_access import granted
from infra.test_fleet import Template
from testbed.policy import Ask, IamPolicy, Meaning, as_list, resolve
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.synthesis import Synthesis, resources, synthesise
from testbed.worker import SCHEDULED
from token_refresh.errors import TokenRefreshError
from token_refresh_infra import access
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Row
from token_refresh_worker.handlers import dispatch, refresh, resync

REGION, ACCOUNT = "eu-central-1", "123456789012"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/prod"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:fleet.fifo"
CALLS = "_make_api_call"
"""The one place that all calls of botocore pass."""


class Resolved(Meaning):
    """What references resolve to."""

    def __missing__(self, name: str) -> str:
        known = {"Table": TABLE, "FleetQueue": QUEUE}
        return next((arn for start, arn in known.items() if name.startswith(start)), super().__missing__(name))


def statements(template: Template, name: str, effect: str) -> list[dict[str, Any]]:
    """Return what the policies of a function's role allow or deny."""
    return [
        statement
        for policy in resources(template, "IAM::Policy")
        if policy["Roles"][0]["Ref"].startswith(f"{name}Role")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == effect
    ]


class Account:
    """A fleet's account in memory, which enforces one role's policy on every call of the code under test."""

    def __init__(self, template: Template, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.template, self._patch = template, monkeypatch
        self.endpoint = TokenEndpoint(reuse="revokes")
        self.secrets = boto3.client("secretsmanager")
        dynamodb = boto3.client("dynamodb")
        (table,) = resources(template, "DynamoDB::Table")
        known = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        dynamodb.create_table(**{name: table[name] for name in known})
        queue = boto3.client("sqs").create_queue(QueueName="fleet.fifo", Attributes={"FifoQueue": "true"})
        given = environment | {"FLEET_QUEUE_URL": queue["QueueUrl"], "CLIENT_SECRET_ID": "clients/generic"}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        self.members: set[str] = set()
        self.index = TableIndex(dynamodb, "prod", "prod")

    def policy(self, name: str) -> IamPolicy:
        """Return what the role of a function may do."""
        return IamPolicy(statements=resolve(statements(self.template, name, "Allow"), Resolved()))

    def member(self, name: str = "crm/1") -> str:
        """Store and tag a secret that is due, and its client credentials."""
        document = self.endpoint.token_set(lives_seconds=60)
        client = {name: document.pop(name) for name in ("clientId", "clientSecret")}
        tags: Any = [{"Key": "token-refresh:fleet", "Value": "prod"}]
        self.secrets.create_secret(Name="clients/generic", SecretString=json.dumps(client))
        arn = str(self.secrets.create_secret(Name=name, SecretString=json.dumps(document), Tags=tags)["ARN"])
        self.members.add(arn)
        return arn

    def run(self, name: str, policy: IamPolicy, event: Any = None) -> str:
        """Run a function under a policy; return `ok` or how it failed."""
        allowed = getattr(BaseClient, CALLS)

        def call(client: BaseClient, operation: str, what: dict[str, Any]) -> Any:
            for ask in asks(client, operation, what, self):
                if not policy.allows(ask):
                    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ask.action}}, operation)
            return allowed(client, operation, what)

        with self._patch.context() as patch:
            patch.setattr(BaseClient, CALLS, call)
            try:
                handler: Callable[..., object] = {"Worker": refresh, "Dispatcher": dispatch, "Resync": resync}[name]
                handler(event or {}, None)
            except TokenRefreshError as error:
                return type(error).__name__
        return "ok"


def asks(client: Any, operation: str, what: dict[str, Any], account: Account) -> Iterator[Ask]:
    """What AWS asks for a call."""
    service = client.meta.service_model.service_name
    if service == "dynamodb":
        keys = what.get("RequestItems", {}).get("prod", {}).get("Keys") or [what.get("Key") or what.get("Item") or {}]
        leading = "|".join(key["secret_arn"]["S"] for key in keys if "secret_arn" in key)
        resource = f"{TABLE}/index/fleet" if operation == "Query" else TABLE
        yield Ask(action=f"dynamodb:{operation}", resource=resource, context={"dynamodb:LeadingKeys": leading})
    elif service == "sqs":
        yield Ask(action="sqs:SendMessage", resource=QUEUE)
    elif service == "events":
        (entry,) = what["Entries"]
        bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{entry['EventBusName']}"
        yield Ask(action="events:PutEvents", resource=bus, context={"events:source": entry["Source"]})
    elif "SecretId" not in what:
        yield Ask(action=f"secretsmanager:{operation}", resource="*")
    else:
        secret_id = str(what["SecretId"])
        context = {"secretsmanager:ResourceTag/token-refresh:fleet": "prod"} if secret_id in account.members else {}
        named = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{secret_id}-AbCdEf"
        resource = secret_id if secret_id.startswith("arn:") else named
        yield Ask(action=f"secretsmanager:{operation}", resource=resource, context=context)


@pytest.fixture(scope="module")
def template(code: Path) -> Template:
    return synthesise(FLEET | {"client_secret": "clients/{provider}#web", "event_bus": "default"}, code).template


@pytest.fixture
def account(template: Template, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    given = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "FLEET_NAME": "prod",
        "CLAIM_TABLE": "prod",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        made = Account(template, given, monkeypatch)
        with made.endpoint:
            monkeypatch.setenv("TOKEN_ENDPOINT", made.endpoint.url)
            yield made


def due(account: Account, secret_arn: str) -> None:
    now = datetime.now(UTC)
    account.index.add(Row(secret_arn=secret_arn, provider="generic", added_at=now, next_at=now))


def message(secret_arn: str) -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:sqs", "body": json.dumps({"secret_id": secret_arn})}]}


def test_each_function_does_its_job(account: Account) -> None:
    """With the synthesised policies enforced, the resync enrols, the dispatcher hands out, and the worker refreshes."""
    secret_arn = account.member()

    assert "ok" == account.run("Resync", account.policy("Resync"))
    assert "ok" == account.run("Dispatcher", account.policy("Dispatcher"), SCHEDULED)
    for _ in range(2):  # a run that only reads, and one that refreshes
        assert "ok" == account.run("Worker", account.policy("Worker"), message(secret_arn))

    (row,) = account.index.rows()
    assert row.seen is not None
    assert "refreshed" == row.seen.outcome


def test_nothing_granted_goes_unused(account: Account) -> None:
    """Each permission on the table and on the listing is needed by the function that has it."""
    account.member()
    for name in ("Resync", "Dispatcher"):
        policy = account.policy(name)
        account.run(name, policy)
        unused = {grant[1] for grant in set(policy.grants(("dynamodb:", "secretsmanager:"))) - policy.used}
        # Nothing is due here, so the dispatcher has nothing to remember.
        assert unused <= ({"dynamodb:UpdateItem"} if name == "Dispatcher" else set()), name


def test_the_dispatcher_reads_no_secret(account: Account) -> None:
    """Neither dispatcher nor resync reaches secrets or claims; the former writes what it sent, and breakers."""
    secret_arn, changes = account.member(), ("PutItem", "UpdateItem", "DeleteItem")

    def reached(name: str, *keys: str, actions: tuple[str, ...] = ("GetItem", "BatchGetItem", *changes)) -> list[str]:
        policy, contexts = account.policy(name), {key: {"dynamodb:LeadingKeys": key} if key else {} for key in keys}
        return [
            key
            for key, context in contexts.items()
            if any(policy.allows(Ask(action=f"dynamodb:{a}", resource=TABLE, context=context)) for a in actions)
        ]

    for name in ("Dispatcher", "Resync"):
        context = {"secretsmanager:ResourceTag/token-refresh:fleet": "prod"}
        for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "TagResource"):
            ask = Ask(action=f"secretsmanager:{action}", resource=secret_arn, context=context)
            assert not account.policy(name).allows(ask)
        assert [] == reached(name, secret_arn, "")
    assert [] == reached("Worker", "")
    written = ("sent#prod#1", "breakers#prod")
    others = ("row#arn:aws:x", "fleet#prod", "breakers#other")
    assert [*written] == reached("Dispatcher", *written, *others, actions=changes)


def test_the_worker_reaches_the_fleet_alone(account: Account) -> None:
    """The worker reads and writes secrets with the fleet's tag, its client secrets, and can't list or tag any."""
    policy, secret_arn = account.policy("Worker"), account.member()

    def may(action: str, arn: str = secret_arn, fleet: str | None = "prod") -> bool:
        context = {"secretsmanager:ResourceTag/token-refresh:fleet": fleet} if fleet else {}
        return policy.allows(Ask(action=f"secretsmanager:{action}", resource=arn, context=context))

    assert may("PutSecretValue")
    assert not any(may("PutSecretValue", fleet=other) for other in ("prod-eu", None))
    assert not any(may(action) for action in ("ListSecrets", "TagResource", "DeleteSecret", "UpdateSecret"))
    clients = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:clients/xero-AbCdEf"
    assert (True, False) == (may("GetSecretValue", clients, None), may("PutSecretValue", clients, None))
    assert not may("GetSecretValue", clients, "another"), "a token secret, which its name puts among the clients"
    stages = ({"secretsmanager:VersionStage": stage} for stage in ("AWSCURRENT", "AWSPREVIOUS", "REFRESH_CLAIM"))
    reads = [policy.allows(Ask(action="secretsmanager:GetSecretValue", resource=clients, context=it)) for it in stages]
    assert [True, True, False] == reads


def secret(name: str) -> str:
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"


def test_the_worker_writes_copies_and_makes_none(whole_fleet: Synthesis) -> None:
    """With `published_under` the worker writes what is there, and can neither create, tag nor delete a copy."""
    worker = IamPolicy(statements=resolve(statements(whole_fleet.template, "Worker", "Allow"), Resolved()))

    def may(name: str) -> set[str]:
        actions = ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "CreateSecret", "TagResource")
        return {
            action
            for action in (*actions, "DeleteSecret", "ListSecretVersionIds")
            if worker.allows(Ask(action=f"secretsmanager:{action}", resource=secret(name)))
        }

    writes = {"GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"}
    assert writes == may("published/crm/prod/7/xero")
    assert writes | {"ListSecretVersionIds"} == may("crm/prod/7/xero")
    assert {"GetSecretValue"} == may("clients/xero")
    assert set() == may("other/7/xero")


def test_a_tenants_reader_reads_that_tenants_copies_alone() -> None:
    """Whoever may read the copies under one tenant's path reads no other tenant's, no token secret and no client."""
    reader = granted(
        lambda stack, role: access.grant_read_published(role, access.secrets_under(stack, "published/customers/7/"))
    )

    def reads(name: str) -> bool:
        return reader.allows(Ask(action="secretsmanager:GetSecretValue", resource=secret(name)))

    own = ("published/customers/7/xero", "published/customers/7/hubspot")
    foreign = ("published/customers/70/xero", "published/customers/8/xero", "published/customers/7", "published/other")
    closed = ("customers/7/xero", "clients/xero", "customers/8/xero")
    assert [*own] == [name for name in (*own, *foreign, *closed) if reads(name)]
    assert not reader.allows(Ask(action="secretsmanager:PutSecretValue", resource=secret(own[0])))


@pytest.mark.parametrize("name", ["Worker", "Dispatcher", "Resync"])
def test_only_from_its_own_function(template: Template, name: str) -> None:
    """Each role's permissions on secrets, items and what it sends are refused outside of its function."""
    (function,) = [
        key for key, r in template["Resources"].items() if r["Type"] == "AWS::Lambda::Function" and key.startswith(name)
    ]
    refused = statements(template, name, "Deny")

    outside = {"ArnNotEquals": {"lambda:SourceFunctionArn": {"Fn::GetAtt": [function, "Arn"]}}}
    assert all(outside == statement["Condition"] for statement in refused)
    actions = [action for statement in refused for action in as_list(statement["Action"])]
    assert {"secretsmanager:*", "dynamodb:*", "events:PutEvents"} <= set(actions)
    assert (name == "Dispatcher") is ("sqs:SendMessage" in actions)


@pytest.mark.parametrize("name", ["Dispatcher", "Resync"])
def test_what_is_missing_is_named(account: Account, name: str) -> None:
    """With the table taken away from its role, a function says that access is denied."""
    policy = account.policy(name)
    for grant in policy.grants(("dynamodb:Query",)):
        policy = policy.without(grant)

    due(account, account.member())
    assert "SecretAccessDenied" == account.run(name, policy)

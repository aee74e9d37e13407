"""Each example does what it says: in Lambda's own runtime client or a real server, with a store and queue over HTTP."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from testbed.aws_lambda.function import Function
from testbed.aws_lambda.function_url import FunctionUrl
from testbed.secrets_manager.moto_server import moto_here
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sqs.server import SqsServer
from testbed.webhooks.setting import Setting
from testbed.webhooks.signing import KINDS, SECRETS, SentRequest, sent
from token_refresh.webhooks import SENDERS, from_message, to_message

GROUP = "unmeasured"

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A store with the signing secrets, and a queue."""

    store: SecretsManagerServer
    queue: SqsServer

    @property
    def environment(self) -> dict[str, str]:
        secrets = {SENDERS[kind].variable: f"{kind}-signing" for kind in KINDS}
        logs = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        queue = self.queue.environment | {"WEBHOOK_QUEUE_URL": self.queue.queue_url}
        return self.store.environment | queue | secrets | logs

    @contextmanager
    def served(self, handler: str) -> Iterator[FunctionUrl]:
        """Run an example behind a function URL."""
        with Function(self.environment, handler=handler, task_root=EXAMPLES) as function, FunctionUrl(function) as url:
            yield url

    def queued(self) -> list[tuple[str, Any]]:
        return [from_message(message.body) for message in self.queue.messages]


@pytest.fixture
def aws() -> Iterator[Surroundings]:
    with SecretsManagerServer() as store, SqsServer() as queue:
        for kind in KINDS:
            store.client().create_secret(Name=f"{kind}-signing", SecretString=SECRETS[kind])
        yield Surroundings(store, queue)


def now(kind: str, **options: Any) -> SentRequest:
    return sent(kind, at=int(time.time()), **options)


def post(url: str, kind: str, request: SentRequest) -> httpx.Response:
    return httpx.post(f"{url}/webhooks/{kind}", headers=request.headers, content=request.body, timeout=60)


def lines_of(url: FunctionUrl) -> list[dict[str, Any]]:
    """The log lines of the receiver."""
    lines = [json.loads(line) for invocation in url.invocations for line in invocation.logs if line.startswith("{")]
    return [line for line in lines if line.get("event") == "webhook"]


def test_stripe_webhook(aws: Surroundings) -> None:
    """The Stripe function queues what Stripe signed, once, and refuses what somebody else did."""
    with aws.served("stripe_webhook.handler") as url:
        request = now("stripe")
        assert [200, 200] == [post(url.endpoint, "stripe", request).status_code for _ in range(2)]
        assert 401 == post(url.endpoint, "stripe", now("stripe", secret="whsec_other")).status_code
        assert 404 == post(url.endpoint, "slack", now("slack")).status_code
        assert 405 == httpx.get(f"{url.endpoint}/webhooks/stripe", timeout=60).status_code
        lines = lines_of(url)
    ((route, delivery),) = aws.queued()
    assert ("/webhooks/stripe", "evt_1", request.body) == (route, delivery.key, delivery.body)
    assert ["delivered", "delivered", "not_verified", "not_found", "method_not_allowed"] == [
        line["outcome"] for line in lines
    ]
    assert "canary" not in json.dumps(lines)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_here() as url:
        yield url


def test_webhook_consumer(aws: Surroundings, moto: str) -> None:
    """The consumer processes a delivery once however often it comes, and reports the one message that failed."""
    keys: Any = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}
    tables = boto3.client("dynamodb", endpoint_url=moto, **keys)
    tables.create_table(
        TableName="idempotency",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    verifier, messages = Setting().verifiers["stripe"], []
    for body in (b'{"id": "evt_1", "type": "a.b"}', b'{"id": "evt_2", "type": "example.fails"}'):
        request = sent("stripe", body)
        messages.append(to_message("/webhooks/stripe", verifier.verify(request.headers, request.body)))
    one, two = messages
    environment = aws.store.environment | {
        "AWS_ENDPOINT_URL_DYNAMODB": moto,
        "IDEMPOTENCY_TABLE": "idempotency",
        "POWERTOOLS_SERVICE_NAME": "webhooks",
    }
    with Function(environment, handler="webhook_consumer.handler", task_root=EXAMPLES) as function:
        first = function.invoke(batch(one, two, one))
        again = function.invoke(batch(one))
    assert {"batchItemFailures": [{"itemIdentifier": "message-1"}]} == first.payload
    assert {"batchItemFailures": []} == again.payload
    processed = [line for line in (*first.logs, *again.logs) if line.startswith("stripe ")]
    assert ["stripe a.b", "stripe example.fails"] == processed
    tables.close()


def batch(*bodies: str) -> dict[str, Any]:
    known = {
        "receiptHandle": "handle",
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:webhooks.fifo",
        "awsRegion": "eu-central-1",
    }
    return {
        "Records": [
            known | {"messageId": f"message-{n}", "body": body, "attributes": {"MessageGroupId": f"group-{n}"}}
            for n, body in enumerate(bodies)
        ]
    }


def test_the_examples_have_tests() -> None:
    """Each example that reads a secret has tests of its own; they pass by the commands that their first lines give."""
    files = sorted(EXAMPLES.glob("test_*.py"))
    tests = "\n".join(path.read_text() for path in files)
    printed = re.findall(r"`pytest (examples/\w+\.py)`", tests)
    command = [Path(sys.executable).with_name("pytest"), *printed, "-p", "no:cacheprovider", "-q"]
    names = {path.stem for path in EXAMPLES.glob("*.py") if not path.name.startswith("test_")}
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # they use none, and loading them takes a second
    ended = subprocess.run(command, cwd=EXAMPLES.parent, env=alone, capture_output=True, text=True, check=False)  # noqa: S603 - our own

    # The agent has a stand-in in tests/reader/test_agent.py, Grants a customer in tests/changes/test_grants.py, and the
    # handler with a claim the contest's parts in tests/demos/test_claiming_handler.py.
    assert names - {"agent", "claiming_handler", "fastapi_grants"} == {
        name for name in names if re.search(rf"(import|from|\(\") ?{name}\b", tests)
    }
    assert [f"examples/{path.name}" for path in files] == sorted(printed)
    assert all("token_refresh.testing" in path.read_text() for path in files)
    assert 0 == ended.returncode, ended.stdout

"""What a webhook receiver may do, shown both ways: it works with that, and with nothing less."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.conftest import QUIET_RECEIVER
from infra.enforced import KEY, asks, refused
from testbed.aws.faults import Call
from testbed.aws_lambda.function import Function
from testbed.policy import Ask, IamPolicy, Meaning, resolve
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sqs.server import SqsServer
from testbed.synthesis import synthesise
from testbed.webhooks.events import http_v2
from testbed.webhooks.signing import SECRETS, sent
from token_refresh.webhooks import SENDERS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FUNCTION = "the-receiver"
FROM_THE_RECEIVER = {"lambda:SourceFunctionArn": FUNCTION}
NAMES = {"stripe": "acme/prod/stripe", "slack": "acme/prod/slack"}
PREFIX = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"


def policy_of(code: Path, *, queue_arn: str = "the-queue", overlap_seconds: int = 3600) -> IamPolicy:
    """Synthesise a receiver of these secrets; give its role's policy."""
    here = {"account": "123456789012", "region": "eu-central-1", "kms_key": KEY, "overlap_seconds": overlap_seconds}
    secrets = {f"{kind}_secret": name for kind, name in NAMES.items()}
    deployment = synthesise(QUIET_RECEIVER | here | secrets, code)
    (queue,) = [
        name for name, r in deployment.template["Resources"].items() if "RedrivePolicy" in r.get("Properties", ())
    ]
    arns = {f"{queue}.Arn": queue_arn, f"{deployment.logical_id('Lambda::Function')}.Arn": FUNCTION}
    return IamPolicy(statements=resolve(deployment.policy_of_role("lambda.amazonaws.com"), Meaning(arns)))


class RunningReceiver:
    """`examples/webhook_router.py` under Lambda's runtime client, with a store and a queue that enforce a policy."""

    def __init__(self, store: SecretsManagerServer, queue: SqsServer) -> None:
        self.store, self.queue = store, queue
        self.logs: list[str] = []

    def enforce(self, policy: IamPolicy) -> None:
        """Let store and queue refuse what a policy doesn't allow."""

        def authorize(call: Call) -> str | None:
            send = Ask(action="sqs:SendMessage", resource=str(call.arn), context=FROM_THE_RECEIVER)
            needed = [send] if call.operation == "SendMessage" else asks(call, function=FUNCTION)
            return refused(policy, needed)

        self.store.authorize = self.queue.authorize = authorize

    def statuses(self) -> dict[str, int]:
        """Start a new function, send it a delivery of each provider, and give the statuses."""
        environment = self.store.environment | self.queue.environment
        environment |= {SENDERS[kind].variable: name for kind, name in NAMES.items()}
        environment |= {"WEBHOOK_QUEUE_URL": self.queue.queue_url, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
        found = {}
        with Function(environment, handler="webhook_router.handler", task_root=EXAMPLES) as function:
            for kind in NAMES:
                request = sent(kind, at=int(self.store.now()))
                event = http_v2("POST", f"/webhooks/{kind}", request.headers, request.body)
                invocation = function.invoke(event)
                self.logs += invocation.logs
                found[kind] = invocation.payload["statusCode"]
        return found


@pytest.fixture
def running() -> Iterator[RunningReceiver]:
    with SecretsManagerServer() as store, SqsServer() as queue:
        for kind, name in NAMES.items():
            value = {"SecretString": SECRETS[kind], "ClientRequestToken": str(uuid.uuid4())}
            store.call("CreateSecret", {"Name": name, **value})
        yield RunningReceiver(store, queue)


def reads(policy: IamPolicy, label: str, resource: str = f"{PREFIX}acme/prod/stripe-AbCdEf") -> bool:
    context = FROM_THE_RECEIVER | {"secretsmanager:VersionStage": label}
    return policy.allows(Ask(action="secretsmanager:GetSecretValue", resource=resource, context=context))


def test_previous_version_only_for_an_overlap(receiver_zip: Path) -> None:
    """The previous version of a secret is in reach where an overlap needs it, and no other version ever is."""
    with_overlap, without = policy_of(receiver_zip), policy_of(receiver_zip, overlap_seconds=0)
    labels = ("AWSCURRENT", "AWSPREVIOUS", "AWSPENDING")
    assert [True, True, False] == [reads(with_overlap, label) for label in labels]
    assert [True, False, False] == [reads(without, label) for label in labels]


def test_nothing_more_and_nothing_less(running: RunningReceiver, receiver_zip: Path) -> None:
    """With its policy enforced the receiver delivers; each part is used and needed, and there is but its log beside."""
    policy = policy_of(receiver_zip, queue_arn=running.queue.arn)
    running.enforce(policy)

    assert dict.fromkeys(NAMES, 200) == running.statuses()
    outcomes = {logged.outcome for logged in (*running.store.calls, *running.queue.calls)}
    assert {"ok"} == outcomes - {"ResourceNotFoundException"}  # no secret has a previous version
    grants = policy.grants(["secretsmanager:", "kms:", "sqs:"])
    assert set(grants) == policy.used
    assert {"kms", "secretsmanager", "sqs"} == {action.partition(":")[0] for _, action, _ in grants}
    others = {grant for grant in policy.grants([""]) if grant not in grants}
    assert {"logs:CreateLogStream", "logs:PutLogEvents"} == {action for _, action, _ in others}
    assert "*" not in {resource for _, _, resource in policy.grants([""])}
    for grant in grants:
        running.enforce(policy.without(grant))
        statuses = list(running.statuses().values())
        assert (2 if grant[1] == "sqs:SendMessage" else 1) == statuses.count(503)
    text = "\n".join(running.logs)
    assert "DeliveryNotQueued" in text
    assert "sqs:SendMessage on queue" in text
    assert "allow this action for the caller's role" in text
    assert "SecretAccessDenied" in text


def test_only_the_receivers_own_code(receiver_zip: Path) -> None:
    """The role reads and sends nothing for another function, or for whoever took its credentials away from Lambda."""
    policy = policy_of(receiver_zip)
    current = {"secretsmanager:VersionStage": "AWSCURRENT"}
    asked = {"secretsmanager:GetSecretValue": f"{PREFIX}acme/prod/stripe-??????", "sqs:SendMessage": "the-queue"}

    for function, allowed in ((FUNCTION, True), (f"{FUNCTION}-2", False), (None, False)):
        context = current | ({"lambda:SourceFunctionArn": function} if function else {})
        for action, resource in asked.items():
            assert allowed == policy.allows(Ask(action=action, resource=resource, context=context)), (function, action)

"""A webhook receiver that runs for real with the policy that was synthesised for it."""

import contextlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from infra.enforced import asks, refused
from testbed.aws.faults import Call
from testbed.aws_lambda.function import Function
from testbed.policy import Ask, IamPolicy, resolve
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sqs.server import SqsServer
from testbed.synthesis import unvalidated
from testbed.webhooks.events import http_v2
from testbed.webhooks.signing import SECRETS, sent
from token_refresh.webhooks import SENDERS
from token_refresh_infra.access import Secrets
from token_refresh_infra.webhooks.receiver import WebhookReceiver

from aws_cdk import Environment, Stack, assertions  # isort: skip - after our package, see its docstring
from aws_cdk import aws_lambda as lambda_  # isort: skip

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FUNCTION = "the-receiver"
FROM_THE_RECEIVER = {"lambda:SourceFunctionArn": FUNCTION}
Which = Callable[[Stack], Sequence[Secrets]]


def policy_of(which: Which, *, queue_arn: str = "the-queue", accept_previous: bool = True) -> IamPolicy:
    """Synthesise a receiver that may read these secrets; give its role's policies as one."""
    stack = Stack(unvalidated(), "Receiver", env=Environment(account="123456789012", region="eu-central-1"))
    WebhookReceiver(
        stack,
        "Webhooks",
        code=lambda_.Code.from_inline("pass"),
        handler="webhook_router.handler",
        variables={},
        secrets=which(stack),
        accept_previous=accept_previous,
    )
    template = assertions.Template.from_stack(stack)
    policies = template.find_resources("AWS::IAM::Policy").values()
    (function,) = template.find_resources("AWS::Lambda::Function")
    (queue,) = (
        name
        for name, resource in template.find_resources("AWS::SQS::Queue").items()
        if "RedrivePolicy" in resource["Properties"]
    )
    (group,) = template.find_resources("AWS::Logs::LogGroup")
    known = {"AWS::Partition": "aws", f"{queue}.Arn": queue_arn, f"{group}.Arn": "the-log", f"{function}.Arn": FUNCTION}
    return IamPolicy(
        statements=[
            resolve(statement, known)
            for policy in policies
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        ]
    )


class RunningReceiver:
    """`examples/webhook_router.py` under Lambda's runtime client, with a store and a queue that enforce a policy."""

    def __init__(self, which: Which, names: Mapping[str, str]) -> None:
        """Describe it: which secrets it may read, which `KEY` encrypts, and the name of each provider's."""
        self._which, self._names = which, names
        self.store = SecretsManagerServer()
        self.queue = SqsServer()
        self._started = contextlib.ExitStack()
        self.logs: list[str] = []

    def __enter__(self) -> Self:
        """Start the servers, store the secrets, and synthesise the policy."""
        self._started.enter_context(self.store)
        self._started.enter_context(self.queue)
        for kind, name in self._names.items():
            value = {"SecretString": SECRETS[kind], "ClientRequestToken": str(uuid.uuid4())}
            self.store.call("CreateSecret", {"Name": name, **value})
        self.policy = policy_of(self._which, queue_arn=self.queue.arn)
        self.enforce(self.policy)
        return self

    def __exit__(self, *exception: object) -> None:
        """End everything."""
        self._started.close()

    def enforce(self, policy: IamPolicy) -> None:
        """Let store and queue refuse what a policy doesn't allow."""
        self.store.authorize = self.queue.authorize = lambda call: refused(policy, _asks(call))

    def statuses(self) -> dict[str, int]:
        """Start a new function, send it a delivery of each provider, and give the statuses."""
        environment = self.store.environment | self.queue.environment
        environment |= {SENDERS[kind].variable: name for kind, name in self._names.items()}
        environment |= {"WEBHOOK_QUEUE_URL": self.queue.queue_url, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
        found = {}
        with Function(environment, handler="webhook_router.handler", task_root=EXAMPLES) as function:
            for kind in self._names:
                request = sent(kind, at=int(self.store.now()))
                event = http_v2("POST", f"/webhooks/{kind}", request.headers, request.body)
                invocation = function.invoke(event)
                self.logs += invocation.logs
                found[kind] = invocation.payload["statusCode"]
        return found


def _asks(call: Call) -> list[Ask]:
    if call.operation == "SendMessage":
        return [Ask(action="sqs:SendMessage", resource=str(call.arn), context=FROM_THE_RECEIVER)]
    return asks(call, function=FUNCTION)

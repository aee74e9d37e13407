"""`-c mode=webhooks`: the router of `examples/webhook_router.py` behind a function URL."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from aws_cdk import CfnOutput, Environment, Stack, Tags
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from token_refresh_infra import access
from token_refresh_infra.common import CREATE, CommonParameters, part
from token_refresh_infra.constructs.topic import alarm_topic
from token_refresh_infra.context import ParameterError, Reader, text, whole
from token_refresh_infra.webhooks.alarms import WebhookAlarms
from token_refresh_infra.webhooks.receiver import WebhookReceiver

HANDLER = "webhook_router.handler"
PARAMETER = "ssm:"
DEFAULT_SERVICE = "webhooks"
_NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"
_REFERENCE = (
    rf"{_NAME}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{{12}}:secret:{_NAME}-[A-Za-z0-9]{{6}}|ssm:/[A-Za-z0-9_./-]+"
)


def reference() -> Reader:
    """Read where a signing secret is."""
    return text(_REFERENCE, "the name or complete ARN of a secret, or ssm:/path")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookParameters(CommonParameters):
    """One receiver. Each secret that is set opens an endpoint, as in `/webhooks/stripe`."""

    service: Annotated[str, part(default=DEFAULT_SERVICE)]
    memory_mb: Annotated[int, whole(512, low=256, high=10240)]
    reserved_concurrency: Annotated[int, whole(10, low=0, high=1000)]
    # Shorter than a read that hangs, the timeout would end the function with its cached secrets.
    timeout_seconds: Annotated[int, whole(10, low=8, high=60)]
    overlap_seconds: Annotated[int, whole(3600, low=0, high=7 * 24 * 3600)]
    stripe_secret: Annotated[str | None, reference()]
    slack_secret: Annotated[str | None, reference()]
    github_secret: Annotated[str | None, reference()]
    standard_secret: Annotated[str | None, reference()]

    def check(self) -> None:
        """Refuse a receiver without an endpoint, and secrets of other places."""
        if not self.references:
            raise ParameterError(
                "stripe_secret: set one at least of stripe_secret, slack_secret, github_secret and standard_secret: "
                'write stripe_secret = "stripe-webhook-secret" into the deployment\'s file '
                "(cdk: -c stripe_secret=stripe-webhook-secret)"
            )
        if self.kms_key == CREATE:
            raise ParameterError(
                "kms_key: the signing secrets are there already; give the ARN of the key that they have"
            )
        if self.log_level != "INFO":
            raise ParameterError(
                "log_level: must be INFO: the alarms count lines of this level, and at DEBUG botocore logs secrets, "
                f"is {self.log_level}"
            )
        for name in ("stripe_secret", "slack_secret", "github_secret", "standard_secret"):
            self.check_place(name, getattr(self, name))

    @property
    def name_suffix(self) -> str | None:
        """What tells this stack apart from a worker's."""
        return self.service

    @property
    def references(self) -> dict[str, str]:
        """Return the variables that say where the secrets are."""
        variables = {
            "STRIPE_WEBHOOK_SECRET_ID": self.stripe_secret,
            "SLACK_SIGNING_SECRET_ID": self.slack_secret,
            "GITHUB_WEBHOOK_SECRET_ID": self.github_secret,
            "STANDARD_WEBHOOK_SECRET_ID": self.standard_secret,
        }
        return {name: value for name, value in variables.items() if value is not None}


class WebhookStack(Stack):
    """A receiver with its alarms; `receiver.consume_with` is for stacks beside it."""

    def __init__(self, scope: Construct, construct_id: str, *, parameters: WebhookParameters, code: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            stack_name=parameters.stack_name,
            description="Verifies webhooks and puts them into a queue",
            env=Environment(account=parameters.account, region=parameters.region),
        )
        Tags.of(self).add("environment", parameters.environment)
        references = list(parameters.references.values())
        self.receiver = WebhookReceiver(
            self,
            "Webhooks",
            code=lambda_.Code.from_asset(str(code)),
            handler=HANDLER,
            variables=parameters.references | {"WEBHOOK_OVERLAP_SECONDS": str(parameters.overlap_seconds)},
            secrets=[
                access.one_secret(self, name).encrypted_with(parameters.kms_key)
                for name in references
                if not name.startswith(PARAMETER)
            ],
            parameters=[
                access.one_parameter(self, name.removeprefix(PARAMETER)).encrypted_with(parameters.kms_key)
                for name in references
                if name.startswith(PARAMETER)
            ],
            accept_previous=parameters.overlap_seconds > 0,
            memory_mb=parameters.memory_mb,
            timeout_seconds=parameters.timeout_seconds,
            reserved_concurrency=parameters.reserved_concurrency,
            log_group_name=parameters.log_group_name,
            log_retention_days=int(parameters.log_retention_days),
            log_key=parameters.kms_key if parameters.encrypt_logs else None,
            tracing=parameters.tracing,
        )
        self._watch(parameters)
        self._show_outputs(parameters)

    def _watch(self, parameters: WebhookParameters) -> None:
        self.topic = None
        if parameters.alarms:
            self.topic = alarm_topic(self, parameters=parameters, key=None)
            WebhookAlarms(
                self,
                "Alarms",
                receiver=self.receiver,
                name=parameters.stack_name,
                overlap_seconds=parameters.overlap_seconds,
            ).announce(self.topic)

    def _show_outputs(self, parameters: WebhookParameters) -> None:
        outputs = {
            "Url": self.receiver.url.url,
            "FunctionName": self.receiver.function.function_name,
            "LogGroupName": parameters.log_group_name,
            "QueueUrl": self.receiver.queue.queue_url,
            "QueueArn": self.receiver.queue.queue_arn,
            "DeadLettersUrl": self.receiver.dead_letters.queue_url,
            "AlarmTopicArn": self.topic.topic_arn if self.topic else None,
        }
        for name, value in outputs.items():
            if value is not None:
                CfnOutput(self, name, value=value)

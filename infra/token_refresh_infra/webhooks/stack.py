"""`-c mode=webhooks`: the router of `examples/webhook_router.py` behind a function URL."""

from pathlib import Path

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from token_refresh.reference import ReferenceScheme, split_reference
from token_refresh_infra import access
from token_refresh_infra.constructs.stack import DeployedStack
from token_refresh_infra.constructs.topic import alarm_topic
from token_refresh_infra.constructs.vpc import put_into_vpc
from token_refresh_infra.webhooks.alarms import WebhookAlarms
from token_refresh_infra.webhooks.parameters import WebhookParameters
from token_refresh_infra.webhooks.receiver import WebhookReceiver

HANDLER = "webhook_router.handler"


class WebhookStack(DeployedStack):
    """A receiver with its alarms; `receiver.consume_with` is for stacks beside it."""

    def __init__(self, scope: Construct, construct_id: str, *, parameters: WebhookParameters, code: Path) -> None:
        super().__init__(
            scope,
            construct_id,
            parameters=parameters,
            description="Verifies webhooks and puts them into a queue",
        )
        references = dict.fromkeys(split_reference(reference)[:2] for reference in parameters.references.values())
        self.receiver = WebhookReceiver(
            self,
            "Webhooks",
            code=lambda_.Code.from_asset(str(code)),
            handler=HANDLER,
            variables=parameters.references | {"WEBHOOK_OVERLAP_SECONDS": str(parameters.overlap_seconds)},
            secrets=[
                access.one_secret(self, name).encrypted_with(parameters.kms_key, *parameters.previous_kms_keys)
                for scheme, name in references
                if scheme is ReferenceScheme.SECRET
            ],
            parameters=[
                access.one_parameter(self, name).encrypted_with(parameters.kms_key)
                for scheme, name in references
                if scheme is ReferenceScheme.PARAMETER
            ],
            accept_previous=parameters.overlap_seconds > 0,
            python=parameters.python,
            memory_mb=parameters.memory_mb,
            timeout_seconds=parameters.timeout_seconds,
            reserved_concurrency=parameters.reserved_concurrency,
            name=parameters.stack_name,
            log_group_name=parameters.log_group_name,
            role_for="receiver",
            log_retention_days=int(parameters.log_retention_days),
            log_key=parameters.kms_key if parameters.encrypt_logs else None,
            tracing=parameters.tracing,
        )
        put_into_vpc(
            self.receiver,
            self.receiver.function,
            self.receiver.role,
            subnets=parameters.vpc_subnets,
            groups=parameters.vpc_security_groups,
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
                stack_name=parameters.stack_name,
                overlap_seconds=parameters.overlap_seconds,
            ).announce(self.topic)

    def _show_outputs(self, parameters: WebhookParameters) -> None:
        self.show(
            {
                "Url": self.receiver.url.url,
                "FunctionName": self.receiver.function.function_name,
                "LogGroupName": parameters.log_group_name,
                "QueueUrl": self.receiver.queue.queue_url,
                "QueueArn": self.receiver.queue.queue_arn,
                "DeadLettersUrl": self.receiver.dead_letters.queue_url,
                "AlarmTopicArn": self.topic.topic_arn if self.topic else None,
            }
        )

"""A Lambda function of ours: its role with exactly what it uses, its log group, and a queue that keeps failed runs."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from token_refresh_infra.common import CommonParameters

HANDLER = "token_refresh_worker.handlers.refresh"
_KEPT = Duration.days(14)


class WorkerFunction(Construct):
    """The function; the stack grants what it may do with secrets, queues and tables."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: CommonParameters,
        code: Path,
        variables: Mapping[str, str],
        timeout_seconds: int,
        event_age_seconds: int,
        handler: str = HANDLER,
        description: str = "Refreshes OAuth 2.0 tokens in Secrets Manager before they expire",
        log_group_name: str | None = None,
        log_key: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        group = logs.CfnLogGroup(
            self,
            "Logs",
            log_group_name=log_group_name or parameters.log_group_name,
            retention_in_days=int(parameters.log_retention_days),
            kms_key_id=log_key,
        )
        group.apply_removal_policy(RemovalPolicy.DESTROY)  # nothing in a log is needed once the stack is gone
        self.log_group = logs.LogGroup.from_log_group_name(self, "LogGroup", group.ref)
        self.failed_runs = sqs.Queue(
            self,
            "FailedRuns",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=_KEPT,
        )
        Validations.of(self.failed_runs).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-SQS3",
                reason="It is itself where failed runs end up: Lambda's on-failure destination, read by people",
            )
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self._allow(["logs:CreateLogStream", "logs:PutLogEvents"], group.attr_arn)
        self._allow(["sqs:SendMessage"], self.failed_runs.queue_arn)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=handler,
            code=lambda_.Code.from_asset(str(code)),
            role=self.role,
            environment=dict(variables),
            timeout=Duration.seconds(timeout_seconds),
            memory_size=parameters.memory_mb,
            reserved_concurrent_executions=parameters.reserved_concurrency or None,
            tracing=lambda_.Tracing.ACTIVE if parameters.tracing else lambda_.Tracing.DISABLED,
            log_group=self.log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Never above INFO: each run's last line, which is its metric, is of that level.
            application_log_level_v2=_lambda_log_level(parameters.log_level),
            system_log_level_v2=lambda_.SystemLogLevel.INFO,
        )
        Validations.of(self.function).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-L1",
                reason="3.13 is the version that the zip is compiled for and that the worker is tested on",
            )
        )
        if parameters.tracing:
            Validations.of(self.role).acknowledge(
                Acknowledgment(
                    id="AwsSolutions::AwsSolutions-IAM5[Resource::*]", reason="X-Ray's two actions know no resource"
                )
            )
        # A second try by Lambda would meet the failed run's claim, yield, and hide the failure.
        lambda_.CfnEventInvokeConfig(
            self,
            "AsynchronousRuns",
            function_name=self.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=max(60, min(21_600, event_age_seconds)),
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=self.failed_runs.queue_arn)
            ),
        ).node.add_dependency(self.role)

    def _allow(self, actions: list[str], *resources: str) -> None:
        self.role.add_to_principal_policy(iam.PolicyStatement(actions=actions, resources=list(resources)))


def _lambda_log_level(log_level: str) -> lambda_.ApplicationLogLevel:
    return lambda_.ApplicationLogLevel.DEBUG if log_level == "DEBUG" else lambda_.ApplicationLogLevel.INFO

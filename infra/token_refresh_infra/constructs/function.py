"""A Lambda function of ours: its log group, its role with exactly what it uses, and a queue that keeps failed runs."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from token_refresh_infra.access import grant_send
from token_refresh_infra.common import CommonParameters
from token_refresh_infra.constructs.nag import acknowledge
from token_refresh_infra.constructs.queues import dead_letters
from token_refresh_infra.constructs.role import service_role
from token_refresh_infra.constructs.vpc import put_into_vpc

_RUNTIMES = {"3.13": lambda_.Runtime.PYTHON_3_13, "3.14": lambda_.Runtime.PYTHON_3_14}

HANDLER = "token_refresh_worker.handlers.refresh"


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
        name: str | None = None,
        log_group_name: str | None = None,
        log_key: str | None = None,
        message_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group, self.role = log_and_role(
            self,
            name=log_group_name or parameters.log_group_name,
            role_for=construct_id.lower(),
            retention_days=int(parameters.log_retention_days),
            key=log_key,
        )
        self.failed_runs = dead_letters(self, "FailedRuns", key=message_key)
        grant_send(self.role, self.failed_runs.queue_arn, message_key)
        self.function = python_function(
            self,
            name=name or parameters.stack_name,
            description=description,
            handler=handler,
            code=lambda_.Code.from_asset(str(code)),
            python=parameters.python,
            role=self.role,
            variables={**variables, **({"HTTPS_PROXY": parameters.https_proxy} if parameters.https_proxy else {})},
            timeout_seconds=timeout_seconds,
            memory_mb=parameters.memory_mb,
            reserved_concurrency=parameters.reserved_concurrency or None,
            log_group=self.log_group,
            # Never above INFO: each run's last line, which is its metric, is of that level.
            debug=parameters.log_level == "DEBUG",
            tracing=parameters.tracing,
        )
        put_into_vpc(
            self, self.function, self.role, subnets=parameters.vpc_subnets, groups=parameters.vpc_security_groups
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


def log_and_role(
    scope: Construct, *, name: str | None, role_for: str | None, retention_days: int, key: str | None
) -> tuple[logs.ILogGroup, iam.Role]:
    """Make a function's log group, and its role, which may write it; without names, CloudFormation gives them some."""
    group = logs.CfnLogGroup(scope, "Logs", log_group_name=name, retention_in_days=retention_days, kms_key_id=key)
    group.apply_removal_policy(RemovalPolicy.DESTROY)  # nothing in a log is needed once the stack is gone
    role = service_role(scope, "Role", name=role_for, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_principal_policy(
        iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group.attr_arn])
    )
    return logs.LogGroup.from_log_group_name(scope, "LogGroup", group.ref), role


def python_function(
    scope: Construct,
    *,
    name: str | None,
    description: str,
    handler: str,
    code: lambda_.Code,
    python: str,
    role: iam.Role,
    variables: Mapping[str, str],
    timeout_seconds: int,
    memory_mb: int,
    reserved_concurrency: int | None,
    log_group: logs.ILogGroup,
    tracing: bool,
    debug: bool = False,
) -> lambda_.Function:
    """Make a function on the runtime that the zip is built for."""
    levels = lambda_.ApplicationLogLevel
    function = lambda_.Function(
        scope,
        "Function",
        function_name=name,
        description=description,
        runtime=_RUNTIMES[python],
        architecture=lambda_.Architecture.ARM_64,
        handler=handler,
        code=code,
        role=role,
        environment=dict(variables),
        timeout=Duration.seconds(timeout_seconds),
        memory_size=memory_mb,
        reserved_concurrent_executions=reserved_concurrency,
        tracing=lambda_.Tracing.ACTIVE if tracing else lambda_.Tracing.DISABLED,
        log_group=log_group,
        logging_format=lambda_.LoggingFormat.JSON,
        application_log_level_v2=levels.DEBUG if debug else levels.INFO,
        system_log_level_v2=lambda_.SystemLogLevel.INFO,
    )
    acknowledge(function, "L1", "the zips are compiled for the version that the deployment chooses")
    if tracing:
        acknowledge(role, "IAM5[Resource::*]", "X-Ray's two actions know no resource")
    return function

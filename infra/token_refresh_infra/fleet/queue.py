"""The table, the queues and the schedules of a fleet."""

from typing import cast

from aws_cdk import Acknowledgment, Duration, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from token_refresh_infra.access import grant_invoke
from token_refresh_infra.constructs.table import ClaimTable
from token_refresh_infra.fleet.access import INDEX
from token_refresh_infra.fleet.parameters import FleetParameters

RECEIVED_AT_MOST = 3
_KEPT = Duration.days(14)


def fleet_table(scope: Construct, parameters: FleetParameters) -> dynamodb.Table:
    """Make the table: claims as for one secret, and beside them the rows with an index of their own."""
    table = ClaimTable(scope, "Table", name=parameters.fleet, key_arn=parameters.kms_key).table
    table.add_global_secondary_index(
        index_name=INDEX,
        partition_key=dynamodb.Attribute(name="fleet", type=dynamodb.AttributeType.STRING),
        projection_type=dynamodb.ProjectionType.ALL,
    )
    cast(
        "dynamodb.CfnTable", table.node.default_child
    ).time_to_live_specification = dynamodb.CfnTable.TimeToLiveSpecificationProperty(
        attribute_name="gone_at", enabled=True
    )
    return table


class FleetQueue(Construct):
    """A FIFO queue that starts the worker: one message a run, and a bounded number of runs at once."""

    def __init__(
        self, scope: Construct, construct_id: str, *, parameters: FleetParameters, function: lambda_.IFunction
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            fifo=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=_KEPT,
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            fifo=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            # A run that crashed blocks its group for this long.
            visibility_timeout=Duration.seconds(parameters.timeout_seconds + 30),
            # The queue is never the backlog: what waits for an hour is handed out again.
            retention_period=Duration.hours(1),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=RECEIVED_AT_MOST, queue=self.dead_letters),
        )
        self.source = lambda_.CfnEventSourceMapping(
            self,
            "Source",
            function_name=function.function_name,
            event_source_arn=self.queue.queue_arn,
            batch_size=1,  # a crash repeats one secret's run, not those of nine others
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(
                maximum_concurrency=parameters.concurrency
            ),
        )


class FleetSchedules(Construct):
    """Two schedules: the dispatcher each minute, the resync each hour."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: FleetParameters,
        dispatcher: lambda_.IFunction,
        resync: lambda_.IFunction,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self, "DeadLetters", encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True, retention_period=_KEPT
        )
        Validations.of(self.dead_letters).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-SQS3",
                reason="It is itself a dead-letter queue: that of two EventBridge schedules",
            )
        )
        # A group of its own, so that the role's trust can name it.
        self._group = scheduler.CfnScheduleGroup(self, "Group", name=parameters.stack_name)
        self._role = self._make_role()
        self._schedule("dispatch", dispatcher, "rate(1 minute)", 60, parameters)
        self._schedule("resync", resync, "rate(1 hour)", 3600, parameters)

    def _make_role(self) -> iam.Role:
        """Return a role that Scheduler may take for this group's schedules alone."""
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                    "ArnEquals": {"aws:SourceArn": self._group.attr_arn},
                },
            ),
        )
        role.add_to_principal_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.dead_letters.queue_arn])
        )
        return role

    def _schedule(
        self, name: str, function: lambda_.IFunction, rate: str, event_age_seconds: int, parameters: FleetParameters
    ) -> None:
        grant_invoke(self._role, function.function_arn)
        scheduler.CfnSchedule(
            self,
            name,
            name=f"{parameters.stack_name}-{name}"[:64],
            group_name=self._group.ref,
            schedule_expression=rate,
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            state="ENABLED" if parameters.schedule_enabled else "DISABLED",
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=self._role.role_arn,
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
                # An event that is older than its period has a successor.
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=event_age_seconds, maximum_retry_attempts=1
                ),
            ),
        ).node.add_dependency(self._role)

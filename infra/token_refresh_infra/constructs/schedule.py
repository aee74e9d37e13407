"""When the worker runs, and where an invocation that could not be delivered ends up."""

from aws_cdk import Acknowledgment, Duration, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from token_refresh_infra.access import grant_invoke
from token_refresh_infra.single.parameters import SingleParameters


class RefreshSchedule(Construct):
    """An EventBridge schedule in a group of its own, with a dead-letter queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, parameters: SingleParameters, function: lambda_.IFunction
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        Validations.of(self.dead_letters).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-SQS3",
                reason="It is itself a dead-letter queue: that of an EventBridge schedule",
            )
        )
        group = scheduler.CfnScheduleGroup(self, "Group", name=parameters.stack_name)
        role = self._role(group)
        grant_invoke(role, function.function_arn)
        role.add_to_principal_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.dead_letters.queue_arn])
        )
        minutes = parameters.run_every_minutes
        self.schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            name=parameters.stack_name,
            group_name=group.ref,
            description="Runs the token refresh worker; scripts/deploy NAME --pause stops it",
            schedule_expression=f"rate({minutes} minute{'s' if minutes > 1 else ''})",
            flexible_time_window=_window(parameters.start_within_minutes),
            state="ENABLED" if parameters.schedule_enabled else "DISABLED",
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=role.role_arn,
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
                # Delivery alone is tried again, and no longer than until the next run is due.
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=60 * minutes, maximum_retry_attempts=3
                ),
            ),
        )
        # The role's policy first: Scheduler checks at creation that it may invoke its target.
        self.schedule.node.add_dependency(role)

    def _role(self, group: scheduler.CfnScheduleGroup) -> iam.Role:
        """Return a role that Scheduler may take for this group's schedules alone."""
        return iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                    "ArnEquals": {"aws:SourceArn": group.attr_arn},
                },
            ),
        )


def _window(minutes: int) -> scheduler.CfnSchedule.FlexibleTimeWindowProperty:
    if minutes:
        return scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="FLEXIBLE", maximum_window_in_minutes=minutes)
    return scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF")

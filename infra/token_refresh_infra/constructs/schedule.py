"""When functions run, and where an invocation that could not be delivered ends up."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from token_refresh_infra.access import grant_invoke, grant_send
from token_refresh_infra.constructs.queues import dead_letters
from token_refresh_infra.constructs.role import service_role

_NAME_LIMIT = 64


class Schedules(Construct):
    """EventBridge schedules in a group of their own, with one role and one dead-letter queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        group_name: str,
        enabled: bool,
        message_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._message_key = message_key
        self.dead_letters = dead_letters(self, "DeadLetters", key=message_key)
        self._enabled = enabled
        self._group = scheduler.CfnScheduleGroup(self, "Group", name=group_name)
        # Scheduler may take it for this group's schedules alone.
        self._role = service_role(
            self,
            "Role",
            name="schedule",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": Stack.of(self).account},
                    "ArnEquals": {"aws:SourceArn": self._group.attr_arn},
                },
            ),
        )

    def run(
        self,
        construct_id: str,
        function: lambda_.IFunction,
        *,
        name: str,
        every: str,
        event_age_seconds: int,
        attempts: int,
        within_minutes: int = 0,
        description: str | None = None,
    ) -> None:
        """Start a function again and again.

        Args:
            construct_id: As for every construct.
            function: What is started.
            name: The schedule's name.
            every: How often, as in `30 minutes`.
            event_age_seconds: For how long delivery is tried; an event that is older has a successor.
            attempts: How often delivery is tried again.
            within_minutes: How late it may start, so that not all start at once.
            description: What people read about it.
        """
        grant_invoke(self._role, function.function_arn)
        grant_send(self._role, self.dead_letters.queue_arn, self._message_key)
        scheduler.CfnSchedule(
            self,
            construct_id,
            name=name[:_NAME_LIMIT],
            group_name=self._group.ref,
            description=description,
            schedule_expression=f"rate({every})",
            flexible_time_window=_window(within_minutes),
            state="ENABLED" if self._enabled else "DISABLED",
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=self._role.role_arn,
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=event_age_seconds, maximum_retry_attempts=attempts
                ),
            ),
            # The role's policy first: Scheduler checks at creation that it may invoke its target.
        ).node.add_dependency(self._role)


def _window(minutes: int) -> scheduler.CfnSchedule.FlexibleTimeWindowProperty:
    if minutes:
        return scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="FLEXIBLE", maximum_window_in_minutes=minutes)
    return scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF")

"""Who was refused a secret, as CloudTrail tells EventBridge; kept in a queue, counted by the rule's metric.

Only accounts with a CloudTrail trail in the region send these events.
"""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from token_refresh_infra.constructs.queues import dead_letters


class DeniedAccess(Construct):
    """A rule for refused calls on these secrets, and a queue that keeps them for people to read.

    Args:
        names: Patterns of what names a secret in a call, its name or its ARN: `*` is anything.
        but: A role whose own calls don't count.
        key: What encrypts the queue.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: Sequence[str],
        but: iam.IRole | None = None,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.queue = dead_letters(self, "Queue", key=key)
        rule = events.CfnRule(
            self,
            "Rule",
            description="Refused calls on token secrets",
            event_pattern=_refused_calls(names, but),
            # Reads, too, which the plain ENABLED leaves out.
            state="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
            targets=[events.CfnRule.TargetProperty(id="Queue", arn=self.queue.queue_arn)],
        )
        self._rule_name = rule.ref
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )

    def metric(self, period: Duration) -> cloudwatch.Metric:
        """Return how many calls were refused."""
        return cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="TriggeredRules",
            dimensions_map={"RuleName": self._rule_name},
            statistic="Sum",
            period=period,
        )


def _refused_calls(names: Sequence[str], but: iam.IRole | None) -> dict[str, object]:
    """Return the pattern. A refused call's parameters may be missing; then its message names the secret."""
    named = [{"wildcard": name} for name in names]
    # Who calls from another account has no ARN here.
    others = [{"anything-but": {"wildcard": f"*:assumed-role/{but.role_name}/*"}}, {"exists": False}] if but else None
    return {
        "source": ["aws.secretsmanager"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "errorCode": ["AccessDenied", "AccessDeniedException"],
            **({"userIdentity": {"arn": others}} if others else {}),
            "$or": [
                {"requestParameters": {"secretId": named}},
                {"errorMessage": named},
            ],
        },
    }

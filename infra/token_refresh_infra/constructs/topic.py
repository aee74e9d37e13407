"""Where alarms are announced: a topic of the stack's own, or one that is there already."""

from typing import cast

from aws_cdk import Annotations, ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from token_refresh_infra.common import CommonParameters


def alarm_arns(scope: Construct, parameters: CommonParameters) -> str:
    """Return the pattern of the ARNs of this stack's alarms."""
    return Stack.of(scope).format_arn(
        service="cloudwatch",
        resource="alarm",
        resource_name=f"{parameters.stack_name}-*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def alarm_topic(scope: Construct, *, parameters: CommonParameters, key: kms.IKey | None) -> sns.ITopic:
    """Return the topic; an existing one keeps its own policy, which has to let CloudWatch publish."""
    if parameters.alarm_topic:
        return sns.Topic.from_topic_arn(scope, "Topic", parameters.alarm_topic)
    # With the account's AWS-managed key, CloudWatch could not publish: encrypted with a key of our own, or not at all.
    topic = sns.Topic(scope, "Topic", display_name=parameters.stack_name, master_key=key, enforce_ssl=True)
    # A policy of any kind replaces the one that let the account's own services publish.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="LetAlarmsPublish",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={
                "StringEquals": {"aws:SourceAccount": Stack.of(scope).account},
                "ArnLike": {"aws:SourceArn": alarm_arns(scope, parameters)},
            },
        )
    )
    if not parameters.alarm_email:
        Annotations.of(topic).add_warning_v2(
            "token-refresh:nobody-hears-of-alarms",
            "nobody hears of an alarm: set alarm_email or alarm_topic, or subscribe to the output AlarmTopicArn",
        )
    else:
        subscription = topic.add_subscription(subscriptions.EmailSubscription(parameters.alarm_email))
        # The CDK names it after the address. A stack of a release's template would get the same subscription under
        # another name, and then lose it: CloudFormation unsubscribes what the old name stood for.
        cast("sns.CfnSubscription", subscription.node.default_child).override_logical_id("MailOfAlarms")
    return topic

"""Checks of the alarms around one secret, and of who hears of them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from token_refresh.advice import Command
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.function import DEPLOY
from token_refresh_worker.cli.finding import Check, Finding, not_known, tried
from token_refresh_worker.run.outcome import NAMESPACE

_KINDS: Final = ("MetricAlarms", "CompositeAlarms")

NAMED: Final = ("dead-letters", "denied-access")
"""The stack's alarms on a queue or a rule, which CloudFormation names: it cuts the stack's name in theirs."""


def check_alarms(context: Context) -> Iterator[Check]:
    """Check the alarms on this secret, its function and its queues, and whether they tell anybody."""
    try:
        ours = _alarms_of(context)
    except TokenRefreshError as failure:
        yield Check("alarms", not_known(failure))
        return
    yield Check("alarms", _states(context, ours))
    if ours:
        yield tried("alarm topic", lambda: _listeners(context, ours))


def _alarms_of(context: Context) -> list[dict[str, Any]]:
    """List the alarms on metrics of ours, and the composite ones around them."""
    # Without AlarmTypes, composite alarms are left out. There is no filter for metrics.
    kinds = ["MetricAlarm", "CompositeAlarm"]
    pages = list(context.pages("cloudwatch:DescribeAlarms", "all alarms", AlarmTypes=kinds))
    alarms, composites = ([alarm for page in pages for alarm in page.get(kind, ())] for kind in _KINDS)
    function = context.function or context.deployment.function
    own = {f"{function}-{name}" for name in NAMED if function}
    ours = [a for a in alarms if a["AlarmName"] in own or any(_is_ours(context, function, m) for m in _metrics(a))]
    names = [f'"{alarm["AlarmName"]}"' for alarm in ours] + [str(alarm.get("AlarmArn")) for alarm in ours]
    return ours + [c for c in composites if any(name in c.get("AlarmRule", "") for name in names)]


def _metrics(alarm: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the metrics of an alarm, those that its expression reads included."""
    yield alarm
    for query in alarm.get("Metrics", ()):
        yield query.get("MetricStat", {}).get("Metric", {})


def _is_ours(context: Context, function: str | None, metric: Mapping[str, Any]) -> bool:
    namespace = metric.get("Namespace")
    of = {dimension["Name"]: dimension["Value"] for dimension in metric.get("Dimensions", ())}
    if namespace == NAMESPACE:
        return of.get("SecretId") == context.secret_id
    return function is not None and (namespace == f"{NAMESPACE}/{function}" or of.get("FunctionName") == function)


def _states(context: Context, ours: list[dict[str, Any]]) -> Finding:
    if not ours:
        return Finding.attention("no alarm watches this secret", "deploy them: ", DEPLOY)
    if ringing := [alarm["AlarmName"] for alarm in ours if alarm["StateValue"] == "ALARM"]:
        line = "aws cloudwatch describe-alarms --alarm-types MetricAlarm CompositeAlarm --alarm-names"
        query = ("--query", "[MetricAlarms,CompositeAlarms][].AlarmDescription")
        show = Command((*line.split(), *ringing, *query, "--region", context.region))
        return Finding.broken(f"in alarm: {', '.join(ringing)}", "each says what to run first: ", show)
    known = context.function or context.deployment.function
    more = "" if known else "; pass --function NAME for those on the function and its queues"
    return Finding.healthy(f"{len(ours)}, none in alarm{more}")


def _listeners(context: Context, ours: list[dict[str, Any]]) -> Finding:
    """Find out whether anybody hears of the alarms; a subscription counts once its owner has confirmed it."""
    if silent := [alarm["AlarmName"] for alarm in ours if alarm.get("ActionsEnabled") is False]:
        line = "aws cloudwatch enable-alarm-actions --alarm-names"
        enable = Command((*line.split(), *silent, "--region", context.region))
        return Finding.attention(f"the actions of {', '.join(silent)} are disabled", "enable them: ", enable)
    actions = sorted({action for alarm in ours for action in alarm.get("AlarmActions", ())})
    topics = [action for action in actions if ":sns:" in action]
    if not actions:
        return Finding.attention("no alarm tells anybody", "set alarm_email or alarm_topic, and deploy: ", DEPLOY)
    confirmed, pending = 0, 0
    for topic in topics:
        for page in context.pages("sns:ListSubscriptionsByTopic", "topic", topic, TopicArn=topic):
            arns = [subscription["SubscriptionArn"] for subscription in page["Subscriptions"]]
            confirmed += sum(arn.startswith("arn:") for arn in arns)
            pending += arns.count("PendingConfirmation")
    if confirmed or len(topics) < len(actions):
        return Finding.healthy(f"{confirmed} subscribed to {', '.join(topics) or 'none'}")
    if pending:
        return Finding.attention(
            f"nobody hears of an alarm: {pending} subscription(s) to {', '.join(topics)} wait for a confirmation",
            "open the link in the message that AWS sent to the address",
        )
    line = "aws sns subscribe --topic-arn {} --protocol email --notification-endpoint ADDRESS --region {}"
    subscribe = Command.of(line, topics[0], context.region)
    return Finding.attention(
        f"nobody hears of an alarm: no subscription to {', '.join(topics)}",
        *("subscribe somebody: ", subscribe, "; or set alarm_email, and deploy: ", DEPLOY),
    )

"""Checks of what is deployed: the function, its settings, its schedule, its queues and the alarms around them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import parse_arn
from token_refresh.aws.calls import CallFailed, missing
from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh_admin.cli.context import Context, variables_of
from token_refresh_admin.cli.doctor.access import check_access
from token_refresh_admin.cli.finding import Check, Finding, failed, not_known, tried
from token_refresh_worker.fleet.core.fleet import OTHER_FUNCTIONS, Limits, ask_for_more_runs, too_few_runs
from token_refresh_worker.run.outcome import NAMESPACE
from token_refresh_worker.run.settings import read_settings

NAMED: Final = ("dead-letters", "denied-access")
"""The stack's alarms on a queue or a rule, which CloudFormation names: it cuts the stack's name in theirs."""


def check_function(context: Context, name: str) -> Iterator[Check]:
    """Check the deployed function and everything around it."""
    deployed = context.ask("lambda:GetFunctionConfiguration", "function", name, FunctionName=name)
    if deployed.get("State", "Active") == "Active":
        when = deployed.get("LastModified", "at an unknown time")[:19]
        found = Finding.healthy(f"{deployed['FunctionName']}, deployed {when}")
    else:
        found = Finding.broken(f"its state is {deployed['State']}", "look at it in the Lambda console")
    yield Check("function", found)
    try:
        read_settings(variables_of(deployed), any_lifetime=True)
    except ConfigurationError as failure:  # Also of what only a run reads.
        yield Check("function's settings", failed(failure))
    if not context.has_all_of_aws:
        return
    yield tried("function's permissions", lambda: check_access(context, deployed))
    if variables_of(deployed).get("FLEET_NAME"):
        # The dispatcher has the schedule, and the fleet's alarms watch it and the queues.
        yield tried("concurrent runs", lambda: check_concurrency(context, deployed["FunctionName"]))
        return
    yield from check_delivery(context, deployed)


DEPLOY: Final = Command.of("scripts/deploy NAME")


def check_delivery(context: Context, deployed: dict[str, Any]) -> Iterator[Check]:
    """Check the function's schedule, and the queues that keep what went wrong."""
    try:
        schedules = _schedules_of(context, deployed["FunctionArn"])
    except TokenRefreshError as failure:
        yield Check("schedule", not_known(failure))
    else:
        yield Check("schedule", _schedule(schedules))
        if schedules:
            what = "scheduled runs that never reached the function"
            yield tried("dead letters", lambda: _queues(context, what, _dead_letters_of(context, schedules)))
    what_failed = "asynchronous runs that failed"
    yield tried(
        "failed runs", lambda: _queues(context, what_failed, _failed_runs_of(context, deployed["FunctionName"]))
    )


def _schedule(found: list[dict[str, Any]]) -> Finding:
    if not found:
        return Finding.broken("nothing schedules the function", "deploy its schedule: ", DEPLOY)
    if paused := [schedule["Name"] for schedule in found if schedule.get("State") != "ENABLED"]:
        remedy = "remove schedule_enabled = false from the deployment's file, and deploy: "
        return Finding.attention(f"switched off: {', '.join(paused)}", remedy, DEPLOY)
    return Finding.healthy(f"{', '.join(schedule['Name'] for schedule in found)}, enabled")


def _queues(context: Context, what: str, arns: list[str]) -> Finding:
    if not arns:
        return Finding.attention(f"no queue keeps {what}", "deploy one: ", DEPLOY)
    found = [_waiting(context, arn) for arn in arns]
    waiting, queues = sum(count for _, count in found), ", ".join(arn.rsplit(":", 1)[-1] for arn in arns)
    if not waiting:
        return Finding.healthy(f"none in {queues}")
    remedy: Advice = ()
    for url in [url for url, count in found if count]:
        read, purge = (
            Command.of("aws sqs {} --queue-url {} --region {}", action, url, context.region)
            for action in ("receive-message", "purge-queue")
        )
        remedy += ("read what happened: ", read, ". Correct it, then empty the queue: ", purge)
    return Finding.attention(f"{waiting} in {queues}: {what}", *remedy)


def _schedules_of(context: Context, function_arn: str) -> list[dict[str, Any]]:
    return [
        schedule
        for page in context.pages("scheduler:ListSchedules", "all schedules")
        for schedule in page["Schedules"]
        if schedule.get("Target", {}).get("Arn") == function_arn  # ListSchedules has no filter for targets.
    ]


def _dead_letters_of(context: Context, schedules: list[dict[str, Any]]) -> list[str]:
    arns: list[str] = []
    for schedule in schedules:
        group = {"GroupName": schedule["GroupName"]} if "GroupName" in schedule else {}
        whole = context.ask("scheduler:GetSchedule", "schedule", schedule["Name"], Name=schedule["Name"], **group)
        queue = whole["Target"].get("DeadLetterConfig", {})
        arns += [queue["Arn"]] if "Arn" in queue else []
    return arns


def _failed_runs_of(context: Context, function: str) -> list[str]:
    action = "lambda:GetFunctionEventInvokeConfig"
    try:
        configured = context.ask(action, "function", function, FunctionName=function, expected=missing)
    except CallFailed:
        return []
    queue = configured.get("DestinationConfig", {}).get("OnFailure", {})
    return [queue["Destination"]] if "Destination" in queue else []


def _waiting(context: Context, queue_arn: str) -> tuple[str, int]:
    """Return a queue's URL, and how many messages are in it."""
    *_, account, name = parse_arn(queue_arn) or ("", queue_arn)
    found = context.ask("sqs:GetQueueUrl", "queue", name, QueueName=name, QueueOwnerAWSAccountId=account)
    wanted, url = "ApproximateNumberOfMessages", str(found["QueueUrl"])
    attributes = context.ask("sqs:GetQueueAttributes", "queue", name, QueueUrl=url, AttributeNames=[wanted])
    return url, int(attributes["Attributes"][wanted])


def check_concurrency(context: Context, function: str) -> Finding:
    """Compare what is left of the account's quota with what the fleet may use."""
    settings = context.ask("lambda:GetAccountSettings", "all functions")
    # What other functions have reserved is not for the fleet, and neither is what runs of them take meanwhile.
    left = int(settings["AccountLimit"]["UnreservedConcurrentExecutions"])
    usual = Limits().concurrency  # unless the deployment's file says otherwise
    action = "lambda:ListEventSourceMappings"
    mappings = context.ask(action, "function", function, FunctionName=function)["EventSourceMappings"]
    most = (int(each.get("ScalingConfig", {}).get("MaximumConcurrency", usual)) for each in mappings)
    at_once = max(most, default=usual)
    problem = too_few_runs(left, at_once)
    if problem is None:
        uses = f"the fleet uses {at_once + OTHER_FUNCTIONS} at most"
        return Finding.healthy(f"{left} functions at once are free to use, and {uses}")
    return Finding.broken(
        problem,
        *("ask for more: ", ask_for_more_runs(context.region), "or deploy with a lower concurrency: ", DEPLOY),
    )


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
    alarms, composites = ([alarm for page in pages for alarm in page.get(f"{kind}s", ())] for kind in kinds)
    function = context.source.function
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
    known = context.source.function
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

"""Checks of the function's schedule, and of the queues that keep runs that did not arrive, or failed."""

from collections.abc import Iterator
from typing import Any, Final

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import parse_arn
from token_refresh.aws.calls import CallFailed
from token_refresh.aws.causes import Cause, FailedCall
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.check import Check, not_known, tried
from token_refresh_worker.cli.secret.finding import Finding

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
    paused = [schedule["Name"] for schedule in found if schedule.get("State") != "ENABLED"]
    if paused:
        remedy = "remove schedule_enabled = false from the deployment's file, and deploy: "
        return Finding.attention(f"switched off: {', '.join(paused)}", remedy, Command.of("scripts/deploy NAME"))
    return Finding.healthy(f"{', '.join(schedule['Name'] for schedule in found)}, enabled")


def _queues(context: Context, what: str, arns: list[str]) -> Finding:
    """Count what waits in queues."""
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
        configured = context.ask(action, "function", function, FunctionName=function, expected=_is_missing)
    except CallFailed:
        return []
    queue = configured.get("DestinationConfig", {}).get("OnFailure", {})
    return [queue["Destination"]] if "Destination" in queue else []


def _waiting(context: Context, queue_arn: str) -> tuple[str, int]:
    """Give a queue's URL, and how many messages are in it."""
    *_, account, name = parse_arn(queue_arn) or ("", queue_arn)
    found = context.ask("sqs:GetQueueUrl", "queue", name, QueueName=name, QueueOwnerAWSAccountId=account)
    wanted, url = "ApproximateNumberOfMessages", str(found["QueueUrl"])
    attributes = context.ask("sqs:GetQueueAttributes", "queue", name, QueueUrl=url, AttributeNames=[wanted])
    return url, int(attributes["Attributes"][wanted])


def _is_missing(failure: FailedCall) -> bool:
    return failure.cause is Cause.NOT_FOUND

"""Checks of the function's schedule, and of the queues that keep runs that did not arrive, or failed."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from token_refresh.advice import Command
from token_refresh.aws.arn import parse_arn
from token_refresh.aws.calls import CallFailed
from token_refresh.aws.causes import Cause, FailedCall
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.check import Check

DEPLOY: Final = Command.of("scripts/deploy NAME")


def check_delivery(context: Context, deployed: dict[str, Any]) -> Iterator[Check]:
    """Check the function's schedule, and the queues that keep what went wrong."""
    schedules: list[dict[str, Any]] = []
    try:
        schedules = _schedules_of(context, deployed["FunctionArn"])
        yield _schedule(schedules)
    except TokenRefreshError as failure:
        yield Check.unknown("schedule", failure)
    if schedules:
        yield _queues(
            context,
            "dead letters",
            "scheduled runs that never reached the function",
            lambda: [arn for schedule in schedules if (arn := _dead_letters_of(context, schedule))],
        )
    yield _queues(
        context,
        "failed runs",
        "asynchronous runs that failed",
        lambda: [arn for arn in [_failed_runs_of(context, deployed["FunctionName"])] if arn],
    )


def _schedule(found: list[dict[str, Any]]) -> Check:
    name = "schedule"
    if not found:
        return Check.failed(name, "nothing schedules the function", "deploy its schedule: ", DEPLOY)
    paused = [schedule["Name"] for schedule in found if schedule.get("State") != "ENABLED"]
    if paused:
        return Check.look(
            name, f"paused: {', '.join(paused)}", "resume it: ", Command.of("scripts/deploy NAME --resume")
        )
    return Check.ok(name, f"{', '.join(schedule['Name'] for schedule in found)}, enabled")


def _queues(context: Context, name: str, what: str, find: Callable[[], list[str]]) -> Check:
    try:
        arns = find()
        waiting = sum(_waiting(context, arn) for arn in arns)
    except TokenRefreshError as failure:
        return Check.unknown(name, failure)
    if not arns:
        return Check.look(name, f"no queue keeps {what}", "deploy one: ", DEPLOY)
    queues = ", ".join(_queue_name(arn) for arn in arns)
    if waiting:
        remedy = "read them with aws sqs receive-message, fix what they name, then run aws sqs purge-queue"
        return Check.look(name, f"{waiting} in {queues}: {what}", remedy)
    return Check.ok(name, f"none in {queues}")


def _schedules_of(context: Context, function_arn: str) -> list[dict[str, Any]]:
    return [
        schedule
        for page in context.pages("scheduler:ListSchedules", "all schedules")
        for schedule in page["Schedules"]
        if schedule.get("Target", {}).get("Arn") == function_arn  # ListSchedules has no filter for targets.
    ]


def _dead_letters_of(context: Context, schedule: dict[str, Any]) -> str | None:
    group = {"GroupName": schedule["GroupName"]} if "GroupName" in schedule else {}
    whole = context.ask("scheduler:GetSchedule", "schedule", schedule["Name"], Name=schedule["Name"], **group)
    arn: str | None = whole["Target"].get("DeadLetterConfig", {}).get("Arn")
    return arn


def _failed_runs_of(context: Context, function: str) -> str | None:
    action = "lambda:GetFunctionEventInvokeConfig"
    try:
        configured = context.ask(action, "function", function, FunctionName=function, expected=_is_missing)
    except CallFailed:
        return None
    arn: str | None = configured.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return arn


def _waiting(context: Context, queue_arn: str) -> int:
    *_, account, name = parse_arn(queue_arn) or ("", queue_arn)
    found = context.ask("sqs:GetQueueUrl", "queue", name, QueueName=name, QueueOwnerAWSAccountId=account)
    wanted = "ApproximateNumberOfMessages"
    url, asked = found["QueueUrl"], [wanted]
    return int(
        context.ask("sqs:GetQueueAttributes", "queue", name, QueueUrl=url, AttributeNames=asked)["Attributes"][wanted]
    )


def _is_missing(failure: FailedCall) -> bool:
    return failure.cause is Cause.NOT_FOUND


def _queue_name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]

"""Checks of the function's schedule, and of the queues that keep runs that did not arrive, or failed."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from token_refresh.advice import Command
from token_refresh.aws.arn import parse_arn
from token_refresh.aws.calls import CallFailed
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.check import Check, call

DEPLOY: Final = Command.of("scripts/deploy NAME")
_NO_SUCH_CONFIGURATION = "ResourceNotFoundException"


def check_delivery(context: Context, deployed: dict[str, Any]) -> Iterator[Check]:
    """Check the function's schedule, and the queues that keep what went wrong."""
    schedules: list[dict[str, Any]] = []
    try:
        schedules = _schedules_of(context, deployed["FunctionArn"])
        yield _schedule(schedules)
    except CallFailed as why:
        yield Check.skipped("schedule", f"not known ({why})", "allow scheduler:ListSchedules")
    if schedules:
        yield _queues(
            context,
            "dead letters",
            "scheduled runs that never reached the function",
            lambda: [arn for schedule in schedules if (arn := _dead_letters_of(context, schedule))],
            "scheduler:GetSchedule",
        )
    yield _queues(
        context,
        "failed runs",
        "asynchronous runs that failed",
        lambda: [arn for arn in [_failed_runs_of(context, deployed["FunctionName"])] if arn],
        "lambda:GetFunctionEventInvokeConfig",
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


def _queues(context: Context, name: str, what: str, find: Callable[[], list[str]], permission: str) -> Check:
    try:
        arns = find()
        waiting = sum(_waiting(context, arn) for arn in arns)
    except CallFailed as why:
        return Check.skipped(
            name, f"not known ({why})", f"allow {permission}, sqs:GetQueueUrl and sqs:GetQueueAttributes"
        )
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
        for page in _pages(context.client("scheduler"))
        for schedule in page["Schedules"]
        if schedule.get("Target", {}).get("Arn") == function_arn  # ListSchedules has no filter for targets.
    ]


def _pages(scheduler: Any) -> Iterator[dict[str, Any]]:
    more: dict[str, str] = {}
    while True:
        page = call(scheduler.list_schedules, **more)
        yield page
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def _dead_letters_of(context: Context, schedule: dict[str, Any]) -> str | None:
    group = {"GroupName": schedule["GroupName"]} if "GroupName" in schedule else {}
    whole = call(context.client("scheduler").get_schedule, Name=schedule["Name"], **group)
    arn: str | None = whole["Target"].get("DeadLetterConfig", {}).get("Arn")
    return arn


def _failed_runs_of(context: Context, function: str) -> str | None:
    try:
        configured = call(context.client("lambda").get_function_event_invoke_config, FunctionName=function)
    except CallFailed as why:
        if why.failure.code == _NO_SUCH_CONFIGURATION:
            return None
        raise
    arn: str | None = configured.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return arn


def _waiting(context: Context, queue_arn: str) -> int:
    sqs = context.client("sqs")
    *_, account, name = parse_arn(queue_arn) or ("", queue_arn)
    url = call(sqs.get_queue_url, QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    wanted = "ApproximateNumberOfMessages"
    return int(call(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=[wanted])["Attributes"][wanted])


def _queue_name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]

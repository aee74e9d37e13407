"""Checks of how runs come to the function, and of what became of those that did not arrive, or failed."""

from collections.abc import Callable, Iterator
from typing import Any

from token_refresh.cli.aws import client
from token_refresh.cli.checks import Check, Grade, Unasked, ask

_NO_SUCH_CONFIGURATION = "ResourceNotFoundException"


def check_delivery(deployed: dict[str, Any]) -> Iterator[Check]:
    """Look at the function's schedule, and at the queues that keep what went wrong."""
    schedules: list[dict[str, Any]] = []
    try:
        schedules = _schedules_of(deployed["FunctionArn"])
        yield _schedule(schedules)
    except Unasked as why:
        text = f"EventBridge Scheduler could not be asked ({why})"
        yield Check(name="schedule", grade=Grade.SKIPPED, text=text, remedy="it takes scheduler:ListSchedules")
    if schedules:
        yield _queues(
            "dead letters",
            "scheduled runs that never reached the function",
            lambda: [arn for schedule in schedules if (arn := _dead_letters_of(schedule))],
            "scheduler:GetSchedule",
        )
    yield _queues(
        "failed runs",
        "asynchronous runs that failed",
        lambda: [arn for arn in [_failed_runs_of(deployed["FunctionName"])] if arn],
        "lambda:GetFunctionEventInvokeConfig",
    )


def _schedule(found: list[dict[str, Any]]) -> Check:
    name = "schedule"
    if not found:
        text = "nothing schedules the function"
        return Check(name=name, grade=Grade.FAILED, text=text, remedy="deploy its schedule with scripts/deploy")
    paused = [schedule["Name"] for schedule in found if schedule.get("State") != "ENABLED"]
    if paused:
        text = f"paused: {', '.join(paused)}"
        return Check(name=name, grade=Grade.LOOK, text=text, remedy="resume it: deploy with -c schedule_enabled=true")
    return Check(name=name, grade=Grade.OK, text=f"{', '.join(schedule['Name'] for schedule in found)}, enabled")


def _queues(name: str, what: str, find: Callable[[], list[str]], permission: str) -> Check:
    try:
        arns = find()
        waiting = sum(_waiting(arn) for arn in arns)
    except Unasked as why:
        remedy = f"it takes {permission}, sqs:GetQueueUrl and sqs:GetQueueAttributes"
        return Check(name=name, grade=Grade.SKIPPED, text=f"not known ({why})", remedy=remedy)
    if not arns:
        text = f"no queue keeps {what}"
        return Check(name=name, grade=Grade.LOOK, text=text, remedy="deploy one with scripts/deploy")
    queues = ", ".join(_queue_name(arn) for arn in arns)
    if waiting:
        return Check(
            name=name,
            grade=Grade.LOOK,
            text=f"{waiting} in {queues}: {what}",
            remedy="read them with aws sqs receive-message, mend what they name, then aws sqs purge-queue",
        )
    return Check(name=name, grade=Grade.OK, text=f"none in {queues}")


def _schedules_of(function_arn: str) -> list[dict[str, Any]]:
    return [
        schedule
        for page in _pages(client("scheduler"))
        for schedule in page["Schedules"]
        if schedule.get("Target", {}).get("Arn") == function_arn
    ]


def _pages(scheduler: Any) -> Iterator[dict[str, Any]]:
    more: dict[str, str] = {}
    while True:
        page = ask(scheduler.list_schedules, **more)
        yield page
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


def _dead_letters_of(schedule: dict[str, Any]) -> str | None:
    group = {"GroupName": schedule["GroupName"]} if "GroupName" in schedule else {}
    whole = ask(client("scheduler").get_schedule, Name=schedule["Name"], **group)
    arn: str | None = whole["Target"].get("DeadLetterConfig", {}).get("Arn")
    return arn


def _failed_runs_of(function: str) -> str | None:
    try:
        configured = ask(client("lambda").get_function_event_invoke_config, FunctionName=function)
    except Unasked as why:
        if str(why) == _NO_SUCH_CONFIGURATION:
            return None
        raise
    arn: str | None = configured.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return arn


def _waiting(queue_arn: str) -> int:
    sqs = client("sqs")
    account = queue_arn.split(":")[4]
    url = ask(sqs.get_queue_url, QueueName=_queue_name(queue_arn), QueueOwnerAWSAccountId=account)["QueueUrl"]
    wanted = "ApproximateNumberOfMessages"
    return int(ask(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=[wanted])["Attributes"][wanted])


def _queue_name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]

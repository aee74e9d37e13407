from pathlib import Path
from typing import Any

from testbed.synthesis import Deployment, synthesise


def dead_letters(deployment: Deployment) -> dict[str, Any]:
    """The reference to the queue that an operator is to look into."""
    return {"Fn::GetAtt": [deployment.template["Outputs"]["DeadLettersUrl"]["Value"]["Ref"], "Arn"]}


def test_schedule(plain: Deployment, adopted: Deployment, code: Path) -> None:
    """Every 30 minutes with a flexible window; a switch pauses it; what can't be delivered ends in a queue."""
    schedule, paused = plain.one("Scheduler::Schedule"), adopted.one("Scheduler::Schedule")
    often = synthesise({"environment": "prod", "schedule_minutes": 1, "flexible_minutes": 0}, code)

    assert ("rate(30 minutes)", "ENABLED") == (schedule["ScheduleExpression"], schedule["State"])
    assert "rate(1 minute)" == often.one("Scheduler::Schedule")["ScheduleExpression"]
    assert {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10} == schedule["FlexibleTimeWindow"]
    assert ("DISABLED", {"Mode": "OFF"}) == (paused["State"], paused["FlexibleTimeWindow"])
    assert plain.arn_of("Lambda::Function") == schedule["Target"]["Arn"]
    assert dead_letters(plain) == schedule["Target"]["DeadLetterConfig"]["Arn"]


def test_delivery_ends_before_the_next_run(plain: Deployment) -> None:
    """A delivery is tried again three times, and not once the next run is due, so that an outage ends in one run."""
    schedule = plain.one("Scheduler::Schedule")

    assert {"MaximumEventAgeInSeconds": 1800, "MaximumRetryAttempts": 3} == schedule["Target"]["RetryPolicy"]


def test_schedules_role(plain: Deployment) -> None:
    """The schedule's role runs this function and writes to its queue, for schedules of this group alone."""
    (trust,) = plain.trust("scheduler.amazonaws.com")

    assert [
        ("lambda:InvokeFunction", plain.arn_of("Lambda::Function")),
        ("sqs:SendMessage", dead_letters(plain)),
    ] == plain.permissions("scheduler.amazonaws.com")
    assert {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {"aws:SourceArn": plain.arn_of("Scheduler::ScheduleGroup")},
    } == trust["Condition"]
    assert {"Service": "scheduler.amazonaws.com"} == trust["Principal"]


def test_schedule_may_take_its_role(plain: Deployment) -> None:
    """The schedule is in the group that its role trusts, and is created once the role may invoke the function."""
    (schedule,) = plain.resources("Scheduler::Schedule")
    (policy,) = [
        name
        for name, resource in plain.template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Policy" and "lambda:InvokeFunction" in str(resource)
    ]

    assert {"Ref": plain.logical_id("Scheduler::ScheduleGroup")} == schedule["Properties"]["GroupName"]
    assert policy in schedule["DependsOn"]

import json
import re
from typing import Any

import pytest

from testbed.secrets_manager.server import SecretsManagerServer
from testbed.synthesis import Synthesis
from token_refresh.errors import SecretEmpty
from token_refresh_admin.cli.doctor.function import NAMED
from token_refresh_infra.single.alarms import RefreshAlarms
from token_refresh_worker.handlers import refresh

WITH_A_TABLE = "tokens-kept"
ANNOUNCED = tuple(name for name in RefreshAlarms.defined() if name != WITH_A_TABLE)


def alarm(deployment: Synthesis, name: str) -> dict[str, Any]:
    """The alarm that is announced under a name, be it the measuring one or the one around it."""
    full = f"{deployment.parameters.stack_name}-{name}"
    found = deployment.resources("CloudWatch::Alarm", AlarmName=full) + deployment.resources(
        "CloudWatch::CompositeAlarm", AlarmName=full
    )
    (one,) = found
    properties: dict[str, Any] = one["Properties"]
    return properties


def measured(deployment: Synthesis, name: str) -> dict[str, Any]:
    return deployment.one("CloudWatch::Alarm", AlarmName=f"{deployment.parameters.stack_name}-{name}")


@pytest.mark.parametrize("name", ANNOUNCED)
def test_announced(plain: Synthesis, adopted: Synthesis, name: str) -> None:
    """Each alarm tells the topic when it is raised and when it is over, and says what to run first."""
    own = {"Ref": plain.logical_id("SNS::Topic")}

    for deployment, topic in ((plain, own), (adopted, adopted.parameters.alarm_topic)):
        raised = alarm(deployment, name)
        assert ([topic], [topic]) == (raised["AlarmActions"], raised["OKActions"])
        assert len(json.dumps(raised["AlarmDescription"])) < 1024


@pytest.mark.parametrize(
    ("name", "metric", "points"),
    [
        ("reauthorization-required", ("TokenRefresh", "ReauthorizationRequired", "Maximum"), (1, 1)),
        ("superseded", ("TokenRefresh", "Superseded", "Sum"), (1, 1)),
        ("foreign-sets", ("TokenRefresh", "ForeignSets", "Maximum"), (1, 1)),
        ("lifetime-too-short", ("TokenRefresh/token-refresh-prod", "TokenLifetimeTooShort", "Sum"), (1, 1)),
        ("denied-access", ("AWS/Events", "TriggeredRules", "Sum"), (1, 1)),
        ("dead-letters", ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"), (1, 1)),
        ("throttled", ("AWS/Lambda", "Throttles", "Sum"), (2, 3)),
    ],
)
def test_one_occurrence(adopted: Synthesis, name: str, metric: tuple[str, str, str], points: tuple[int, int]) -> None:
    """One occurrence in a period counts, what mends itself has to come twice, and silence of it is no alarm."""
    raised = alarm(adopted, name)

    assert metric == (raised["Namespace"], raised["MetricName"], raised["Statistic"])
    assert ("GreaterThanOrEqualToThreshold", 1) == (raised["ComparisonOperator"], raised["Threshold"])
    assert points == (raised["DatapointsToAlarm"], raised["EvaluationPeriods"])
    assert ("notBreaching", 1800) == (raised["TreatMissingData"], raised["Period"])


def test_alarms_watch_what_the_stack_made(adopted: Synthesis) -> None:
    """Failing and throttled runs are those of this function, and dead letters those of the schedule's queue."""
    function = {"Ref": adopted.logical_id("Lambda::Function")}
    queue = adopted.one("Scheduler::Schedule")["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]

    assert [[{"Name": "FunctionName", "Value": function}]] * 3 == [
        measured(adopted, name)["Dimensions"] for name in ("runs-failing-errors", "runs-failing-silence", "throttled")
    ]
    assert [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}] == (
        alarm(adopted, "dead-letters")["Dimensions"]
    )


STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")


def tells(deployment: Synthesis, **states: str) -> bool:
    """Whether the alarm on runs is up, by the rule that is deployed, with its parts in these states."""
    parts = deployment.one("CloudWatch::CompositeAlarm")["AlarmRule"]["Fn::Join"][1]
    rule = "".join(part if isinstance(part, str) else part["Fn::GetAtt"][0] for part in parts)
    for name, state in states.items():
        full = f"{deployment.parameters.stack_name}-{name.replace('_', '-')}"
        part = re.escape(f'("{deployment.logical_id("CloudWatch::Alarm", AlarmName=full)}")')
        rule = re.sub(state + part, "True", rule)
        rule = re.sub(rf"\w+{part}", "False", rule)
    assert not re.search(r"[^A-Za-z() ]", rule), rule
    words = {"AND": "and", "OR": "or", "NOT": "not"}
    return bool(eval(re.sub("AND|OR|NOT", lambda word: words[word[0]], rule)))  # noqa: S307 - True, False and these words


@pytest.mark.parametrize("errors", STATES)
@pytest.mark.parametrize("silence", STATES)
@pytest.mark.parametrize("empty", STATES)
def test_when_runs_are_an_alarm(plain: Synthesis, adopted: Synthesis, errors: str, silence: str, empty: str) -> None:
    """Failing runs tell somebody unless the secret was never filled; silence does once a run was seen."""
    parts = {"runs_failing_errors": errors, "runs_failing_silence": silence}
    stopped = silence == "ALARM" and errors != "INSUFFICIENT_DATA"

    assert tells(plain, **parts, awaiting_authorization=empty) == (stopped or (errors == "ALARM" and empty != "ALARM"))
    assert tells(adopted, **parts) == (stopped or errors == "ALARM")


def test_what_measures_runs(plain: Synthesis) -> None:
    """What measures failing and waiting runs tells nobody by itself; an authorization ends the former first."""
    failed, waiting = measured(plain, "runs-failing-errors"), measured(plain, "awaiting-authorization")

    assert ("AWS/Lambda", "Errors", "Sum") == (failed["Namespace"], failed["MetricName"], failed["Statistic"])
    assert (2, 3) == (failed["DatapointsToAlarm"], failed["EvaluationPeriods"])
    assert ("ignore", 2400) == (failed["TreatMissingData"], failed["Period"])
    for alone in (failed, waiting, measured(plain, "runs-failing-silence")):
        assert "AlarmActions" not in alone
    assert "ActionsSuppressor" not in alarm(plain, "runs-failing")
    assert "notBreaching" == waiting["TreatMissingData"]
    assert (1, failed["Period"]) == (waiting["DatapointsToAlarm"], waiting["Period"])
    assert failed["EvaluationPeriods"] < waiting["EvaluationPeriods"]


def test_empty_secret_is_what_the_filter_finds(
    plain: Synthesis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that the worker writes on an empty secret has the fields that the metric filter reads."""
    empty = plain.one("Logs::MetricFilter", FilterPattern='{ $.error_type = "SecretEmpty" }')
    (metric,) = empty["MetricTransformations"]
    with SecretsManagerServer() as store:
        store.client().create_secret(Name="upwork-oauth-tokens")
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SecretEmpty):
            refresh({}, None)

    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "SecretEmpty" == line["error_type"]
    assert [{"Key": "SecretId", "Value": "$.SecretId"}] == metric["Dimensions"]
    waiting = measured(plain, "awaiting-authorization")
    assert (waiting["Namespace"], waiting["MetricName"]) == (metric["MetricNamespace"], metric["MetricName"])
    assert {"Ref": plain.logical_id("Logs::LogGroup")} == empty["LogGroupName"]
    assert plain.parameters.token_secret_id == line["SecretId"]
    # The event that the worker logs where a claim store reaches its daily limit.
    short = plain.one("Logs::MetricFilter", FilterPattern='{ $.event = "token_lifetime_too_short" }')
    (metric,) = short["MetricTransformations"]
    raised = alarm(plain, "lifetime-too-short")
    assert (metric["MetricNamespace"], metric["MetricName"]) == (raised["Namespace"], raised["MetricName"])


def test_tokens_kept(with_table: Synthesis, plain: Synthesis) -> None:
    """A run that keeps tokens, or can't decrypt them, raises an alarm at once; without a table there is none."""
    (kept,) = with_table.resources("Logs::MetricFilter", LogGroupName={"Ref": with_table.logical_id("Logs::LogGroup")})[
        -1:
    ]
    raised = alarm(with_table, WITH_A_TABLE)

    (counted,) = kept["Properties"]["MetricTransformations"]
    errors = ('"TokensKept"', '"KeptTokensUnreadable"')
    assert all(f"$.error_type = {error}" in kept["Properties"]["FilterPattern"] for error in errors)
    assert (counted["MetricNamespace"], counted["MetricName"]) == (raised["Namespace"], raised["MetricName"])
    assert (1, 1) == (raised["EvaluationPeriods"], raised["DatapointsToAlarm"])
    assert "First: token-refresh status " in raised["AlarmDescription"]
    assert [] == [a for a in plain.resources("CloudWatch::Alarm") if "kept" in a["Properties"]["AlarmName"]]


def test_denied_access(plain: Synthesis, adopted: Synthesis) -> None:
    """A refused call on the secret, by name or ARN, is counted and kept: also a read, and one without parameters."""
    for deployment, name in ((plain, "upwork-oauth-tokens"), (adopted, "old-tokens")):
        rule = deployment.one("Events::Rule")
        parameters, message = rule["EventPattern"]["detail"]["$or"]
        assert [{"wildcard": f"*{name}*"}] == parameters["requestParameters"]["secretId"] == message["errorMessage"]
        assert "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" == rule["State"]
        queue = rule["Targets"][0]["Arn"]["Fn::GetAtt"][0]
        (policy,) = [p["Properties"] for p in deployment.resources("SQS::QueuePolicy", Queues=[{"Ref": queue}])]
        (allowed,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        assert {"Service": "events.amazonaws.com"} == allowed["Principal"]
        assert {"ArnEquals": {"aws:SourceArn": deployment.arn_of("Events::Rule")}} == allowed["Condition"]


def test_cloudwatch_may_publish(plain: Synthesis, everything: Synthesis) -> None:
    """This stack's alarms may publish to the topic, through its key too; nothing may over an unencrypted connection."""
    for deployment in (plain, everything):
        statements = deployment.one("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        (publish,) = [s for s in statements if s["Effect"] == "Allow"]
        (refuse,) = [s for s in statements if s["Effect"] == "Deny"]
        assert [{"Ref": deployment.logical_id("SNS::Topic")}] == deployment.one("SNS::TopicPolicy")["Topics"]
        assert {"Service": "cloudwatch.amazonaws.com"} == publish["Principal"]
        assert "sns:Publish" == publish["Action"]
        account = deployment.parameters.account or {"Ref": "AWS::AccountId"}
        assert account == publish["Condition"]["StringEquals"]["aws:SourceAccount"]
        alarms = json.dumps(publish["Condition"]["ArnLike"]["aws:SourceArn"])
        assert alarms.rstrip('"]}').endswith(f":alarm:{deployment.parameters.stack_name}-*")
        assert ("*", {"Bool": {"aws:SecureTransport": "false"}}) == (refuse["Principal"], refuse["Condition"])

    key = everything.one("KMS::Key")["KeyPolicy"]["Statement"]
    (through,) = [s for s in key if s["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
    assert ["kms:Decrypt", "kms:GenerateDataKey"] == through["Action"]
    assert {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:token-refresh-upwork-prod-*"},
    } == through["Condition"]
    assert everything.arn_of("KMS::Key") == everything.one("SNS::Topic")["KmsMasterKeyId"]
    assert "operator@example.com" == everything.one("SNS::Subscription")["Endpoint"]


def test_nobody_hears_of_alarms(plain: Synthesis, everything: Synthesis, bare: Synthesis) -> None:
    """A deployment whose alarms nobody would hear of is warned of at synthesis."""
    for deployment, warned in ((plain, True), (everything, False), (bare, False)):
        said = "nobody hears of an alarm: set alarm_email or alarm_topic" in " ".join(deployment.warnings)
        assert warned == said


def test_doctor_knows_what_cloudformation_names(with_table: Synthesis) -> None:
    """`doctor` finds by its own name each alarm on a queue or a rule, whose names CloudFormation cuts."""
    named = {
        str(found["Properties"]["AlarmName"]).removeprefix(f"{with_table.parameters.stack_name}-")
        for found in with_table.resources("CloudWatch::Alarm")
        if {"QueueName", "RuleName"} & {d["Name"] for d in found["Properties"].get("Dimensions", ())}
    }

    assert set(NAMED) == named

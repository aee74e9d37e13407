from __future__ import annotations

import json
from typing import Any

import pytest
from infra.synthesis import Deployment

from rig.secrets_manager import SecretsManagerServer
from token_refresh.errors import SecretEmpty
from token_refresh.handler import handler
from token_refresh.outcome import NAMESPACE

ANNOUNCED = ("renewal-overdue", "runs-failing", "reauthorization-required", "dead-letters", "throttled")


def alarm(deployment: Deployment, name: str) -> dict[str, Any]:
    """The alarm that is announced under a name, be it the measuring one or the one around it."""
    full = f"{deployment.parameters.stack_name}-{name}"
    found = deployment.resources("CloudWatch::Alarm", AlarmName=full) + deployment.resources(
        "CloudWatch::CompositeAlarm", AlarmName=full
    )
    (one,) = found
    properties: dict[str, Any] = one["Properties"]
    return properties


def measured(deployment: Deployment, name: str) -> dict[str, Any]:
    return deployment.one("CloudWatch::Alarm", AlarmName=f"{deployment.parameters.stack_name}-{name}")


@pytest.mark.parametrize("name", ANNOUNCED)
def test_announced(plain: Deployment, adopted: Deployment, name: str) -> None:
    """Each alarm tells the topic when it is raised and when it is over, and says what to run first."""
    own = {"Ref": plain.logical_id("SNS::Topic")}

    for deployment, topic in ((plain, own), (adopted, adopted.parameters.alarm_topic)):
        raised = alarm(deployment, name)
        assert ([topic], [topic]) == (raised["AlarmActions"], raised["OKActions"])
        assert "First: " in json.dumps(raised["AlarmDescription"])
        assert len(json.dumps(raised["AlarmDescription"])) < 1024


def test_overdue_with_an_adopted_secret(adopted: Deployment) -> None:
    """A worker that stops, or never starts, raises the alarm as surely as one that fails."""
    overdue = alarm(adopted, "renewal-overdue")

    assert ("SecondsToExpiry", "Minimum") == (overdue["MetricName"], overdue["Statistic"])
    assert ("LessThanThreshold", 14400) == (overdue["ComparisonOperator"], overdue["Threshold"])
    assert "breaching" == overdue["TreatMissingData"]
    assert (1800, 2, 2) == (overdue["Period"], overdue["EvaluationPeriods"], overdue["DatapointsToAlarm"])


@pytest.mark.parametrize("name", ["renewal-overdue", "runs-failing"])
def test_held_back_before_the_first_authorization(plain: Deployment, name: str) -> None:
    """While a created secret has never been filled, these alarms tell nobody; silence for any other reason still does."""
    held, inner = alarm(plain, name), measured(plain, f"{name}-measured")
    empty = plain.logical_id("CloudWatch::Alarm", AlarmName="token-refresh-prod-awaiting-authorization")

    assert {"Fn::GetAtt": [empty, "Arn"]} == held["ActionsSuppressor"]
    assert "AlarmActions" not in inner
    assert "notBreaching" == measured(plain, "awaiting-authorization")["TreatMissingData"]


def test_no_alarm_in_the_time_before_the_first_run(plain: Deployment) -> None:
    """A new stack waits for its first run to say that the secret is empty, before it tells anyone of missing data."""
    assert "breaching" == measured(plain, "renewal-overdue-measured")["TreatMissingData"]
    assert plain.parameters.longest_gap_seconds < alarm(plain, "renewal-overdue")["ActionsSuppressorWaitPeriod"]


def test_empty_secret_is_what_the_filter_finds(
    plain: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that the worker writes on an empty secret has the fields that the metric filter reads."""
    (metric,) = plain.one("Logs::MetricFilter")["MetricTransformations"]
    with SecretsManagerServer() as store:
        store.client().create_secret(Name="upwork-oauth-tokens")
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SecretEmpty):
            handler({}, None)

    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert '{ $.error_type = "SecretEmpty" }' == plain.one("Logs::MetricFilter")["FilterPattern"]
    assert "SecretEmpty" == line["error_type"]
    assert [{"Key": "SecretId", "Value": "$.SecretId"}] == metric["Dimensions"]
    assert plain.parameters.token_secret_id == line["SecretId"]


def test_worker_metrics_have_the_workers_names(plain: Deployment, everything: Deployment) -> None:
    """Alarms and dashboard ask for metrics that the worker logs, under the secret's ID as it is configured."""
    logged = {
        "Refreshed",
        "Recovered",
        "Failed",
        "ReauthorizationRequired",
        "SecondsToExpiry",
        "DurationMs",
        "SecretEmpty",
    }

    for deployment in (plain, everything):
        secret = deployment.one("Lambda::Function")["Environment"]["Variables"]["TOKEN_SECRET_ID"]
        alarms = [
            a["Properties"]
            for a in deployment.resources("CloudWatch::Alarm")
            if a["Properties"]["Namespace"] == NAMESPACE
        ]
        widgets = [m for w in widgets_of(deployment) for m in w["properties"].get("metrics", []) if m[0] == NAMESPACE]

        assert [] == [a["MetricName"] for a in alarms if a["MetricName"] not in logged]
        assert {("SecretId", secret)} == {(d["Name"], d["Value"]) for a in alarms for d in a["Dimensions"]}
        assert [] == [m for m in widgets if m[1] not in logged or m[2:4] != ["SecretId", secret]]
        assert 8 == len(widgets)


def widgets_of(deployment: Deployment) -> list[dict[str, Any]]:
    """The dashboard's widgets, with references replaced by a word."""
    body = deployment.one("CloudWatch::Dashboard")["DashboardBody"]
    joined = "".join(part if isinstance(part, str) else "reference" for part in body["Fn::Join"][1])
    widgets: list[dict[str, Any]] = json.loads(joined)["widgets"]
    return widgets


def test_dashboard(plain: Deployment) -> None:
    """The dashboard shows alarms, the sawtooth with its two thresholds, outcomes, durations and the last runs."""
    titles = {widget["properties"]["title"]: widget["properties"] for widget in widgets_of(plain)}

    assert {"Alarms", "Outcomes", "Duration of a run", "Last runs"} <= titles.keys()
    thresholds = titles["Seconds to expiry of the current access token"]["annotations"]["horizontal"]
    assert [(28800, "due"), (14400, "overdue")] == [(line["value"], line["label"]) for line in thresholds]


def test_saved_queries(bare: Deployment) -> None:
    """The usual questions to the log are saved, beside other deployments' in a folder of their own."""
    names = [query["Properties"]["Name"] for query in bare.resources("Logs::QueryDefinition")]

    assert {"last runs", "failures by kind", "refreshes a day", "one run", "cold starts and memory"} == {
        name.removeprefix("token-refresh-dev/") for name in names
    }


def test_cloudwatch_may_publish(plain: Deployment, everything: Deployment) -> None:
    """This stack's alarms may publish to the topic, through its key too; nothing may over an unencrypted connection."""
    for deployment in (plain, everything):
        statements = deployment.one("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        (publish,) = [s for s in statements if s["Effect"] == "Allow"]
        assert {"Service": "cloudwatch.amazonaws.com"} == publish["Principal"]
        assert {"aws:SecureTransport": "false"} in [s["Condition"].get("Bool") for s in statements]

    key = everything.one("KMS::Key")["KeyPolicy"]["Statement"]
    assert [["kms:Decrypt", "kms:GenerateDataKey"]] == [
        s["Action"] for s in key if s["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    ]
    assert {"KmsMasterKeyId"} <= everything.one("SNS::Topic").keys()
    assert "operator@example.com" == everything.one("SNS::Subscription")["Endpoint"]

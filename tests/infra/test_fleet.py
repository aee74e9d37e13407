import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.conftest import FLEET, QUIET_FLEET
from infra.deployments import PROFILE
from testbed.synthesis import Synthesis, resources, synthesise
from token_refresh_infra.context import ParameterError
from token_refresh_infra.modes import parameters_of
from token_refresh_worker.oauth.formats import ASSERTED
from token_refresh_worker.stored.tags import StackResource

Template = dict[str, Any]


@pytest.fixture(scope="session")
def fleet(code: Path) -> Template:
    return synthesise(FLEET, code).template


@pytest.fixture(scope="session")
def whole_fleet(whole_fleet: Synthesis) -> Template:
    return whole_fleet.template


def functions(template: Template) -> dict[str, dict[str, Any]]:
    return {found["Handler"].rsplit(".", 1)[-1]: found for found in resources(template, "Lambda::Function")}


def test_what_the_commands_trust(whole_fleet: Template) -> None:
    """Table and worker keep the logical IDs by which an operator's command knows what we made."""
    made = whole_fleet["Resources"]

    assert "AWS::DynamoDB::Table" == made[StackResource.FLEET_TABLE]["Type"]
    assert (
        "Refreshes one secret of a fleet for each message" == made[StackResource.FUNCTION]["Properties"]["Description"]
    )


def test_table(fleet: Template) -> None:
    """The table is the fleet's, with point-in-time recovery, an index of the rows, and expiring messages."""
    (table,) = resources(fleet, "DynamoDB::Table")

    assert "prod" == table["TableName"]
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    (index,) = table["GlobalSecondaryIndexes"]
    assert ("fleet", [{"AttributeName": "fleet", "KeyType": "HASH"}]) == (index["IndexName"], index["KeySchema"])
    assert {"AttributeName": "gone_at", "Enabled": True} == table["TimeToLiveSpecification"]


def test_queue_bounds_the_runs(fleet: Template, whole_fleet: Template, code: Path) -> None:
    """One message is one run, received once, at most 64 at once; schedules run each minute and every five."""
    (source,) = resources(fleet, "Lambda::EventSourceMapping")
    queue = next(q for q in resources(fleet, "SQS::Queue") if "RedrivePolicy" in q)

    assert (1, ["ReportBatchItemFailures"]) == (source["BatchSize"], source["FunctionResponseTypes"])
    assert [64, 8] == [
        resources(template, "Lambda::EventSourceMapping")[0]["ScalingConfig"]["MaximumConcurrency"]
        for template in (fleet, whole_fleet)
    ]
    assert (True, 1) == (queue["FifoQueue"], queue["RedrivePolicy"]["maxReceiveCount"])
    assert 6 * functions(fleet)["refresh"]["Timeout"] == queue["VisibilityTimeout"]
    schedules = resources(fleet, "Scheduler::Schedule")
    assert ["rate(1 minute)", "rate(5 minutes)"] == [schedule["ScheduleExpression"] for schedule in schedules]
    paused = resources(synthesise(QUIET_FLEET, code).template, "Scheduler::Schedule")
    assert [["ENABLED"] * 2, ["DISABLED"] * 2] == [[each["State"] for each in found] for found in (schedules, paused)]


def test_functions(whole_fleet: Template) -> None:
    """Each function has its own handler, role, log and variables; the dispatcher knows the queue, and no secret."""
    found = functions(whole_fleet)
    variables = {name: function["Environment"]["Variables"] for name, function in found.items()}

    (key,) = (name for name, found in whole_fleet["Resources"].items() if found["Type"] == "AWS::KMS::Key")
    assert {"refresh", "dispatch", "resync"} == set(found)
    assert 3 == len({json.dumps(function["Role"]) for function in found.values()})
    assert 3 == len({group["LogGroupName"] for group in resources(whole_fleet, "Logs::LogGroup")})
    assert {
        "FLEET_NAME": "prod",
        "CLAIM_TABLE": "prod",
        "CLIENT_SECRET_ID": "clients/{provider}",
        "PUBLISHED_SECRET_ID": "published/{secret}",
        "PROVIDER": "xero",
        "EVENT_BUS": "default",
        "KEPT_TOKENS_KEY_ID": {"Fn::GetAtt": [key, "Arn"]},
        "LOG_LEVEL": "INFO",
    } == variables["refresh"]
    resync = {"FLEET_NAME", "CLAIM_TABLE", "FLEET_CONCURRENCY", "FLEET_WRITES_PER_SECOND", "PUBLISHED_SECRET_ID"}
    assert resync | {"FLEET_QUEUE_URL"} == set(variables["dispatch"])
    assert resync == set(variables["resync"])
    assert ("20", "8") == tuple(
        variables["dispatch"][name] for name in ("FLEET_WRITES_PER_SECOND", "FLEET_CONCURRENCY")
    )


def test_alarms_do_not_grow(fleet: Template) -> None:
    """Alarms and one dashboard watch a fleet of any size: none has a secret as dimension."""
    alarms = resources(fleet, "CloudWatch::Alarm")
    dimensions = {d["Name"] for alarm in alarms for d in alarm.get("Dimensions", [])}

    assert 1 == len(resources(fleet, "CloudWatch::Dashboard"))
    assert {"Fleet", "FunctionName", "QueueName", "RuleName"} == dimensions
    assert all(alarm["AlarmActions"] for alarm in alarms)


def test_denied_access(fleet: Template, whole_fleet: Template) -> None:
    """Refused calls on the fleet's prefix, or any secret, raise an alarm; the worker's own, for weeks, do not."""

    def named(template: Template) -> Any:
        (rule,) = resources(template, "Events::Rule")
        by_id, by_message = rule["EventPattern"]["detail"]["$or"]
        assert by_id["requestParameters"]["secretId"] == by_message["errorMessage"]
        assert "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" == rule["State"]
        other, unknown = rule["EventPattern"]["detail"]["userIdentity"]["arn"]
        role = {"Ref": functions(template)["refresh"]["Role"]["Fn::GetAtt"][0]}
        assert ["*:assumed-role/", role, "/*"] == other["anything-but"]["wildcard"]["Fn::Join"][1]
        assert {"exists": False} == unknown
        return by_message["errorMessage"]

    assert [{"wildcard": "*crm/prod/*"}] == named(whole_fleet)
    assert [{"wildcard": "*"}] == named(fleet)
    alarms = {alarm["AlarmName"]: alarm for alarm in resources(fleet, "CloudWatch::Alarm")}
    assert "TriggeredRules" == alarms["token-refresh-prod-fleet-prod-denied-access"]["MetricName"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"fleet": ""}, "fleet: is required"),
        ({"fleet": "ab"}, "fleet: names the table"),
        ({"kms_key": "create"}, "kms_key: the secrets are there already"),
        ({"by_tag": "false"}, "secrets_under: must be set, or by_tag = true in its place, and not both"),
        ({"secrets_under": "crm/prod/"}, "secrets_under: must be set, or by_tag = true in its place, and not both"),
        ({"secrets_under": "crm/dev/", "by_tag": "false"}, "secrets_under: crm/dev/ is of environment dev"),
        ({"secrets_under": "crm"}, "secrets_under: must be a prefix"),
        ({"client_secret": "clients/dev/{provider}"}, "client_secret: clients/dev/{provider} is of environment dev"),
        ({"client_secret": "{customer}"}, "client_secret: must be"),
        ({"client_secret": "{provider}"}, "client_secret: must be"),
        ({"client_secret": "{provider}/client"}, "client_secret: must be"),
        (
            {"client_secret": "a{provider}"},
            "client_secret: what stands before {provider} must be a prefix of names: 'a' would reach every secret",
        ),
        ({"client_secret": "clients/a{provider}#web"}, "'clients/a' must end in '/' or '-'"),
        ({"client_secret": "a-{provider}"}, "'a-' must have 3 characters at least before '-'"),
        ({"client_secret": "/{provider}"}, "'/' would reach every secret, or nearly"),
        ({"published_under": "published"}, "published_under: must be a prefix"),
        ({"published_under": "published/dev/"}, "published_under: published/dev/ is of environment dev"),
        *(
            ({"by_tag": "false", "secrets_under": secrets, "published_under": copies}, "overlaps secrets_under")
            for secrets, copies in (("crm/", "crm/copies/"), ("crm/prod/", "crm/"), ("crm-prod/", "crm-"))
        ),
        *(
            ({"client_secret": client, "published_under": "published/"}, "published_under: published/ overlaps client")
            for client in ("published/{provider}", "published/client#web")
        ),
        ({"provider": "xreo"}, "provider: must be the name of a profile, is 'xreo'"),
        (
            {"provider": "atlassian", "timeout_seconds": "451"},
            "timeout_seconds: the claim of a run that died lives 481 s, and the next run may start 120 s later",
        ),
        ({"writes_per_second": "51"}, "writes_per_second: must be"),
        ({"reserved_concurrency": "8"}, "reserved_concurrency: must be concurrency (64) or more, or 0 for none"),
    ],
)
def test_wrong_parameters(change: dict[str, str], text: str) -> None:
    """A parameter that can't be is refused by name."""
    with pytest.raises(ParameterError, match=re.escape(text)):
        parameters_of(FLEET | change)


def test_copies_are_on_request(fleet: Template, whole_fleet: Template) -> None:
    """Only a fleet with `published_under` has the alarm, the variables, and the tag by which commands find copies."""

    def seen(template: Template) -> list[bool]:
        (table,) = resources(template, "DynamoDB::Table")
        alarms = [alarm["AlarmName"].endswith("-copies-behind") for alarm in resources(template, "CloudWatch::Alarm")]
        variables = [function["Environment"]["Variables"] for function in functions(template).values()]
        tags = {tag["Key"]: tag["Value"] for tag in table["Tags"]}
        return [
            any(alarms),
            *("PUBLISHED_SECRET_ID" in given for given in variables),
            tags.get("token-refresh:published-under") == "published/",
        ]

    assert ({False}, {True}) == ({*seen(fleet)}, {*seen(whole_fleet)})


@pytest.mark.parametrize("method", sorted(ASSERTED))
def test_a_provider_that_wants_signatures(tmp_path: Path, method: str) -> None:
    """No function of a fleet has a key or an audience to sign for, so such a provider is refused by name."""
    (tmp_path / "mine.toml").write_text(PROFILE.replace('"client_secret_basic"', f'"{method}"'))

    with pytest.raises(ParameterError, match=f"^provider: mine takes {method}, and a fleet's worker can't sign"):
        parameters_of(FLEET | {"provider_profiles": str(tmp_path), "provider": "mine"})

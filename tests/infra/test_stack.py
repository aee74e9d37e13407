import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from infra.conftest import BARE, EVERYTHING, LONG_STACK, QUIET_FLEET, QUIET_RECEIVER, RECEIVER, WHOLE_FLEET
from testbed.policy import Ask, IamPolicy, Meaning, as_list, resolve
from testbed.synthesis import Synthesis, synthesise
from token_refresh_worker.stored.tags import StackResource

ANY = ["plain", "everything", "with_table", "adopted", "bare", "whole_fleet", "receiver"]


@pytest.fixture
def any_deployment(request: pytest.FixtureRequest) -> Synthesis:
    deployment: Synthesis = request.getfixturevalue(request.param)
    return deployment


every_deployment = pytest.mark.parametrize("any_deployment", ANY, indirect=True)


def statements(deployment: Synthesis) -> list[dict[str, Any]]:
    """Every statement of an identity policy."""
    policies = deployment.resources("IAM::Policy") + deployment.resources("IAM::ManagedPolicy")
    return [s for policy in policies for s in policy["Properties"]["PolicyDocument"]["Statement"]]


@every_deployment
def test_secrets_and_keys_outlive_the_stack(any_deployment: Synthesis) -> None:
    """Secrets, policies, keys and tables outlive the stack, but for a failed creation; no template has a value."""
    for kind in ("SecretsManager::Secret", "SecretsManager::ResourcePolicy", "KMS::Key", "DynamoDB::Table"):
        for resource in any_deployment.resources(kind):
            assert ("RetainExceptOnCreate", "Retain") == (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
            unwanted = {"DeletionProtectionEnabled", "SecretString", "GenerateSecretString"}
            assert not unwanted & resource["Properties"].keys()


def test_an_upgrade_replaces_nothing(everything: Synthesis) -> None:
    """What 0.1 created keeps its logical ID, so that an upgrade replaces no secret, key, function or schedule."""
    created = {
        "Key9BCD29C7": "KMS::Key",
        "TokenSecret55E51FA4": "SecretsManager::Secret",
        "PublishedSecret7692F5E9": "SecretsManager::Secret",
        "WorkerFunctionAF8A26AF": "Lambda::Function",
        "Schedule15669BF1": "Scheduler::Schedule",
        "ReadTokens9C484B30": "IAM::ManagedPolicy",
    }
    resources = everything.template["Resources"]

    assert created == {name: resources[name]["Type"].removeprefix("AWS::") for name in created}
    assert {"OAuth 2.0 tokens, kept fresh by the token refresh worker"} == {
        secret["Properties"]["Description"] for secret in everything.resources("SecretsManager::Secret")
    }


def test_what_the_commands_trust(with_table: Synthesis) -> None:
    """Secret and function keep the logical IDs by which an operator's command knows what we made."""
    assert StackResource.TOKENS == with_table.logical_id(
        "SecretsManager::Secret", Name=with_table.parameters.token_secret_id
    )
    assert StackResource.FUNCTION == with_table.logical_id("Lambda::Function")


def test_adopted_secrets_are_left_alone(adopted: Synthesis) -> None:
    """What is there already is used as it is: no secret, no policy, no key and no topic is made or changed."""
    for kind in (
        "SecretsManager::Secret",
        "SecretsManager::ResourcePolicy",
        "KMS::Key",
        "SNS::Topic",
        "SNS::TopicPolicy",
    ):
        assert [] == adopted.resources(kind)

    put = [s["Resource"] for s in statements(adopted) if "secretsmanager:PutSecretValue" in s["Action"]]
    place = "arn:aws:secretsmanager:eu-central-1:123456789012:secret"
    granted = sorted(arn for resource in put for arn in as_list(resource))
    assert [f"{place}:old-tokens-AbCdEf", f"{place}:old-tokens-for-consumers-??????"] == granted


@every_deployment
def test_nothing_is_open(any_deployment: Synthesis) -> None:
    """No identity policy allows a wildcard, and no queue's lets in more than EventBridge for one rule."""
    for statement in (statement for statement in statements(any_deployment) if statement["Effect"] == "Allow"):
        actions = as_list(statement["Action"])
        assert not [action for action in actions if "*" in action]
        if "*" in as_list(statement["Resource"]):
            assert {"secretsmanager:ListSecrets", "xray:PutTraceSegments", "xray:PutTelemetryRecords"} >= set(actions)
    for policy in any_deployment.resources("SQS::QueuePolicy"):
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                assert {"Service": "events.amazonaws.com"} == statement["Principal"]
                assert ["ArnEquals"] == list(statement["Condition"])
                assert ["aws:SourceArn"] == list(statement["Condition"]["ArnEquals"])


def test_dev_is_kept_from_prod(everything: Synthesis, code: Any) -> None:
    """With an application's name, no role of the development deployment reaches a secret of production."""
    dev = synthesise(
        {
            "environment": "dev",
            "app": "upwork",
            "client_secret": "upwork/dev/client",
            "region": "eu-central-1",
            "account": "123456789012",
        },
        code,
    )
    names = {
        dev.logical_id("SecretsManager::Secret", Name=name): (
            f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-AbCdEf"
        )
        for name in (dev.parameters.token_secret_id, dev.parameters.published_secret_id)
    } | {f"{dev.logical_id('Lambda::Function')}.Arn": "the-worker"}

    policy = IamPolicy(statements=resolve(statements(dev), Meaning(names)))
    prod = [everything.parameters.token_secret_id, "upwork/prod/client", "upwork/prod/upwork-oauth-tokens-published"]

    def reads(name: str, label: str = "AWSCURRENT") -> bool:
        arn = f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-AbCdEf"
        context = {"secretsmanager:VersionStage": label, "lambda:SourceFunctionArn": "the-worker"}
        return policy.allows(Ask(action="secretsmanager:GetSecretValue", resource=arn, context=context))

    assert [True, True] == [reads("upwork/dev/upwork-oauth-tokens"), reads("upwork/dev/client")]
    assert [False] * 3 == [reads(name) for name in prod]
    assert [True, False] == [reads("upwork/dev/client", label) for label in ("AWSPREVIOUS", "AWSPENDING")]


def test_queues(plain: Synthesis) -> None:
    """Queues keep what they get for 14 days, encrypted at rest; test_app has them closed to plain HTTP, by a rule."""
    kept_seconds = 14 * 24 * 3600

    assert [(True, kept_seconds)] * 3 == [
        (queue["Properties"]["SqsManagedSseEnabled"], queue["Properties"]["MessageRetentionPeriod"])
        for queue in plain.resources("SQS::Queue")
    ]


@pytest.mark.parametrize("values", [BARE, QUIET_FLEET, QUIET_RECEIVER], ids=["single", "fleet", "webhooks"])
def test_what_is_switched_off_is_not_there(code: Path, values: dict[str, Any]) -> None:
    """Without alarms and dashboard there is no alarm, no topic, no filter and no dashboard; the rest still works."""
    bare = synthesise(values, code)

    for kind in (
        "CloudWatch::Alarm",
        "CloudWatch::CompositeAlarm",
        "CloudWatch::Dashboard",
        "SNS::Topic",
        "Logs::MetricFilter",
    ):
        assert [] == bare.resources(kind)
    assert "FunctionName" in bare.outputs()
    assert "AlarmTopicArn" not in bare.outputs()


def test_outputs(everything: Synthesis) -> None:
    """Each output is what its name says: the queues, the secrets and the rest are not mistaken for one another."""
    target = everything.one("Scheduler::Schedule")["Target"]
    rule = everything.one("Events::Rule")
    on_failure = everything.one("Lambda::EventInvokeConfig")["DestinationConfig"]["OnFailure"]

    assert {
        "FunctionName": {"Ref": everything.logical_id("Lambda::Function")},
        "TokenSecretId": "upwork/prod/upwork-oauth-tokens",
        "PublishedSecretId": "upwork/prod/upwork-oauth-tokens-published",
        "LongestSafeCacheSeconds": "0",
        "ReadPolicyArn": {"Ref": everything.logical_id("IAM::ManagedPolicy")},
        "ScheduleName": everything.one("Scheduler::Schedule")["Name"],
        "LogGroupName": everything.one("Logs::LogGroup")["LogGroupName"],
        "DeadLettersUrl": {"Ref": target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]},
        "DeniedAccessUrl": {"Ref": rule["Targets"][0]["Arn"]["Fn::GetAtt"][0]},
        "FailedRunsUrl": {"Ref": on_failure["Destination"]["Fn::GetAtt"][0]},
        "AlarmTopicArn": {"Ref": everything.logical_id("SNS::Topic")},
        "KeyArn": everything.arn_of("KMS::Key"),
        "DashboardName": everything.one("CloudWatch::Dashboard")["DashboardName"],
    } == {name: output["Value"] for name, output in everything.template["Outputs"].items()}


@pytest.mark.parametrize("values", [EVERYTHING, WHOLE_FLEET, RECEIVER], ids=["single", "fleet", "webhooks"])
def test_policies_rest_on_names_that_the_template_gives(code: Path, values: dict[str, Any]) -> None:
    """Where a policy has the stack's name, it means a name that the template gives: AWS cuts those that it makes."""
    template = synthesise(values | {"stack": LONG_STACK}, code).template
    meant = set(re.findall(r"(alarm|log-group|rule)[:/]([\w/]*s{20,}[\w*-]*)", json.dumps([*documents(template)])))
    types = {"alarm": "CloudWatch::Alarm", "log-group": "Logs::LogGroup", "rule": "Events::Rule"}
    given = {
        kind: [
            str(resource["Properties"].get(key))
            for resource in template["Resources"].values()
            for key in ("AlarmName", "LogGroupName", "Name")
            if resource["Type"] == f"AWS::{type_}"
        ]
        for kind, type_ in types.items()
    }

    assert meant
    assert [] == [(kind, m) for kind, m in meant if not any(fnmatchcase(name, m) for name in given[kind])]


def documents(value: Any) -> Iterator[Any]:
    """Every statement of a policy of any kind."""
    match value:
        case {"Effect": str()}:
            yield value
        case dict():
            yield from (found for item in value.values() for found in documents(item))
        case list():
            yield from (found for item in value for found in documents(item))

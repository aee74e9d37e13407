from __future__ import annotations

import json
from typing import Any

import pytest
from infra.policy import Ask, Policy, as_list, resolve
from infra.synthesis import Deployment

ANY = ["plain", "everything", "adopted", "bare"]
OTHER = "210987654321"


@pytest.fixture
def any_deployment(request: pytest.FixtureRequest) -> Deployment:
    deployment: Deployment = request.getfixturevalue(request.param)
    return deployment


every_deployment = pytest.mark.parametrize("any_deployment", ANY, indirect=True)


def statements(deployment: Deployment) -> list[dict[str, Any]]:
    """Every statement of an identity policy."""
    policies = deployment.resources("IAM::Policy") + deployment.resources("IAM::ManagedPolicy")
    return [s for policy in policies for s in policy["Properties"]["PolicyDocument"]["Statement"]]


def test_function(plain: Deployment) -> None:
    """The worker is a Python 3.13 function on arm64 that logs JSON and has no time that its claim does not cover."""
    function = plain.one("Lambda::Function")

    assert ("python3.13", ["arm64"]) == (function["Runtime"], function["Architectures"])
    assert "token_refresh.handler.handler" == function["Handler"]
    assert "JSON" == function["LoggingConfig"]["LogFormat"]
    assert function["Timeout"] < int(function["Environment"]["Variables"]["CLAIM_TTL_SECONDS"])
    assert "TracingConfig" not in function
    assert "ReservedConcurrentExecutions" not in function


def test_metrics_are_never_filtered_out(code: Any, plain: Deployment) -> None:
    """Lambda drops no line of INFO, which each run's metric is, whatever the worker itself is told to log."""
    from infra.synthesis import synthesise  # noqa: PLC0415 - the fixture synthesises what most tests need

    quiet = synthesise({"environment": "prod", "log_level": "CRITICAL"}, code)

    for deployment, level in ((plain, "INFO"), (quiet, "CRITICAL")):
        function = deployment.one("Lambda::Function")
        assert level == function["Environment"]["Variables"]["LOG_LEVEL"]
        assert "INFO" == function["LoggingConfig"]["ApplicationLogLevel"]


def test_failed_runs_are_not_repeated(plain: Deployment) -> None:
    """Lambda runs nothing twice: a failed run ends in a queue, which the function may send to and no more."""
    config = plain.one("Lambda::EventInvokeConfig")
    queue = {"Fn::GetAtt": [config["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0], "Arn"]}

    assert 0 == config["MaximumRetryAttempts"]
    assert [queue] == [
        s["Resource"] for s in plain.policy_of_role("lambda.amazonaws.com") if s["Action"] == "sqs:SendMessage"
    ]


def test_logs(plain: Deployment, everything: Deployment) -> None:
    """The log has an end, and a key of one's own where that is wanted, which CloudWatch Logs may use for it alone."""
    assert {"RetentionInDays": 90} == {
        k: v for k, v in plain.one("Logs::LogGroup").items() if k in {"RetentionInDays", "KmsKeyId"}
    }
    key = everything.one("KMS::Key")
    (logs,) = [s for s in key["KeyPolicy"]["Statement"] if "logs" in str(s["Principal"].get("Service"))]

    assert {"Fn::GetAtt": [everything.logical_id("KMS::Key"), "Arn"]} == everything.one("Logs::LogGroup")["KmsKeyId"]
    assert str(logs["Condition"]).endswith(":log-group:/aws/lambda/token-refresh-upwork-prod']]}}}")


def test_schedule(plain: Deployment, adopted: Deployment) -> None:
    """Every 30 minutes with a flexible window; a switch pauses it; what can't be delivered ends in a queue."""
    schedule, paused = plain.one("Scheduler::Schedule"), adopted.one("Scheduler::Schedule")

    assert ("rate(30 minutes)", "ENABLED") == (schedule["ScheduleExpression"], schedule["State"])
    assert {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10} == schedule["FlexibleTimeWindow"]
    assert ("DISABLED", {"Mode": "OFF"}) == (paused["State"], paused["FlexibleTimeWindow"])
    assert {"Fn::GetAtt": [plain.logical_id("Lambda::Function"), "Arn"]} == schedule["Target"]["Arn"]
    assert schedule["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0].startswith("ScheduleDeadLetters")


def test_schedules_role(plain: Deployment) -> None:
    """The schedule's role runs this function and writes to its queue, for schedules of this group alone."""
    (role,) = [r for r in plain.resources("IAM::Role") if "scheduler.amazonaws.com" in json.dumps(r)]
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert ["lambda:InvokeFunction", "sqs:SendMessage"] == sorted(
        s["Action"] for s in plain.policy_of_role("scheduler.amazonaws.com")
    )
    assert {"aws:SourceAccount": {"Ref": "AWS::AccountId"}} == trust["Condition"]["StringEquals"]
    assert {"aws:SourceArn": {"Fn::GetAtt": [plain.logical_id("Scheduler::ScheduleGroup"), "Arn"]}} == (
        trust["Condition"]["ArnEquals"]
    )


@every_deployment
def test_no_value_in_the_template(any_deployment: Deployment) -> None:
    """A secret is created empty: neither a value nor the wish for a random one is in any template."""
    for secret in any_deployment.resources("SecretsManager::Secret"):
        assert not {"SecretString", "GenerateSecretString"} & secret["Properties"].keys()


@every_deployment
def test_secrets_and_keys_outlive_the_stack(any_deployment: Deployment) -> None:
    """Destroying the stack, or replacing a resource of it, destroys no grant: secret, its policy and its key stay."""
    for kind in ("SecretsManager::Secret", "SecretsManager::ResourcePolicy", "KMS::Key"):
        for resource in any_deployment.resources(kind):
            assert ("Retain", "Retain") == (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])


def test_adopted_secrets_are_left_alone(adopted: Deployment) -> None:
    """What is there already is used as it is: no secret, no policy, no key and no topic is made or changed."""
    for kind in (
        "SecretsManager::Secret",
        "SecretsManager::ResourcePolicy",
        "KMS::Key",
        "SNS::Topic",
        "SNS::TopicPolicy",
    ):
        assert [] == adopted.resources(kind)

    granted = [s["Resource"] for s in statements(adopted) if "secretsmanager:PutSecretValue" in s["Action"]]
    assert adopted.parameters.token_secret == granted[0]
    assert json.dumps(granted[1]).endswith(':secret:old-tokens-for-consumers-??????"]]}')


def test_foreign_and_public_access(everything: Deployment) -> None:
    """The secret's own policy refuses other accounts and unencrypted connections, whatever another policy allows."""
    (policy, _) = everything.resources("SecretsManager::ResourcePolicy")
    statements = policy["Properties"]["ResourcePolicy"]["Statement"]
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    evaluated = Policy(statements=[anything, *({k: v for k, v in s.items() if k != "Principal"} for s in statements)])

    def may_read(**context: str) -> bool:
        keys = {f"aws:{name}": value for name, value in context.items()}
        return evaluated.allows(Ask(action="secretsmanager:GetSecretValue", resource="the-secret", context=keys))

    own = {"PrincipalAccount": "123456789012", "PrincipalIsAWSService": "false", "SecureTransport": "true"}
    assert all(s["Principal"] in ("*", {"AWS": "*"}) for s in statements)
    assert policy["Properties"]["BlockPublicPolicy"]
    assert may_read(**own)
    assert not may_read(**own | {"PrincipalAccount": OTHER})
    assert not may_read(**own | {"SecureTransport": "false"})
    assert not may_read(SecureTransport="true")


@every_deployment
def test_no_wildcard_in_an_allowed_action(any_deployment: Deployment) -> None:
    """No identity policy allows an action with a wildcard, nor everything on everything."""
    for statement in statements(any_deployment):
        actions = as_list(statement["Action"])
        assert not [action for action in actions if "*" in action]
        if "*" in as_list(statement["Resource"]):
            assert {"xray:PutTraceSegments", "xray:PutTelemetryRecords"} == set(actions)


def test_dev_is_kept_from_prod(everything: Deployment, code: Any) -> None:
    """With an application's name, no role of the development deployment reaches a secret of production."""
    from infra.synthesis import synthesise  # noqa: PLC0415 - likewise

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
        dev.logical_id("SecretsManager::Secret"): "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
        f"{dev.parameters.token_secret_id}-AbCdEf"
    }

    class Known(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return key

    policy = Policy(statements=resolve(statements(dev), Known(names | {"AWS::Partition": "aws"})))
    prod = [everything.parameters.token_secret_id, "upwork/prod/client", "upwork/prod/upwork-oauth-tokens-published"]

    def reads(name: str) -> bool:
        arn = f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}-AbCdEf"
        return policy.allows(Ask(action="secretsmanager:GetSecretValue", resource=arn))

    assert [True, True] == [reads("upwork/dev/upwork-oauth-tokens"), reads("upwork/dev/client")]
    assert [False] * 3 == [reads(name) for name in prod]


def test_queues_are_encrypted(plain: Deployment) -> None:
    """Queues are encrypted at rest and take no unencrypted connection."""
    queues = plain.resources("SQS::Queue")

    assert [True, True] == [queue["Properties"]["SqsManagedSseEnabled"] for queue in queues]
    assert 2 == len(plain.resources("SQS::QueuePolicy"))


def test_what_is_switched_off_is_not_there(bare: Deployment) -> None:
    """Without alarms and dashboard there is no alarm, no topic, no filter and no dashboard; the rest still works."""
    for kind in (
        "CloudWatch::Alarm",
        "CloudWatch::CompositeAlarm",
        "CloudWatch::Dashboard",
        "SNS::Topic",
        "Logs::MetricFilter",
    ):
        assert [] == bare.resources(kind)
    assert {"FunctionName", "TokenSecretId"} <= bare.outputs()

from pathlib import Path
from typing import Any

import pytest

from infra.conftest import BARE
from infra.enforced import KEY
from testbed.policy import Ask, IamPolicy, Meaning, resolve
from testbed.synthesis import Synthesis, synthesise

BUS = "arn:aws:events:eu-central-1:123456789012:event-bus/grants"
OLD_KEY = KEY.replace("1234abcd-", "5678abcd-")

CHOSEN = {
    "TOKEN_SECRET_ID": "old-tokens",
    "CLIENT_SECRET_ID": "client",
    "PUBLISHED_SECRET_ID": "for-consumers",
    "TOKEN_ENDPOINT": "https://provider.example/token",
    "TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_basic",
    "TOKEN_LIFETIME_SECONDS": "90000",
    "REFRESH_WINDOW_SECONDS": "20000",
    "REPLAY_GRACE_SECONDS": "600",
    "REQUEST_TIMEOUT_SECONDS": "30",
    "LOG_LEVEL": "WARNING",
    "HTTPS_PROXY": "http://10.0.0.7:3128",
}
"""The worker's variables, each with another value than its default; a parameter is named as its variable."""


@pytest.fixture(scope="module")
def chosen(code: Path) -> Synthesis:
    """An event bus, a role that is the client, and a key with one before it."""
    place = {"account": "123456789012", "region": "eu-central-1", "token_lifetime_seconds": "86400"}
    client = {"token_endpoint_auth_method": "aws_iam_jwt", "client_assertion_audience": "api://provider"}
    keys = {"kms_key": KEY, "previous_kms_keys": [OLD_KEY]}
    return synthesise(BARE | place | client | keys | {"event_bus": "grants"}, code)


def test_function(plain: Synthesis) -> None:
    """The worker is a Python 3.13 function on arm64 that logs JSON and ends after a minute and a half."""
    function = plain.one("Lambda::Function")

    assert ("python3.13", ["arm64"]) == (function["Runtime"], function["Architectures"])
    assert "token_refresh_worker.handlers.refresh" == function["Handler"]
    assert "JSON" == function["LoggingConfig"]["LogFormat"]
    assert {"Ref": plain.logical_id("Logs::LogGroup")} == function["LoggingConfig"]["LogGroup"]
    assert 90 == function["Timeout"]
    assert "TracingConfig" not in function
    assert "ReservedConcurrentExecutions" not in function


def test_what_is_chosen_is_what_is_deployed(code: Path, everything: Synthesis) -> None:
    """Every choice about the function and its variables arrives in the template."""
    parameters = {name.removesuffix("_ID").lower(): value for name, value in CHOSEN.items()}
    sizes = {"timeout_seconds": "70", "memory_mb": "512", "log_retention_days": "30", "python": "3.14"}
    deployment = synthesise({"environment": "prod"} | parameters | sizes, code)
    function = deployment.one("Lambda::Function")

    assert CHOSEN | {"RUN_PERIOD_SECONDS": "180"} == function["Environment"]["Variables"]
    assert (70, 512, "python3.14") == (function["Timeout"], function["MemorySize"], function["Runtime"])
    assert 30 == deployment.one("Logs::LogGroup")["RetentionInDays"]
    assert 1 == everything.one("Lambda::Function")["ReservedConcurrentExecutions"]
    assert {"Mode": "Active"} == everything.one("Lambda::Function")["TracingConfig"]


def test_no_line_is_filtered_out(code: Path, plain: Synthesis) -> None:
    """Lambda drops no line that the worker writes, and never one of INFO, which each run's metric is."""
    debug, critical = ({"environment": "prod", "log_level": level} for level in ("DEBUG", "CRITICAL"))
    deployments = {"INFO": plain, "DEBUG": synthesise(debug, code), "CRITICAL": synthesise(critical, code)}

    for level, kept in (("INFO", "INFO"), ("CRITICAL", "INFO"), ("DEBUG", "DEBUG")):
        function = deployments[level].one("Lambda::Function")
        assert level == function["Environment"]["Variables"]["LOG_LEVEL"]
        assert (kept, "INFO") == tuple(
            function["LoggingConfig"][f"{whose}LogLevel"] for whose in ("Application", "System")
        )


def test_functions_role(plain: Synthesis) -> None:
    """The function's role writes to its own log and its queue of failed runs, refreshes its secrets, and no more."""
    secrets = [
        {"Ref": plain.logical_id("SecretsManager::Secret", Name=name)}
        for name in ("upwork-oauth-tokens-published", "upwork-oauth-tokens")
    ]
    config = plain.one("Lambda::EventInvokeConfig")

    expected: list[tuple[str, Any]] = [
        ("logs:CreateLogStream", plain.arn_of("Logs::LogGroup")),
        ("logs:PutLogEvents", plain.arn_of("Logs::LogGroup")),
        *(("secretsmanager:GetSecretValue", secret) for secret in secrets),
        ("secretsmanager:ListSecretVersionIds", secrets[1]),
        *(
            (f"secretsmanager:{action}", secret)
            for action in ("PutSecretValue", "UpdateSecretVersionStage")
            for secret in secrets
        ),
        ("sqs:SendMessage", config["DestinationConfig"]["OnFailure"]["Destination"]),
    ]
    assert expected == plain.permissions("lambda.amazonaws.com")
    assert [{"Service": "lambda.amazonaws.com"}] == [s["Principal"] for s in plain.trust("lambda.amazonaws.com")]


def test_failed_runs_are_not_repeated(code: Path, plain: Synthesis) -> None:
    """Lambda runs nothing twice, and nothing later than the next scheduled run: a failed run ends in a queue."""
    (resource,) = plain.resources("Lambda::EventInvokeConfig")
    config = resource["Properties"]
    queue = plain.template["Outputs"]["FailedRunsUrl"]["Value"]["Ref"]
    seldom = synthesise(
        {"environment": "prod", "schedule_minutes": 720, "refresh_window_seconds": 200_000}
        | {"token_lifetime_seconds": 600_000},
        code,
    )
    often = synthesise({"environment": "prod", "schedule_minutes": 1, "flexible_minutes": 0}, code)

    assert 0 == config["MaximumRetryAttempts"]
    assert {"Fn::GetAtt": [queue, "Arn"]} == config["DestinationConfig"]["OnFailure"]["Destination"]
    # Lambda checks at creation that the function's role may send to the queue.
    assert any("RoleDefaultPolicy" in name for name in resource["DependsOn"])
    # Lambda takes 60 s to 6 h.
    assert [1800, 21_600, 60] == [
        deployment.one("Lambda::EventInvokeConfig")["MaximumEventAgeInSeconds"] for deployment in (plain, seldom, often)
    ]


def test_logs(plain: Synthesis, everything: Synthesis) -> None:
    """The log ends, at the latest with the stack; a key for it is CloudWatch Logs' to use for this log alone."""
    assert {"RetentionInDays": 90} == {
        k: v for k, v in plain.one("Logs::LogGroup").items() if k in {"RetentionInDays", "KmsKeyId"}
    }
    assert ["Delete"] == [group["DeletionPolicy"] for group in plain.resources("Logs::LogGroup")]
    key = everything.one("KMS::Key")
    (logs,) = [s for s in key["KeyPolicy"]["Statement"] if "logs" in str(s["Principal"].get("Service"))]

    assert everything.arn_of("KMS::Key") == everything.one("Logs::LogGroup")["KmsKeyId"]
    assert str(logs["Condition"]).rstrip("'}").endswith(":log-group:/aws/lambda/token-refresh-upwork-prod")
    assert [] == [action for action in logs["Action"] if "*" in action]
    assert {"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"} <= set(logs["Action"])


def test_a_key_of_before_decrypts_alone(chosen: Synthesis) -> None:
    """While versions are under two keys, the worker decrypts with either, and encrypts with the new one alone."""
    granted = chosen.permissions("lambda.amazonaws.com")

    assert {"kms:Decrypt"} == {action for action, resource in granted if resource == OLD_KEY}
    assert {"kms:Decrypt", "kms:GenerateDataKey"} == {action for action, resource in granted if resource == KEY}


def test_the_role_as_client(chosen: Synthesis, plain: Synthesis) -> None:
    """With `aws_iam_jwt` the function's role gets tokens for the deployment's audience; otherwise it gets none."""
    statements = chosen.policy_of_role("lambda.amazonaws.com")

    (allowed,) = [s for s in statements if s["Effect"] == "Allow" and s["Action"] == "sts:GetWebIdentityToken"]
    (denied,) = [s for s in statements if s["Effect"] == "Deny" and "sts:GetWebIdentityToken" in s["Action"]]
    assert ["api://provider"] == allowed["Condition"]["ForAllValues:StringEquals"]["sts:IdentityTokenAudience"]
    assert "lambda:SourceFunctionArn" in str(denied["Condition"])
    assert [] == [
        statement
        for statement in plain.policy_of_role("lambda.amazonaws.com")
        if statement["Effect"] == "Allow" and "GetWebIdentityToken" in str(statement)
    ]


def dead_letters(deployment: Synthesis) -> dict[str, Any]:
    """The reference to the queue that an operator is to look into."""
    return {"Fn::GetAtt": [deployment.template["Outputs"]["DeadLettersUrl"]["Value"]["Ref"], "Arn"]}


def test_schedule(plain: Synthesis, adopted: Synthesis, code: Path) -> None:
    """Every 30 minutes with a flexible window; a switch pauses it; what can't be delivered ends in a queue."""
    schedule, paused = plain.one("Scheduler::Schedule"), adopted.one("Scheduler::Schedule")
    often = synthesise({"environment": "prod", "schedule_minutes": 1, "flexible_minutes": 0}, code)

    assert ("rate(30 minutes)", "ENABLED") == (schedule["ScheduleExpression"], schedule["State"])
    assert "rate(1 minute)" == often.one("Scheduler::Schedule")["ScheduleExpression"]
    assert {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 10} == schedule["FlexibleTimeWindow"]
    assert ("DISABLED", {"Mode": "OFF"}) == (paused["State"], paused["FlexibleTimeWindow"])
    assert plain.arn_of("Lambda::Function") == schedule["Target"]["Arn"]
    assert dead_letters(plain) == schedule["Target"]["DeadLetterConfig"]["Arn"]
    # Not once the next run is due, so that an outage ends in one run.
    assert {"MaximumEventAgeInSeconds": 1800, "MaximumRetryAttempts": 3} == schedule["Target"]["RetryPolicy"]


def test_schedules_role(plain: Synthesis) -> None:
    """The schedule's role runs this function and writes to its queue, for its group alone, and is there first."""
    (trust,) = plain.trust("scheduler.amazonaws.com")
    (schedule,) = plain.resources("Scheduler::Schedule")
    policies = plain.template["Resources"].items()
    (policy,) = [name for name, r in policies if r["Type"] == "AWS::IAM::Policy" and "lambda:InvokeFunction" in str(r)]

    assert [
        ("lambda:InvokeFunction", plain.arn_of("Lambda::Function")),
        ("sqs:SendMessage", dead_letters(plain)),
    ] == plain.permissions("scheduler.amazonaws.com")
    assert {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        "ArnEquals": {"aws:SourceArn": plain.arn_of("Scheduler::ScheduleGroup")},
    } == trust["Condition"]
    assert {"Service": "scheduler.amazonaws.com"} == trust["Principal"]
    assert {"Ref": plain.logical_id("Scheduler::ScheduleGroup")} == schedule["Properties"]["GroupName"]
    assert policy in schedule["DependsOn"]


def test_the_worker_sends_its_own_events_to_one_bus(chosen: Synthesis) -> None:
    """The worker's role may send this project's events to the bus that is named, and no others and nowhere else."""
    policy = IamPolicy(statements=resolve(chosen.policy_of_role("lambda.amazonaws.com"), Meaning()))
    worker = {"lambda:SourceFunctionArn": Meaning()[f"{chosen.logical_id('Lambda::Function')}.Arn"]}

    def sends(resource: str, source: str) -> bool:
        context = worker | {"events:source": source}
        return policy.allows(Ask(action="events:PutEvents", resource=resource, context=context))

    assert [True, False] == [sends(BUS, source) for source in ("token-refresh", "somebody.else")]
    assert not sends(BUS.replace("grants", "default"), "token-refresh")
    assert "grants" == chosen.one("Lambda::Function")["Environment"]["Variables"]["EVENT_BUS"]

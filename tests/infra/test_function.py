from pathlib import Path
from typing import Any

from testbed.synthesis import Deployment, synthesise

CHOSEN = {
    "TOKEN_SECRET_ID": "old-tokens",
    "CLIENT_SECRET_ID": "client",
    "PUBLISHED_SECRET_ID": "for-consumers",
    "TOKEN_ENDPOINT": "https://provider.example/token",
    "TOKEN_ENDPOINT_AUTH_METHOD": "client_secret_basic",
    "REFRESH_WINDOW_SECONDS": "20000",
    "REPLAY_GRACE_SECONDS": "600",
    "REQUEST_TIMEOUT_SECONDS": "30",
    "LOG_LEVEL": "WARNING",
}
"""The worker's variables, each with another value than its default; a parameter is named as its variable."""


def test_function(plain: Deployment) -> None:
    """The worker is a Python 3.13 function on arm64 that logs JSON and ends after a minute and a half."""
    function = plain.one("Lambda::Function")

    assert ("python3.13", ["arm64"]) == (function["Runtime"], function["Architectures"])
    assert "token_refresh_worker.handlers.refresh" == function["Handler"]
    assert "JSON" == function["LoggingConfig"]["LogFormat"]
    assert {"Ref": plain.logical_id("Logs::LogGroup")} == function["LoggingConfig"]["LogGroup"]
    assert 90 == function["Timeout"]
    assert "TracingConfig" not in function
    assert "ReservedConcurrentExecutions" not in function


def test_what_is_chosen_is_what_is_deployed(code: Path, everything: Deployment) -> None:
    """Every choice about the function and its variables arrives in the template."""
    parameters = {name.removesuffix("_ID").lower(): value for name, value in CHOSEN.items()}
    sizes = {"timeout_seconds": "70", "memory_mb": "512", "log_retention_days": "30"}
    deployment = synthesise({"environment": "prod"} | parameters | sizes, code)
    function = deployment.one("Lambda::Function")

    assert CHOSEN | {"RUN_PERIOD_SECONDS": "2400"} == function["Environment"]["Variables"]
    assert (70, 512) == (function["Timeout"], function["MemorySize"])
    assert 30 == deployment.one("Logs::LogGroup")["RetentionInDays"]
    assert 1 == everything.one("Lambda::Function")["ReservedConcurrentExecutions"]
    assert {"Mode": "Active"} == everything.one("Lambda::Function")["TracingConfig"]


def test_no_line_is_filtered_out(code: Path, plain: Deployment) -> None:
    """Lambda drops no line that the worker writes, and never one of INFO, which each run's metric is."""
    levels = {"INFO": plain} | {
        level: synthesise({"environment": "prod", "log_level": level}, code) for level in ("CRITICAL", "DEBUG")
    }

    for level, kept in (("INFO", "INFO"), ("CRITICAL", "INFO"), ("DEBUG", "DEBUG")):
        function = levels[level].one("Lambda::Function")
        assert level == function["Environment"]["Variables"]["LOG_LEVEL"]
        assert (kept, "INFO") == tuple(
            function["LoggingConfig"][f"{whose}LogLevel"] for whose in ("Application", "System")
        )


def test_functions_role(plain: Deployment) -> None:
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


def test_failed_runs_are_not_repeated(code: Path, plain: Deployment) -> None:
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


def test_logs(plain: Deployment, everything: Deployment) -> None:
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


def test_the_role_as_client(code: Path, plain: Deployment) -> None:
    """With `aws_iam_jwt` the function's role gets tokens for the deployment's audience; otherwise it gets none."""
    chosen = {
        "environment": "prod",
        "token_endpoint_auth_method": "aws_iam_jwt",
        "client_assertion_audience": "api://provider",
    }

    statements = synthesise(chosen, code).policy_of_role("lambda.amazonaws.com")

    (allowed,) = [s for s in statements if s["Effect"] == "Allow" and s["Action"] == "sts:GetWebIdentityToken"]
    (denied,) = [s for s in statements if s["Effect"] == "Deny" and "sts:GetWebIdentityToken" in s["Action"]]
    assert ["api://provider"] == allowed["Condition"]["ForAllValues:StringEquals"]["sts:IdentityTokenAudience"]
    assert "lambda:SourceFunctionArn" in str(denied["Condition"])
    assert [] == [
        statement
        for statement in plain.policy_of_role("lambda.amazonaws.com")
        if statement["Effect"] == "Allow" and "GetWebIdentityToken" in str(statement)
    ]


def test_no_deployed_function_has_a_client_secret(
    plain: Deployment, adopted: Deployment, everything: Deployment
) -> None:
    """Whoever may read a function's configuration finds no client credentials in it."""
    for deployment in (plain, adopted, everything):
        for function in deployment.resources("Lambda::Function"):
            assert "UPWORK_CLIENT" not in str(function)

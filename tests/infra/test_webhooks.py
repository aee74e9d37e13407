"""The webhook receiver's stack, by its template."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.conftest import QUIET_RECEIVER, RECEIVER
from infra.test_access import granted
from testbed.policy import Ask, IamPolicy, Meaning, resolve
from testbed.synthesis import resources, synthesise, unvalidated
from token_refresh.reader.sources.service import CALL_LIMITS
from token_refresh_infra import access
from token_refresh_infra.context import ParameterError
from token_refresh_infra.modes import parameters_of
from token_refresh_infra.webhooks.alarms import WebhookAlarms
from token_refresh_infra.webhooks.parameters import WebhookParameters
from token_refresh_infra.webhooks.stack import WebhookStack

from aws_cdk import Stack, assertions  # isort: skip - after our package, see its docstring
from aws_cdk import aws_lambda as lambda_  # isort: skip

HERE = {"mode": "webhooks", "environment": "prod", "account": "123456789012", "region": "eu-central-1"}
STRIPE = {"stripe_secret": "acme/prod/stripe"}
KEY = RECEIVER["kms_key"]


def read(**values: Any) -> WebhookParameters:
    parameters = parameters_of(HERE | values)
    assert isinstance(parameters, WebhookParameters)
    return parameters


@pytest.fixture(scope="session")
def template(receiver_zip: Path) -> dict[str, Any]:
    return synthesise(HERE | STRIPE, receiver_zip).template


def test_hanging_read_ends_before_the_function(template: dict[str, Any]) -> None:
    """A store that takes requests and never responds ends a read before the timeout would end the function."""
    longest_pause_seconds = 1
    slowest_seconds = max(CALL_LIMITS.connect_seconds, CALL_LIMITS.read_seconds)
    hangs_seconds = CALL_LIMITS.attempts * slowest_seconds + longest_pause_seconds
    (function,) = resources(template, "Lambda::Function")
    assert hangs_seconds + 2 < function["Timeout"]
    with pytest.raises(ParameterError, match=r"^timeout_seconds: must be"):
        read(**STRIPE, timeout_seconds=hangs_seconds)


def test_function(template: dict[str, Any], receiver_zip: Path) -> None:
    """The function is what a webhook needs, has a public URL, and can be switched off by its concurrency."""
    (function,) = resources(template, "Lambda::Function")
    expected = {
        "Runtime": "python3.13",
        "Architectures": ["arm64"],
        "MemorySize": 512,
        "Timeout": 10,
        "ReservedConcurrentExecutions": 10,
        "Handler": "webhook_router.handler",
    }
    assert expected == {name: function[name] for name in expected}
    assert {"LogFormat": "JSON", "ApplicationLogLevel": "INFO"}.items() <= function["LoggingConfig"].items()
    variables = function["Environment"]["Variables"]
    assert ("acme/prod/stripe", "3600") == (variables["STRIPE_WEBHOOK_SECRET_ID"], variables["WEBHOOK_OVERLAP_SECONDS"])
    assert {"STRIPE_WEBHOOK_SECRET_ID", "WEBHOOK_OVERLAP_SECONDS", "WEBHOOK_QUEUE_URL"} == set(variables)
    (quiet,) = resources(synthesise(QUIET_RECEIVER | {"python": "3.14"}, receiver_zip).template, "Lambda::Function")
    assert (0, "python3.14") == (quiet["ReservedConcurrentExecutions"], quiet["Runtime"])
    (url,) = resources(template, "Lambda::Url")
    invoke, invoke_url = sorted(resources(template, "Lambda::Permission"), key=lambda found: str(found["Action"]))
    assert ("lambda:InvokeFunction", "*", True) == (
        invoke["Action"],
        invoke["Principal"],
        invoke["InvokedViaFunctionUrl"],
    )
    assert ("lambda:InvokeFunctionUrl", "*") == (invoke_url["Action"], invoke_url["Principal"])
    assert "NONE" == url["AuthType"] == invoke_url["FunctionUrlAuthType"]


def test_queues(template: dict[str, Any]) -> None:
    """The queue drops copies by message group, takes what the receiver takes, and gives up after five failures."""
    queue, dead_letters = sorted(resources(template, "SQS::Queue"), key=lambda found: "RedrivePolicy" not in found)
    assert {
        "FifoQueue": True,
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
        "MaximumMessageSize": 1_048_576,
        "VisibilityTimeout": 360,
        "SqsManagedSseEnabled": True,
    }.items() <= queue.items()
    assert 5 == queue["RedrivePolicy"]["maxReceiveCount"]
    assert dead_letters["FifoQueue"]
    assert 2 == len(resources(template, "SQS::QueuePolicy"))


def test_alarms(template: dict[str, Any]) -> None:
    """Each alarm says what it means and which command comes first, and goes to the stack's topic."""
    alarms = {alarm["AlarmName"]: alarm for alarm in resources(template, "CloudWatch::Alarm")}
    assert {f"token-refresh-prod-webhooks-{name}" for name in WebhookAlarms.defined()} == set(alarms)
    for alarm in alarms.values():
        assert re.search(r"aws (logs tail|sqs|lambda)", json.dumps(alarm["AlarmDescription"]))
        assert 1 == len(alarm["AlarmActions"]) == len(alarm["OKActions"])
    patterns = [found["FilterPattern"] for found in resources(template, "Logs::MetricFilter")]
    assert [
        '{ $.outcome = "not_verified" }',
        '{ $.event = "previous_unusable" }',
        '{ $.secret_stage = "previous" && $.secret_age_seconds > 1800 }',
    ] == patterns


def test_a_flood_raises_an_alarm(template: dict[str, Any]) -> None:
    """Requests that Lambda turns away raise an alarm, and so do many that the receiver refuses."""
    watched = {
        alarm["MetricName"]: (alarm["Threshold"], alarm["EvaluationPeriods"], alarm["Period"])
        for alarm in resources(template, "CloudWatch::Alarm")
        if alarm.get("Namespace") == "AWS/Lambda"
    }
    assert {"Url5xxCount": (0, 1, 300), "Url4xxCount": (1000, 1, 300), "Throttles": (0, 1, 300)} == watched


def test_secrets_of_both_stores(receiver_zip: Path) -> None:
    """Secrets are read by name or ARN, parameters by path, both with the one key; a field is not part of an ARN."""
    everything = synthesise(RECEIVER, receiver_zip).template
    statements = [
        resolve(statement, Meaning())
        for policy in resources(everything, "IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    allowed = IamPolicy(statements=statements)
    here = "eu-central-1:123456789012"
    assert {
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{here}:secret:acme/prod/stripe-??????"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{here}:secret:acme/prod/slack-AbCdEf"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{here}:secret:acme/prod/slack-??????"),
        ("ssm:GetParameters", f"arn:aws:ssm:{here}:parameter/acme/prod/github"),
        ("ssm:GetParameters", f"arn:aws:ssm:{here}:parameter/acme/prod/resend"),
        ("kms:Decrypt", KEY),
    } == {(action, resource) for _, action, resource in allowed.grants(["secretsmanager:", "ssm:", "kms:"])}
    parameter = f"arn:aws:ssm:{here}:parameter/acme/prod/github"
    through = {"kms:ViaService": "ssm.eu-central-1.amazonaws.com", "kms:EncryptionContext:PARAMETER_ARN": parameter}
    assert allowed.allows(Ask(action="kms:Decrypt", resource=KEY, context=through))
    other = through | {"kms:EncryptionContext:PARAMETER_ARN": f"{parameter}-other"}
    assert not allowed.allows(Ask(action="kms:Decrypt", resource=KEY, context=other))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, r"^stripe_secret: set one at least of"),
        ({"stripe_secret": "amplify:STRIPE"}, r"^stripe_secret: must be the name or complete ARN of a secret, or ssm:"),
        ({"stripe_secret": "whsec_ABC D"}, r"^stripe_secret: must be .*; the reference is malformed: character 10 of"),
        ({"stripe_secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a#b"}, r"complete ARN of a secret"),
        ({"stripe_secret": 7}, r"^stripe_secret: must be the name .* got int"),
        ({"stripe_secret": "acme/dev/stripe#key"}, r"^stripe_secret: acme/dev/stripe#key is of environment dev"),
        (STRIPE | {"kms_key": "create"}, r"^kms_key: the signing secrets are there already"),
        (STRIPE | {"log_level": "DEBUG"}, r"^log_level: must be INFO: .* is DEBUG"),
        (STRIPE | {"memory_mb": 128}, r"^memory_mb: must be a whole number from 256"),
        (STRIPE | {"overlap_secons": 0}, r"^overlap_secons: unknown parameter; did you mean overlap_seconds\?"),
    ],
)
def test_wrong_parameters(values: dict[str, Any], message: str) -> None:
    """What can't be is refused at synth with the parameter's name."""
    with pytest.raises(ParameterError, match=message):
        read(**values)


def test_zip(receiver_zip: Path) -> None:
    """The zip has the router and what services install, and nothing of the worker."""
    with zipfile.ZipFile(receiver_zip) as archive:
        names = archive.namelist()
    assert "webhook_router.py" in names
    assert {"token_refresh/reader/secrets.py", "token_refresh/webhooks/receiver.py"} <= set(names)
    assert not [name for name in names if name.startswith("token_refresh_worker")]


def test_consumer(receiver_zip: Path) -> None:
    """A function that consumes the queue may read and delete messages, and reports those that failed."""
    app = unvalidated()
    parameters = read(**STRIPE)
    stack = WebhookStack(app, "Receiver", parameters=parameters, code=receiver_zip)
    consumer = lambda_.Function(
        stack,
        "Consumer",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="webhook_consumer.handler",
        code=lambda_.Code.from_inline("pass"),
    )
    stack.receiver.consume_with(consumer)
    (mapping,) = resources(dict(assertions.Template.from_stack(stack).to_json()), "Lambda::EventSourceMapping")
    assert (["ReportBatchItemFailures"], 10) == (mapping["FunctionResponseTypes"], mapping["BatchSize"])


@pytest.mark.parametrize("path", ["acme/dev/stripe", "/acme/dev", "acme/dev/", "/", "/acme*/", "/acme/?/", "/acme/*"])
def test_families_of_parameters(path: str) -> None:
    """A family of parameters is named by whole segments, and one parameter by its whole path."""
    stack = Stack(unvalidated(), "Consumer")
    with pytest.raises(ValueError, match=r"segments|wildcard"):
        access.parameters_under(stack, path)
    if path != "/acme/dev":
        with pytest.raises(ValueError, match=r"path|wildcard"):
            access.one_parameter(stack, path)
    with pytest.raises(ValueError, match="path"):
        access.one_parameter(stack, "/acme/dev/")


def test_sandbox() -> None:
    """A function in Amplify's sandbox reads what is under its own path, and neither beside it nor by another action."""
    policy = granted(
        lambda stack, role: access.grant_read_parameters(
            role, access.parameters_under(stack, "/amplify/myapp/alice-sandbox-0123456789/")
        )
    )
    prefix = "arn:aws:ssm:eu-central-1:123456789012:parameter/amplify/myapp/"

    def allows(action: str, path: str) -> bool:
        return policy.allows(Ask(action=action, resource=prefix + path))

    assert allows("ssm:GetParameters", "alice-sandbox-0123456789/STRIPE")
    assert not allows("ssm:GetParameters", "bob-sandbox-0123456789/STRIPE")
    assert not allows("ssm:GetParameter", "alice-sandbox-0123456789/STRIPE")
    assert not allows("ssm:PutParameter", "alice-sandbox-0123456789/STRIPE")

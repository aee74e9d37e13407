"""Checks of what is deployed: the function, its role and the alarms."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from token_refresh.cli.context import Context
from token_refresh.cli.doctor.check import Check, NotAsked, ask
from token_refresh.cli.doctor.delivery import check_delivery
from token_refresh.config import read_settings
from token_refresh.errors import ConfigurationError
from token_refresh.outcome import NAMESPACE

_ACTIONS: Final = tuple(
    f"secretsmanager:{action}" for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
)


def check_function(context: Context, function: str) -> Iterator[Check]:
    """Check the deployed function and everything around it."""
    try:
        deployed = ask(context.client("lambda").get_function_configuration, FunctionName=function)
    except NotAsked as why:
        text = f"{function} in {context.region}: not found, or not readable ({why})"
        yield Check.failed("function", text, "check its name and the region; deploy it with scripts/deploy")
        return
    yield _configuration(deployed)
    yield _settings(context, deployed)
    yield _role(context, deployed)
    yield from check_delivery(context, deployed)


def _configuration(deployed: dict[str, Any]) -> Check:
    name, function = "function", deployed["FunctionName"]
    if deployed.get("State", "Active") != "Active":
        return Check.failed(name, f"its state is {deployed['State']}", "look at it in the Lambda console")
    timeout, ttl = deployed.get("Timeout", 3), _claim_seconds(deployed)
    if ttl is not None and timeout >= ttl:
        text = f"its timeout ({timeout} s) is not below CLAIM_TTL_SECONDS ({ttl:.0f})"
        return Check.failed(name, text, "lower the timeout, or raise CLAIM_TTL_SECONDS, and deploy")
    return Check.ok(name, f"{function}, deployed {deployed.get('LastModified', 'at an unknown time')[:19]}")


def _claim_seconds(deployed: dict[str, Any]) -> float | None:
    try:
        return read_settings(_variables(deployed)).policy.claim_time_to_live.total_seconds()
    except ConfigurationError:
        return None


def _variables(deployed: dict[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = deployed.get("Environment", {}).get("Variables", {})
    return variables


def _settings(context: Context, deployed: dict[str, Any]) -> Check:
    """Compare the function's settings with those that this command uses: they decide what is sent, and where."""
    name, here = "function's settings", context.settings()
    try:
        there = read_settings(_variables(deployed))
    except ConfigurationError as failure:
        return Check.failed(name, f"every run fails: {failure}", "correct the variable, and deploy")
    compared = {
        "TOKEN_SECRET_ID": (there.token_secret_id, here.token_secret_id),
        "TOKEN_ENDPOINT": (there.provider.token_endpoint, here.provider.token_endpoint),
        "TOKEN_ENDPOINT_AUTH_METHOD": (there.provider.auth_method.value, here.provider.auth_method.value),
        "REPLAY_GRACE_SECONDS": _seconds(there.policy.replay_grace, here.policy.replay_grace),
        "CLIENT_SECRET_ID": (there.client_secret_id, here.client_secret_id),
        "PUBLISHED_SECRET_ID": (there.published_secret_id, here.published_secret_id),
    }
    differing = [f"{variable} is {a} there and {b} here" for variable, (a, b) in compared.items() if a != b]
    if differing:
        remedy = "set the same variables here; if the function is wrong, correct them and deploy"
        return Check.failed(name, "; ".join(differing), remedy)
    return Check.ok(name, "the same as here")


def _seconds(there: timedelta, here: timedelta) -> tuple[str, str]:
    return f"{there.total_seconds():.0f}", f"{here.total_seconds():.0f}"


def _role(context: Context, deployed: dict[str, Any]) -> Check:
    """Ask IAM's simulator, which changes nothing, whether the function's role may do what a run does."""
    name = "function's permissions"
    try:
        arn = ask(context.client("secretsmanager").describe_secret, SecretId=context.secret_id)["ARN"]
        simulate = context.client("iam").simulate_principal_policy
        response = ask(simulate, PolicySourceArn=deployed["Role"], ActionNames=list(_ACTIONS), ResourceArns=[arn])
    except NotAsked as why:
        remedy = "allow iam:SimulatePrincipalPolicy; a run that fails names the action that was denied"
        return Check.skipped(name, f"not known ({why})", remedy)
    results = response["EvaluationResults"]
    denied = [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]
    if denied:
        text = f"access denied, by IAM's simulator: {', '.join(denied)}"
        return Check.failed(name, text, f"allow them for {deployed['Role']} on {arn}")
    return Check.ok(name, "all that a run needs, by IAM's simulator")


def check_alarms(context: Context) -> Check:
    """Check the alarms on this secret's metrics."""
    name = "alarms"
    paginator = context.client("cloudwatch").get_paginator("describe_alarms")
    try:
        pages = ask(lambda: {"all": list(paginator.paginate())})["all"]
    except NotAsked as why:
        return Check.skipped(name, f"not known ({why})", "allow cloudwatch:DescribeAlarms")
    wanted = {"Name": "SecretId", "Value": context.secret_id}
    ours = [
        alarm
        for page in pages
        for alarm in page.get("MetricAlarms", ())
        if alarm.get("Namespace") == NAMESPACE and wanted in alarm.get("Dimensions", ())
    ]
    if not ours:
        return Check.look(name, "no alarm watches this secret's metrics", "deploy them with scripts/deploy")
    ringing = [alarm["AlarmName"] for alarm in ours if alarm["StateValue"] == "ALARM"]
    if ringing:
        return Check.failed(name, f"in alarm: {', '.join(ringing)}", "the description of each names the first command")
    return Check.ok(name, f"{len(ours)} on this secret's metrics, none in alarm")

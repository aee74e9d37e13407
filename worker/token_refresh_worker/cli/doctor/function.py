"""Checks of what is deployed: the function, its role and the alarms."""

from collections.abc import Iterator
from typing import Any, Final

from token_refresh.aws.arn import name_same_secret
from token_refresh.aws.calls import CallFailed
from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh_worker.cli.context import WORKER_VARIABLES, Context
from token_refresh_worker.cli.doctor.check import Check, call
from token_refresh_worker.cli.doctor.delivery import DEPLOY, check_delivery
from token_refresh_worker.core.plan import STALENESS
from token_refresh_worker.run.metrics import NAMESPACE
from token_refresh_worker.run.settings import read_settings

_COMPARED: Final = [name for name in WORKER_VARIABLES if name not in {"UPWORK_CLIENT_ID", "UPWORK_CLIENT_SECRET"}]
_ACTIONS: Final = tuple(
    f"secretsmanager:{action}" for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
)


def check_function(context: Context) -> Iterator[Check]:
    """Check the deployed function and everything around it.

    Args:
        context: The operator's, not overlaid with the function's settings.
    """
    try:
        deployed = context.function_configuration()
    except TokenRefreshError as failure:
        yield Check.error("function", failure)
        return
    yield _configuration(deployed)
    yield _settings(context, deployed)
    yield _role(context, deployed)
    yield from check_delivery(context, deployed)


def _configuration(deployed: dict[str, Any]) -> Check:
    name, function = "function", deployed["FunctionName"]
    if deployed.get("State", "Active") != "Active":
        return Check.failed(name, f"its state is {deployed['State']}", "look at it in the Lambda console")
    # 3 s is Lambda's default. A run that outlives its claim could store tokens while another run redeems.
    timeout, ttl = deployed.get("Timeout", 3), _claim_seconds(deployed)
    stale_seconds = STALENESS.total_seconds()
    if ttl is not None and timeout + stale_seconds > ttl:
        text = f"its timeout ({timeout} s) is not {stale_seconds:.0f} s below CLAIM_TTL_SECONDS ({ttl:.0f})"
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
    """Find variables that are set here and say something else than the function's."""
    name, there = "function's settings", _variables(deployed)
    try:
        read_settings(there)
    except ConfigurationError as failure:
        fix = failure.fix or ("correct the variable, and deploy",)
        return Check.failed(name, f"every run fails: {failure.facts}", *fix)
    differing = [
        f"{variable} is {there.get(variable, 'not set')} there and {here} here"
        for variable in _COMPARED
        if (here := context.environment.get(variable)) and not name_same_secret(here, there.get(variable, ""))
    ]
    if differing:
        remedy = "unset them here, since --function applies the function's; if the function is wrong, correct it"
        return Check.failed(name, "; ".join(differing), remedy)
    return Check.ok(name, "used by the checks above")


def _role(context: Context, deployed: dict[str, Any]) -> Check:
    """Ask IAM's simulator, which changes nothing, whether the function's role may do what a run does."""
    name = "function's permissions"
    try:
        arn = call(context.client("secretsmanager").describe_secret, SecretId=context.secret_id)["ARN"]
        simulate = context.client("iam").simulate_principal_policy
        response = call(simulate, PolicySourceArn=deployed["Role"], ActionNames=list(_ACTIONS), ResourceArns=[arn])
    except CallFailed as why:
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
        # Read to the end within `call`: a paginator raises only while it is read.
        pages = call(lambda: {"all": list(paginator.paginate())})["all"]
    except CallFailed as why:
        return Check.skipped(name, f"not known ({why})", "allow cloudwatch:DescribeAlarms")
    # DescribeAlarms has no filter for metrics; DescribeAlarmsForMetric takes one metric at a time.
    wanted = {"Name": "SecretId", "Value": context.secret_id}
    ours = [
        alarm
        for page in pages
        for alarm in page.get("MetricAlarms", ())
        if alarm.get("Namespace") == NAMESPACE and wanted in alarm.get("Dimensions", ())
    ]
    if not ours:
        return Check.look(name, "no alarm watches this secret's metrics", "deploy them: ", DEPLOY)
    ringing = [alarm["AlarmName"] for alarm in ours if alarm["StateValue"] == "ALARM"]
    if ringing:
        return Check.failed(name, f"in alarm: {', '.join(ringing)}", "the description of each names the first command")
    return Check.ok(name, f"{len(ours)} on this secret's metrics, none in alarm")

"""Checks of what is deployed: the function, its role and the alarms."""

from collections.abc import Iterator
from typing import Any, Final

from token_refresh.cli.aws import client
from token_refresh.cli.checks import Check, Grade, Unasked, ask
from token_refresh.cli.checks_delivery import check_delivery
from token_refresh.config import DEFAULT_SECRET_ID, Settings
from token_refresh.outcome import NAMESPACE

_ACTIONS: Final = tuple(
    f"secretsmanager:{action}" for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
)


def check_function(function: str, settings: Settings) -> Iterator[Check]:
    """Look at the deployed function and everything around it."""
    try:
        deployed = ask(client("lambda").get_function_configuration, FunctionName=function)
    except Unasked as why:
        yield Check(
            name="function",
            grade=Grade.FAILED,
            text=f"{function} could not be looked at ({why})",
            remedy="check its name and the region; deploy it with scripts/deploy",
        )
        return
    yield _configuration(deployed, settings)
    yield _role(deployed, settings)
    yield from check_delivery(deployed)


def _configuration(deployed: dict[str, Any], settings: Settings) -> Check:
    name, given = "function", deployed.get("Environment", {}).get("Variables", {})
    secret_id = given.get("TOKEN_SECRET_ID") or DEFAULT_SECRET_ID
    if secret_id != settings.token_secret_id:
        return Check(
            name=name,
            grade=Grade.FAILED,
            text=f"{deployed['FunctionName']} refreshes {secret_id}, and you look at {settings.token_secret_id}",
            remedy="give that one's name here, or deploy with the other's",
        )
    timeout, ttl = deployed.get("Timeout", 3), int(given.get("CLAIM_TTL_SECONDS") or 120)
    if timeout >= ttl:
        return Check(
            name=name,
            grade=Grade.FAILED,
            text=f"its timeout ({timeout} s) is not below CLAIM_TTL_SECONDS ({ttl})",
            remedy="lower the timeout, or raise CLAIM_TTL_SECONDS",
        )
    if deployed.get("State", "Active") != "Active":
        text = f"its state is {deployed['State']}"
        return Check(name=name, grade=Grade.FAILED, text=text, remedy="look at it in the Lambda console")
    return Check(
        name=name, grade=Grade.OK, text=f"{deployed['FunctionName']}, deployed {deployed['LastModified'][:19]}"
    )


def _role(deployed: dict[str, Any], settings: Settings) -> Check:
    """Ask IAM's simulator, which changes nothing, whether the function's role may do what a run does."""
    name = "function's permissions"
    try:
        arn = ask(client("secretsmanager").describe_secret, SecretId=settings.token_secret_id)["ARN"]
        simulate = client("iam").simulate_principal_policy
        answer = ask(simulate, PolicySourceArn=deployed["Role"], ActionNames=list(_ACTIONS), ResourceArns=[arn])
    except Unasked as why:
        return Check(
            name=name,
            grade=Grade.SKIPPED,
            text=f"not known: IAM's simulator could not be asked ({why})",
            remedy="it takes iam:SimulatePrincipalPolicy; a failed run names the action it was refused",
        )
    results = answer["EvaluationResults"]
    denied = [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]
    if denied:
        return Check(
            name=name,
            grade=Grade.FAILED,
            text=f"access denied, by IAM's simulator: {', '.join(denied)}",
            remedy=f"allow them for {deployed['Role']} on {arn}",
        )
    return Check(name=name, grade=Grade.OK, text="all that a run needs, by IAM's simulator")


def check_alarms(settings: Settings) -> Check:
    """Look at the alarms on this secret's metrics."""
    name = "alarms"
    try:
        pages = ask(lambda: {"all": list(client("cloudwatch").get_paginator("describe_alarms").paginate())})["all"]
    except Unasked as why:
        text = f"CloudWatch could not be asked ({why})"
        return Check(name=name, grade=Grade.SKIPPED, text=text, remedy="it takes cloudwatch:DescribeAlarms")
    wanted = {"Name": "SecretId", "Value": settings.token_secret_id}
    ours = [
        alarm
        for page in pages
        for alarm in page.get("MetricAlarms", ())
        if alarm.get("Namespace") == NAMESPACE and wanted in alarm.get("Dimensions", ())
    ]
    if not ours:
        text = "no alarm watches this secret's metrics"
        return Check(name=name, grade=Grade.LOOK, text=text, remedy="deploy them with scripts/deploy")
    ringing = [alarm["AlarmName"] for alarm in ours if alarm["StateValue"] == "ALARM"]
    if ringing:
        text = f"in alarm: {', '.join(ringing)}"
        return Check(name=name, grade=Grade.FAILED, text=text, remedy="each one's description names the first command")
    return Check(name=name, grade=Grade.OK, text=f"{len(ours)} on this secret's metrics, none in alarm")

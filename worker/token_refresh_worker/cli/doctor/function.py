"""Checks of what is deployed: the function, its role and the alarms."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from token_refresh.aws.arn import name_same_secret
from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh_worker.cli.context import WORKER_VARIABLES, Context, variables_of
from token_refresh_worker.cli.doctor.check import Check, failed, tried
from token_refresh_worker.cli.doctor.delivery import DEPLOY, check_delivery
from token_refresh_worker.cli.doctor.key import KEEP_ACTIONS, encryption_context
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.run.metrics import NAMESPACE
from token_refresh_worker.run.settings import read_settings
from token_refresh_worker.run.variables import Variable

_COMPARED: Final = [name for name in WORKER_VARIABLES if name not in {"UPWORK_CLIENT_ID", "UPWORK_CLIENT_SECRET"}]
_ACTIONS: Final = tuple(
    f"secretsmanager:{action}" for action in ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
)


def check_function(context: Context) -> Iterator[Check]:
    """Check the deployed function and everything around it; `context` has the operator's own settings."""
    try:
        deployed = context.function_configuration()
    except TokenRefreshError as failure:
        yield Check("function", failed(failure))
        return
    yield Check("function", _configuration(deployed))
    yield Check("function's settings", _settings(context, variables_of(deployed)))
    yield tried("function's permissions", lambda: _role(context, deployed))
    yield from check_delivery(context, deployed)


def _configuration(deployed: dict[str, Any]) -> Finding:
    if deployed.get("State", "Active") != "Active":
        return Finding.broken(f"its state is {deployed['State']}", "look at it in the Lambda console")
    return Finding.healthy(
        f"{deployed['FunctionName']}, deployed {deployed.get('LastModified', 'at an unknown time')[:19]}"
    )


def _settings(context: Context, there: Mapping[str, str]) -> Finding:
    """Find variables that are set here and say something else than the function's."""
    try:
        read_settings(there)
    except ConfigurationError as failure:
        fix = failure.fix or ("correct the variable, and deploy",)
        return Finding.broken(f"every run fails: {failure.facts}", *fix)
    differing = [
        f"{variable} is {there.get(variable, 'not set')} there and {here} here"
        for variable in _COMPARED
        if (here := context.environment.get(variable)) and not name_same_secret(here, there.get(variable, ""))
    ]
    if differing:
        remedy = "unset them here, since --function applies the function's; if the function is wrong, correct it"
        return Finding.broken("; ".join(differing), remedy)
    return Finding.healthy("used by the checks above")


def _role(context: Context, deployed: dict[str, Any]) -> Finding:
    """Ask IAM's simulator, which changes nothing, whether the function's role may do what a run does."""
    arn, role = context.call("DescribeSecret", context.secret_id)["ARN"], deployed["Role"]
    key_arn = variables_of(deployed).get(Variable.KEPT_TOKENS_KEY_ID)
    needed: list[tuple[tuple[str, ...], str, list[dict[str, Any]]]] = [(_ACTIONS, arn, [])]
    if key_arn:
        needed.append((KEEP_ACTIONS, key_arn, encryption_context(arn)))
    for actions, on, entries in needed:
        asked = {"PolicySourceArn": role, "ActionNames": list(actions), "ResourceArns": [on], "ContextEntries": entries}
        results = context.ask("iam:SimulatePrincipalPolicy", "role", role, **asked)["EvaluationResults"]
        denied = [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]
        if denied:
            text = f"access denied, by IAM's simulator: {', '.join(denied)}"
            return Finding.broken(text, f"allow them for {role} on {on}")
    return Finding.healthy("all that a run needs, by IAM's simulator")


def check_alarms(context: Context) -> Finding:
    """Check the alarms on this secret's metrics.

    Raises:
        TokenRefreshError: They can't be listed.
    """
    # DescribeAlarms has no filter for metrics; DescribeAlarmsForMetric takes one metric at a time.
    wanted = {"Name": "SecretId", "Value": context.secret_id}
    ours = [
        alarm
        for page in context.pages("cloudwatch:DescribeAlarms", "all alarms")
        for alarm in page.get("MetricAlarms", ())
        if alarm.get("Namespace") == NAMESPACE and wanted in alarm.get("Dimensions", ())
    ]
    if not ours:
        return Finding.attention("no alarm watches this secret's metrics", "deploy them: ", DEPLOY)
    ringing = [alarm["AlarmName"] for alarm in ours if alarm["StateValue"] == "ALARM"]
    if ringing:
        return Finding.broken(f"in alarm: {', '.join(ringing)}", "the description of each names the first command")
    return Finding.healthy(f"{len(ours)} on this secret's metrics, none in alarm")

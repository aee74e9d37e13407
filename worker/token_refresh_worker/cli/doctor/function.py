"""Checks of what is deployed: the function, its settings and its role."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from token_refresh.aws.arn import name_same_secret
from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh_worker.cli.context import WORKER_VARIABLES, Context, variables_of
from token_refresh_worker.cli.doctor.access import check_access
from token_refresh_worker.cli.doctor.check import Check, failed, tried
from token_refresh_worker.cli.doctor.concurrency import check_concurrency
from token_refresh_worker.cli.doctor.delivery import check_delivery
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.run.settings import read_settings

_COMPARED: Final = [name for name in WORKER_VARIABLES if name not in {"UPWORK_CLIENT_ID", "UPWORK_CLIENT_SECRET"}]


def check_function(context: Context) -> Iterator[Check]:
    """Check the deployed function and everything around it; `context` has the operator's own settings."""
    try:
        deployed = context.function_configuration()
    except TokenRefreshError as failure:
        yield Check("function", failed(failure))
        return
    yield Check("function", _configuration(deployed))
    yield Check("function's settings", _settings(context, variables_of(deployed)))
    yield tried("function's permissions", lambda: check_access(context, deployed))
    if variables_of(deployed).get("FLEET_NAME"):
        # The dispatcher has the schedule, and the fleet's alarms watch it and the queues.
        yield tried("concurrent runs", lambda: check_concurrency(context, deployed["FunctionName"]))
        return
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

"""Check that an account lets a fleet have as many runs at once as it is deployed with."""

from typing import Any, Final

from token_refresh.advice import Command
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.finding import Finding

RUNS_AT_ONCE: Final = 64
"""What a fleet is deployed with, unless its file says otherwise."""
OTHERS: Final = 2
"""Dispatcher and resync."""
QUOTA: Final = "L-B99A9384"
"""Concurrent executions: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""


def check_concurrency(context: Context, function: str) -> Finding:
    """Compare what is left of the account's quota with what the fleet may use."""
    settings = context.ask("lambda:GetAccountSettings", "all functions")
    # What other functions have reserved is not for the fleet, and neither is what runs of them take meanwhile.
    left = int(settings["AccountLimit"]["UnreservedConcurrentExecutions"])
    wanted = _runs_at_once(context, function) + OTHERS
    if left >= wanted:
        return Finding.healthy(f"{left} functions at once are free to use, and the fleet uses {wanted} at most")
    line = "aws service-quotas request-service-quota-increase --service-code lambda --quota-code {} --desired-value {}"
    ask = Command.of(line + " --region {}", QUOTA, "1000", context.region)
    return Finding.broken(
        f"the account lets {left} functions run at once, and the fleet uses {wanted}: Lambda refuses its runs",
        "ask for more: ",
        ask,
        "or deploy with a lower concurrency: ",
        Command.of("scripts/deploy NAME"),
    )


def _runs_at_once(context: Context, function: str) -> int:
    action = "lambda:ListEventSourceMappings"
    found: list[dict[str, Any]] = context.ask(action, "function", function, FunctionName=function)[
        "EventSourceMappings"
    ]
    limits = [mapping.get("ScalingConfig", {}).get("MaximumConcurrency", RUNS_AT_ONCE) for mapping in found]
    return max(limits, default=RUNS_AT_ONCE)

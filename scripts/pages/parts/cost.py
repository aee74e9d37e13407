"""What one worker costs in a month: its template and the last line of its runs, at AWS's prices in `us-east-1`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pages.docstrings import table
from pages.template import resources
from token_refresh_worker.run.outcome import CurrentTokens, Outcome, OutcomeName, last_line

RUNS, REFRESHES = 1440, 45
"""Of a 24-hour token that is refreshed 8 hours before it expires, at the default schedule."""
SECRET: Final = 0.40
"""For one secret."""
_PRICES: Final = {
    "AWS::SecretsManager::Secret": ("Secrets", SECRET),
    "AWS::CloudWatch::Alarm": ("Alarms", 0.10),
    "AWS::CloudWatch::CompositeAlarm": ("Composite alarm", 0.50),
    "AWS::CloudWatch::Dashboard": ("Dashboard", 3.00),
    "AWS::KMS::Key": ("Keys", 1.00),
}
_METRIC, _CALL = 0.30, 0.05 / 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the bill."""

    what: str
    arithmetic: str
    dollars: float


def default() -> str:
    """Return the bill of a deployment with the defaults."""
    lines = list(bill(resources({"environment": "prod"})))
    rows = [(line.what, line.arithmetic, f"{line.dollars:.2f}") for line in lines]
    return table(("what", "arithmetic", "USD"), *rows, ("**Together**", "", f"**{total(lines):.2f}**"))


def total(lines: Iterable[Line]) -> float:
    """Return the sum of a bill."""
    return sum(line.dollars for line in lines)


def bill(made: Mapping[str, Mapping[str, Any]]) -> Iterable[Line]:
    """Return what a stack's resources and its runs cost."""
    counted = Counter(resource["Type"] for resource in made.values())
    for kind, (what, price) in _PRICES.items():
        if number := counted[kind]:
            yield Line(what=what, arithmetic=f"{number} x {price:.2f}", dollars=number * price)
    sent = metrics()
    names = ", ".join(f"`{name}`" for name in sent)
    yield Line(what="Custom metrics", arithmetic=f"{len(sent)} x {_METRIC:.2f}: {names}", dollars=len(sent) * _METRIC)
    calls = (RUNS - REFRESHES) * 3 + REFRESHES * 9
    said = f"{RUNS - REFRESHES:,} fresh runs x 3 + {REFRESHES} refreshes x 9 = {calls:,}, at 0.05 for 10,000"
    yield Line(what="Calls to Secrets Manager", arithmetic=said, dollars=calls * _CALL)
    rest = 720 * 0.0000133 + RUNS * (0.20 + 1.00) / 1e6 + 0.004 * 0.50
    yield Line(what="Lambda, EventBridge Scheduler, logs", arithmetic=f"{RUNS:,} runs", dollars=rest)


def metrics() -> list[str]:
    """Return the metrics of a worker that does its job: of runs that find a fresh token, and of runs that refresh."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    tokens = CurrentTokens(version_id="v", expires_at=now + timedelta(days=1))
    sent: dict[str, None] = {}
    for name in (OutcomeName.FRESH, OutcomeName.REFRESHED):
        report = Outcome(name=name, secret_id=name, tokens=tokens, at=now)
        line: Any = last_line(report, trigger="schedule", secret_id=name, duration_ms=1)
        sent |= {metric["Name"]: None for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    return sorted(sent)

"""A small model of how CloudWatch evaluates an alarm of a template.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html: data points of whole periods, and
M of the last N breach. Where points are missing, CloudWatch looks further back, by two points in its examples; if it
finds fewer than N, the rest breaches or does not. A period is evaluated at its end, which is later than CloudWatch is.
"""

import operator
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_COMPARE: Final = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}
_FURTHER_BACK: Final = 2
# Of values that a test puts in; p99 of a period with fewer than 100 values is the largest.
_STATISTICS: Final[Mapping[str, Callable[[list[float]], float]]] = {
    "Maximum": max,
    "Minimum": min,
    "Sum": sum,
    "p99": max,
}


@dataclass(slots=True)
class ModelAlarm:
    """One alarm, which gets the values of each minute in order."""

    properties: dict[str, Any]
    metrics: list[dict[str, Any]]
    """What it adds up: one metric, or those of its expression."""
    on: list[tuple[int, int]] = field(default_factory=list)
    """In which minute it went on, and its last one, each time."""
    _is_on: bool = False
    _values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _points: deque[bool | None] = field(default_factory=deque)

    @property
    def name(self) -> str:
        """The name, without the stack's."""
        return str(self.properties["AlarmName"]).removeprefix("token-refresh-prod-fleet-prod-")

    def minute(self, minute: int, *reported: Mapping[str, float]) -> None:
        """Take what was reported in a minute, and evaluate the alarm where the minute ends a period."""
        for metric in self.metrics:
            name = metric["MetricName"]
            self._values[name] += [values[name] for values in reported if name in values]
        if (minute + 1) % (self.metrics[0]["Period"] // 60):
            return
        periods = self.properties["EvaluationPeriods"]
        self._points.append(self._breaches())
        self._values.clear()
        if len(self._points) > periods + _FURTHER_BACK:
            self._points.popleft()
        if sum(self._newest(periods)) < self.properties.get("DatapointsToAlarm", periods):
            self._is_on = False
            return
        # The log and CloudWatch need a minute each for a metric.
        at = minute + 2
        began = self.on.pop()[0] if self._is_on else at
        self.on.append((began, at))
        self._is_on = True

    def _newest(self, count: int) -> list[bool]:
        found = [breaches for breaches in self._points if breaches is not None][-count:]
        return found + [self.properties["TreatMissingData"] == "breaching"] * (count - len(found))

    def _breaches(self) -> bool | None:
        found = [
            _STATISTICS[metric.get("Statistic") or metric["ExtendedStatistic"]](self._values[metric["MetricName"]])
            for metric in self.metrics
            if self._values[metric["MetricName"]]
        ]
        if not found:
            return None
        compare = _COMPARE[self.properties["ComparisonOperator"]]
        return bool(compare(sum(found), self.properties["Threshold"]))


def alarms_of(alarms: list[dict[str, Any]]) -> dict[str, ModelAlarm]:
    """Read the alarms of a template, by name."""
    made = [ModelAlarm(alarm, _metrics(alarm)) for alarm in alarms]
    return {alarm.name: alarm for alarm in made}


def _metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    if "MetricName" in alarm:
        names = [dimension["Value"] for dimension in alarm.get("Dimensions", ())]
        of_worker = any("WorkerFunction" in str(name) for name in names)
        return [alarm | {"MetricName": f"Worker{alarm['MetricName']}"}] if of_worker else [alarm]
    stats = {found["Id"]: found["MetricStat"] for found in alarm["Metrics"] if "MetricStat" in found}
    (expression,) = (found["Expression"] for found in alarm["Metrics"] if "Expression" in found)
    filled = {f"FILL({name}, 0)" for name in stats}
    assert filled == set(expression.split(" + ")), "the model adds, with 0 for what is missing, and nothing else"
    return [
        {"MetricName": stat["Metric"]["MetricName"], "Statistic": stat["Stat"], "Period": stat["Period"]}
        for stat in stats.values()
    ]

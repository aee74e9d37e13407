"""The alarms of a stack: each says what it means and what to run first, and tells one topic when it begins and ends."""

import inspect
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from token_refresh.errors import KeptTokensUnreadable, TokensKept
from token_refresh_worker.run.outcome import NAMESPACE

BREACHING: Final = cloudwatch.TreatMissingData.BREACHING
NOT_BREACHING: Final = cloudwatch.TreatMissingData.NOT_BREACHING
IGNORED: Final = cloudwatch.TreatMissingData.IGNORE
_COMPARE: Final = cloudwatch.ComparisonOperator


@dataclass(frozen=True, slots=True)
class Limit:
    """Which data points breach."""

    operator: cloudwatch.ComparisonOperator
    threshold: float


def above(threshold: float) -> Limit:
    """Breach by what is greater."""
    return Limit(_COMPARE.GREATER_THAN_THRESHOLD, threshold)


def below(threshold: float) -> Limit:
    """Breach by what is less."""
    return Limit(_COMPARE.LESS_THAN_THRESHOLD, threshold)


ANY: Final = above(0)
NEVER: Final = below(0)
"""Of a count: the alarm is for the metric that is missing."""
ONCE: Final = Limit(_COMPARE.GREATER_THAN_OR_EQUAL_TO_THRESHOLD, 1)


@dataclass(frozen=True, slots=True)
class AlarmSpec:
    """What an alarm watches, and what it says: what it means, what to do, and the command to run first, without region.

    Attributes:
        limit: Which data points breach.
        points: How many periods in a row must breach, or how many of how many.
        missing: Whether a missing data point breaches.
    """

    metric: cloudwatch.IMetric
    text: str
    _: KW_ONLY
    limit: Limit = ANY
    points: int | tuple[int, int] = 1
    missing: cloudwatch.TreatMissingData = NOT_BREACHING


class Alarms(Construct):
    """The alarms of one stack. A method that returns an `AlarmSpec` defines the alarm of its name.

    Its docstring is the alarm's row in a table of docs/ (`scripts/docs --write`).
    """

    def __init__(self, scope: Construct, construct_id: str, *, stack_name: str) -> None:
        super().__init__(scope, construct_id)
        self._stack_name = stack_name

    @classmethod
    def defined(cls) -> dict[str, Callable[[Any], AlarmSpec]]:
        """Return each alarm's name, without the stack's, and what defines it."""
        return {
            name.replace("_", "-"): method
            for name, method in vars(cls).items()
            if inspect.isfunction(method) and _returns_spec(method)
        }

    def announce(self, topic: sns.ITopic) -> list[cloudwatch.AlarmBase]:
        """Make the alarms, and send what they say to a topic."""
        alarms = [self._make(name, define(self)) for name, define in self.defined().items() if self._wants(name)]
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(topic))
            # An alarm that ends says so, or somebody goes on looking.
            alarm.add_ok_action(actions.SnsAction(topic))
        return alarms

    def _wants(self, name: str) -> bool:
        """Whether this stack has what an alarm is about."""
        del name
        return True

    def _said(self, spec: AlarmSpec) -> str:
        """Complete the command at the end of what an alarm says."""
        return f"{spec.text} --region {Stack.of(self).region}"

    def _make(self, name: str, spec: AlarmSpec) -> cloudwatch.AlarmBase:
        enough, periods = spec.points if isinstance(spec.points, tuple) else (None, spec.points)
        return cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._stack_name}-{name}",
            alarm_description=self._said(spec),
            metric=spec.metric,
            comparison_operator=spec.limit.operator,
            threshold=spec.limit.threshold,
            datapoints_to_alarm=enough,
            evaluation_periods=periods,
            treat_missing_data=spec.missing,
        )


def error_metric(
    scope: Construct, log_group: logs.ILogGroup, error_type: str, stack_name: str, period: Duration
) -> cloudwatch.Metric:
    """Count the log lines that name an error."""
    metric = cloudwatch.Metric(
        namespace=f"{NAMESPACE}/{stack_name}", metric_name=error_type, statistic="Sum", period=period
    )
    logs.MetricFilter(
        scope,
        error_type,
        log_group=log_group,
        filter_pattern=logs.FilterPattern.string_value("$.error_type", "=", error_type),
        metric_namespace=metric.namespace,
        metric_name=metric.metric_name,
    )
    return metric


def kept_tokens_metric(
    scope: Construct, log_group: logs.ILogGroup, *, stack_name: str, period: Duration
) -> cloudwatch.Metric:
    """Count the runs that end because Secrets Manager refuses tokens that the claim table keeps."""
    metric = cloudwatch.Metric(
        namespace=f"{NAMESPACE}/{stack_name}", metric_name="TokensKept", statistic="Sum", period=period
    )
    ended = [
        logs.FilterPattern.string_value("$.error_type", "=", error.__name__)
        for error in (TokensKept, KeptTokensUnreadable)
    ]
    logs.MetricFilter(
        scope,
        "TokensKept",
        log_group=log_group,
        filter_pattern=logs.FilterPattern.any(*ended),
        metric_namespace=metric.namespace,
        metric_name=metric.metric_name,
    )
    return metric


def _returns_spec(method: Callable[..., Any]) -> bool:
    returned = inspect.get_annotations(method).get("return")
    return inspect.isclass(returned) and issubclass(returned, AlarmSpec)

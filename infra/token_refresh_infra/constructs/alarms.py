"""The alarms of a stack: each says what it means and what to run first, and tells one topic when it begins and ends."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

BREACHING: Final = cloudwatch.TreatMissingData.BREACHING
NOT_BREACHING: Final = cloudwatch.TreatMissingData.NOT_BREACHING
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
ONCE: Final = Limit(_COMPARE.GREATER_THAN_OR_EQUAL_TO_THRESHOLD, 1)


@dataclass(frozen=True, slots=True)
class Watch:
    """One alarm.

    Attributes:
        name: What its name ends with, after the stack's.
        metric: What is watched.
        text: What it means, what to do, and the command to run first.
        limit: Which data points breach.
        points: How many periods in a row must breach, or how many of how many.
        missing: Whether a missing data point breaches.
        row: The rest of its row in the table of a page, which `scripts/docs --write` writes.
    """

    name: str
    metric: cloudwatch.IMetric
    text: str
    _: KW_ONLY
    limit: Limit = ANY
    points: int | tuple[int, int] = 1
    missing: cloudwatch.TreatMissingData = NOT_BREACHING
    row: str = ""


class Alarms(Construct):
    """The alarms of one stack, which a subclass defines."""

    def __init__(self, scope: Construct, construct_id: str, *, stack_name: str) -> None:
        super().__init__(scope, construct_id)
        self._stack_name = stack_name

    @abstractmethod
    def define(self) -> Iterable[Watch]:
        """Return the alarms that somebody is told of."""

    def announce(self, topic: sns.ITopic) -> list[cloudwatch.AlarmBase]:
        """Make the alarms, and send what they say to a topic."""
        alarms = [self._make(watch) for watch in self.define()]
        for alarm in alarms:
            alarm.add_alarm_action(actions.SnsAction(topic))
            # An alarm that ends says so, or somebody goes on looking.
            alarm.add_ok_action(actions.SnsAction(topic))
        return alarms

    def _make(self, watch: Watch) -> cloudwatch.AlarmBase:
        enough, periods = watch.points if isinstance(watch.points, tuple) else (None, watch.points)
        return cloudwatch.Alarm(
            self,
            watch.name,
            alarm_name=f"{self._stack_name}-{watch.name}",
            alarm_description=watch.text,
            metric=watch.metric,
            comparison_operator=watch.limit.operator,
            threshold=watch.limit.threshold,
            datapoints_to_alarm=enough,
            evaluation_periods=periods,
            treat_missing_data=watch.missing,
        )

"""The metrics that alarms and dashboard read, and the time over which a scheduled run shows in each of them."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_worker.run.outcome import NAMESPACE

DIMENSION = "SecretId"
NEVER_AUTHORIZED = "SecretEmpty"
LIFETIME_TOO_SHORT = "TokenLifetimeTooShort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The worker's own metrics (Embedded Metric Format) and those that AWS counts about it."""

    parameters: SingleParameters
    function: lambda_.IFunction
    dead_letters: sqs.IQueue

    @property
    def period(self) -> Duration:
        """Each period of this length has at least one scheduled run, whatever the flexible window makes of it."""
        return Duration.seconds(self.parameters.longest_gap_seconds)

    def worker(self, name: str, statistic: str, period: Duration | None = None) -> cloudwatch.Metric:
        """Return one of the metrics that the worker logs with a run."""
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={DIMENSION: self.parameters.token_secret_id},
            statistic=statistic,
            period=period or self.period,
        )

    def seconds_to_expiry(self, period: Duration | None = None) -> cloudwatch.Metric:
        """Return how long the current access token still lives."""
        return self.worker("SecondsToExpiry", "Minimum", period)

    def runs(self, period: Duration) -> cloudwatch.Metric:
        """Return how many runs started, as Lambda counts them."""
        return self.function.metric_invocations(period=period)

    def lifetimes_too_short(self) -> cloudwatch.Metric:
        """Return how often a run reached the daily limit of its claim store, as the log says it."""
        return cloudwatch.Metric(
            namespace=f"{NAMESPACE}/{self.parameters.stack_name}",
            metric_name=LIFETIME_TOO_SHORT,
            statistic="Sum",
            period=self.period,
        )

    def failed_runs(self) -> cloudwatch.Metric:
        """Return failed runs as Lambda counts them, the ones that died without a line in the log included."""
        return self.function.metric_errors(period=self.period)

    def durations(self, statistic: str) -> cloudwatch.Metric:
        """Return how long runs take, in milliseconds."""
        return self.function.metric_duration(period=self.period, statistic=statistic)

    def throttles(self) -> cloudwatch.Metric:
        """Return invocations that Lambda refused."""
        return self.function.metric_throttles(period=self.period)

    def undelivered(self) -> cloudwatch.Metric:
        """Return scheduled invocations that never reached the function."""
        return self.dead_letters.metric_approximate_number_of_messages_visible(period=self.period, statistic="Maximum")

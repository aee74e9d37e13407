"""The alarms: each says what it means and what to run first, and none is raised for what mends itself."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from token_refresh_infra.common import CREATE
from token_refresh_infra.metrics import DIMENSION, NAMESPACE, NEVER_AUTHORIZED, Metrics
from token_refresh_infra.parameters import Parameters

_NOTICED = Duration.minutes(10)  # what CloudWatch takes to turn a log line into an alarm, generously


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Holds an alarm back while the secret has never been filled."""

    while_alarmed: cloudwatch.Alarm
    wait: Duration


class RefreshAlarms(Construct):
    """Five alarms on one topic; those that an empty secret would raise wait for the first authorization."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: Parameters,
        metrics: Metrics,
        log_group: logs.ILogGroup,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self._parameters, self._metrics = parameters, metrics
        empty = self._awaiting_authorization(log_group) if parameters.token_secret == CREATE else None
        # An empty secret is known as such only once the first run has said so.
        until_first_run = metrics.period.plus(_NOTICED)
        self.all = [
            self._renewal_overdue(Hold(while_alarmed=empty, wait=until_first_run) if empty else None),
            self._runs_failing(Hold(while_alarmed=empty, wait=_NOTICED) if empty else None),
            self._reauthorization_required(),
            self._dead_letters(),
            self._throttled(),
        ]
        for alarm in self.all:
            alarm.add_alarm_action(actions.SnsAction(topic))
            alarm.add_ok_action(actions.SnsAction(topic))

    def _renewal_overdue(self, hold: Hold | None) -> cloudwatch.AlarmBase:
        threshold = self._parameters.overdue_below_seconds
        return self._alarm(
            "renewal-overdue",
            self._metrics.seconds_to_expiry(),
            f"The access token has less than {threshold // 60} minutes to live, which no normal refresh lets happen, "
            "or no run has reported for two periods. Consumers will soon be refused. "
            f"First: token-refresh status {self._parameters.token_secret_id}",
            below=threshold,
            points=(2, 2),
            missing=cloudwatch.TreatMissingData.BREACHING,
            hold=hold,
        )

    def _runs_failing(self, hold: Hold | None) -> cloudwatch.AlarmBase:
        return self._alarm(
            "runs-failing",
            self._metrics.failed_runs(),
            "Runs failed in two of the last three periods; a single failure mends itself and raises nothing. The "
            f"error_type says what to do. First: aws logs tail {self._parameters.log_group_name} --since 2h "
            "--filter-pattern token_refresh_failed",
            points=(2, 3),
            hold=hold,
        )

    def _reauthorization_required(self) -> cloudwatch.AlarmBase:
        return self._alarm(
            "reauthorization-required",
            self._metrics.worker("ReauthorizationRequired", "Maximum"),
            "The provider refused the refresh token for good (invalid_grant, confirmed against what is stored); no run "
            "sends another request until a person authorizes again. The current access token works until it expires. "
            f"First: token-refresh authorize {self._parameters.token_secret_id}",
        )

    def _dead_letters(self) -> cloudwatch.AlarmBase:
        return self._alarm(
            "dead-letters",
            self._metrics.undelivered(),
            "A scheduled run never reached the function: it is gone, throttled, or refuses the schedule's role. The "
            "message's attributes say why. First: aws sqs receive-message --message-attribute-names All "
            f"--queue-url {self._metrics.dead_letters.queue_url}",
        )

    def _throttled(self) -> cloudwatch.AlarmBase:
        return self._alarm(
            "throttled",
            self._metrics.throttles(),
            "Lambda refuses to start the worker: other functions use up the account's concurrency, or too many "
            "on-demand runs meet reserved_concurrency. First: aws lambda get-account-settings",
            points=(2, 3),
        )

    def _awaiting_authorization(self, log_group: logs.ILogGroup) -> cloudwatch.Alarm:
        """Know that the secret has no value yet; announced to nobody, since it is a state and no fault."""
        logs.MetricFilter(
            self,
            "SecretEmpty",
            log_group=log_group,
            filter_pattern=logs.FilterPattern.string_value("$.error_type", "=", "SecretEmpty"),
            metric_namespace=NAMESPACE,
            metric_name=NEVER_AUTHORIZED,
            dimensions={DIMENSION: f"$.{DIMENSION}"},
        )
        return self._measured(
            "awaiting-authorization",
            self._metrics.worker(NEVER_AUTHORIZED, "Maximum"),
            "The secret has no value yet, so the alarms on renewal and on failing runs are held back. "
            f"First: token-refresh authorize {self._parameters.token_secret_id}",
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        text: str,
        *,
        below: int | None = None,
        points: tuple[int, int] = (1, 1),
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
        hold: Hold | None = None,
    ) -> cloudwatch.AlarmBase:
        """Return what is announced: the alarm itself, or one around it that can be held back."""
        if hold is None:
            return self._measured(name, metric, text, below=below, points=points, missing=missing)
        alarm = self._measured(f"{name}-measured", metric, text, below=below, points=points, missing=missing)
        return cloudwatch.CompositeAlarm(
            self,
            name,
            composite_alarm_name=f"{self._parameters.stack_name}-{name}",
            alarm_description=text,
            alarm_rule=cloudwatch.AlarmRule.from_alarm(alarm, cloudwatch.AlarmState.ALARM),
            actions_suppressor=hold.while_alarmed,
            actions_suppressor_wait_period=hold.wait,
            actions_suppressor_extension_period=self._metrics.period.plus(_NOTICED),
        )

    def _measured(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        text: str,
        *,
        below: int | None = None,
        points: tuple[int, int] = (1, 1),
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> cloudwatch.Alarm:
        """Alarm on one occurrence, or below a threshold, in `points[0]` of the last `points[1]` periods."""
        compare = cloudwatch.ComparisonOperator
        return cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._parameters.stack_name}-{name}",
            alarm_description=text,
            metric=metric,
            threshold=1 if below is None else below,
            comparison_operator=(
                compare.GREATER_THAN_OR_EQUAL_TO_THRESHOLD if below is None else compare.LESS_THAN_THRESHOLD
            ),
            datapoints_to_alarm=points[0],
            evaluation_periods=points[1],
            treat_missing_data=missing,
        )

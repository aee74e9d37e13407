"""The alarms. Each says what it means, what to do and what to run first; what a later run corrects raises none."""

from dataclasses import dataclass

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from token_refresh_infra.common import CREATE
from token_refresh_infra.constructs.denied_access import DeniedAccess
from token_refresh_infra.single.metrics import DIMENSION, NAMESPACE, NEVER_AUTHORIZED, Metrics
from token_refresh_infra.single.parameters import SingleParameters

_NOTICED = Duration.minutes(10)  # what CloudWatch takes to turn a log line into an alarm, generously


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Holds an alarm back while the secret has never been filled."""

    while_alarmed: cloudwatch.Alarm
    wait: Duration


class RefreshAlarms(Construct):
    """Eight alarms on one topic; those that an empty secret would raise wait for the first authorization."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: SingleParameters,
        metrics: Metrics,
        log_group: logs.ILogGroup,
        denied: DeniedAccess,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self._parameters, self._metrics = parameters, metrics
        self._region = f"--region {Stack.of(self).region}"
        self._on_secret = f"{parameters.token_secret_id} {self._region}"
        empty = self._awaiting_authorization(log_group) if parameters.token_secret == CREATE else None
        # An empty secret is known as such only once the first run has said so.
        until_first_run = metrics.period.plus(_NOTICED)
        self.all = [
            self._renewal_overdue(Hold(while_alarmed=empty, wait=until_first_run) if empty else None),
            self._runs_failing(Hold(while_alarmed=empty, wait=_NOTICED) if empty else None),
            self._reauthorization_required(),
            self._superseded(),
            self._lifetime_too_short(log_group),
            self._denied_access(denied),
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
            f"The access token expires in less than {threshold // 60} minutes and was not refreshed, or no run has "
            "reported for two periods. Consumers fail when it expires. "
            f"First: token-refresh status {self._on_secret}",
            below=threshold,
            points=(2, 2),
            missing=cloudwatch.TreatMissingData.BREACHING,
            hold=hold,
        )

    def _runs_failing(self, hold: Hold | None) -> cloudwatch.AlarmBase:
        return self._alarm(
            "runs-failing",
            self._metrics.failed_runs(),
            "Runs failed in two of the last three periods. The log line's error says why, and which command corrects "
            f"it. First: aws logs tail {self._parameters.log_group_name} --since 2h "
            f"--filter-pattern token_refresh_failed {self._region}",
            points=(2, 3),
            hold=hold,
        )

    def _reauthorization_required(self) -> cloudwatch.AlarmBase:
        return self._alarm(
            "reauthorization-required",
            self._metrics.worker("ReauthorizationRequired", "Maximum"),
            "The provider rejected the refresh token (invalid_grant). The current access token works until it expires; "
            "a person has to authorize again before that. Check the client credentials first: wrong ones can look the "
            f"same. First: token-refresh authorize {self._on_secret}",
        )

    def _superseded(self) -> cloudwatch.AlarmBase:
        return self._alarm(
            "superseded",
            self._metrics.worker("Superseded", "Sum"),
            "Something else refreshed this token while a run did. With a single-use provider, that will revoke the "
            "grant: find the other refresher and stop it. CloudTrail's PutSecretValue events say who it is. "
            f"First: token-refresh history {self._on_secret}",
        )

    def _lifetime_too_short(self, log_group: logs.ILogGroup) -> cloudwatch.AlarmBase:
        metric = self._metrics.lifetimes_too_short()
        logs.MetricFilter(
            self,
            "LifetimeTooShort",
            log_group=log_group,
            filter_pattern=logs.FilterPattern.string_value("$.event", "=", "token_lifetime_too_short"),
            metric_namespace=metric.namespace,
            metric_name=metric.metric_name,
        )
        return self._alarm(
            "lifetime-too-short",
            metric,
            "The access tokens live so short that the claim store reaches its daily limit: runs wait, and consumers "
            'will see expired tokens. Move the claims to a table: set claim_table = "create" in the deployment\'s file '
            "and follow docs/deploy.md (Claims in a table). "
            f"First: token-refresh status {self._on_secret}",
        )

    def _denied_access(self, denied: DeniedAccess) -> cloudwatch.AlarmBase:
        return self._alarm(
            "denied-access",
            denied.metric(self._metrics.period),
            "Somebody without permission tried to read or change the secret (from CloudTrail; needs a trail in this "
            "region). A message in the queue says who, when and from where. First: aws sqs receive-message "
            f"--queue-url {denied.queue.queue_url} {self._region}",
        )

    def _dead_letters(self) -> cloudwatch.AlarmBase:
        return self._alarm(
            "dead-letters",
            self._metrics.undelivered(),
            "The schedule could not start the function: it was deleted, throttled, or refuses the schedule's role. The "
            "message's attributes say why. First: aws sqs receive-message --message-attribute-names All "
            f"--queue-url {self._metrics.dead_letters.queue_url} {self._region}",
        )

    def _throttled(self) -> cloudwatch.AlarmBase:
        return self._alarm(
            "throttled",
            self._metrics.throttles(),
            "Lambda refuses to start the worker: other functions use up the account's concurrency, or more on-demand "
            "runs than reserved_concurrency allows were started. "
            f"First: aws lambda get-account-settings {self._region}",
            points=(2, 3),
        )

    def _awaiting_authorization(self, log_group: logs.ILogGroup) -> cloudwatch.Alarm:
        """Measure whether the secret has no value yet. This alarm has no action: it is a state, not a fault."""
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
            f"First: token-refresh authorize {self._on_secret}",
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

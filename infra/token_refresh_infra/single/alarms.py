"""The alarms. Each says what it means, what to do and what to run first; what a later run corrects raises none."""

from dataclasses import dataclass
from functools import partial

from aws_cdk import Annotations, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from token_refresh_infra.common import CREATE
from token_refresh_infra.constructs.alarms import (
    BREACHING,
    IGNORED,
    NEVER,
    ONCE,
    Alarms,
    AlarmSpec,
    below,
    kept_tokens_metric,
)
from token_refresh_infra.constructs.denied_access import DeniedAccess
from token_refresh_infra.single.metrics import DIMENSION, NEVER_AUTHORIZED, Metrics
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_worker.run.outcome import NAMESPACE

_SHORT = Duration.minutes(5)  # an alarm ends so long after what raised it, and no value that comes late is missed
_AWAITED_PERIODS = 4  # longer than runs that failed for want of a value keep `runs-failing` up
_once = partial(AlarmSpec, limit=ONCE, points=(1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsAlarmSpec(AlarmSpec):
    """An alarm on failed runs, and on no runs; it is one around both."""

    silent: AlarmSpec


class RefreshAlarms(Alarms):
    """The alarms of one worker; an empty secret that it created holds `runs-failing` back, an adopted one raises it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: SingleParameters,
        metrics: Metrics,
        log_group: logs.ILogGroup,
        denied: DeniedAccess,
    ) -> None:
        super().__init__(scope, construct_id, stack_name=parameters.stack_name)
        self._parameters, self._metrics = parameters, metrics
        self._log_group, self._denied = log_group, denied
        # An adopted secret's tags prove no function, and without one a command would go to Upwork.
        self._with_function = f"{parameters.token_secret_id} --function {parameters.stack_name}"
        if not parameters.alarm_timing.rings_in_time:
            Annotations.of(self).add_warning_v2(
                "token-refresh:late-alarm",
                f"schedule_minutes: runs every {parameters.run_every_minutes} minutes are too seldom for an alarm "
                "before a token expires; leave schedule_minutes and flexible_minutes out",
            )
        self._empty = self._awaiting_authorization() if parameters.token_secret == CREATE else None

    def renewal_overdue(self) -> AlarmSpec:
        """The token was not refreshed, and half of the refresh window is over (a 24-hour token has 4 hours left).

        Fix: run `status`, then `refresh`.
        """
        threshold = self._parameters.alarm_timing.overdue_below_seconds
        return AlarmSpec(
            self._metrics.seconds_to_expiry(_SHORT),
            f"The access token expires in less than {threshold // 60} minutes and was not refreshed. Consumers fail "
            f"when it expires. First: token-refresh status {self._parameters.token_secret_id}",
            limit=below(threshold),
            points=(1, 1),
            # Runs that stop report nothing: the next alarm is theirs, and this one stays as it is.
            missing=IGNORED,
        )

    def runs_failing(self) -> RunsAlarmSpec:
        """Runs failed in two of the last three periods, or no run started for 73 minutes (with the default schedule).

        Fix: run `doctor --function`.
        """
        silence = self._parameters.alarm_timing.silence
        runs = self._metrics.runs(Duration.seconds(silence.period_seconds))
        minutes = silence.periods * silence.period_seconds // 60
        doctor = f"First: token-refresh doctor {self._with_function}"
        return RunsAlarmSpec(
            self._metrics.failed_runs(),
            f"Runs failed in two of the last three periods, or none started for {minutes} minutes. A failed run's log "
            "line (token_refresh_failed) says why, and which command corrects it. A run that was killed, or never "
            f"started, leaves no line. {doctor}",
            limit=ONCE,
            points=(2, 3),
            missing=IGNORED,
            silent=AlarmSpec(
                runs,
                f"No run started for {minutes} minutes. {doctor}",
                limit=NEVER,
                points=silence.periods,
                missing=BREACHING,
            ),
        )

    def reauthorization_required(self) -> AlarmSpec:
        """The provider rejected the refresh token, the grant has perhaps ended, or `ResponseKept`.

        Consumers work until the access token expires. Fix: run `doctor`, since wrong client credentials can look the
        same; then what it prints: `restore` where an older set may be alive, `recover` for a response, or `authorize`.
        """
        return _once(
            self._metrics.worker("ReauthorizationRequired", "Maximum"),
            "The provider rejected the refresh token (invalid_grant), or the grant has perhaps ended. The current "
            "access token works until it expires. Before that, a person must authorize again, unless doctor names "
            "a set to restore. Wrong client credentials can look the same: doctor tries them. If the log says "
            "ResponseKept, the secret keeps a response that can't be read and may hold the tokens: token-refresh "
            "recover lists its fields. "
            f"First: token-refresh doctor {self._with_function}",
        )

    def superseded(self) -> AlarmSpec:
        """Something else refreshed the same token. Fix: run `history`, and stop the other refresher."""
        return _once(
            self._metrics.worker("Superseded", "Sum"),
            "Something else refreshed this token at the same time as a run. A single-use provider will revoke the "
            "grant for that. Find the other refresher and stop it: CloudTrail's PutSecretValue events say who it is. "
            f"First: token-refresh history {self._parameters.token_secret_id}",
        )

    def foreign_sets(self) -> AlarmSpec:
        """Something else stored tokens in the secret.

        Fix: run `status`; then `restore` if they are of another grant, else stop the second refresher, and `authorize`.
        """
        return _once(
            self._metrics.worker("ForeignSets", "Maximum"),
            "Something other than the worker and its commands stored tokens. If they are of another grant, restore the "
            "worker's. If a second refresher stored them, stop it, or a single-use provider will revoke the grant: "
            "CloudTrail's PutSecretValue events say who it is. "
            f"First: token-refresh status {self._parameters.token_secret_id}",
        )

    def lifetime_too_short(self) -> AlarmSpec:
        """Tokens live too short a time for the schedule, or for the claim store's daily limit. Fix: run `status`."""
        metric = self._metrics.lifetimes_too_short()
        logs.MetricFilter(
            self,
            "LifetimeTooShort",
            log_group=self._log_group,
            filter_pattern=logs.FilterPattern.string_value("$.event", "=", "token_lifetime_too_short"),
            metric_namespace=metric.namespace,
            metric_name=metric.metric_name,
        )
        return _once(
            metric,
            "The access tokens live so short a time that they expire between two runs, or that their refreshes reach "
            "the claim store's daily limit. Consumers will see expired tokens. Lower schedule_minutes, or move the "
            "claims "
            'to a table: set claim_table = "create" in the deployment\'s file, and follow docs/maintain.md (Moving the '
            "claims). "
            f"First: token-refresh status {self._parameters.token_secret_id}",
        )

    def tokens_kept(self) -> AlarmSpec:
        """Secrets Manager refuses new tokens, and the claim table keeps them. Fix: correct what `status` names."""
        return _once(
            kept_tokens_metric(
                self, self._log_group, stack_name=self._parameters.stack_name, period=self._metrics.period
            ),
            "Secrets Manager refuses to store new tokens, and the claim table keeps them. Nothing is lost, but no run "
            "refreshes until Secrets Manager has stored them. Correct what the error in the log names, such as a "
            "permission or a disabled key. Don't delete the table, its item or its key. "
            f"First: token-refresh status {self._parameters.token_secret_id}",
        )

    def denied_access(self) -> AlarmSpec:
        """Somebody without permission tried to read or change the secret. It needs a CloudTrail trail in the region.

        Fix: read in the queue `DeniedAccessUrl` who, when and from where.
        """
        return _once(
            self._denied.metric(self._metrics.period),
            "Somebody without permission tried to read or change the secret, as CloudTrail reports. A message in the "
            "queue says who, when and from where. First: aws sqs receive-message "
            f"--queue-url {self._denied.queue.queue_url}",
        )

    def dead_letters(self) -> AlarmSpec:
        """The schedule could not start a run.

        Fix: correct what `doctor --function` names, then run `refresh --invoke`.
        """
        return _once(
            self._metrics.undelivered(),
            "The schedule could not start the function. The function was deleted or throttled, or refuses the "
            "schedule's role: the message's attributes say which. First: aws sqs receive-message "
            f"--message-attribute-names All --queue-url {self._metrics.dead_letters.queue_url}",
        )

    def throttled(self) -> AlarmSpec:
        """Lambda refused to start the worker in two of the last three periods.

        Fix: run `refresh`, which needs no Lambda.
        """
        return _once(
            self._metrics.throttles(),
            "Lambda refuses to start the worker. Other functions use up the account's concurrency, or consumers start "
            "more runs on demand than reserved_concurrency allows. "
            "First: aws lambda get-account-settings",
            points=(2, 3),
        )

    def _awaiting_authorization(self) -> cloudwatch.AlarmBase:
        """Measure whether a created secret holds no token. This alarm has no action: it is a state, not a fault."""
        logs.MetricFilter(
            self,
            "SecretEmpty",
            log_group=self._log_group,
            filter_pattern=logs.FilterPattern.string_value("$.error_type", "=", "SecretEmpty"),
            metric_namespace=NAMESPACE,
            metric_name=NEVER_AUTHORIZED,
            dimensions={DIMENSION: f"$.{DIMENSION}"},
        )
        spec = AlarmSpec(
            self._metrics.worker(NEVER_AUTHORIZED, "Maximum"),
            "The secret has no value yet, or its grant was revoked. Until somebody authorizes, the alarm runs-failing "
            f"is not raised. First: token-refresh authorize {self._with_function}",
            limit=ONCE,
            points=(1, _AWAITED_PERIODS),
        )
        return super()._make("awaiting-authorization", spec)

    def _wants(self, name: str) -> bool:
        return name != "tokens-kept" or self._parameters.kept_tokens_key_choice is not None

    def _make(self, name: str, spec: AlarmSpec) -> cloudwatch.AlarmBase:
        """Make the alarm itself, or those that measure, and one around them."""
        if not isinstance(spec, RunsAlarmSpec):
            return super()._make(name, spec)
        rule = cloudwatch.AlarmRule
        failing, silent = super()._make(f"{name}-errors", spec), super()._make(f"{name}-silence", spec.silent)
        failed = rule.from_alarm(failing, cloudwatch.AlarmState.ALARM)
        if self._empty:
            failed = rule.all_of(failed, rule.not_(rule.from_alarm(self._empty, cloudwatch.AlarmState.ALARM)))
        # Until the first run, a new stack is not silent: CloudWatch knows no error count of it either.
        ran = rule.not_(rule.from_alarm(failing, cloudwatch.AlarmState.INSUFFICIENT_DATA))
        stopped = rule.all_of(rule.from_alarm(silent, cloudwatch.AlarmState.ALARM), ran)
        return cloudwatch.CompositeAlarm(
            self,
            name,
            composite_alarm_name=f"{self._stack_name}-{name}",
            alarm_description=self._said(spec),
            alarm_rule=rule.any_of(failed, stopped),
        )

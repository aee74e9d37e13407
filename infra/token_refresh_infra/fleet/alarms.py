"""A fleet's alarms and dashboard. Their number is the same for one secret and for 10,000."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from token_refresh_infra.constructs.alarms import (
    ANY,
    BREACHING,
    NEVER,
    ONCE,
    Alarms,
    AlarmSpec,
    above,
    below,
    error_metric,
    kept_tokens_metric,
)
from token_refresh_infra.constructs.denied_access import DeniedAccess
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_worker.run.outcome import NAMESPACE

OBJECTIVE_PERCENT = 99.9
STORED_WITHIN_SECONDS = 300
EXPIRED_PERCENT = 0.5
LEFT_PERCENT = 0.5
HELD_BACK_PERCENT = 1
TABLE_FAILURES = 5
"""Calls in five minutes, each after the client's own repeats."""
KEPT_BY_ONE_SECRET = 2
"""Runs in five minutes: each failure doubles the time to the next run."""
CRASHES_OF_ONE_SECRET = 2
"""Runs in five minutes: what does not report is handed out again after six minutes, and later each time."""
_FIVE_MINUTES = Duration.minutes(5)
LEFT = "MembersLeftPercent"
STATES = ("Healthy", "Due", "Overdue", "Held", "Reauthorize", "Empty", "Error", "Paused")


class FleetAlarms(Alarms):
    """Makes the alarms and the dashboard of one fleet."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: FleetParameters,
        functions: Mapping[str, lambda_.IFunction],
        denied: DeniedAccess | None,
        dead_letters: Mapping[str, sqs.IQueue],
        log_group: logs.ILogGroup,
    ) -> None:
        """Describe what is watched.

        Args:
            scope: As for every construct.
            construct_id: Likewise.
            parameters: The deployment's.
            functions: By name: `worker`, `dispatcher`, `resync`.
            denied: Who was refused a secret; None where there are no alarms.
            dead_letters: By name: `fleet` for crashed runs, `schedules` for what Scheduler could not deliver.
            log_group: The worker's.
        """
        super().__init__(scope, construct_id, stack_name=parameters.stack_name)
        self._parameters, self._functions = parameters, functions
        self._status = f"token-refresh fleet status --fleet {parameters.fleet}"
        self._retry = f"token-refresh fleet retry --fleet {parameters.fleet} --state"
        self._dead_letters, self._denied, self._log_group = dead_letters, denied, log_group

    def draw(self) -> None:
        """Make the dashboard."""
        gauge = self._gauge
        board = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._parameters.stack_name)
        board.add_widgets(
            self._graph("Secrets by state", [gauge(name) for name in STATES], stacked=True),
            self._graph("Handed out, under way, waiting", [gauge(n) for n in ("HandedOut", "UnderWay", "Waiting")]),
        )
        board.add_widgets(
            self._graph("Seconds from due to stored", [gauge("SecondsAfterDue", s) for s in ("p50", "p99", "Maximum")]),
            self._graph("Runs", [gauge(name, "Sum") for name in ("Refreshed", "Recovered", "Superseded", "Failed")]),
        )
        board.add_widgets(
            self._graph("Within the objective, percent", [gauge("WithinWindowPercent", "Minimum")]),
            self._graph("Open breakers", [gauge("BreakersOpen"), gauge("BehindBreakersPercent")]),
        )
        board.add_widgets(
            self._graph("New within a day, percent", [gauge("NewDeathsPercent"), gauge("NewErrorsPercent")]),
            self._graph("Expired, and vanished within a day, percent", [gauge(n) for n in ("ExpiredPercent", LEFT)]),
        )

    def objective_missed(self) -> AlarmSpec:
        """Fewer than 99.9 % of the managed secrets have more than half of their refresh window left."""
        return AlarmSpec(
            self._gauge("WithinWindowPercent", "Minimum"),
            f"Fewer than {OBJECTIVE_PERCENT} % of the managed secrets have more than half of their refresh window "
            f"left. First: {self._status} --state overdue",
            limit=below(OBJECTIVE_PERCENT),
            points=3,
        )

    def stored_late(self) -> AlarmSpec:
        """1 % of the refreshes were stored over 5 minutes after they were due."""
        return AlarmSpec(
            self._gauge("SecondsAfterDue", "p99"),
            f"1 % of the refreshes were stored over {STORED_WITHIN_SECONDS // 60} minutes after they were due. The "
            f"write quota is used up, or a provider is slow or busy. First: {self._status}",
            limit=above(STORED_WITHIN_SECONDS),
            points=3,
        )

    def expired(self) -> AlarmSpec:
        """Over 0.5 % of the secrets have an expired token. Paused secrets count; dead grants don't."""
        return AlarmSpec(
            self._gauge("ExpiredPercent"),
            f"Over {EXPIRED_PERCENT} % of the secrets have an expired token, so their consumers fail. Paused secrets "
            f"count. Correct the cause, then retry them at once: {self._retry} overdue. "
            f"First: {self._status} --state overdue",
            limit=above(EXPIRED_PERCENT),
            points=2,
        )

    def new_deaths(self) -> AlarmSpec:
        """0.5 % of the grants died within an hour, or 1 % within a day."""
        return AlarmSpec(
            self._gauge("NewDeathsPercent"),
            "Many grants died within an hour or a day, or one did in a small fleet. While a breaker is open for "
            "rejected grants, the provider may be wrong: wait. If it is closed, and no grant has come back after an "
            "hour, those customers have to authorize again. All other secrets are refreshed as usual. First: "
            f"{self._status} --state reauthorize",
            limit=ONCE,
            points=(1, 12),
        )

    def new_errors(self) -> AlarmSpec:
        """0.5 % of the secrets came into state `error` within an hour, or 1 % within a day."""
        return AlarmSpec(
            self._gauge("NewErrorsPercent"),
            "Many secrets came into state error within an hour or a day: a document, a setting or a permission is "
            "wrong. Once it is corrected, the dispatcher retries them within minutes. To retry them at once: "
            f"{self._retry} error. First: {self._status} --state error",
            limit=ONCE,
            points=(1, 12),
        )

    def paused_too_long(self) -> AlarmSpec:
        """A pause of the last hour ends after half of a secret's refresh window is over."""
        return AlarmSpec(
            self._gauge("PausedTooLong"),
            "Somebody made a pause that ends after half of a secret's refresh window is over. If that is not intended, "
            "end the pause. "
            f"First: {self._status} --state paused",
            limit=ANY,
        )

    def copies_behind(self) -> AlarmSpec:
        """A copy lacks the current access token, and its readers soon have an expired one."""
        return AlarmSpec(
            self._gauge("CopiesBehind"),
            "A copy has lacked the current access token for 20 minutes, and its readers soon have an expired one. The "
            f"copy is missing, or the worker may not write it. First: {self._status}",
            limit=ANY,
            points=2,
        )

    def members_left(self) -> AlarmSpec:
        """Over 0.5 % of the secrets lost their tag within a day, or were deleted, without `fleet remove`."""
        return AlarmSpec(
            self._gauge(LEFT, minutes=1),
            f"Over {LEFT_PERCENT} % of the secrets lost the fleet's tag, or were deleted, within a day. Nothing "
            "refreshes them any more. If they belong to the fleet, add them again with token-refresh fleet add. "
            f"First: {self._status} --limit 0",
            limit=above(LEFT_PERCENT),
            # A resync that does not believe its listing says so once in five minutes.
            points=(1, 12),
        )

    def tokens_kept(self) -> AlarmSpec:
        """Secrets Manager refuses new tokens of several secrets, and the table keeps them."""
        return AlarmSpec(
            kept_tokens_metric(self, self._log_group, stack_name=self._parameters.stack_name, period=_FIVE_MINUTES),
            "Secrets Manager refuses to store new tokens, and the table keeps them. Nothing is lost, but those secrets "
            "are not refreshed until Secrets Manager has stored the tokens. Correct what the error in the log names, "
            "such as a permission or a disabled key. Don't delete the table, its items or its key. "
            f"First: aws logs tail {self._parameters.log_group_name} --since 1h --filter-pattern token_refresh_failed",
            limit=above(KEPT_BY_ONE_SECRET),
        )

    def _wants(self, name: str) -> bool:
        unwanted = {
            "tokens-kept": self._parameters.kept_tokens_key_choice is None,
            "copies-behind": self._parameters.published_under is None,
        }
        return not unwanted.get(name, False)

    def store_refuses(self) -> AlarmSpec:
        """Secrets Manager stored no secret for three minutes. Until it does, only two runs a minute try."""
        return AlarmSpec(
            self._gauge("StoreRefuses"),
            "Secrets Manager refuses to read or write the fleet's secrets, and stored none for three minutes. Nothing "
            "is lost. The dispatcher tries two secrets a minute until one is stored. Look at "
            f"https://health.aws.amazon.com, the account's quotas, and the worker's permissions. First: {self._status}",
            limit=ANY,
            points=2,
        )

    def table_failing(self) -> AlarmSpec:
        """DynamoDB fails or throttles calls of the worker: reports are late."""
        return AlarmSpec(
            error_metric(self, self._log_group, "TableUnavailable", self._parameters.stack_name, _FIVE_MINUTES),
            "DynamoDB fails or throttles calls on the fleet's table. The worker repeats them. If a run can't report, "
            "its secret runs again after six minutes. Until then, alarms about expired tokens may be out of date. "
            f"First: aws logs tail {self._parameters.log_group_name} --since 1h --filter-pattern TableUnavailable",
            limit=above(TABLE_FAILURES),
            points=2,
        )

    def worker_unheard(self) -> AlarmSpec:
        """Runs were handed out, and none has reported for three minutes: the worker does not run."""
        return AlarmSpec(
            self._gauge("WorkerUnheard"),
            "The worker does not run: secrets were handed out, and no run has reported since. Look at its errors, its "
            "throttles and the queue's event source. "
            f"First: aws logs tail {self._parameters.log_group_name} --since 1h",
            limit=ANY,
            points=2,
        )

    def behind_breakers(self) -> AlarmSpec:
        """Open breakers hold back over 1 % of the secrets: a provider does not respond, or rejects what is sent."""
        return AlarmSpec(
            self._gauge("BehindBreakersPercent"),
            f"Open breakers hold back over {HELD_BACK_PERCENT} % of the secrets: a provider does not respond, rejects "
            "the client credentials, or rejects good grants. A few runs at a time try whether it works again. All "
            f"other secrets are refreshed as usual. First: {self._status}",
            limit=above(HELD_BACK_PERCENT),
            points=2,
        )

    def dispatcher_silent(self) -> AlarmSpec:
        """The dispatcher does not report: nothing is refreshed."""
        return AlarmSpec(
            self._gauge("Size", minutes=1),
            "The dispatcher has not reported for ten minutes, so nothing is refreshed. "
            f"First: aws logs tail {self._parameters.log_group_name}-dispatcher --since 1h",
            limit=NEVER,
            # CloudWatch looks at some more points before it counts one as missing, and each may be an old good one.
            points=8,
            missing=BREACHING,
        )

    def functions_failing(self) -> AlarmSpec:
        """Dispatcher or resync fail. The worker's own errors are in rows and events."""
        errors = cloudwatch.MathExpression(
            # A sum may have no value where one of the two has none, as in a period without a resync.
            expression="FILL(dispatcher, 0) + FILL(resync, 0)",
            using_metrics={
                name: self._functions[name].metric_errors(period=_FIVE_MINUTES) for name in ("dispatcher", "resync")
            },
            period=_FIVE_MINUTES,
        )
        return AlarmSpec(
            errors,
            "Dispatcher or resync fail. While the dispatcher fails, nothing is refreshed; while the resync fails, new "
            "members are not found. "
            f"First: aws logs tail {self._parameters.log_group_name}-dispatcher --since 1h",
            # The resync may fail in each run, and has a run in every period at most.
            points=(3, 6),
        )

    def throttled(self) -> AlarmSpec:
        """Lambda refuses to start the worker."""
        return AlarmSpec(
            self._functions["worker"].metric_throttles(period=_FIVE_MINUTES),
            "Lambda refuses to start the worker: other functions use up the account's concurrency. "
            "First: aws lambda get-account-settings",
            points=3,
        )

    def denied_access(self) -> AlarmSpec:
        """Somebody without permission tried to read or change a secret of the fleet (with `by_tag`, of the region).

        It needs a CloudTrail trail. The worker's own refused calls don't count.
        """
        assert self._denied  # noqa: S101 - the stack makes it where it makes alarms
        return AlarmSpec(
            self._denied.metric(_FIVE_MINUTES),
            "Somebody without permission tried to read or change a secret, as CloudTrail reports. A message in the "
            "queue says who, when and from where. First: aws sqs receive-message --queue-url "
            f"{self._denied.queue.queue_url}",
        )

    def runs_crashing(self) -> AlarmSpec:
        """Three runs crashed or were killed within minutes: more than one secret is affected."""
        crashed = self._dead_letters["fleet"]
        return AlarmSpec(
            # Not what waits in the queue: a run that kills its function each time would keep that alarm on for weeks.
            self._functions["worker"].metric_errors(period=_FIVE_MINUTES),
            "Several runs crashed or were killed, and reported nothing. The dispatcher sends their secrets again, "
            f"later each time. First: aws sqs receive-message --attribute-names All --queue-url {crashed.queue_url}",
            limit=above(CRASHES_OF_ONE_SECRET),
        )

    def dead_letters(self) -> AlarmSpec:
        """The schedule could not start dispatcher or resync."""
        undelivered = self._dead_letters["schedules"]
        return AlarmSpec(
            undelivered.metric_approximate_number_of_messages_visible(statistic="Maximum", period=_FIVE_MINUTES),
            "The schedule could not start dispatcher or resync: the message's attributes say why. "
            f"First: aws sqs receive-message --attribute-names All --queue-url {undelivered.queue_url}",
        )

    def _gauge(self, name: str, statistic: str = "Maximum", *, minutes: int = 5) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=name,
            dimensions_map={"Fleet": self._parameters.fleet},
            statistic=statistic,
            period=Duration.minutes(minutes),
        )

    def _graph(self, title: str, metrics: list[cloudwatch.IMetric], *, stacked: bool = False) -> cloudwatch.IWidget:
        return cloudwatch.GraphWidget(title=title, left=metrics, stacked=stacked, width=12)

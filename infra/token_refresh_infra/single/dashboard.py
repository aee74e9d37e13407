"""What an operator looks at: one dashboard, and saved questions to the log."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from token_refresh_infra.single.metrics import Metrics
from token_refresh_infra.single.parameters import SingleParameters

OUTCOMES = ("Refreshed", "Recovered", "Superseded", "Failed", "ReauthorizationRequired")
_RUN_ENDED = "filter event in ['token_refresh_finished', 'token_refresh_failed']"

QUERIES = {
    "last runs": f"{_RUN_ENDED} | fields @timestamp, outcome, error_type, trigger, attempts, duration_ms, "
    "seconds_to_expiry, request_id | sort @timestamp desc | limit 100",
    "failures by kind": "filter event = 'token_refresh_failed' | stats count(*) as runs, max(@timestamp) as latest "
    "by error_type | sort runs desc",
    "refreshes a day": "filter outcome in ['refreshed', 'recovered'] | stats count(*) as refreshes, "
    "sum(attempts) as token_requests by bin(1d) as day, outcome | sort day desc",
    "one run": "filter request_id = 'REQUEST_ID' | fields @timestamp, level, event, @message | sort @timestamp asc",
    "cold starts and memory": "filter type = 'platform.report' | stats count(*) as runs, "
    "count(record.metrics.initDurationMs) as cold_starts, avg(record.metrics.initDurationMs) as init_ms, "
    "pct(record.metrics.durationMs, 99) as p99_ms, max(record.metrics.maxMemoryUsedMB) as memory_mb by bin(1d)",
}


class RefreshDashboard(Construct):
    """Seconds to expiry as a sawtooth, outcomes, durations, alarms, and what failed last."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        parameters: SingleParameters,
        metrics: Metrics,
        alarms: list[cloudwatch.AlarmBase],
    ) -> None:
        super().__init__(scope, construct_id)
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=parameters.stack_name)
        if alarms:
            self.dashboard.add_widgets(
                cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=3)
            )
        self.dashboard.add_widgets(_sawtooth(parameters, metrics), _outcomes(metrics))
        self.dashboard.add_widgets(_durations(metrics), _invocations(metrics))
        self.dashboard.add_widgets(
            cloudwatch.LogQueryWidget(
                title="Last runs",
                log_group_names=[parameters.log_group_name],
                query_string=QUERIES["last runs"].replace("limit 100", "limit 20"),
                width=24,
                height=8,
            )
        )


def save_queries(scope: Construct, *, parameters: SingleParameters, log_group: logs.ILogGroup) -> None:
    """Save the usual questions to the log; they cost nothing until they are asked."""
    for name, query in QUERIES.items():
        logs.CfnQueryDefinition(
            scope,
            name,
            name=f"{parameters.stack_name}/{name}",
            query_string=query,
            log_group_names=[log_group.log_group_name],
        )


def _sawtooth(parameters: SingleParameters, metrics: Metrics) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Seconds to expiry of the current access token",
        left=[metrics.seconds_to_expiry()],
        left_annotations=[
            cloudwatch.HorizontalAnnotation(
                value=parameters.due_window_seconds, label="due", color=cloudwatch.Color.GREEN
            ),
            cloudwatch.HorizontalAnnotation(
                value=parameters.alarm_timing.overdue_below_seconds, label="overdue", color=cloudwatch.Color.RED
            ),
        ],
        left_y_axis=cloudwatch.YAxisProps(min=0, label="seconds", show_units=False),
        width=12,
    )


def _outcomes(metrics: Metrics) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Outcomes",
        left=[metrics.worker(name, "Sum") for name in OUTCOMES],
        left_y_axis=cloudwatch.YAxisProps(min=0, label="runs", show_units=False),
        stacked=True,
        width=12,
    )


def _durations(metrics: Metrics) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Duration of a run",
        left=[metrics.durations(statistic) for statistic in ("p50", "p99", "Maximum")],
        left_y_axis=cloudwatch.YAxisProps(min=0, label="ms", show_units=False),
        width=12,
    )


def _invocations(metrics: Metrics) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Invocations, as Lambda counts them",
        left=[
            metrics.function.metric_invocations(period=metrics.period),
            metrics.failed_runs(),
            metrics.throttles(),
            metrics.undelivered(),
        ],
        left_y_axis=cloudwatch.YAxisProps(min=0, label="runs", show_units=False),
        width=12,
    )

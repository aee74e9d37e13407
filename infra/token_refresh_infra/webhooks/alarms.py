"""The alarms of a webhook receiver: each says what it means and what to run first."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from token_refresh_infra.constructs.alarms import Alarms, AlarmSpec, above
from token_refresh_infra.webhooks.receiver import WebhookReceiver

NAMESPACE = "TokenRefresh/Webhooks"
NOT_VERIFIED_PER_FIVE_MINUTES = 100
REFUSED_PER_FIVE_MINUTES = 1000
OLDEST_MESSAGE_SECONDS = 900
_PERIOD = Duration.minutes(5)


class WebhookAlarms(Alarms):
    """Makes the alarms of one receiver."""

    def __init__(
        self, scope: Construct, construct_id: str, *, receiver: WebhookReceiver, stack_name: str, overlap_seconds: int
    ) -> None:
        """Make the alarms.

        Args:
            scope: As for every construct.
            construct_id: Likewise.
            receiver: What to watch.
            stack_name: What the alarms' names begin with.
            overlap_seconds: How long a previous secret is accepted.
        """
        super().__init__(scope, construct_id, stack_name=stack_name)
        self._receiver = receiver
        self._tail = f"aws logs tail {receiver.log_group.log_group_name} --since 1h --filter-pattern"
        self._overlap_seconds = overlap_seconds

    def server_errors(self) -> AlarmSpec:
        """The receiver responded with 5xx."""
        return AlarmSpec(
            self._of_lambda("Url5xxCount"),
            "Deliveries were refused with 5xx: a secret can't be read, the queue refuses, or the function fails. Most "
            "senders try again. GitHub does not: redeliver them on the webhook's page there. First: "
            f"{self._tail} '{{ $.status >= 500 }}'",
        )

    def refused(self) -> AlarmSpec:
        """Over 1000 requests in five minutes were refused with 4xx."""
        return AlarmSpec(
            self._of_lambda("Url4xxCount"),
            f"Over {REFUSED_PER_FIVE_MINUTES} requests in five minutes were refused: somebody floods the URL, or a "
            "sender uses a wrong path. Each costs an invocation and a log line. Let only CloudFront with WAF reach the "
            f"URL (docs/webhooks.md). First: {self._tail} '{{ $.status >= 400 && $.status < 500 }}'",
            limit=above(REFUSED_PER_FIVE_MINUTES),
        )

    def throttled(self) -> AlarmSpec:
        """Requests got 429: more came at once than `reserved_concurrency` allows."""
        return AlarmSpec(
            self._of_lambda("Throttles"),
            "Lambda rejected requests with 429: more came at once than reserved_concurrency allows, or it is 0. "
            "Genuine deliveries may be among them, and GitHub does not send them again. First: aws lambda "
            f"get-function-concurrency --function-name {self._receiver.function.function_name}",
        )

    def not_verified(self) -> AlarmSpec:
        """Over 100 deliveries in five minutes had a wrong signature."""
        return AlarmSpec(
            self._logged("NotVerified", '{ $.outcome = "not_verified" }'),
            "Many deliveries had a signature that fits no secret. A secret was changed at the sender and not stored "
            f"here, or somebody forges deliveries. First: {self._tail} '{{ $.outcome = \"not_verified\" }}'",
            limit=above(NOT_VERIFIED_PER_FIVE_MINUTES),
        )

    def dead_letters(self) -> AlarmSpec:
        """The consumer failed five times on a delivery."""
        queue = self._receiver.dead_letters
        return AlarmSpec(
            queue.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic="Maximum"),
            "The consumer failed five times on a delivery, which waits in this queue for 14 days. Correct the "
            f"consumer, then send what waits again: aws sqs start-message-move-task --source-arn {queue.queue_arn} "
            f"--region {Stack.of(self).region}. First: aws sqs receive-message --attribute-names All --queue-url "
            f"{queue.queue_url}",
        )

    def queue_waits(self) -> AlarmSpec:
        """A delivery has waited for over 15 minutes."""
        queue = self._receiver.queue
        return AlarmSpec(
            queue.metric_approximate_age_of_oldest_message(period=_PERIOD, statistic="Maximum"),
            f"A delivery has waited for over {OLDEST_MESSAGE_SECONDS // 60} minutes: the consumer is missing, failing "
            "or too slow. First: aws sqs get-queue-attributes --attribute-names All "
            f"--queue-url {queue.queue_url}",
            limit=above(OLDEST_MESSAGE_SECONDS),
        )

    def previous_unusable(self) -> AlarmSpec:
        """The previous version of a changed secret can't be read."""
        unusable = '{ $.event = "previous_unusable" }'
        return AlarmSpec(
            self._logged("PreviousUnusable", unusable),
            "A secret was changed, and its previous version can't be read. Deliveries that are signed with it are "
            "refused. Allow what the log names, or change the secret at the sender now. First: "
            f"{self._tail} '{unusable}'",
        )

    def previous_secret(self) -> AlarmSpec:
        """Half of the overlap is over, and a sender still uses the old secret."""
        half = self._overlap_seconds // 2
        pattern = f'{{ $.secret_stage = "previous" && $.secret_age_seconds > {half} }}'
        return AlarmSpec(
            self._logged("PreviousSecret", pattern),
            f"A sender still signs with a secret that was replaced over {half // 60} minutes ago; its deliveries will "
            f"be refused {self._overlap_seconds // 60} minutes after the change. Change the secret at the sender. "
            f"First: {self._tail} '{pattern}'",
        )

    def _of_lambda(self, name: str) -> cloudwatch.Metric:
        """Take a metric that Lambda makes by itself."""
        return cloudwatch.Metric(
            namespace="AWS/Lambda",
            metric_name=name,
            dimensions_map={"FunctionName": self._receiver.function.function_name},
            statistic="Sum",
            period=_PERIOD,
        )

    def _logged(self, name: str, pattern: str) -> cloudwatch.Metric:
        """Count lines of the log."""
        found = logs.MetricFilter(
            self,
            name,
            log_group=self._receiver.log_group,
            filter_pattern=logs.FilterPattern.literal(pattern),
            metric_namespace=f"{NAMESPACE}/{self._stack_name}",
            metric_name=name,
        )
        return found.metric(statistic="Sum", period=_PERIOD)

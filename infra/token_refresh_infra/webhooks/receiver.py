"""A public endpoint for webhooks: function URL, verifying function, FIFO queue, dead letters, alarms.

    receiver = WebhookReceiver(
        self, "Webhooks",
        code=lambda_.Code.from_asset("dist/token-refresh-webhooks.zip"), handler="webhook_router.handler",
        variables={"STRIPE_WEBHOOK_SECRET_ID": "acme/prod/stripe"}, secrets=[one_secret(self, "acme/prod/stripe")],
    )
    receiver.consume_with(my_function)

The function may read the signing secrets, send to its queue, write its log, and nothing else.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from token_refresh_infra import access
from token_refresh_infra.access import Secrets, StoredParameters
from token_refresh_infra.constructs.function import log_and_role, python_function
from token_refresh_infra.constructs.queues import LONGEST, dead_letters, encrypted_queue

QUEUE_URL = "WEBHOOK_QUEUE_URL"
# What one message may take, so that SQS and the receiver draw the same line.
LIMIT_BYTES = 1_048_576
RECEIVES_BEFORE_DEAD = 5


class WebhookReceiver(Construct):
    """One function behind a function URL, and the queue that it fills."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: lambda_.Code,
        handler: str,
        variables: Mapping[str, str],
        secrets: Sequence[Secrets] = (),
        parameters: Sequence[StoredParameters] = (),
        accept_previous: bool = True,
        python: str = "3.13",
        memory_mb: int = 512,
        timeout_seconds: int = 10,
        reserved_concurrency: int = 10,
        consumer_timeout_seconds: int = 60,
        name: str | None = None,
        log_group_name: str | None = None,
        role_for: str | None = None,
        log_retention_days: int = 90,
        log_key: str | None = None,
        tracing: bool = False,
    ) -> None:
        """Make the resources.

        Args:
            scope: As for every construct.
            construct_id: Likewise.
            code: A zip with `token_refresh` and the handler, as `scripts/package webhooks` builds it.
            handler: As in `webhook_router.handler`.
            variables: The function's environment; the queue's URL is added as `WEBHOOK_QUEUE_URL`.
            secrets: The signing secrets in Secrets Manager.
            parameters: Those in Parameter Store, for sandboxes.
            accept_previous: Whether it may read the previous version, too: only an overlap needs that.
            python: The version of Python that runs it: 3.13 or 3.14.
            memory_mb: Below 512, a cold start may outlast the 3 s that Slack waits.
            timeout_seconds: GitHub waits 10 s. Under 8 s, a store that hangs ends the function with its cached secrets.
            reserved_concurrency: How many run at once, at most; 0 switches the endpoint off, and senders try again.
            consumer_timeout_seconds: The timeout of the function that reads the queue, which waits six times as long.
            name: The function's name; by default one is made.
            log_group_name: Where the function logs; by default a name is made.
            role_for: Last part of the role's name, after those of stack and region; by default a name is made.
            log_retention_days: For how long.
            log_key: The ARN of a key that encrypts the log.
            tracing: Whether X-Ray records the function's calls.
        """
        super().__init__(scope, construct_id)
        self._make_queues(consumer_timeout_seconds)
        self.log_group, self.role = log_and_role(
            self, name=log_group_name, role_for=role_for, retention_days=log_retention_days, key=log_key
        )
        access.grant_send(self.role, self.queue.queue_arn)
        labels = ("AWSCURRENT", "AWSPREVIOUS") if accept_previous else ("AWSCURRENT",)
        for which in secrets:
            access.grant_read(self.role, which, labels=labels)
        for some in parameters:
            access.grant_read_parameters(self.role, some)
        self.function = python_function(
            self,
            name=name,
            description="Verifies webhooks and puts them into a queue",
            handler=handler,
            code=code,
            python=python,
            role=self.role,
            variables={**variables, QUEUE_URL: self.queue.queue_url},
            timeout_seconds=timeout_seconds,
            memory_mb=memory_mb,
            reserved_concurrency=reserved_concurrency,
            log_group=self.log_group,
            tracing=tracing,
        )
        access.only_from_function(self, self.role, self.function.function_arn, queue_arn=self.queue.queue_arn)
        # Everyone may call it: what is not signed is refused. The CDK writes both permissions that this takes.
        self.url = self.function.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)

    def consume_with(self, function: lambda_.Function, *, batch_size: int = 10) -> None:
        """Let a function work off the queue; it reports which messages of a batch failed, and those come again."""
        function.add_event_source(
            sources.SqsEventSource(self.queue, batch_size=batch_size, report_batch_item_failures=True)
        )

    def _make_queues(self, consumer_timeout_seconds: int) -> None:
        self.dead_letters = dead_letters(self, "DeadLetters", fifo=True)
        # A copy that arrives within five minutes is dropped: it has the same message group and deduplication ID.
        self.queue = encrypted_queue(
            self,
            "Queue",
            fifo=True,
            retention_period=LONGEST,
            max_message_size_bytes=LIMIT_BYTES,
            deduplication_scope=sqs.DeduplicationScope.MESSAGE_GROUP,
            fifo_throughput_limit=sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
            visibility_timeout=Duration.seconds(6 * consumer_timeout_seconds),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=RECEIVES_BEFORE_DEAD, queue=self.dead_letters),
        )

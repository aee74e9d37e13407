"""The table and the queues of a fleet."""

from aws_cdk import Duration, Tags
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from token_refresh_infra.constructs.queues import dead_letters, encrypted_queue
from token_refresh_infra.constructs.table import ClaimTable
from token_refresh_infra.fleet.parameters import FleetParameters
from token_refresh_worker.fleet.aws.index import INDEX
from token_refresh_worker.stored.tags import PUBLISHED_UNDER_TAG

RECEIVED_AT_MOST = 1
"""What its run does not report comes back by the index, later each time and in a group of its own."""
TIMEOUTS_INVISIBLE = 6
"""Lambda may receive a message and then be throttled; see
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html."""


def fleet_table(scope: Construct, parameters: FleetParameters) -> dynamodb.Table:
    """Make the table: claims as for one secret, and beside them the rows with an index of their own."""
    table = ClaimTable(scope, "Table", name=parameters.fleet, key_arn=parameters.kms_key, expires_by="gone_at").table
    if parameters.published_under:
        Tags.of(table).add(PUBLISHED_UNDER_TAG, parameters.published_under)
    table.add_global_secondary_index(
        index_name=INDEX,
        partition_key=dynamodb.Attribute(name="fleet", type=dynamodb.AttributeType.STRING),
        projection_type=dynamodb.ProjectionType.ALL,
    )
    return table


class FleetQueue(Construct):
    """A FIFO queue that starts the worker: one message a run, and a bounded number of runs at once."""

    def __init__(
        self, scope: Construct, construct_id: str, *, parameters: FleetParameters, function: lambda_.IFunction
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = dead_letters(self, "DeadLetters", fifo=True)
        self.queue = encrypted_queue(
            self,
            "Queue",
            fifo=True,
            # A run that crashed blocks its group for this long; the dispatcher sees that, and uses another group.
            visibility_timeout=Duration.seconds(TIMEOUTS_INVISIBLE * parameters.timeout_seconds),
            # The queue is never the backlog: what waits for an hour is handed out again.
            retention_period=Duration.hours(1),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=RECEIVED_AT_MOST, queue=self.dead_letters),
        )
        self.source = lambda_.CfnEventSourceMapping(
            self,
            "Source",
            function_name=function.function_name,
            event_source_arn=self.queue.queue_arn,
            batch_size=1,  # a crash repeats one secret's run, not those of nine others
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(
                maximum_concurrency=parameters.concurrency
            ),
        )

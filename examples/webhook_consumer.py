"""A Lambda function that works off what `webhook_router.py` queued. Handler: `webhook_consumer.handler`.

`test_webhooks.py` tests it without AWS.

    pip install "PATH/TO/token-refresh-worker/reader[webhooks-consumer]"

    IDEMPOTENCY_TABLE    a DynamoDB table with the key `id` (a string) and the TTL attribute `expiration`

Powertools does the work: Batch reports each message that failed, so that it alone comes again; Idempotency processes a
delivery once, however often its sender or the queue repeats it. The queue's mapping needs `ReportBatchItemFailures`.
"""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from token_refresh.webhooks import Delivery, from_message

# Each delivery is its own message group: a failed one delays no other.
PROCESSOR = SqsFifoPartialProcessor(skip_group_on_error=True)
# Longer than any provider retries: Stripe does for three days.
CONFIG = IdempotencyConfig(expires_after_seconds=7 * 24 * 3600)
STORE = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"])


def take(record: SQSRecord) -> None:
    """Process one message, unless the same delivery was processed before."""
    route, delivery = from_message(record.body)
    process(key=f"{route} {delivery.key}", delivery=delivery)


@idempotent_function(data_keyword_argument="key", persistence_store=STORE, config=CONFIG)  # type: ignore[untyped-decorator] # Powertools
def process(*, key: str, delivery: Delivery) -> None:  # noqa: ARG001 - the key is what idempotency goes by
    """Do what the delivery is for; an exception brings it back, and after five times into the dead-letter queue."""
    print(f"{delivery.source} {delivery.type}")  # noqa: T201 - an example shows what it got
    if delivery.type == "example.fails":
        raise RuntimeError("this one can't be processed")


def handler(event: dict[str, Any], context: Any) -> Any:
    """Process a batch."""
    CONFIG.register_lambda_context(context)
    return process_partial_response(event=event, record_handler=take, processor=PROCESSOR, context=context)

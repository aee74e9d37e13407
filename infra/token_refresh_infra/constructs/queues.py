"""Queues: encrypted, closed to plain HTTP; and those whose messages people read."""

from functools import partial
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from token_refresh_infra.constructs.nag import acknowledge

LONGEST: Final = Duration.days(14)
"""How long SQS keeps a message at most."""

encrypted_queue: Final = partial(sqs.Queue, encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True)


def dead_letters(
    scope: Construct, construct_id: str, *, fifo: bool | None = None, key: kms.IKey | None = None
) -> sqs.Queue:
    """Make a queue for what nothing else takes: people read it, so it has no dead letters itself."""
    encryption = sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED
    queue = encrypted_queue(
        scope, construct_id, fifo=fifo, retention_period=LONGEST, encryption=encryption, encryption_master_key=key
    )
    acknowledge(queue, "SQS3", "It is where dead letters end up; people read it")
    return queue

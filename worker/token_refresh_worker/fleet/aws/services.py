"""The FIFO queue between dispatcher and worker, and the secrets that carry a fleet's tag."""

import json
from collections.abc import Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from token_refresh.aws.calls import call
from token_refresh.aws.request import AwsRequest
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG, TaggedSecret
from token_refresh_worker.fleet.core.fleet import Message

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

MESSAGES_AT_ONCE: Final = 10
"""How many messages one call sends; see
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html."""


def send_messages(client: "SQSClient", url: str, messages: Sequence[Message]) -> list[str]:
    """Send messages in batches, and give the IDs of those that the queue took.

    The others are left to the next minute. SQS drops a second message with the same ID within five minutes.
    """
    sent: list[str] = []
    for start in range(0, len(messages), MESSAGES_AT_ONCE):
        entries = [_entry(number, message) for number, message in enumerate(messages[start : start + MESSAGES_AT_ONCE])]
        taken = _send(client, url, entries)
        sent += [entry["MessageDeduplicationId"] for entry in entries if entry["Id"] in taken]
    return sent


def _send(client: "SQSClient", url: str, entries: list[Any]) -> set[str]:
    def ask() -> set[str]:
        response = client.send_message_batch(QueueUrl=url, Entries=entries)
        # A call that succeeds may have refused some of its messages.
        return {result["Id"] for result in response.get("Successful", ())}

    # The URL names the region.
    return call(ask, lambda: AwsRequest("sqs:SendMessage", url, "", "queue"))


def _entry(number: int, message: Message) -> dict[str, Any]:
    return {
        "Id": str(number),  # unique within the call alone
        "MessageBody": json.dumps({"secret_id": message.secret_arn, **({"probe": True} if message.probe else {})}),
        "MessageGroupId": message.group,
        "MessageDeduplicationId": message.message_id,
    }


def list_members(client: "SecretsManagerClient", fleet: str) -> list[TaggedSecret]:
    """List all secrets whose tag begins with the fleet's name: names and tags, and no value of a secret.

    See https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html: filters match prefixes.
    """
    region = client.meta.region_name

    def ask() -> list[TaggedSecret]:
        pages = client.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "tag-key", "Values": [FLEET_TAG]}, {"Key": "tag-value", "Values": [fleet]}],
            PaginationConfig={"PageSize": 100},
        )
        listed = [secret for page in pages for secret in page["SecretList"]]
        # A replica has its primary's tags, and not its claims: the fleets of two regions would use up one grant.
        return [_listed(secret) for secret in listed if secret.get("PrimaryRegion", region) == region]

    return call(ask, lambda: AwsRequest("secretsmanager:ListSecrets", "", region, kind="all secrets"))


def _listed(secret: Any) -> TaggedSecret:
    changed = secret.get("LastChangedDate")
    return TaggedSecret(
        secret_arn=secret["ARN"],
        tags={tag["Key"]: tag["Value"] for tag in secret.get("Tags", ())},
        # The SDK gives the machine's own zone.
        changed_at=changed.astimezone(UTC) if changed else None,
    )

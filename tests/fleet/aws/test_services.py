import json
from dataclasses import replace
from typing import Any, cast

import boto3
from botocore.stub import ANY, Stubber
from mypy_boto3_secretsmanager import SecretsManagerClient

from fleet.conftest import Stub
from fleet.rows import arn
from token_refresh_worker.fleet.aws.services import list_members, send_messages
from token_refresh_worker.fleet.core.enrolment import TaggedSecret
from token_refresh_worker.fleet.core.fleet import Message


def messages(count: int) -> list[Message]:
    return [Message(message_id=f"id-{n}", secret_arn=arn(str(n)), group="xero-1") for n in range(count)]


def test_messages_are_sent_in_tens() -> None:
    """Twelve messages are two calls; each has its group and ID, and its body is the event that the worker reads.

    A message that an open breaker lets through says so.
    """
    calls: list[dict[str, Any]] = []

    def send_message_batch(**what: Any) -> dict[str, Any]:
        calls.append(what)
        return {"Successful": what["Entries"]}

    probe, *others = messages(12)
    stub: Any = Stub(send_message_batch=send_message_batch)
    sent = send_messages(stub, "https://queue", [replace(probe, probe=True), *others])

    assert [f"id-{n}" for n in range(12)] == sent
    assert [10, 2] == [len(call["Entries"]) for call in calls]
    first, second = calls[0]["Entries"][:2]
    assert ("xero-1", "id-0") == (first["MessageGroupId"], first["MessageDeduplicationId"])
    assert {"secret_id": arn("0"), "probe": True} == json.loads(first["MessageBody"])
    assert {"secret_id": arn("1")} == json.loads(second["MessageBody"])


def test_what_the_queue_does_not_take_is_not_sent() -> None:
    """A message that failed in a batch is not among those that were sent."""
    stub = Stub(send_message_batch=lambda **_: {"Successful": [{"Id": "1"}], "Failed": [{"Id": "0"}]})

    assert ["id-1"] == send_messages(cast("Any", stub), "https://queue", messages(2))


def test_members_are_listed(aws: None) -> None:
    """The listing has the secrets with the fleet's tag, with tags and time of change, and no value."""
    del aws
    client: SecretsManagerClient = boto3.client("secretsmanager")
    tags = [{"Key": "token-refresh:fleet", "Value": "prod"}, {"Key": "token-refresh:provider", "Value": "xero"}]
    made = client.create_secret(Name="a", SecretString="hush", Tags=cast("Any", tags))
    client.create_secret(Name="b", SecretString="hush")

    (listed,) = list_members(client, "prod")

    assert (made["ARN"], {tag["Key"]: tag["Value"] for tag in tags}) == (listed.secret_arn, listed.tags)
    assert listed.changed_at is not None
    assert "hush" not in repr(listed)


def responding(*pages: dict[str, Any]) -> SecretsManagerClient:
    """A client whose listing has these pages; each request but the first carries the token of the page before."""
    client: SecretsManagerClient = boto3.client("secretsmanager", region_name="eu-central-1")
    stubber, asked = Stubber(client), {"Filters": ANY, "MaxResults": 100}
    for page in pages:
        stubber.add_response("list_secrets", page, asked)
        asked = {**asked, "NextToken": page.get("NextToken")}
    stubber.activate()
    return client


def test_replicas_are_no_members() -> None:
    """A replica has the tags of its primary: the fleet of its region leaves it alone, until it is promoted."""
    regions = {"own": "eu-central-1", "replica": "eu-west-1"}
    page = {"SecretList": [{"ARN": arn(name), "PrimaryRegion": region} for name, region in regions.items()]}

    assert [arn("own")] == [member.secret_arn for member in list_members(responding(page), "prod")]


def test_all_pages_are_listed() -> None:
    """The listing goes on while there are pages; a secret without tags or change has none."""
    pages: list[dict[str, Any]] = [
        {"SecretList": [{"ARN": arn("a")}], "NextToken": "t"},
        {"SecretList": [{"ARN": arn("b")}]},
    ]

    listed = list_members(responding(*pages), "prod")

    assert [TaggedSecret(secret_arn=arn(name), tags={}, changed_at=None) for name in ("a", "b")] == listed

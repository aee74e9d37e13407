"""Removes all whose names begin with a prefix. Nothing is noted anywhere, so what a killed run left goes alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from account.checks_worker import TAG

PREFIX = "trw-check-"
"""What the prefix of each run begins with."""
_KEY_DAYS = 7
_LOOKS, _LOOK_SECONDS = 180, 10

MakeClient = Callable[[str], Any]
Found = Iterator[tuple[str, Callable[[], object]]]
"""What is there, and what deletes it."""


def remove(make_client: Callable[..., Any], regions: Sequence[str], prefix: str, say: Callable[[str], None]) -> bool:
    """Remove stacks, secrets with their replicas, tables, log groups and keys; return whether all of it went.

    What can't be removed is named with its error, and the rest goes on.
    """
    complete = True
    for region in regions:
        for find in (_stacks, _secrets, _tables, _log_groups, _keys):
            try:
                found = [*find(partial(make_client, region=region), prefix)]
            except (ClientError, BotoCoreError) as error:
                found, complete = [], False
                say(f"not looked for in {region}: {find.__name__.strip('_')} ({_name(error)})")
            for what, delete in found:
                try:
                    delete()
                    say(f"removed {what} in {region}")
                except (ClientError, BotoCoreError) as error:
                    complete = False
                    say(f"not removed: {what} in {region} ({_name(error)})")
    return complete


def _name(error: ClientError | BotoCoreError) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__


def _stacks(make_client: MakeClient, prefix: str) -> Found:
    client = make_client("cloudformation")
    pages = client.get_paginator("describe_stacks").paginate()
    names = [stack["StackName"] for page in pages for stack in page["Stacks"] if stack["StackName"].startswith(prefix)]
    # What stands around the workers has the shortest name, and goes last: they use its keys.
    for name in sorted(names, key=len, reverse=True):
        yield f"stack {name}", partial(_delete_stack, client, make_client("kms"), name)


def _delete_stack(client: Any, kms: Any, name: str) -> None:
    """Delete a stack, and its keys, which may be too young for the index of tags."""

    def changes() -> bool:
        status = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return status.endswith("_IN_PROGRESS") and not status.startswith(("DELETE", "REVIEW"))

    # Whoever interrupts the command leaves what CloudFormation has begun, and no stack is deleted during an update.
    _wait_while(changes)
    pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
    made = [resource for page in pages for resource in page["StackResourceSummaries"]]
    keys = [resource.get("PhysicalResourceId") for resource in made if resource["ResourceType"] == "AWS::KMS::Key"]
    client.delete_stack(StackName=name)
    client.get_waiter("stack_delete_complete").wait(StackName=name)
    for key in keys:
        if key and _is_usable(kms, key):
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=_KEY_DAYS)


def _secrets(make_client: MakeClient, prefix: str) -> Found:
    client = make_client("secretsmanager")
    pages = client.get_paginator("list_secrets").paginate(
        IncludePlannedDeletion=True, Filters=[{"Key": "name", "Values": [prefix]}]
    )

    def replicas(name: str) -> list[str]:
        return [replica["Region"] for replica in client.describe_secret(SecretId=name).get("ReplicationStatus", ())]

    def delete(name: str) -> None:
        if regions := replicas(name):
            client.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=regions)
            _wait_while(lambda: bool(replicas(name)))
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    for secret in [secret for page in pages for secret in page["SecretList"]]:
        # A replica goes with its primary. The filter's rules are AWS's; what may go is ours.
        if secret.get("PrimaryRegion") in {None, client.meta.region_name} and secret["Name"].startswith(prefix):
            yield f"secret {secret['Name']}", partial(delete, secret["Name"])


def _tables(make_client: MakeClient, prefix: str) -> Found:
    client = make_client("dynamodb")

    def delete(name: str) -> None:
        if client.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
            client.get_waiter("table_exists").wait(TableName=name)
        client.delete_table(TableName=name)

    for page in client.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            if name.startswith(prefix):
                yield f"table {name}", partial(delete, name)


def _log_groups(make_client: MakeClient, prefix: str) -> Found:
    client = make_client("logs")
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/aws/lambda/{prefix}"):
        for name in [group["logGroupName"] for group in page["logGroups"]]:
            yield f"log group {name}", partial(client.delete_log_group, logGroupName=name)


def _keys(make_client: MakeClient, prefix: str) -> Found:
    """Find the keys that a stack left, by their tag; AWS deletes them a week later."""
    kms, tagged = make_client("kms"), make_client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in tagged.paginate(ResourceTypeFilters=["kms:key"], TagFilters=[{"Key": TAG}]):
        for found in page["ResourceTagMappingList"]:
            (run,) = (tag["Value"] for tag in found["Tags"] if tag["Key"] == TAG)
            key = found["ResourceARN"].rpartition("/")[2]
            if run.startswith(prefix) and _is_usable(kms, key):
                delete = partial(kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=_KEY_DAYS)
                yield f"key {key}, which AWS deletes in {_KEY_DAYS} days,", delete


def _is_usable(kms: Any, key: str) -> bool:
    """Tell whether a key is there, and not about to be deleted: the index of tags may be behind."""
    try:
        return bool(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion")
    except kms.exceptions.NotFoundException:
        return False


def _wait_while(lasts: Callable[[], bool]) -> None:
    for _ in range(_LOOKS):
        if not lasts():
            return
        time.sleep(_LOOK_SECONDS)

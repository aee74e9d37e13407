"""Removes all whose names begin with a prefix. Nothing is noted anywhere, so what a killed run left goes alike."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from account.checks_worker import TAG

PREFIX = "trw-check-"
"""What the prefix of each run begins with."""
_KEY_DAYS = 7
_REPLICA_LOOKS, _LOOK_SECONDS = 30, 2

Found = list[tuple[str, Callable[[], object]]]
"""What is there, and what deletes it."""


def remove(make_client: Callable[..., Any], regions: Sequence[str], prefix: str, say: Callable[[str], None]) -> bool:
    """Remove stacks, secrets with their replicas, tables, log groups and keys; return whether all of it went.

    What can't be removed is named with its error, and the rest goes on.
    """
    complete = True
    for region in regions:
        for find in (_stacks, _secrets, _tables, _log_groups, _keys):
            try:
                found = find(partial(make_client, region=region), prefix)
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


def _stacks(make_client: Callable[..., Any], prefix: str) -> Found:
    client = make_client("cloudformation")
    pages = client.get_paginator("describe_stacks").paginate()
    names = [stack["StackName"] for page in pages for stack in page["Stacks"] if stack["StackName"].startswith(prefix)]

    def delete(name: str) -> None:
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=name)

    # What stands around the workers has the shortest name, and goes last: they use its keys.
    return [(f"stack {name}", partial(delete, name)) for name in sorted(names, key=len, reverse=True)]


def _secrets(make_client: Callable[..., Any], prefix: str) -> Found:
    client = make_client("secretsmanager")
    pages = client.get_paginator("list_secrets").paginate(
        IncludePlannedDeletion=True, Filters=[{"Key": "name", "Values": [prefix]}]
    )
    here = {None, client.meta.region_name}  # a replica goes with its primary
    names = [s["Name"] for page in pages for s in page["SecretList"] if s.get("PrimaryRegion") in here]

    def replicas(name: str) -> list[str]:
        return [r["Region"] for r in client.describe_secret(SecretId=name).get("ReplicationStatus", ())]

    def delete(name: str) -> None:
        if regions := replicas(name):
            client.remove_regions_from_replication(SecretId=name, RemoveReplicaRegions=regions)
        for _ in range(_REPLICA_LOOKS):
            if not replicas(name):
                break
            time.sleep(_LOOK_SECONDS)
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)

    return [(f"secret {name}", partial(delete, name)) for name in names]


def _tables(make_client: Callable[..., Any], prefix: str) -> Found:
    client = make_client("dynamodb")
    pages = client.get_paginator("list_tables").paginate()

    def delete(name: str) -> None:
        if client.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
            client.update_table(TableName=name, DeletionProtectionEnabled=False)
            client.get_waiter("table_exists").wait(TableName=name)
        client.delete_table(TableName=name)

    names = [name for page in pages for name in page["TableNames"] if name.startswith(prefix)]
    return [(f"table {name}", partial(delete, name)) for name in names]


def _log_groups(make_client: Callable[..., Any], prefix: str) -> Found:
    client = make_client("logs")
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=f"/aws/lambda/{prefix}")
    names = [group["logGroupName"] for page in pages for group in page["logGroups"]]
    return [(f"log group {name}", partial(client.delete_log_group, logGroupName=name)) for name in names]


def _keys(make_client: Callable[..., Any], prefix: str) -> Found:
    """Find the keys that a stack left, by their tag; AWS deletes them a week later."""
    client = make_client("kms")
    tagging = make_client("resourcegroupstaggingapi").get_paginator("get_resources")
    pages = tagging.paginate(ResourceTypeFilters=["kms:key"], TagFilters=[{"Key": TAG}])
    tagged = [
        mapping["ResourceARN"].rpartition("/")[2]
        for page in pages
        for mapping in page["ResourceTagMappingList"]
        if any(tag["Key"] == TAG and tag["Value"].startswith(prefix) for tag in mapping["Tags"])
    ]
    usable = [key for key in tagged if client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"]
    delete = partial(client.schedule_key_deletion, PendingWindowInDays=_KEY_DAYS)
    return [(f"key {key}, which AWS deletes in {_KEY_DAYS} days,", partial(delete, KeyId=key)) for key in usable]

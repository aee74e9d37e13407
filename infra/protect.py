"""Protect what a deployment made against deletion, once it has succeeded.

The template can't do that: a protected table would block the rollback of a failed creation, and keep its name.
"""

from collections.abc import Iterable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError


class NotProtected(Exception):  # noqa: N818 - it is what is so, and ends in a message
    """The deployment succeeded, and a table of it can be deleted. The message has the command that protects it."""


def protect_tables(stacks: Iterable[str], region: str) -> list[str]:
    """Switch on the protection of the tables of these stacks, and return those that had none.

    Raises:
        NotProtected: AWS refuses.
    """
    cloudformation = boto3.client("cloudformation", region_name=region)
    try:
        tables = [table for stack in stacks for table in _tables(cloudformation, stack)]
    except (ClientError, BotoCoreError) as error:
        raise NotProtected(f"the stack's resources can't be listed ({_name(error)}): run it again") from None
    return [table for table in tables if _protect(table, region)]


def _tables(cloudformation: Any, stack: str) -> list[str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return [r["PhysicalResourceId"] for r in found if r["ResourceType"] == "AWS::DynamoDB::Table"]


def _protect(table: str, region: str) -> bool:
    dynamodb = boto3.client("dynamodb", region_name=region)
    try:
        if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            return False
        dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    except (ClientError, BotoCoreError) as error:
        command = f"aws dynamodb update-table --table-name {table} --deletion-protection-enabled --region {region}"
        raise NotProtected(
            f"table {table} in {region} can still be deleted: dynamodb:UpdateTable failed ({_name(error)}). "
            f"Protect it: {command}"
        ) from None
    return True


def _name(error: ClientError | BotoCoreError) -> str:
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__

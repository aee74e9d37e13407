"""What `scripts/deploy` does once the CDK has deployed a stack."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from token_refresh.advice import Command
from token_refresh.aws.arn import secret_name
from token_refresh_worker.stored.tags import CLAIM_TABLE_TAG, FUNCTION_TAG, PUBLISHED_FROM_TAG, PUBLISHED_TAG

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


def tag_secrets(secrets: "SecretsManagerClient", outputs: Mapping[str, str]) -> None:
    """Set the tags by which secrets name their deployment; those that the stack made have them from its template.

    A secret that can't be tagged is named with the command that does it: the deployment is complete without.
    """
    token_secret, published = outputs.get("TokenSecretId"), outputs.get("PublishedSecretId")
    if token_secret is None:
        return  # A fleet, or a receiver of webhooks.
    named = {
        FUNCTION_TAG: outputs["FunctionName"],
        PUBLISHED_TAG: published,
        CLAIM_TABLE_TAG: outputs.get("ClaimTableName"),
    }
    _tag(secrets, token_secret, named)
    if published is not None:
        _tag(secrets, published, {PUBLISHED_FROM_TAG: secret_name(token_secret)})


def _tag(secrets: "SecretsManagerClient", secret_id: str, wanted: Mapping[str, str | None]) -> None:
    """Set the tags that have a value, and remove the others."""
    try:
        there = {tag["Key"]: tag["Value"] for tag in secrets.describe_secret(SecretId=secret_id).get("Tags", ())}
        changed = {key: value for key, value in wanted.items() if value is not None and there.get(key) != value}
        removed = [key for key, value in wanted.items() if value is None and key in there]
        if changed:
            secrets.tag_resource(SecretId=secret_id, Tags=[{"Key": key, "Value": changed[key]} for key in changed])
        if removed:
            secrets.untag_resource(SecretId=secret_id, TagKeys=removed)
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        tags = [f"Key={key},Value={value}" for key, value in wanted.items() if value is not None]
        line = "aws secretsmanager tag-resource --secret-id {} --tags" + " {}" * len(tags) + " --region {}"
        command = Command.of(line, secret_id, *tags, secrets.meta.region_name)
        opened = ", and policies for families of secrets open it" if FUNCTION_TAG in wanted else ""
        print(  # noqa: T201 - a command's own output
            f"scripts/deploy: deployed, but secret {secret_id} could not be tagged ({code}), so commands don't find "
            f"its deployment{opened}. Let somebody who may run: {command}",
            file=sys.stderr,
        )

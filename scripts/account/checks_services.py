"""What is checked beside the worker: Secrets Manager itself, clocks, and a receiver of webhooks."""

import json
import os
import re
import secrets
import statistics
import time
import uuid
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from subprocess import DEVNULL, PIPE
from typing import Any

from botocore.exceptions import ClientError

from account.account import Account, Contradicted, NotChecked, carried_out
from token_refresh.testing import sign
from token_refresh.webhooks import GITHUB

STALE_LIMIT_SECONDS = 300
"""How old reads may be for the protocol: docs/proof.md."""
CLOCKS_LIMIT_SECONDS = 60
VERSIONS_PER_SECRET = 100
_PUTS = 150
_ROUNDS = 40
_FRESH_IN_A_ROW = 5
_QUOTA_OF_NEW_ACCOUNTS = 10


def stale_reads(account: Account) -> str:
    """Measure for how long reads show a state from before a write; a label that moves needs no new version."""
    client, secret = account.client("secretsmanager"), account.scratch("stale", "first")
    put = client.put_secret_value(SecretId=secret, SecretString="second", VersionStages=["ACCOUNT_CHECK"])
    at = put["VersionId"]
    other = client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")["VersionId"]
    reads = stale = 0
    oldest = 0.0
    for _ in range(_ROUNDS):
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="ACCOUNT_CHECK", MoveToVersionId=other, RemoveFromVersionId=at
        )
        at, other, moved, fresh = other, at, account.now(), 0
        while fresh < _FRESH_IN_A_ROW:
            read = client.get_secret_value(SecretId=secret, VersionStage="ACCOUNT_CHECK")["VersionId"]
            reads, fresh = reads + 1, fresh + 1
            if read != at:
                stale, fresh, oldest = stale + 1, 0, max(oldest, account.now() - moved)
            if oldest > STALE_LIMIT_SECONDS:
                raise Contradicted(f"a read was stale {oldest:.0f} s after a write")
    return f"{stale} of {reads} reads were stale, the last of them {oldest:.1f} s after a write"


def clocks(account: Account) -> str:
    """Compare the times that three services put into `Date`."""
    secrets_manager, sts, dynamodb = (account.client(name) for name in ("secretsmanager", "sts", "dynamodb"))
    item = {"TableName": account.outputs["ClaimTableName"], "Key": {"secret_arn": {"S": "clock"}}}
    calls = {
        "Secrets Manager": lambda: secrets_manager.describe_secret(SecretId=account.outputs["TokenSecretId"]),
        "DynamoDB": lambda: dynamodb.get_item(**item, ConsistentRead=True),
        "STS": sts.get_caller_identity,
    }
    ahead = {name: statistics.median(_ahead_seconds(call) for _ in range(5)) for name, call in calls.items()}
    apart = max(ahead.values()) - min(ahead.values())
    figures = ", ".join(f"{name} {seconds:+.1f} s" for name, seconds in ahead.items())
    found = f"{apart:.1f} s apart, against this machine: {figures}"
    if apart > CLOCKS_LIMIT_SECONDS:
        raise Contradicted(found)
    return found


def full_secret(account: Account) -> str:
    """Put versions until the secret is full; none may go, since all are younger than a day."""
    client, secret = account.client("secretsmanager"), account.scratch("full", "0")
    put: set[str] = set()
    refused = None
    while refused is None and len(put) < _PUTS:
        version_id = str(uuid.uuid4())
        try:
            client.put_secret_value(SecretId=secret, SecretString=str(len(put)), ClientRequestToken=version_id)
            put.add(version_id)
        except ClientError as error:
            refused = error.response["Error"]["Code"]
    there = account.versions(secret).keys()
    if refused not in {None, "LimitExceededException"}:
        raise Contradicted(f"a put to a full secret was refused as {refused}")
    if gone := len(put - there):
        raise Contradicted(f"{gone} of {len(put)} versions went within minutes")
    if len(there) < VERSIONS_PER_SECRET:
        raise Contradicted(f"a put was refused with {len(there)} versions")
    return f"{len(there)} versions, then {refused or 'still no refusal'}; none went"


def webhook_received(account: Account) -> str:
    """A signed webhook gets 200 and is queued, a forged one 401, both through the function URL."""
    quota = account.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if quota <= _QUOTA_OF_NEW_ACCOUNTS:
        raise NotChecked(f"a receiver reserves concurrency, and this account's quota is {quota}: raise it first")
    key = secrets.token_hex(32)
    outputs = account.deployments.deploy(
        f"{account.prefix}-webhooks",
        {name: account.values[name] for name in ("environment", "tags")}
        | {"mode": "webhooks", "reserved_concurrency": "1", "github_secret": account.scratch("signing", key)},
    )
    url, body = f"{outputs['Url'].rstrip('/')}/webhooks/github", json.dumps({"action": "opened"}).encode()

    def sent(with_key: str) -> int:
        return int(account.post(url, headers=sign(GITHUB, body, with_key), content=body, timeout=30).status_code)

    account.wait_for("200 for a signed webhook", lambda: sent(key) == HTTPStatus.OK, minutes=5)
    if (status := sent(secrets.token_hex(32))) != HTTPStatus.UNAUTHORIZED:
        raise Contradicted(f"a forged webhook got {status}")
    queue = account.client("sqs")
    asked = {"QueueUrl": outputs["QueueUrl"], "WaitTimeSeconds": 1}
    account.wait_for("the webhook in its queue", lambda: queue.receive_message(**asked).get("Messages"), minutes=5)
    return "200 and queued if signed, 401 if forged"


def conformance(account: Account) -> str:
    """Run the conformance suite against the account's Secrets Manager."""
    named = os.environ | {"CONFORMANCE_PREFIX": f"{account.prefix}-conformance-"}
    status, output = carried_out(account.conformance, env=named, stdout=PIPE, stderr=DEVNULL)
    counted = re.findall(r"\d+ (?:passed|failed|skipped|errors?)", output)
    if status:
        failed = re.findall(r"^(?:FAILED|ERROR) \S*::(\w+)", output, re.MULTILINE)
        raise Contradicted(f"{', '.join(counted) or 'it did not run'}: {', '.join(failed)}")
    return ", ".join(counted)


def _ahead_seconds(call: Any) -> float:
    """Return how far a service's clock is ahead of this machine's; its `Date` has whole seconds."""
    before = time.time()
    headers = call()["ResponseMetadata"]["HTTPHeaders"]
    return parsedate_to_datetime(headers["date"]).timestamp() + 0.5 - (before + time.time()) / 2


CHECKS = (clocks, stale_reads, full_secret, webhook_received, conformance)

import json
from pathlib import Path

import pytest

from testbed.synthesis import Synthesis, synthesise
from token_refresh_infra.common import SHORTEST_TIMEOUT_SECONDS
from token_refresh_worker.bootstrap import MARGIN_SECONDS
from token_refresh_worker.run.ports import KEEP_RESERVE_SECONDS, LEAST_REQUEST_SECONDS

HERE = {"environment": "prod", "account": "123456789012", "region": "eu-central-1"}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"


def test_table(with_table: Synthesis) -> None:
    """The table keeps an item a secret, can be restored, is encrypted as secrets are, and leaves protection open."""
    table = with_table.one("DynamoDB::Table")

    assert [{"AttributeName": "secret_arn", "KeyType": "HASH"}] == table["KeySchema"]
    assert "PAY_PER_REQUEST" == table["BillingMode"]
    assert "DeletionProtectionEnabled" not in table
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert (
        with_table.arn_of("KMS::Key", Description="Encrypts OAuth token secrets (prod)")
        == table["SSESpecification"]["KMSMasterKeyId"]
    )
    assert "token-refresh-upwork-prod-claims" == table["TableName"]


def test_worker_uses_it(with_table: Synthesis, code: Path) -> None:
    """The worker is given the table, and two actions on it alone. One that exists is used and not made again."""
    old = synthesise(HERE | {"claim_table": "old-claims"}, code)
    adopted = "arn:aws:dynamodb:eu-central-1:123456789012:table/old-claims"

    assert [] == old.resources("DynamoDB::Table")
    assert (
        with_table.one("DynamoDB::Table")["TableName"]
        == (with_table.one("Lambda::Function")["Environment"]["Variables"]["CLAIM_TABLE"])
    )
    for deployment, arn in ((with_table, with_table.arn_of("DynamoDB::Table")), (old, adopted)):
        granted = deployment.permissions("lambda.amazonaws.com")
        assert [("dynamodb:GetItem", arn), ("dynamodb:UpdateItem", arn)] == [
            item for item in granted if item[0].startswith("dynamodb:")
        ]


def test_kept_tokens_have_a_key_of_their_own(with_table: Synthesis) -> None:
    """Kept tokens have a key of their own, which the worker's code may use for them alone."""
    name = with_table.one("DynamoDB::Table")["TableName"]
    described = f"Encrypts OAuth tokens that wait in table {name}"
    key = with_table.arn_of("KMS::Key", Description=described)
    statements = [s for s in with_table.policy_of_role("lambda.amazonaws.com") if s["Resource"] == key]
    by_effect = {s["Effect"]: s for s in statements}

    assert with_table.one("KMS::Key", Description=described)["EnableKeyRotation"]
    assert key == with_table.one("Lambda::Function")["Environment"]["Variables"]["KEPT_TOKENS_KEY_ID"]
    granted, denied = by_effect["Allow"], by_effect["Deny"]
    assert 2 == len(statements)
    assert ["kms:Decrypt", "kms:Encrypt"] == sorted(granted["Action"]) == sorted(denied["Action"])
    secret, keys = granted["Condition"]["StringLike"], granted["Condition"]["ForAllValues:StringEquals"]
    assert {"kms:EncryptionContextKeys": ["secret", "claim", "piece"]} == keys
    token_secret = with_table.logical_id("SecretsManager::Secret", Name="upwork/prod/upwork-oauth-tokens")
    assert token_secret in json.dumps(secret)
    assert "lambda:SourceFunctionArn" in json.dumps(denied["Condition"])


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"claim_table": "create", "kept_tokens_key": "none"}, None),
        ({"claim_table": "old-claims"}, None),
        ({"claim_table": "old-claims", "kept_tokens_key": KEY}, KEY),
    ],
)
def test_the_key_can_be_chosen(code: Path, given: dict[str, str], key: str | None) -> None:
    """It costs 1 USD a month: a table may do without, and a table that is there already gets none unasked."""
    deployment = synthesise(HERE | given, code)
    variables = deployment.one("Lambda::Function")["Environment"]["Variables"]

    assert key == variables.get("KEPT_TOKENS_KEY_ID")
    assert [] == deployment.resources("KMS::Key")
    alarms = [a["Properties"]["AlarmName"] for a in deployment.resources("CloudWatch::Alarm")]
    assert (key is not None) == any(name.endswith("-tokens-kept") for name in alarms)


def test_the_timeout_leaves_time_to_keep_tokens() -> None:
    """Whatever synthesis accepts, a run accepts: what is left after a start is more than it needs for a request."""
    assert SHORTEST_TIMEOUT_SECONDS - MARGIN_SECONDS > KEEP_RESERVE_SECONDS + LEAST_REQUEST_SECONDS

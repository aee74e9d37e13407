from __future__ import annotations

from pathlib import Path

from infra.synthesis import Deployment, synthesise

ACTIONS = ["dynamodb:GetItem", "dynamodb:UpdateItem"]


def test_table(with_table: Deployment) -> None:
    """The table keeps one item a secret, can be restored, resists deletion, and is encrypted as the secrets are."""
    table = with_table.one("DynamoDB::Table")
    (resource,) = with_table.resources("DynamoDB::Table")

    assert [{"AttributeName": "secret_arn", "KeyType": "HASH"}] == table["KeySchema"]
    assert ("PAY_PER_REQUEST", True) == (table["BillingMode"], table["DeletionProtectionEnabled"])
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert with_table.arn_of("KMS::Key") == table["SSESpecification"]["KMSMasterKeyId"]
    assert ("Retain", "Retain") == (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
    assert "token-refresh-upwork-prod-claims" == table["TableName"]


def test_worker_uses_it(with_table: Deployment) -> None:
    """The worker is given the table, and two actions on it alone."""
    granted = [item for item in with_table.permissions("lambda.amazonaws.com") if item[0].startswith("dynamodb:")]
    variables = with_table.one("Lambda::Function")["Environment"]["Variables"]

    assert [(action, with_table.arn_of("DynamoDB::Table")) for action in ACTIONS] == granted
    assert with_table.one("DynamoDB::Table")["TableName"] == variables["CLAIM_TABLE"]


def test_without_a_table(everything: Deployment) -> None:
    """Without the parameter there is no table, no variable and no permission for one."""
    assert [] == everything.resources("DynamoDB::Table")
    assert "CLAIM_TABLE" not in everything.one("Lambda::Function")["Environment"]["Variables"]
    assert [] == [a for a, _ in everything.permissions("lambda.amazonaws.com") if a.startswith("dynamodb:")]


def test_adopted_table(code: Path) -> None:
    """A table that exists is used by its name and not made again."""
    here = {"environment": "prod", "account": "123456789012", "region": "eu-central-1"}
    deployment = synthesise(here | {"claim_table": "old-claims"}, code)
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/old-claims"

    assert [] == deployment.resources("DynamoDB::Table")
    assert [(action, arn) for action in ACTIONS] == [
        item for item in deployment.permissions("lambda.amazonaws.com") if item[0].startswith("dynamodb:")
    ]

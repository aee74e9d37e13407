"""What `scripts/deploy` does for adopted secrets: their tags name what was deployed."""

from collections.abc import Iterator

import pytest

from deployed import tag_secrets
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.fixture
def store() -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer() as server:
        yield server


def tags(store: SecretsManagerServer, name: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in store.client().describe_secret(SecretId=name).get("Tags", ())}


def test_adopted_secrets_are_tagged(store: SecretsManagerServer) -> None:
    """After a deployment the tags of an adopted secret name what was deployed, and no more what it had before."""
    there = [{"Key": "team", "Value": "billing"}, {"Key": "token-refresh:claim-table", "Value": "gone"}]
    arn = store.client().create_secret(Name="old-tokens", Tags=there)["ARN"]
    store.client().create_secret(Name="copies")

    outputs = {"FunctionName": "token-refresh-prod", "TokenSecretId": arn, "PublishedSecretId": "copies"}
    tag_secrets(store.client(), outputs)

    assert {
        "team": "billing",
        "token-refresh:function": "token-refresh-prod",
        "token-refresh:published": "copies",
    } == tags(store, "old-tokens")
    assert {"token-refresh:published-from": "old-tokens"} == tags(store, "copies")


def test_tags_that_are_right_are_left_alone(store: SecretsManagerServer) -> None:
    """Tags that the template has set are not changed, so no right to it is needed; a fleet tags nothing."""
    named = {"token-refresh:function": "token-refresh-prod"}
    store.client().create_secret(Name="tokens", Tags=[{"Key": key, "Value": value} for key, value in named.items()])
    store.fault("deny", "TagResource", times=None)

    tag_secrets(store.client(), {"FunctionName": "token-refresh-prod", "TokenSecretId": "tokens"})

    assert named == tags(store, "tokens")
    store.fault("deny", "DescribeSecret", times=None)
    tag_secrets(store.client(), {"FunctionName": "token-refresh-prod-fleet-prod"})


def test_a_secret_that_can_not_be_tagged(store: SecretsManagerServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Who deploys and may not tag the secret gets the command for somebody who may; the deployment is complete."""
    outputs = {"FunctionName": "worker", "TokenSecretId": "tokens", "ClaimTableName": "my-claims"}

    tag_secrets(store.client(), outputs)

    said = capsys.readouterr().err
    assert "deployed, but secret tokens could not be tagged (ResourceNotFoundException)" in said
    assert "commands don't find its deployment, and policies for families of secrets open it" in said
    assert said.endswith(
        "aws secretsmanager tag-resource --secret-id tokens --tags Key=token-refresh:function,Value=worker "
        "Key=token-refresh:claim-table,Value=my-claims --region eu-central-1\n"
    )

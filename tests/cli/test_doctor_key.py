"""`doctor`: the key with which the claim table keeps tokens that Secrets Manager refuses."""

import re
from collections.abc import Iterator

import pytest

from cli.aws import Aws, Simulator
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY
from testbed.dynamodb.server import DynamoDbServer
from testbed.kms import Kms

ROLE = "arn:aws:iam::123456789012:role/worker"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"


@pytest.fixture
def kms(environment: dict[str, str], tokens: Tokens) -> Iterator[Kms]:
    """A deployment with claims in a table that has a key."""
    tokens.store(expires_in=DAY)
    with Aws() as aws, DynamoDbServer() as table, Kms() as server:
        table.create_table("claims", key="secret_arn")
        variables = {"TOKEN_SECRET_ID": SECRET_ID, "CLAIM_TABLE": "claims", "KEPT_TOKENS_KEY_ID": KEY}
        endpoint = {"PROVIDER": "upwork", "TOKEN_ENDPOINT": environment["TOKEN_ENDPOINT"]}
        aws.function["Role"] = ROLE
        aws.function["Environment"] = {"Variables": variables | endpoint}
        environment |= table.environment | server.environment | {"AWS_ENDPOINT_URL": f"http://{aws.address}"}
        yield server


def test_a_key_that_works(cli: Cli, kms: Kms) -> None:
    """Its state is read; nothing is encrypted, and a deployed function's key is looked at as well."""
    ended = cli("doctor", "--function=worker")

    assert f"ok kept tokens' key: {KEY}, enabled" in ended.screen
    assert ["DescribeKey"] == kms.actions


@pytest.mark.parametrize(
    ("described", "found"),
    [
        ({"KeyState": "Disabled"}, f"is Disabled: .* -> aws kms enable-key --key-id {KEY} --region eu-central-1"),
        (
            {"KeyState": "PendingDeletion"},
            f"is PendingDeletion: .* -> aws kms cancel-key-deletion --key-id {KEY} --region .* Then enable it",
        ),
        ({"KeyState": "Unavailable"}, "is Unavailable: .* -> look at it in the KMS console"),
        ({"KeySpec": "RSA_2048"}, "is not a symmetric key that encrypts: .* -> name another one"),
        ({"KeyUsage": "GENERATE_VERIFY_MAC"}, "is not a symmetric key that encrypts: .* -> name another one"),
        ({}, "does not exist: .* -> name another one"),
    ],
)
def test_a_key_that_does_not_work(cli: Cli, kms: Kms, described: dict[str, str], found: str) -> None:
    """It would lose tokens, so it fails before it is needed, with the command that mends it."""
    kms.described = kms.described | described if described else {}

    ended = cli("doctor", CLAIM_TABLE="claims", KEPT_TOKENS_KEY_ID=KEY)

    assert 1 == ended.code
    assert re.search(f"FAILED kept tokens' key: key {KEY} {found}", ended.screen)


def test_a_key_that_can_not_be_read(cli: Cli, kms: Kms) -> None:
    """A permission that the caller lacks says nothing about the key."""
    kms.refuses = True

    ended = cli("doctor", "--function=worker")

    assert "skipped kept tokens' key: not known: kms:DescribeKey on key" in ended.screen


@pytest.mark.parametrize("denied", ["kms:Encrypt", "kms:Decrypt"])
@pytest.mark.usefixtures("kms")
def test_a_role_that_may_not_use_the_key(cli: Cli, environment: dict[str, str], denied: str) -> None:
    """IAM's simulator is asked with the encryption context that a run sends, since the policies depend on it."""
    with Simulator() as simulator:
        environment["AWS_ENDPOINT_URL_IAM"] = f"http://{simulator.address}"
        simulator.denied = {denied}
        refused = cli("doctor", "--function=worker")
        simulator.denied = set()
        allowed = cli("doctor", "--function=worker")

    assert f"access denied to {ROLE}: {denied} on {KEY} (no policy of the role allows it)" in refused.screen
    assert "ok function's permissions: all that a run needs" in allowed.screen
    arn = simulator.context["kms:EncryptionContext:secret"][0]
    assert arn.partition("secret:")[2].startswith(SECRET_ID)
    assert ["secret", "claim", "piece"] == simulator.context["kms:EncryptionContextKeys"]

"""`doctor`: the client credentials, the token endpoint, and the keys that sign and that keep tokens."""

import re
from collections.abc import Iterator

import pytest

from cli.aws import Aws, Simulator
from cli.scene import SECRET_ID, Cli, Tokens, grades
from providers.imitation import CLIENT_ID, Imitation
from testbed.builders import DAY
from testbed.dynamodb.server import DynamoDbServer
from testbed.kms import Kms
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint


def test_client_credentials(cli: Cli, tokens: Tokens) -> None:
    """Without the function's settings nobody knows where they are; the token endpoint is asked without them."""
    tokens.store(expires_in=DAY, clientId=None, clientSecret=None)

    ended = cli("doctor")

    assert "skipped client credentials: not looked at: the function's settings may name a secret" in ended.screen
    assert "ok token endpoint: it responds (HTTP 401 with invalid_client" in ended.screen


def test_client_credentials_with_white_space(cli: Cli, tokens: Tokens) -> None:
    """Each refresh will fail before its claim: the command that stores others is named."""
    tokens.store(expires_in=DAY, clientSecret="canary\n")

    ended = cli("doctor", "--json")

    assert "failed" == grades(ended)["client credentials"]
    assert f"token-refresh client {SECRET_ID}" in ended.screen
    assert "canary" not in ended.screen


@pytest.mark.parametrize(
    ("played", "grade", "printed"),
    [
        (script.error("invalid_client", http_status=401), "failed", "rejects the client credentials"),
        (script.status(200, {"access_token": "a"}), "failed", "do not trust it"),
        (script.html(200), "failed", "does not respond as a token endpoint"),
        (script.status(503), "look", "does not respond as a token endpoint (HTTP 503)"),
    ],
)
def test_token_endpoint(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, played: script.Script, grade: str, printed: str
) -> None:
    """What the token endpoint sends to a made-up refresh token says what is wrong with it, or with the client."""
    tokens.store(expires_in=DAY)
    endpoint.play(played)

    ended = cli("doctor", "--json")

    assert grade == grades(ended)["token endpoint"]
    assert printed in ended.screen


def test_client_credentials_that_work(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """A provider of `client_credentials` has no made-up refresh token to reject: tokens are what it should give."""
    tokens.store(expires_in=DAY)
    endpoint.play(script.status(200, {"access_token": "a", "expires_in": 3600}))

    ended = cli("doctor", "--json", PROVIDER="paypal")

    assert "ok" == grades(ended)["token endpoint"]


@pytest.fixture
def kms(environment: dict[str, str]) -> Iterator[Kms]:
    with Kms() as server:
        environment["AWS_ENDPOINT_URL_KMS"] = f"http://{server.address}"
        yield server


@pytest.fixture
def keyed(tokens: Tokens, environment: dict[str, str]) -> Iterator[Imitation]:
    """A provider to which the client authenticates with a key in KMS; no client secret exists."""
    tokens.store(expires_in=DAY, clientId=CLIENT_ID, clientSecret=None)
    with Imitation("auth0") as provider:
        provider.success["request"]["fields"] = [
            *("grant_type", "refresh_token", "client_id", "client_assertion_type", "client_assertion")
        ]
        environment |= {"PROVIDER": "auth0", "TOKEN_ENDPOINT": provider.url, "CLIENT_KEY_ID": "alias/client"}
        environment["TOKEN_ENDPOINT_AUTH_METHOD"] = "private_key_jwt"
        yield provider


def test_doctor_signs_with_the_key(cli: Cli, kms: Kms, keyed: Imitation) -> None:
    """The request of `doctor` has an assertion that the provider can verify, and shows that it knows the client."""
    ended = cli("doctor")

    assert "ok token endpoint: it responds and knows the client (HTTP 403 with invalid_grant" in ended.screen
    assert ([], ["alias/client"], 1) == (keyed.faults, kms.keys, len(keyed.received))
    assertion = keyed.received[0]["client_assertion"]
    assert {"iss": CLIENT_ID, "aud": keyed.url}.items() <= kms.claims_of(assertion).items()
    assert assertion not in ended.screen


def test_doctor_says_why_nothing_was_signed(cli: Cli, kms: Kms, keyed: Imitation) -> None:
    """Without a signature nothing is sent, and the key, the action and the remedy are named."""
    kms.refuses = True

    ended = cli("doctor")

    assert 1 == ended.code
    assert "FAILED token endpoint: nothing could be sent from here (kms:Sign on key alias/client" in ended.screen
    assert "correct CLIENT_KEY_ID, or allow kms:Sign on that key" in ended.screen
    assert [] == keyed.received


ROLE = "arn:aws:iam::123456789012:role/worker"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"


@pytest.fixture
def table_key(environment: dict[str, str], tokens: Tokens) -> Iterator[Kms]:
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


def test_a_key_that_works(cli: Cli, table_key: Kms) -> None:
    """A deployed function's key is looked at; who may not read its state is told so, and nothing is encrypted."""
    ended = cli("doctor", "--function=worker")

    assert f"ok refused tokens' key: {KEY}, enabled" in ended.screen
    assert ["DescribeKey"] == table_key.actions
    table_key.refuses = True
    assert "skipped refused tokens' key: not known: kms:DescribeKey on key" in cli("doctor", "--function=worker").screen


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
def test_a_key_that_does_not_work(cli: Cli, table_key: Kms, described: dict[str, str], found: str) -> None:
    """It would lose tokens, so it fails before it is needed, with the command that mends it."""
    table_key.described = table_key.described | described if described else {}

    ended = cli("doctor", CLAIM_TABLE="claims", KEPT_TOKENS_KEY_ID=KEY)

    assert 1 == ended.code
    assert re.search(f"FAILED refused tokens' key: key {KEY} {found}", ended.screen)


@pytest.mark.parametrize("denied", ["kms:Encrypt", "kms:Decrypt"])
@pytest.mark.usefixtures("table_key")
def test_a_role_that_may_not_use_the_key(cli: Cli, environment: dict[str, str], denied: str) -> None:
    """IAM's simulator is asked with the encryption context that a run sends, since the policies depend on it."""
    with Simulator() as simulator:
        environment["AWS_ENDPOINT_URL_IAM"] = f"http://{simulator.address}"
        simulator.denied = {denied}
        refused = cli("doctor", "--function=worker")
        simulator.denied = set()
        allowed = cli("doctor", "--function=worker")

    assert f"access denied to {ROLE}: {denied} on {KEY} (no policy of the role allows it)" in refused.screen
    assert "ok function's permissions: IAM's simulator allows what a run needs" in allowed.screen
    arn = simulator.context["kms:EncryptionContext:secret"][0]
    assert arn.partition("secret:")[2].startswith(SECRET_ID)
    assert ["secret", "claim", "piece"] == simulator.context["kms:EncryptionContextKeys"]

"""Assertions by the client's key in KMS, and by STS: what is asked of the service, and what a failure says."""

import base64
import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.sts import ROLE, Sts
from token_refresh.errors import ConfigurationError, SecretAccessDenied, SecretStoreUnavailable, TokenRefreshError
from token_refresh_worker.adapters.client_assertion import sign_with_key, state_role
from token_refresh_worker.bootstrap import aws_client
from token_refresh_worker.oauth.client_auth import Assertion

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"
AUDIENCE = "https://provider.example/token"


def assertion(algorithm: str = "RS256") -> Assertion:
    return Assertion(client_id="client", audience=AUDIENCE, algorithm=algorithm, headers={})


class Kms(LoopbackServer):
    """Responds to every request as the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.regions: list[str] = []
        self.status = 200
        self.body: object = {"Signature": "c2lnbmVk"}


class _Handler(LoopbackHandler):
    server: Kms

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.server.regions.append(self.headers["Authorization"].split("/")[2])
        self.server.asked.append((self.headers["X-Amz-Target"], json.loads(self.read_body())))
        self.respond(self.server.status, json.dumps(self.server.body).encode(), {"Connection": "close"})


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    with Kms() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://{server.address}")
        yield server


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [("RS256", "RSASSA_PKCS1_V1_5_SHA_256"), ("PS256", "RSASSA_PSS_SHA_256"), ("ES256", "ECDSA_SHA_256")],
)
def test_kms_signs_the_message(kms: Kms, algorithm: str, name: str) -> None:
    """One call of Sign, with the message itself and the algorithm under KMS's name."""
    if algorithm == "ES256":
        kms.body = {"Signature": base64.b64encode(bytes([0x30, 6, 2, 1, 7, 2, 1, 9])).decode()}

    made = sign_with_key(KEY, aws_client, assertion(algorithm))

    message = base64.b64encode(made.rpartition(".")[0].encode()).decode()
    expected = {"KeyId": KEY, "Message": message, "MessageType": "RAW", "SigningAlgorithm": name}
    assert [("TrentService.Sign", expected)] == kms.asked


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (400, "AccessDeniedException", SecretAccessDenied),
        (400, "ThrottlingException", SecretStoreUnavailable),
        (500, "KMSInternalException", SecretStoreUnavailable),
    ],
)
def test_a_failure_says_what_to_check(kms: Kms, status: int, code: str, raised: type[TokenRefreshError]) -> None:
    """The error names key and code, says whether it may pass, and quotes nothing that the service sent."""
    kms.status, kms.body = status, {"__type": code, "message": "canary"}

    with pytest.raises(raised, match=rf"^kms:Sign on key {KEY} in eu-central-1 for RS256 .*\({code}\)") as caught:
        sign_with_key(KEY, aws_client, assertion())

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "region"),
    [
        ("arn:aws:kms:us-west-2:123456789012:key/1234", "us-west-2"),
        ("arn:aws:kms:us-west-2:123456789012:alias/client", "us-west-2"),
        ("alias/client", "eu-central-1"),
    ],
)
def test_the_region_is_the_key_s(kms: Kms, key: str, region: str) -> None:
    """An ARN names the region of its key; an alias is looked for in the process's region."""
    sign_with_key(key, aws_client, assertion())

    assert [region] == kms.regions


@pytest.mark.parametrize(
    "body",
    [{}, {"Signature": None}, {"Signature": 7}, {"Signature": ["canary"]}, {"Signature": "canary!"}, [], "canary"],
)
def test_a_response_without_a_signature_is_none(kms: Kms, body: object) -> None:
    """A malformed response is a failure with a name, so that the run records that nothing was sent."""
    kms.body = body

    with pytest.raises(SecretStoreUnavailable, match=r"^kms:Sign on key ") as caught:
        sign_with_key(KEY, aws_client, assertion())

    assert "canary" not in str(caught.value)


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    with Sts() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://{server.address}")
        yield server


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_sts_states_the_role(sts: Sts, algorithm: str) -> None:
    """A verifier that trusts the account's issuer finds the role, and the audience that was asked for."""
    made = state_role(aws_client, assertion(algorithm))

    claims = sts.verify(made, AUDIENCE)
    assert (ROLE, 300) == (claims["sub"], claims["exp"] - claims["iat"])
    assert [algorithm] == [asked["SigningAlgorithm"] for asked in sts.asked]


@pytest.mark.usefixtures("sts")
def test_each_assertion_of_sts_is_new() -> None:
    """No assertion is used twice."""
    assert state_role(aws_client, assertion()) != state_role(aws_client, assertion())


@pytest.mark.parametrize(
    ("code", "says", "raised"),
    [
        (
            "OutboundWebIdentityFederationDisabledException",
            "this AWS account issues no identity tokens yet .*aws iam enable-outbound-web-identity-federation",
            ConfigurationError,
        ),
        (
            "AccessDenied",
            f"^sts:GetWebIdentityToken on audience {AUDIENCE} in eu-central-1 for RS256 was denied",
            SecretAccessDenied,
        ),
        ("Throttling", "was throttled", SecretStoreUnavailable),
    ],
)
def test_a_refusal_of_sts_says_what_to_do(sts: Sts, code: str, says: str, raised: type[TokenRefreshError]) -> None:
    """The error names the action, the audience and the remedy, and quotes nothing that the service sent."""
    sts.code = code

    with pytest.raises(raised, match=f"(?s){says}") as caught:
        state_role(aws_client, assertion())

    assert "canary" not in str(caught.value)


def test_an_older_sdk_is_named() -> None:
    """Where the runtime's SDK does not know the action, the error says so and what to add."""
    old = SimpleNamespace(meta=SimpleNamespace(region_name="eu-central-1"))

    with pytest.raises(ConfigurationError, match=r"does not know sts:GetWebIdentityToken.*newer boto3"):
        state_role(lambda *_, **__: old, assertion())

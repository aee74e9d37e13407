"""The client's key in KMS: what is asked of the service, and what a failure says."""

import json
from collections.abc import Iterator

import pytest

from testbed.loopback import LoopbackHandler, LoopbackServer
from token_refresh_worker.adapters.client_key import KmsSigner, SigningError
from token_refresh_worker.bootstrap import aws_client

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234"


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


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kms]:
    with Kms() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://{server.address}")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield server


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [("RS256", "RSASSA_PKCS1_V1_5_SHA_256"), ("PS256", "RSASSA_PSS_SHA_256"), ("ES256", "ECDSA_SHA_256")],
)
def test_kms_signs_the_message(kms: Kms, algorithm: str, name: str) -> None:
    """One call of Sign, with the message itself and the algorithm under KMS's name."""
    assert b"signed" == KmsSigner(KEY, aws_client).sign(b"message", algorithm)

    expected = {"KeyId": KEY, "Message": "bWVzc2FnZQ==", "MessageType": "RAW", "SigningAlgorithm": name}
    assert [("TrentService.Sign", expected)] == kms.asked


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [(400, "AccessDeniedException", False), (400, "ThrottlingException", True), (500, "KMSInternalException", True)],
)
def test_a_failure_says_what_to_check(kms: Kms, status: int, code: str, *, transient: bool) -> None:
    """The error names key and code, says whether it is transient, and quotes nothing that the service sent."""
    kms.status, kms.body = status, {"__type": code, "message": "canary"}

    with pytest.raises(SigningError, match=rf"^kms:Sign on key {KEY} in eu-central-1 for RS256 .*\({code}\)") as caught:
        KmsSigner(KEY, aws_client).sign(b"message", "RS256")

    assert transient is caught.value.is_transient
    assert "canary" not in str(caught.value)


def test_an_unreachable_service_is_transient(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection the call may succeed in a moment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")

    with pytest.raises(SigningError, match="EndpointConnectionError") as caught:
        KmsSigner(KEY, aws_client).sign(b"message", "RS256")

    assert caught.value.is_transient
    assert [] == kms.asked


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
    KmsSigner(key, aws_client).sign(b"message", "RS256")

    assert [region] == kms.regions


@pytest.mark.parametrize(
    "body",
    [{}, {"Signature": None}, {"Signature": 7}, {"Signature": ["canary"]}, {"Signature": "canary!"}, [], "canary"],
)
def test_a_response_without_a_signature_is_none(kms: Kms, body: object) -> None:
    """A malformed response is a failure with a name, so that the run records that nothing was sent."""
    kms.body = body

    with pytest.raises(SigningError, match=r"^kms:Sign on key ") as caught:
        KmsSigner(KEY, aws_client).sign(b"message", "RS256")

    assert "canary" not in str(caught.value)

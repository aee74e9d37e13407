"""How a token request is sent: where its fields go, and the assertion that is made for it."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.endpoints import CLIENT, Recorder, sent_as
from token_refresh.errors import ConfigurationError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.client_assertion import SigningError
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.client_auth import Assertion
from token_refresh_worker.oauth.formats import AuthMethod, Encoding, Grant, RequestFormat
from token_refresh_worker.oauth.request import TokenRequest, refresh_request
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse

FIELDS = {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "id", "client_secret": "p&w"}


def test_a_form_goes_into_the_body(recorder: Recorder) -> None:
    """The default: form-encoded, by POST."""
    method, path, headers, body = sent_as(recorder, RequestFormat())

    assert ("POST", "/token", "application/x-www-form-urlencoded") == (method, path, headers["Content-Type"])
    assert FIELDS == {name: values[0] for name, values in parse_qs(body).items()}


def test_json_goes_into_the_body(recorder: Recorder) -> None:
    """The same fields as a JSON object, with the provider's own headers."""
    method, _, headers, body = sent_as(recorder, RequestFormat(encoding=Encoding.JSON, headers={"X-Version": "1"}))

    assert ("POST", "application/json", "1") == (method, headers["Content-Type"], headers["X-Version"])
    assert FIELDS == json.loads(body)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_query_goes_into_the_url(recorder: Recorder, method: str) -> None:
    """Some providers take all fields in the query; the body is empty then."""
    sent, path, _, body = sent_as(recorder, RequestFormat(method=method, encoding=Encoding.QUERY))

    assert (method, "/token", "") == (sent, urlsplit(path).path, body)
    assert FIELDS == {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}


def test_a_query_of_the_endpoint_is_kept(recorder: Recorder) -> None:
    """An endpoint that has a query already gets the fields after it."""
    request = refresh_request(SecretValue("r"), CLIENT, RequestFormat(encoding=Encoding.QUERY))

    HttpTokenEndpoint(f"http://{recorder.address}/token?a=b").send(request, timeout_seconds=60.0)

    assert recorder.seen[0][1].startswith("/token?a=b&grant_type=refresh_token&")


class Maker:
    """Makes assertions, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.made: list[str] = []

    def make(self, assertion: Assertion) -> str:
        assert "https://example.com/token" == assertion.audience
        if self.failure:
            raise self.failure
        self.made.append(f"assertion-{len(self.made)}")
        return self.made[-1]


def signed_request(algorithm: str = "RS256") -> TokenRequest:
    form = RequestFormat(
        auth_method=AuthMethod.PRIVATE_KEY_JWT, grant=Grant.CLIENT_CREDENTIALS, assertion_algorithm=algorithm
    )
    return refresh_request(SecretValue(""), CLIENT, form, endpoint="https://example.com/token")


def test_each_request_has_an_assertion_of_its_own(recorder: Recorder) -> None:
    """An assertion is made anew each time a request is sent: its `jti` may be used once (RFC 7523 section 3)."""
    maker = Maker()
    endpoint = HttpTokenEndpoint(f"http://{recorder.address}/token", make_assertion=maker.make)
    request = signed_request()

    for _ in range(2):
        assert isinstance(endpoint.send(request, timeout_seconds=60.0), TokenResponse)

    bodies = [parse_qs(body) for _, _, _, body in recorder.seen]
    assert ["assertion-0", "assertion-1"] == [body["client_assertion"][0] for body in bodies]
    assert all("client_secret" not in body for body in bodies)


@pytest.mark.parametrize(
    ("failure", "kind", "says"),
    [
        (SigningError("no key", is_transient=False), FailureKind.NOT_SIGNED, "no key"),
        (SigningError("throttled", is_transient=True), FailureKind.NOT_SENT, "throttled"),
        (ConfigurationError("no region is set"), FailureKind.NOT_SIGNED, "no region is set"),
    ],
)
def test_without_a_signature_nothing_is_sent(
    recorder: Recorder, failure: Exception, kind: FailureKind, says: str
) -> None:
    """A signature that can't be had is a named failure, and the endpoint sees nothing."""
    endpoint = HttpTokenEndpoint(f"http://{recorder.address}/token", make_assertion=Maker(failure).make)

    found = endpoint.send(signed_request("ES256"), timeout_seconds=60.0)

    assert isinstance(found, FailedRequest)
    assert kind is found.kind
    assert found.seen.startswith(says)
    assert [] == recorder.seen

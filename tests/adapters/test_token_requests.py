"""How a token request is sent: where its fields go, and the assertion that is made for it."""

import json
import time
from urllib.parse import parse_qsl

import pytest
import respx

from adapters.endpoints import CLIENT, URL, sent_as
from token_refresh.errors import ConfigurationError, SecretAccessDenied, SecretStoreUnavailable
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh_worker.oauth.client_auth import Assertion
from token_refresh_worker.oauth.formats import AuthMethod, Encoding, Grant, RequestFormat
from token_refresh_worker.oauth.request import TokenRequest, refresh_request
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse

FIELDS = {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "id", "client_secret": "p&w"}


def test_a_form_goes_into_the_body() -> None:
    """The default: form-encoded, by POST."""
    sent = sent_as(RequestFormat())

    assert ("POST", "/token", "") == (sent.method, sent.url.path, sent.url.query.decode())
    assert "application/x-www-form-urlencoded" == sent.headers["Content-Type"]
    assert FIELDS == dict(parse_qsl(sent.content.decode(), strict_parsing=True))


def test_json_goes_into_the_body() -> None:
    """The same fields as a JSON object, with the provider's own headers."""
    sent = sent_as(RequestFormat(encoding=Encoding.JSON, headers={"X-Version": "1"}))

    assert ("POST", "application/json", "1") == (sent.method, sent.headers["Content-Type"], sent.headers["X-Version"])
    assert FIELDS == json.loads(sent.content)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_query_goes_into_the_url(method: str) -> None:
    """Some providers take all fields in the query; the body is empty then."""
    sent = sent_as(RequestFormat(method=method, encoding=Encoding.QUERY))

    assert (method, "/token", b"") == (sent.method, sent.url.path, sent.content)
    assert FIELDS == dict(sent.url.params)


def test_a_query_of_the_endpoint_is_kept(provider: respx.Route) -> None:
    """An endpoint that has a query already gets the fields after it."""
    request = refresh_request(SecretValue("r"), CLIENT, RequestFormat(encoding=Encoding.QUERY))

    HttpTokenEndpoint(f"{URL}?a=b").send(request, timeout_seconds=60.0)

    assert provider.calls.last.request.url.query.startswith(b"a=b&grant_type=refresh_token&")


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


def test_each_request_has_an_assertion_of_its_own(provider: respx.Route) -> None:
    """An assertion is made anew each time a request is sent: its `jti` may be used once (RFC 7523 section 3)."""
    maker = Maker()
    endpoint = HttpTokenEndpoint(URL, make_assertion=maker.make)
    request = signed_request()

    for _ in range(2):
        assert isinstance(endpoint.send(request, timeout_seconds=60.0), TokenResponse)

    bodies = [dict(parse_qsl(call.request.content.decode())) for call in provider.calls]
    assert ["assertion-0", "assertion-1"] == [body["client_assertion"] for body in bodies]
    assert all("client_secret" not in body for body in bodies)


def test_an_assertion_may_be_made_before(provider: respx.Route, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was signed before the claim is sent once, with its own request, while it is young."""
    maker, now = Maker(), [0.0]
    endpoint = HttpTokenEndpoint(URL, make_assertion=maker.make)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    request, another = signed_request(), signed_request("ES256")

    def sent(request: TokenRequest) -> str:
        endpoint.send(request, timeout_seconds=60.0)
        return dict(parse_qsl(provider.calls.last.request.content.decode()))["client_assertion"]

    assert endpoint.sign(request) is None
    first = [sent(request), sent(request)]
    endpoint.sign(request)
    other = sent(another)
    endpoint.sign(request)
    now[0] += 151

    assert ["assertion-0", "assertion-1"] == first
    assert ("assertion-3", "assertion-5") == (other, sent(request))
    assert endpoint.sign(refresh_request(SecretValue("r"), CLIENT)) is None


@pytest.mark.parametrize(
    ("failure", "kind", "says"),
    [
        (SecretAccessDenied("no key"), FailureKind.NOT_SIGNED, "no key"),
        (SecretStoreUnavailable("throttled"), FailureKind.NOT_SENT, "throttled"),
        (ConfigurationError("no region is set"), FailureKind.NOT_SIGNED, "no region is set"),
    ],
)
def test_without_a_signature_nothing_is_sent(
    provider: respx.Route, failure: Exception, kind: FailureKind, says: str
) -> None:
    """A signature that can't be had is a named failure, and the endpoint sees nothing."""
    endpoint = HttpTokenEndpoint(URL, make_assertion=Maker(failure).make)

    found = endpoint.send(signed_request("ES256"), timeout_seconds=60.0)

    assert isinstance(found, FailedRequest)
    assert kind is found.kind
    assert found.seen.startswith(says)
    assert found == endpoint.sign(signed_request("ES256"))
    assert not provider.called

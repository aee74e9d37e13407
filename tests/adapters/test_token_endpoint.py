"""The HTTP adapter against a real server on loopback that misbehaves in every way that was seen in the wild."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpcore
import pytest

from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.provider import script
from testbed.provider.script import Script
from testbed.provider.token_endpoint import TokenEndpoint
from token_refresh import __version__
from token_refresh.adapters import time_limit
from token_refresh.adapters.client_key import SigningError
from token_refresh.adapters.token_endpoint import HttpTokenEndpoint
from token_refresh.errors import ConfigurationError
from token_refresh.oauth.client_auth import encode_signature
from token_refresh.oauth.formats import AuthMethod, Encoding, Grant, Matcher, RequestFormat, ResponseFormat
from token_refresh.oauth.request import TokenRequest, refresh_request
from token_refresh.oauth.response import BODY_LIMIT_BYTES, FailedRequest, Kind, Response, TokenResponse
from token_refresh.secret_value import SecretValue
from token_refresh.stored.credentials import ClientCredentials


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    with TokenEndpoint(reuse="grace") as running:
        running.grant.authorize()
        yield running


def send(
    endpoint: TokenEndpoint,
    *scripts: Script,
    timeout_seconds: float = 5.0,
    method: AuthMethod = AuthMethod.POST,
    url: str | None = None,
) -> Response:
    endpoint.play(*scripts)
    first: Any = endpoint.grant.authorize()
    client = ClientCredentials(client_id=endpoint.client_id, client_secret=SecretValue(endpoint.client_secret))
    request = refresh_request(SecretValue(first["refresh_token"]), client, RequestFormat(auth_method=method))
    return HttpTokenEndpoint(url or endpoint.url).send(request, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize("method", [AuthMethod.POST, AuthMethod.BASIC])
def test_a_request_that_is_answered_with_tokens(endpoint: TokenEndpoint, method: AuthMethod) -> None:
    """A refresh over real HTTP: one request, one way to authenticate, a user agent of our own."""
    response = send(endpoint, method=method)

    assert isinstance(response, TokenResponse)
    assert timedelta(days=1) == response.lifetime
    (seen,) = endpoint.requests
    expected = ("refresh_token", str(method), 200, f"token-refresh-worker/{__version__}")
    assert expected == (seen.grant_type, seen.client_authentication, seen.status, seen.user_agent)


LONGEST_ANSWER_SECONDS = 3.0
"""The dripping response takes far longer than this; so does a silent server, whose time limit is the test's."""

BODY = b'{"access_token": "a"}'


@pytest.mark.parametrize(
    ("played", "kind"),
    [
        (script.html(200), Kind.UNREADABLE),
        (script.html(403), Kind.UNEXPECTED),
        (script.html(502), Kind.NO_RESPONSE),
        (script.html(429), Kind.BUSY),
        (script.html(503), Kind.BUSY),
        (script.redirect("/elsewhere"), Kind.UNEXPECTED),
        (script.error("invalid_grant", description="canary"), Kind.GRANT_REJECTED),
        (script.error("invalid_client", http_status=401), Kind.CLIENT_REJECTED),
        (script.error("invalid_request"), Kind.REQUEST_REJECTED),
        (script.error("canary"), Kind.UNEXPECTED),
        (script.status(200, b""), Kind.UNREADABLE),
        (script.status(204), Kind.UNREADABLE),
        (script.gzipped(BODY), Kind.UNREADABLE),
        (script.gzipped(b"\0" * 10_000_000), Kind.UNREADABLE),
        (script.status(200, b" " * BODY_LIMIT_BYTES + BODY), Kind.UNREADABLE),
        (script.status(400, b" " * BODY_LIMIT_BYTES + BODY), Kind.UNEXPECTED),
        (script.truncated(), Kind.NO_RESPONSE),
        (script.raw(b"HTTP/1.1 400 Bad\r\nContent-Length: 999\r\n\r\n{"), Kind.UNEXPECTED),
        (script.raw(b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Length: 999\r\n\r\n"), Kind.BUSY),
        (script.raw(b"SSH-2.0-OpenSSH\r\n"), Kind.NO_RESPONSE),
        (script.close(), Kind.NO_RESPONSE),
    ],
)
def test_what_is_seen_decides(endpoint: TokenEndpoint, played: Script, kind: Kind) -> None:
    """Each kind of response, or of none, is classified as the protocol's table has it, and quotes nothing."""
    response = send(endpoint, played)

    assert isinstance(response, FailedRequest)
    assert kind is response.kind
    assert "canary" not in repr(response)


def test_a_body_of_just_the_limit_is_read(endpoint: TokenEndpoint) -> None:
    """64 KiB are read, and one byte more is not."""
    padding = b" " * (BODY_LIMIT_BYTES - len(BODY))

    assert isinstance(send(endpoint, script.status(200, padding + BODY)), TokenResponse)
    assert isinstance(send(endpoint, script.status(200, b" " + padding + BODY)), FailedRequest)


@pytest.mark.parametrize("played", [script.hang(), script.drip(0.05)])
def test_the_time_limit_holds_end_to_end(endpoint: TokenEndpoint, played: Script) -> None:
    """A server that is silent, or that drips its response byte by byte, is left at the time limit."""
    began = time.monotonic()

    response = send(endpoint, played, timeout_seconds=0.3)

    assert isinstance(response, FailedRequest)
    assert Kind.NO_RESPONSE is response.kind
    assert time.monotonic() - began < LONGEST_ANSWER_SECONDS


def test_a_refusal_that_drips_is_a_refusal(endpoint: TokenEndpoint) -> None:
    """The status of a 4xx holds, whatever becomes of its body."""
    head = b"HTTP/1.1 400 Bad\r\nContent-Length: 9999\r\n\r\n"

    response = send(endpoint, Script(response=head, hang=True), timeout_seconds=0.5)

    assert isinstance(response, FailedRequest)
    assert Kind.UNEXPECTED is response.kind


def test_nobody_listening_means_not_sent(endpoint: TokenEndpoint) -> None:
    """Without a connection the request was not sent."""
    response = send(endpoint, url="http://127.0.0.1:1/token")

    assert FailedRequest(kind=Kind.NOT_SENT, seen="ConnectError") == response


@pytest.fixture
def lookup(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold every name lookup until the event is set, or the test is over."""
    held, look_up = threading.Event(), socket.getaddrinfo

    def getaddrinfo(*arguments: Any, **options: Any) -> Any:
        held.wait()
        return look_up(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield held
    held.set()


def exchanges() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "token-request"]


def test_what_was_reported_as_not_sent_is_never_sent(endpoint: TokenEndpoint, lookup: threading.Event) -> None:
    """A name lookup that outlasts the time limit: nothing was sent, and nothing is when the lookup ends after all."""
    response = send(endpoint, timeout_seconds=0.1)

    (left,) = exchanges()
    lookup.set()
    left.join()
    assert FailedRequest(kind=Kind.NOT_SENT, seen="TimeoutError") == response
    assert [] == endpoint.requests


def test_a_connection_that_hangs_is_given_up_early(
    endpoint: TokenEndpoint, lookup: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a single-use provider a request has all the time of its run, and one that was not sent can be repeated."""
    monkeypatch.setattr(time_limit, "CONNECT_SECONDS", 0.1)

    response = send(endpoint, timeout_seconds=3600.0)

    (left,) = exchanges()
    lookup.set()
    left.join()
    assert FailedRequest(kind=Kind.NOT_SENT, seen="TimeoutError") == response
    assert [] == endpoint.requests


def test_an_exchange_that_is_left_halfway_ends_there(endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the head of a request was sent at the time limit, it may have arrived; its body, the token, never does."""
    held, send_bytes = threading.Event(), socket.socket.send

    def send_and_wait(sending: socket.socket, *arguments: Any) -> int:
        sent = send_bytes(sending, *arguments)
        if threading.current_thread().name == "token-request":
            held.wait()
        return sent

    monkeypatch.setattr(socket.socket, "send", send_and_wait)

    response = send(endpoint, timeout_seconds=0.3)

    (left,) = exchanges()
    held.set()
    left.join()
    assert FailedRequest(kind=Kind.NO_RESPONSE, seen="TimeoutError") == response
    assert {seen.grant_type for seen in endpoint.requests} <= {""}


def test_an_exchange_that_was_left_keeps_no_process_alive(endpoint: TokenEndpoint, lookup: threading.Event) -> None:
    """The thread of an exchange that was left behind is no reason for Python to stay."""
    send(endpoint, timeout_seconds=0.1)

    daemons = [thread.daemon for thread in exchanges()]
    lookup.set()
    assert [True] == daemons


def test_a_defect_is_raised_where_the_answer_is_waited_for(
    endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What nobody expected in the exchange's thread is the caller's to report; the thread prints nothing."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", fail)

    with pytest.raises(ZeroDivisionError):
        send(endpoint)
    assert ("", "") == capfd.readouterr()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3), (" 0 ", 0), ("soon", None), ("", None), ("-1", None), ("9" * 30, None), ("1.5", None)],
)
def test_retry_after_in_seconds(endpoint: TokenEndpoint, header: str, seconds: int | None) -> None:
    """`Retry-After` is read as whole seconds, and ignored where it says nothing usable."""
    response = send(endpoint, script.status(429, headers={"Retry-After": header}))

    assert isinstance(response, FailedRequest)
    assert (None if seconds is None else timedelta(seconds=seconds)) == response.retry_after


@pytest.mark.parametrize(
    "header",
    [
        "Tue, 24 Nov 99999999999999999999 12:00:00 GMT",
        "Tue, 24 Nov 2026 99999999999999999999:00:00 GMT",
        "Tue, 24 Nov 2026 12:00:00 -99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "9" * 5000,
    ],
)
def test_an_odd_retry_after_costs_no_tokens(endpoint: TokenEndpoint, header: str) -> None:
    """Tokens that arrive with a header which no calendar holds are tokens all the same."""
    first = endpoint.grant.redeem(endpoint.grant.authorize()["refresh_token"])
    assert first is not None

    response = send(endpoint, script.status(200, first, headers={"Retry-After": header}))

    assert isinstance(response, TokenResponse)


def test_retry_after_as_a_date(endpoint: TokenEndpoint) -> None:
    """`Retry-After` may be a date; one that has passed means now."""
    future, past = (format_datetime(datetime.now(UTC) + timedelta(hours=h), usegmt=True) for h in (1, -1))

    later = send(endpoint, script.status(503, headers={"Retry-After": future}))
    now = send(endpoint, script.status(503, headers={"Retry-After": past}))
    without_zone = send(endpoint, script.status(503, headers={"Retry-After": "Tue, 24 Nov 2026 12:00:00"}))

    assert isinstance(later, FailedRequest)
    assert isinstance(now, FailedRequest)
    assert isinstance(without_zone, FailedRequest)
    assert later.retry_after is not None
    assert timedelta(minutes=59) < later.retry_after <= timedelta(hours=1)
    assert (timedelta(0), None) == (now.retry_after, without_zone.retry_after)


class Recorder(LoopbackServer):
    """Keeps each request as it came, and responds with tokens."""

    def __init__(self) -> None:
        super().__init__(_RecorderHandler)
        self.seen: list[tuple[str, str, dict[str, str], str]] = []
        self.status = 200
        self.coding: str | None = None


class _RecorderHandler(LoopbackHandler):
    server: Recorder

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.server.seen.append((self.command, self.path, dict(self.headers), self.read_body().decode()))
        coding = self.server.coding
        self.respond(self.server.status, BODY, {} if coding is None else {"Content-Encoding": coding})

    do_GET = do_CONNECT = do_POST  # noqa: N815 - named by http.server


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


CLIENT = ClientCredentials(client_id="id", client_secret=SecretValue("p&w"))
FIELDS = {"grant_type": "refresh_token", "refresh_token": "r", "client_id": "id", "client_secret": "p&w"}


def sent_as(recorder: Recorder, form: RequestFormat) -> tuple[str, str, dict[str, str], str]:
    request = refresh_request(SecretValue("r"), CLIENT, form)
    found = HttpTokenEndpoint(f"http://{recorder.address}/token").send(request, timeout_seconds=5.0)
    assert isinstance(found, TokenResponse)
    (seen,) = recorder.seen
    return seen


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

    HttpTokenEndpoint(f"http://{recorder.address}/token?a=b").send(request, timeout_seconds=5.0)

    assert recorder.seen[0][1].startswith("/token?a=b&grant_type=refresh_token&")


def test_a_loopback_request_goes_through_no_proxy(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy from the environment would see the token in plain text."""
    with Recorder() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.address}")

        sent_as(recorder, RequestFormat())

        assert [] == proxy.seen


def test_a_request_to_another_machine_may_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function in a VPC may reach the provider through a proxy only. TLS keeps the token from it."""
    with Recorder() as proxy:
        proxy.status = 407
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://user:pass%21word@{proxy.address}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        request = refresh_request(SecretValue("canary"), CLIENT)

        found = HttpTokenEndpoint("https://provider.invalid/token").send(request, timeout_seconds=5.0)

        assert FailedRequest(kind=Kind.NOT_SENT, seen="ProxyError") == found
        assert "canary" not in str(proxy.seen)
        assert [("CONNECT", "provider.invalid:443")] == [(method, path) for method, path, _, _ in proxy.seen]
        assert f"Basic {base64.b64encode(b'user:pass!word').decode()}" == proxy.seen[0][2]["Proxy-Authorization"]


def test_without_a_proxy_the_provider_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a proxy in the environment, the provider's own host is looked up."""
    asked = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    found = HttpTokenEndpoint("https://provider.invalid/t").send(
        refresh_request(SecretValue("r"), CLIENT), timeout_seconds=5.0
    )

    assert FailedRequest(kind=Kind.NOT_SENT, seen="ConnectError") == found
    assert ["provider.invalid"] == asked


def test_the_provider_s_matchers_read_the_body_of_any_status(endpoint: TokenEndpoint) -> None:
    """A profile may know what the body of a server error means."""
    form = ResponseFormat(dead=(Matcher(status=500, fields={"code": "gone"}),))
    endpoint.play(script.status(500, {"code": "gone"}))

    found = HttpTokenEndpoint(endpoint.url, form).send(refresh_request(SecretValue("r"), CLIENT), timeout_seconds=5.0)

    assert FailedRequest(kind=Kind.GRANT_REJECTED, seen="HTTP 500 with code=gone", error="gone") == found


def test_an_abandoned_exchange_stops_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of 1xx responses has no end; the exchange ends with its time limit, and the server sees that."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def flood() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    while True:
                        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 100)
                except OSError:
                    ended.set()

        server = threading.Thread(target=flood)
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/token"

        found = HttpTokenEndpoint(url).send(refresh_request(SecretValue("r"), CLIENT), timeout_seconds=0.3)
        assert isinstance(found, FailedRequest)
        assert Kind.NO_RESPONSE is found.kind
        assert ended.wait(LONGEST_ANSWER_SECONDS)
        server.join()
        for left in exchanges():
            left.join(LONGEST_ANSWER_SECONDS)
        assert [] == exchanges()


class Signer:
    """Signs everything in the same way, or fails."""

    def __init__(self, failure: Exception | None = None, signature: bytes = b"signed") -> None:
        self.failure, self.signature = failure, signature
        self.signed: list[bytes] = []

    def sign(self, message: bytes, algorithm: str) -> bytes:
        assert algorithm in {"RS256", "ES256"}
        self.signed.append(message)
        if self.failure:
            raise self.failure
        return self.signature


def signed_request(algorithm: str = "RS256") -> TokenRequest:
    form = RequestFormat(
        auth_method=AuthMethod.PRIVATE_KEY_JWT, grant=Grant.CLIENT_CREDENTIALS, assertion_algorithm=algorithm
    )
    return refresh_request(SecretValue(""), CLIENT, form, endpoint="https://example.com/token")


def test_each_request_has_an_assertion_of_its_own(recorder: Recorder) -> None:
    """An assertion is signed anew each time a request is sent: its `jti` may be used once (RFC 7523 section 3)."""
    signer = Signer()
    endpoint = HttpTokenEndpoint(f"http://{recorder.address}/token", signer=signer)
    request = signed_request()

    for _ in range(2):
        assert isinstance(endpoint.send(request, timeout_seconds=5.0), TokenResponse)

    bodies = [parse_qs(body) for _, _, _, body in recorder.seen]
    assertions = [body["client_assertion"][0] for body in bodies]
    assert 2 == len(set(assertions))
    assert [f"{message.decode()}.{encode_signature(b'signed', 'RS256')}" for message in signer.signed] == assertions
    assert all("client_secret" not in body for body in bodies)


@pytest.mark.parametrize(
    ("signer", "kind", "says"),
    [
        (Signer(SigningError("no key", passes=False)), Kind.NOT_SIGNED, "no key"),
        (Signer(SigningError("throttled", passes=True)), Kind.NOT_SENT, "throttled"),
        (Signer(signature=b"not DER"), Kind.NOT_SIGNED, "the key that CLIENT_KEY_ID names makes no ES256"),
    ],
)
def test_without_a_signature_nothing_is_sent(recorder: Recorder, signer: Signer, kind: Kind, says: str) -> None:
    """A signature that can't be had is a named failure, and the endpoint sees nothing."""
    endpoint = HttpTokenEndpoint(f"http://{recorder.address}/token", signer=signer)

    found = endpoint.send(signed_request("ES256"), timeout_seconds=5.0)

    assert isinstance(found, FailedRequest)
    assert kind is found.kind
    assert found.seen.startswith(says)
    assert [] == recorder.seen


def test_an_url_that_no_client_can_use_sends_nothing() -> None:
    """A host that can't be encoded is a failure before the request, not a defect."""
    request = refresh_request(SecretValue("r"), CLIENT)

    failure = HttpTokenEndpoint("https://xn--/token").send(request, timeout_seconds=5.0)

    assert isinstance(failure, FailedRequest)
    assert Kind.NOT_SENT is failure.kind


def test_a_proxy_without_a_scheme_is_an_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many environments name a proxy as `host:port`, as curl takes it."""
    with Recorder() as proxy:
        proxy.status = 407
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.address)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)

        HttpTokenEndpoint("https://provider.invalid/token").send(
            refresh_request(SecretValue("r"), CLIENT), timeout_seconds=5.0
        )

        assert [("CONNECT", "provider.invalid:443")] == [(method, path) for method, path, _, _ in proxy.seen]


@pytest.mark.parametrize("proxy", ["socks5://user:canary@proxy.internal:1080", "http://", "ftp://proxy.internal"])
def test_a_proxy_that_can_not_be_used_is_an_error_before_the_claim(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint refuses it when it is made; the message names the variables and not their values."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigurationError, match="HTTPS_PROXY, HTTP_PROXY or ALL_PROXY") as refused:
        HttpTokenEndpoint("https://provider.invalid/token")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("coding", ["", "identity", "utf-8", "none"])
def test_a_coding_that_compresses_nothing_costs_no_tokens(recorder: Recorder, coding: str) -> None:
    """Servers name a character set or nothing in `Content-Encoding`; the body is plain all the same."""
    recorder.coding = coding

    found = HttpTokenEndpoint(f"http://{recorder.address}/token").send(
        refresh_request(SecretValue("r"), CLIENT), timeout_seconds=5.0
    )

    assert isinstance(found, TokenResponse)

"""Every way to AWS says the same of the same failure: a run, a fleet, the reader, the webhooks, the command line."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from testbed.fakes import FakeClock
from testbed.loopback import LoopbackHandler, LoopbackServer
from token_refresh.advice import in_words
from token_refresh.errors import (
    ConfigurationError,
    SecretAccessDenied,
    SecretStoreUnavailable,
    TableUnavailable,
    TokenRefreshError,
)
from token_refresh.reader import Runtime, SecretReader, TokenReader
from token_refresh.reader.on_demand import RefreshFunction
from token_refresh.webhooks import Delivery, DeliveryNotQueued, EventBus, SqsQueue, VerifiedWith
from token_refresh_admin.cli.command import context_of
from token_refresh_admin.cli.lookups import read_clock
from token_refresh_admin.cli.membership import open_index
from token_refresh_worker.adapters.client_assertion import sign_with_key, state_role
from token_refresh_worker.adapters.table_claims import TableClaims
from token_refresh_worker.bootstrap import aws_client
from token_refresh_worker.core.announcement import Announcement, Transition
from token_refresh_worker.fleet.core.fleet import Message
from token_refresh_worker.fleet.settings import FleetSettings
from token_refresh_worker.handlers import refresh
from token_refresh_worker.oauth.client_auth import Assertion
from token_refresh_worker.run.ports import Deadline

REGION: Final = "eu-central-1"
QUEUE: Final = "http://127.0.0.1/123456789012/queue"
NOW: Final = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

FLEET = FleetSettings(name="prod", table="prod", queue_url=QUEUE, event_bus="bus")
EVENT = Announcement(
    transition=Transition.REAUTHORIZED, secret_id="tokens", version_id="v1", provider="xero", fleet="prod", since=NOW
)
DELIVERY = Delivery(
    source="stripe",
    key="evt_1",
    id="evt_1",
    type="invoice.paid",
    signed_at=NOW,
    received_at=NOW,
    current_since=NOW,
    verified_with=VerifiedWith("v1", "current"),
    body=b"canary",
)


def table_claims() -> TableClaims:
    return TableClaims(aws_client("dynamodb"), "claims", lambda: "tokens", Deadline(clock=FakeClock(), at=60.0))


def command(action: Callable[[Any], object]) -> Callable[[], object]:
    def ask() -> object:
        context = context_of({"secret": "tokens"})
        try:
            return action(context)
        except TokenRefreshError as failure:
            failure.fix = context.completed(failure.fix)  # as it is printed
            raise

    return ask


class Note(Exception):  # noqa: N818 - it is none
    """What a reader adds to its own error about the function that it asked."""


def ask_function() -> None:
    raise Note(in_words(RefreshFunction("f", client=None, runtime=Runtime()).refresh_expired()))


ASSERTION = Assertion(client_id="c", audience="api://p", algorithm="RS256", headers={})
READ = f"secretsmanager:GetSecretValue on secret tokens in {REGION}"
DESCRIBE = f"secretsmanager:DescribeSecret on secret tokens in {REGION}"
QUERY = f"dynamodb:Query on fleet table prod in {REGION}"
CALLERS: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "run": (READ, lambda: refresh({}, None)),
    "claims": (f"dynamodb:GetItem on table claims in {REGION} for secret tokens", lambda: table_claims().newest()),
    "client key": (
        f"kms:Sign on key alias/k in {REGION} for RS256",
        lambda: sign_with_key("alias/k", aws_client, ASSERTION),
    ),
    "client identity": (
        f"sts:GetWebIdentityToken on audience api://p in {REGION} for RS256",
        lambda: state_role(aws_client, ASSERTION),
    ),
    "fleet index": (QUERY, lambda: list(FLEET.index().rows())),
    "fleet queue": (
        f"sqs:SendMessage on queue {QUEUE}",
        lambda: FLEET.sender()([Message(message_id="m", secret_arn="a", group="g")]),
    ),
    "fleet listing": (f"secretsmanager:ListSecrets on all secrets in {REGION}", lambda: list(FLEET.members())),
    "event bus": (f"events:PutEvents on event bus bus in {REGION}", lambda: bus()(EVENT)),
    "token reader": (READ, lambda: TokenReader("tokens", background=False).get()),
    "parameter reader": (
        f"ssm:GetParameters on parameter tokens in {REGION}",
        lambda: SecretReader("ssm:tokens", background=False).text(),
    ),
    "reader's function": (f"lambda:InvokeFunction on function f in {REGION}", ask_function),
    "webhooks' queue": (f"sqs:SendMessage on queue {QUEUE}", lambda: SqsQueue(QUEUE)("/a", DELIVERY)),
    "webhooks' bus": ("events:PutEvents on event bus bus", lambda: EventBus("bus")("/a", DELIVERY)),
    "command": (READ, command(lambda context: context.store().read(label="AWSCURRENT"))),
    "command, any action": (DESCRIBE, command(lambda context: context.call("DescribeSecret", "tokens"))),
    "command on a fleet": (QUERY, command(lambda context: open_index(context, "prod").read_clock())),
    "command, the time": (DESCRIBE, command(read_clock)),
}
CLOCKS: Final = ("run", "claims", "fleet index", "command", "command on a fleet", "command, the time")
"""The callers through which the service's clock is read."""

OTHER_CLASSES: Final[dict[str, tuple[type[Exception], ...]]] = {
    "reader's function": (Note,),
    "webhooks' queue": (DeliveryNotQueued,),  # whose status keeps the sender trying
    "webhooks' bus": (DeliveryNotQueued,),
}


def bus() -> Any:
    opened = FLEET.bus()
    assert opened is not None
    return opened


class Aws(LoopbackServer):
    """Stands in for all services: it refuses each request, or responds to it without a date."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.code = ""


class _Handler(LoopbackHandler):
    server: Aws

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.read_body()
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if self.server.code:
            error = json.dumps({"__type": self.server.code, "message": "canary"})
            if "form" in self.headers.get("Content-Type", ""):  # STS speaks XML
                error = f"<Error><Code>{self.server.code}</Code><Message>canary</Message></Error>"
                error = f"<ErrorResponse>{error}</ErrorResponse>"
            self.respond(400, error.encode())
            return
        version = {"ARN": "arn:aws:a:b:c:d", "VersionId": "0" * 36, "CreatedDate": NOW.timestamp()}
        responses = {"GetSecretValue": version | {"SecretString": "{}"}, "Query": {"Items": []}}
        self.respond(200, json.dumps(responses.get(target, {})).encode())


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with Aws() as running:
        yield running


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_NAME", "FLEET_NAME", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    # Nobody waits: neither a client between its attempts, nor a run.
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)
    variables = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": f"http://{server.address}",
        "AWS_REGION": REGION,
        "TOKEN_SECRET_ID": "tokens",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    server.code = ""
    return server


def unavailable(caller: str) -> type[TokenRefreshError]:
    """Of DynamoDB's failures, the name tells that it is not Secrets Manager."""
    return TableUnavailable if "dynamodb:" in CALLERS[caller][0] else SecretStoreUnavailable


def said(caller: str, error: type[TokenRefreshError]) -> str:
    """Have a caller call AWS, and give its words, with the call's own name left out."""
    call, act = CALLERS[caller]
    with pytest.raises(OTHER_CLASSES.get(caller, (error,))) as caught:
        act()
    assert "canary" not in str(caught.value)
    words = str(caught.value).removeprefix("f could not be asked to refresh: ")
    assert (call in words) is (error is not ConfigurationError)
    return words.replace(call, "CALL")


@pytest.mark.parametrize("caller", CALLERS)
def test_no_region(aws: Aws, monkeypatch: pytest.MonkeyPatch, caller: str) -> None:
    """A missing region is a wrong setting, and every caller says which."""
    del aws
    monkeypatch.delenv("AWS_REGION")

    assert "no AWS region is set. Set AWS_REGION, or give --region on the command line, region= in code" == said(
        caller, ConfigurationError
    )


EXPIRED = (
    "CALL failed because the AWS credentials are invalid or expired ({}): renew them with `aws sso login` or "
    "`aws login`, or check AWS_PROFILE and this machine's clock"
)

SIGNED_OUT = "CALL failed because the sign-in of this AWS profile has expired ({}): sign in again: `aws sso login`"


@pytest.mark.parametrize("caller", CALLERS)
def test_an_expired_session(aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caller: str) -> None:
    """An SSO session that has expired is renewed with one command, whoever notices it: the client or the service."""
    aws.code = "ExpiredTokenException"
    assert EXPIRED.format("ExpiredTokenException") == said(caller, SecretAccessDenied)

    keys = {"sso_start_url": "https://sso.example", "sso_region": REGION, "sso_account_id": "1", "sso_role_name": "r"}
    lines = ["[profile sso]", *(f"{name} = {value}" for name, value in keys.items())]
    (tmp_path / "config").write_text("\n".join(lines))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "sso")
    signed_out = said(caller, SecretAccessDenied)
    assert SIGNED_OUT.format("SSOTokenLoadError") == signed_out.replace(" --profile sso", "")
    assert (" --profile sso" in signed_out) == caller.startswith("command"), "a command knows the profile"


@pytest.mark.parametrize("caller", CALLERS)
def test_a_throttled_call(aws: Aws, caller: str) -> None:
    """A throttled call names the busy account, not the network."""
    aws.code = "ThrottlingException"

    assert (
        "CALL was throttled (ThrottlingException): this account sends too many requests in this region. The next run, "
        "read or delivery tries again; if it lasts, find the busy caller in CloudTrail"
    ) == said(caller, unavailable(caller))


@pytest.mark.parametrize("caller", CLOCKS)
def test_no_date_no_decision(aws: Aws, caller: str) -> None:
    """A response without the service's time decides nothing: this machine's clock never stands in for it."""
    del aws

    assert (
        "CALL got a response without a usable Date: check AWS_ENDPOINT_URL and the proxy; something other than AWS "
        "seems to respond"
    ) == said(caller, unavailable(caller))

"""`doctor`: each trouble by its name, against a real-enough AWS, and with what to do."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import boto3
import httpx
import pytest

from cli.scene import SECRET_ID, Cli, Ended, Tokens
from rig import script
from rig.loopback import LoopbackHandler, LoopbackServer
from rig.moto_server import MotoServer
from rig.secrets_manager import SecretsManagerServer
from rig.token_endpoint import TokenEndpoint

DAY = timedelta(days=1)
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "eu-central-1"}


def grades(ended: Ended) -> dict[str, str]:
    return {check["name"]: check["grade"] for check in ended.json["checks"]}


def test_all_is_well(cli: Cli, tokens: Tokens) -> None:
    """Where all is well nothing failed, exit status 0, and what was not looked at is said."""
    tokens.store(expires_in=DAY)
    cli("refresh", "--force")

    ended = cli("doctor")

    assert (0, "") == (ended.code, ended.err)
    assert "Nothing failed." in ended.screen
    assert "skipped function: not looked at" in ended.screen
    assert "skipped credentials: not asked" in ended.screen
    assert "read, put and move labels, by trying without harm" in ended.screen
    assert "it answers as one and knows the client (HTTP 400 with invalid_grant" in ended.screen
    assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_it_changes_nothing(cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint) -> None:
    """What it tries changes neither a version nor a label, and redeems nothing."""
    tokens.store(expires_in=DAY)
    before = store.secrets.snapshot()

    cli("doctor")

    assert before == store.secrets.snapshot()
    assert 0 == endpoint.grant.redemptions


def test_secret_not_found(cli: Cli) -> None:
    """Secret not found: the first of the four classic troubles."""
    ended = cli("doctor", "--token-endpoint=http://127.0.0.1:1")

    assert 1 == ended.code
    assert "FAILED secret: SecretNotFound" in ended.screen
    assert "it is in no other region that could be asked" in ended.screen
    assert "FAILED token endpoint: out of reach from here (ConnectError)" in ended.screen
    assert "2 failed." in ended.screen


def test_wrong_region(cli: Cli, tokens: Tokens) -> None:
    """Wrong region: the secret is looked for in the others, and the one that has it is named."""
    tokens.store(expires_in=DAY)

    ended = cli("doctor", "--region=us-east-1")

    assert f"wrong region: {SECRET_ID} is not in us-east-1, and is in eu-central-1" in ended.screen
    assert "give --region eu-central-1" in ended.screen


def test_access_denied(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """Access denied: the action that was refused is named, for reading and for writing."""
    tokens.store(expires_in=DAY)
    store.authorize = lambda call: "no" if call.operation == "PutSecretValue" else None

    writes = cli("doctor")
    store.authorize = lambda call: "no" if call.operation == "GetSecretValue" else None
    reads = cli("doctor")
    store.authorize = None
    store.fault("drop_before", "PutSecretValue", times=None)
    cut = cli("doctor")

    assert (0, 1) == (writes.code, reads.code)
    assert "access denied, by trying: PutSecretValue (AccessDeniedException)" in writes.screen
    assert "SecretAccessDenied: secretsmanager:GetSecretValue" in reads.screen
    assert "PutSecretValue (ConnectionClosedError)" in cut.screen


def test_a_stale_consumer(cli: Cli, tokens: Tokens) -> None:
    """A consumer's cache that does not update: the version that it reports is told from the current one."""
    old = tokens.store(expires_in=DAY)
    new = tokens.store(expires_in=DAY)
    unknown = "3f0c8c35-3c0f-4d5e-8f4e-1d6e7d2b9a10"

    assert "a cache that does not update" in cli("doctor", f"--consumer-version={old}").screen
    assert "token_refresh.reader" in cli("doctor", f"--consumer-version={old}").screen
    assert "that consumer has the current version" in cli("doctor", f"--consumer-version={new}").screen
    assert "the consumer reads another secret" in cli("doctor", f"--consumer-version={unknown}").screen


@pytest.mark.parametrize(("offset", "grade"), [(0, "ok"), (60, "look"), (-60, "look"), (600, "failed")])
def test_clock(cli: Cli, tokens: Tokens, store: SecretsManagerServer, offset: int, grade: str) -> None:
    """A clock that is off by half a minute is worth a look, and one that is off by 5 minutes fails."""
    tokens.store(expires_in=DAY)
    store.clock_offset_seconds = offset

    assert grade == grades(cli("doctor", "--json"))["clock"]


def test_unreachable(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Secrets Manager out of reach fails once, and does not keep the other checks from going on."""
    monkeypatch.setattr("token_refresh.adapters.secrets_manager.PATIENCE_SECONDS", 0.1)

    ended = cli("doctor", "--json", "--endpoint-url=http://127.0.0.1:1", "--token-endpoint=http://127.0.0.1:1")

    assert {"region": "ok", "clock": "ok", "secret": "failed", "token endpoint": "failed"}.items() <= (
        grades(ended).items()
    )


def test_tokens(cli: Cli, tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """What `status` would say is among the checks."""
    tokens.store()
    endpoint.grant.revoke()
    cli("refresh")

    ended = cli("doctor")

    assert 1 == ended.code
    assert "FAILED tokens: the provider rejected the grant" in ended.screen
    assert "ok last refresh: " in ended.screen
    tokens.store(expiresAt=None)
    assert "look" == grades(cli("doctor", "--json"))["tokens"]


def test_client_credentials(cli: Cli, tokens: Tokens) -> None:
    """Missing client credentials fail, and the token endpoint is asked without them."""
    tokens.store(expires_in=DAY, clientId=None, clientSecret=None)

    ended = cli("doctor")

    assert "FAILED client credentials: no client credentials were found in any of three places" in ended.screen
    assert "ok token endpoint: it answers as one (HTTP 401 with invalid_client" in ended.screen


@pytest.mark.parametrize(
    ("played", "grade", "told"),
    [
        (script.error("invalid_client", http_status=401), "failed", "refuses the client credentials"),
        (script.status(200, {"access_token": "a"}), "failed", "no token endpoint to trust"),
        (script.html(200), "failed", "does not answer as a token endpoint"),
        (script.status(503), "look", "does not answer as a token endpoint (HTTP 503)"),
    ],
)
def test_token_endpoint(  # noqa: PLR0917 - fixtures
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, played: script.Script, grade: str, told: str
) -> None:
    """What the token endpoint answers to a made-up refresh token says what is wrong with it, or with the client."""
    tokens.store(expires_in=DAY)
    endpoint.play(played)

    ended = cli("doctor", "--json")

    assert grade == grades(ended)["token endpoint"]
    assert told in ended.screen


def test_configuration(cli: Cli) -> None:
    """A wrong setting is all there is to tell."""
    ended = cli("doctor", TOKEN_ENDPOINT="http://example.com")

    assert 1 == ended.code
    assert "FAILED configuration: TOKEN_ENDPOINT must be https" in ended.screen


def test_region_of_a_profile(cli: Cli, environment: dict[str, str], tmp_path: Any) -> None:
    """The region may be the profile's."""
    del environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]
    config = tmp_path / "config"
    config.write_text("[profile ops]\nregion = eu-north-1\n[default]\nregion = eu-west-3\n")

    assert "eu-west-3, from the profile" in cli("doctor", AWS_CONFIG_FILE=str(config)).screen


class Simulator(LoopbackServer):
    """IAM's policy simulator, which moto does not have: it denies what a test says."""

    def __init__(self) -> None:
        super().__init__(_Simulate)
        self.denied: set[str] = set()


class _Simulate(LoopbackHandler):
    server: Simulator

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        form = parse_qs(self.read_body().decode())
        actions = [values[0] for name, values in sorted(form.items()) if name.startswith("ActionNames.")]
        members = "".join(
            f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>"
            f"{'implicitDeny' if action in self.server.denied else 'allowed'}</EvalDecision></member>"
            for action in actions
        )
        result = f"<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
        text = (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )
        self.answer(200, text.encode(), {"Content-Type": "text/xml"})


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


class Account:
    """An AWS account with the function in it, at moto."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.arn = ""

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, **KEYS)  # type: ignore[call-overload]  # any service

    def deploy(self, **changes: Any) -> None:
        role = self.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("handler.py", "")
        options = {"Timeout": 60, "Environment": {"Variables": {"TOKEN_SECRET_ID": SECRET_ID}}} | changes
        self.arn = self.client("lambda").create_function(
            FunctionName="worker",
            Runtime="python3.13",
            Role=role,
            Handler="handler.handler",
            Code={"ZipFile": code.getvalue()},
            **options,
        )["FunctionArn"]

    def schedule(self, name: str = "worker", *, target: str | None = None, state: str = "ENABLED") -> None:
        self.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="rate(30 minutes)",
            FlexibleTimeWindow={"Mode": "OFF"},
            State=state,
            Target={"Arn": target or self.arn, "RoleArn": "arn:aws:iam::123456789012:role/scheduler"},
        )

    def alarm(self, state: str) -> None:
        cloudwatch = self.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName="renewal-overdue",
            Namespace="TokenRefresh",
            MetricName="SecondsToExpiry",
            Dimensions=[{"Name": "SecretId", "Value": SECRET_ID}],
            ComparisonOperator="LessThanThreshold",
            EvaluationPeriods=1,
            Period=60,
            Statistic="Minimum",
            Threshold=1,
        )
        cloudwatch.set_alarm_state(AlarmName="renewal-overdue", StateValue=state, StateReason="a test's")


@pytest.fixture
def simulator(environment: dict[str, str]) -> Iterator[Simulator]:
    with Simulator() as server:
        environment["AWS_ENDPOINT_URL_IAM"] = f"http://{server.address}"
        yield server


@pytest.fixture
def account(moto: MotoServer, tokens: Tokens, environment: dict[str, str], simulator: Simulator) -> Iterator[Account]:
    del simulator
    tokens.store(expires_in=DAY)
    environment["AWS_ENDPOINT_URL"] = moto.url
    yield Account(moto.url)
    httpx.post(f"{moto.url}/moto-api/reset", trust_env=False)


def test_deployed(cli: Cli, account: Account) -> None:
    """The caller, the function, its role, its schedule and the alarms are looked at where AWS can be asked."""
    account.deploy()
    account.schedule()
    account.alarm("OK")

    ended = cli("doctor", "--function=worker")

    assert 0 == ended.code
    assert "ok credentials: arn:aws:" in ended.screen
    assert "ok function: worker, deployed 20" in ended.screen
    assert "ok function's permissions: all that a run needs, by IAM's simulator" in ended.screen
    assert "ok schedule: worker, enabled" in ended.screen
    assert "ok alarms: 1 on this secret's metrics, none in alarm" in ended.screen


def test_nothing_deployed(cli: Cli, account: Account) -> None:
    """A function that is not there fails, and a secret without alarms is worth a look."""
    ended = cli("doctor", "--function=worker")

    assert 1 == ended.code
    assert "FAILED function: worker could not be looked at (ResourceNotFoundException)" in ended.screen
    assert "look alarms: no alarm watches this secret's metrics" in ended.screen
    del account


def test_function_unscheduled_and_denied(cli: Cli, account: Account, simulator: Simulator) -> None:
    """A function that nothing schedules, whose role lacks an action, or an alarm that rings fail, each by its name."""
    account.deploy()
    account.schedule("other", target=account.arn + "-other")
    account.alarm("ALARM")
    simulator.denied = {"secretsmanager:PutSecretValue"}

    ended = cli("doctor", "--function=worker")

    assert "FAILED schedule: nothing schedules the function" in ended.screen
    assert "access denied, by IAM's simulator: secretsmanager:PutSecretValue" in ended.screen
    assert "FAILED alarms: in alarm: renewal-overdue" in ended.screen
    assert "3 failed." in ended.screen


def test_paused(cli: Cli, account: Account) -> None:
    """A schedule that is paused is worth a look, with how to resume it."""
    account.deploy()
    account.schedule(state="DISABLED")

    ended = cli("doctor", "--function=worker")

    assert 0 == ended.code
    assert "look schedule: paused: worker -> resume it" in ended.screen


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Environment": {"Variables": {"TOKEN_SECRET_ID": "other"}}}, "worker refreshes other, and you look at"),
        ({"Timeout": 120}, "its timeout (120 s) is not below CLAIM_TTL_SECONDS (120)"),
    ],
)
def test_wrong_configuration(cli: Cli, account: Account, changes: dict[str, Any], told: str) -> None:
    """A function for another secret, or one that could outlive its claim, fails."""
    account.deploy(**changes)

    assert told in cli("doctor", "--function=worker").screen


class Aws(LoopbackServer):
    """Lambda and Scheduler where a test needs what moto never answers; everything else is refused."""

    def __init__(self) -> None:
        super().__init__(_Aws)
        self.schedules: list[dict[str, Any]] = []
        self.function: dict[str, Any] = {"FunctionArn": "arn", "Role": "role", "FunctionName": "worker"}


class _Aws(LoopbackHandler):
    server: Aws

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        if "/functions/worker/configuration" in self.path:
            self.answer(200, json.dumps(self.server.function).encode())
        elif "/schedules" in self.path and self.server.schedules:
            self.answer(200, json.dumps(self.server.schedules.pop(0)).encode())
        else:
            self.answer(403, b"{}", {"x-amzn-ErrorType": "AccessDeniedException"})

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        self.read_body()
        self.answer(403, b"{}", {"x-amzn-ErrorType": "AccessDenied"})


@pytest.fixture
def aws(environment: dict[str, str], tokens: Tokens) -> Iterator[Aws]:
    tokens.store(expires_in=DAY)
    with Aws() as server:
        environment["AWS_ENDPOINT_URL"] = f"http://{server.address}"
        yield server


def test_refused_everywhere(cli: Cli, aws: Aws) -> None:
    """Where the caller may not ask, that is said, and with which permission it could be."""
    aws.function["LastModified"] = "2026-11-24T12:00:00.000+0000"

    found = grades(cli("doctor", "--function=worker", "--json"))

    assert "failed" == found["credentials"]
    assert {"function's permissions", "schedule", "alarms"} == {
        name for name, grade in found.items() if grade == "skipped"
    }


def test_a_broken_function_and_many_schedules(cli: Cli, aws: Aws) -> None:
    """A function that is not active fails; schedules are read to the last page."""
    aws.function["State"] = "Failed"
    ours = {"Name": "ours", "State": "ENABLED", "Target": {"Arn": "arn"}}
    aws.schedules = [{"Schedules": [], "NextToken": "2"}, {"Schedules": [ours]}]

    ended = cli("doctor", "--function=worker")

    assert "FAILED function: its state is Failed" in ended.screen
    assert "ok schedule: ours, enabled" in ended.screen

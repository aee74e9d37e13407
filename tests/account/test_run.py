"""The command: it asks, removes what it made whatever happens, and its report tells no secret and no account."""

import json
import signal
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from account import account as stacks
from account import removal, run
from account.account import Account, Contradicted, DeploymentFailed, NotChecked, ScriptDeployments
from account.report import read_assumptions

PREFIX = "trw-check-abc123"
CALLER = "arn:aws:iam::123456789012:role/caller"
CANARIES = ("canary-token", "canary-message", "123456789012", "jane")


def clocks(_account: Account) -> str:
    """Hold."""
    return "0.1 s apart"


def stale_reads(_account: Account) -> str:
    """Contradict, with an account's number and a person in what was found."""
    raise Contradicted("arn:aws:sts::123456789012:assumed-role/Admin/jane@example.com reads")


def full_secret(_account: Account) -> str:
    """Be left out."""
    raise NotChecked("no trail")


def drift(_account: Account) -> str:
    """Meet a refusal of AWS, whose message may hold anything."""
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "canary-message 123456789012"}}, "DetectStackDrift")


def dead_letters(_account: Account) -> str:
    """Meet a defect."""
    raise ValueError("canary-token")


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was removed, where everything is a stand-in."""
    prefixes: list[str] = []
    deployed = SimpleNamespace(deploy=lambda *_: {"TokenSecretId": "t"})
    monkeypatch.setattr(stacks, "ScriptDeployments", lambda *_: deployed)
    outputs = {"CallerArn": CALLER, "SpareKeyArn": "key", "ProviderUrl": "https://provider.example"}
    monkeypatch.setattr(stacks, "create_around", lambda *_: outputs)
    monkeypatch.setattr(removal, "remove", lambda _make, _regions, prefix, _say: not prefixes.append(prefix))  # type: ignore[func-returns-value] # None
    return prefixes


def proved(folder: Path, monkeypatch: pytest.MonkeyPatch, *checks: Callable[[Account], str]) -> int:
    monkeypatch.setattr(run, "CHECKS", checks)
    regions = ("eu-central-1", "eu-west-1")
    return run.prove(lambda *_: SimpleNamespace(), regions, prefix=PREFIX, caller=CALLER, folder=folder)


def report(folder: Path) -> dict[str, tuple[str, str]]:
    rows = json.loads((folder / "account.json").read_text())["results"]
    return {row["check"]: (row["outcome"], row["found"]) for row in rows if row["check"]}


def test_what_becomes_of_checks(
    removed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each check has its outcome in both reports and in the exit code; nothing shows a secret or the account."""
    assert 0 == proved(tmp_path, monkeypatch, clocks, full_secret)
    with monkeypatch.context() as patch:
        patch.setattr(removal, "remove", lambda *_: False)
        assert 1 == proved(tmp_path, monkeypatch, clocks)
    assert 1 == proved(tmp_path, monkeypatch, clocks, stale_reads, full_secret, drift, dead_letters)

    found = report(tmp_path)
    assert {row.check for row in read_assumptions() if row.check} == found.keys()
    assert ("holds", "0.1 s apart") == found["clocks"]
    assert ("contradicted", "arn:aws:sts::ACCOUNT:assumed-role/SOMEBODY reads") == found["stale_reads"]
    assert ("not checked", "no trail") == found["full_secret"]
    assert ("failed", "DetectStackDrift: AccessDenied") == found["drift"]
    assert ("failed", "ValueError") == found["dead_letters"]
    assert [PREFIX] * 2 == removed
    page = (tmp_path / "account.md").read_text()
    assert "| 15 | The clocks" in page
    shown = "".join([*capsys.readouterr(), page, (tmp_path / "account.json").read_text()])
    assert [] == [canary for canary in CANARIES if canary in shown]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_an_interruption(
    removed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    """SIGTERM and a closed terminal remove what was made, as Ctrl-C does; what was found by then is reported."""
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    run.end_as_interrupted()

    def full_secret(_account: Account) -> str:
        handlers[ending](ending, None)
        return "went on"

    assert 130 == proved(tmp_path, monkeypatch, clocks, full_secret, stale_reads)

    assert [PREFIX] == removed
    found = report(tmp_path)
    assert ["holds", "not checked", "not checked"] == [
        found[check][0] for check in ("clocks", "full_secret", "stale_reads")
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DeploymentFailed("arn:aws:iam::123456789012:role/x may not"), "arn:aws:iam::ACCOUNT:role/x may not"),
        (ValueError("canary-token"), "ValueError"),
    ],
)
@pytest.mark.usefixtures("removed")
def test_a_deployment_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    """Where the stacks can't be deployed, or removed, the reason and the command are told, and no check is claimed."""
    monkeypatch.setattr(stacks, "create_around", Mock(side_effect=error))
    monkeypatch.setattr(removal, "remove", lambda *_: False)

    assert 1 == proved(tmp_path, monkeypatch, clocks)

    told = capsys.readouterr().err
    assert f"could not be deployed: {said}\n" in told
    assert ("not checked", "the run ended before") == report(tmp_path)["clocks"]
    sweep = "remove the rest: scripts/prove account --sweep --region eu-central-1 --spare-region eu-west-1"
    assert sweep == told.splitlines()[-1]


@pytest.mark.parametrize("typed", [{"return_value": "no"}, {"return_value": ""}, {"side_effect": EOFError}], ids=str)
def test_it_asks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: dict[str, Any]) -> None:
    """It shows what it makes, costs and needs, and makes nothing unless somebody types yes."""
    monkeypatch.setattr("builtins.input", Mock(**typed))
    monkeypatch.setattr(run, "ready", lambda *_: CALLER)
    monkeypatch.setattr(run, "refuse_unprepared", lambda *_: None)
    monkeypatch.setattr(run, "prove", lambda *_, **__: pytest.fail("it was not allowed to"))

    assert 64 == run.main(["--region", "eu-central-1"])

    shown = capsys.readouterr()
    assert "all under names that begin with trw-check-" in shown.out
    assert "less than 1 USD" in shown.out
    assert "secretsmanager: BatchGetSecretValue" in shown.out
    assert "nothing was made" in shown.err


@pytest.mark.parametrize(
    ("arn", "region", "why"),
    [
        ("arn:aws:iam::123456789012:root", "eu-central-1", "the account's root can't be an operator"),
        ("ExpiredToken", "eu-central-1", r"no usable AWS credentials \(GetCallerIdentity: ExpiredToken\): set AWS_PRO"),
        ("any", "", "no region: name one with --region"),
        ("any", "eu-west-1", "the replica can't be in eu-west-1, too: name another region with --spare-region"),
    ],
)
def test_who_can_run_it(arn: str, region: str, why: str) -> None:
    """A user or a role with its path; root, old credentials, and no region or one for both are refused with advice."""
    with pytest.raises(NotChecked, match=f"^{why}"):
        run.ready(caller(arn), region, "eu-west-1")
    user = "arn:aws:iam::123456789012:user/me"
    assert user == run.ready(caller(user), "eu-central-1", "eu-west-1")
    session = caller("arn:aws:sts::123456789012:assumed-role/Admin/me")
    assert "arn:aws:iam::123456789012:role/sso/Admin" == run.ready(session, "eu-central-1", "eu-west-1")


def caller(arn: str) -> Any:
    role = {"Role": {"Arn": "arn:aws:iam::123456789012:role/sso/Admin"}}

    def identity() -> dict[str, str]:
        if ":" not in arn:
            raise ClientError({"Error": {"Code": arn, "Message": "canary-message"}}, "GetCallerIdentity")
        return {"Arn": arn}

    services = {
        "sts": SimpleNamespace(get_caller_identity=identity),
        "iam": SimpleNamespace(get_role=lambda RoleName: role if RoleName == "Admin" else {}),  # noqa: N803 - boto3's
    }
    return lambda service, _region: services[service]


@pytest.mark.parametrize(("code", "expected"), [("ParameterNotFound", 77), ("AccessDeniedException", 0)])
def test_a_region_without_bootstrap(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str, expected: int
) -> None:
    """Where scripts/deploy can't deploy, the command that prepares the region is told; else `--yes` begins at once."""
    ask = Mock(side_effect=ClientError({"Error": {"Code": code, "Message": "no"}}, "GetParameter"))
    prove = Mock(return_value=0)
    monkeypatch.setattr(run, "ready", lambda *_: CALLER)
    monkeypatch.setattr(run, "client_maker", lambda _: lambda *_: SimpleNamespace(get_parameter=ask))
    monkeypatch.setattr(run, "prove", prove)

    assert expected == run.main(["--yes", "--region", "eu-central-1"])

    began = [call.args[1] for call in prove.call_args_list]
    assert ([] if expected else [("eu-central-1", "eu-west-1")]) == began
    told = "AWS_REGION=eu-central-1 scripts/deploy bootstrap prod" in capsys.readouterr().err
    assert told is (expected == 77)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """Put something in the place of `scripts/deploy` that notes its arguments and ends with a status."""

    def put(status: int) -> Path:
        (tmp_path / "scripts").mkdir()
        noted = tmp_path / "noted"
        path = tmp_path / "scripts" / "deploy"
        path.write_text(f'#!/bin/sh\necho "$*" >{noted}\necho account 123456789012\nexit {status}\n')
        path.chmod(0o755)
        monkeypatch.setattr(stacks, "ROOT", tmp_path)
        return noted

    return put


def outputs(**_: Any) -> dict[str, Any]:
    return {"Stacks": [{"Outputs": [{"OutputKey": "Url", "OutputValue": "https://x"}]}]}


def test_a_deployment(script: Callable[[int], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is `scripts/deploy` with a file, as users have it; what that prints goes to a log, and outputs come back."""
    noted = script(0)
    deployments = ScriptDeployments(SimpleNamespace(describe_stacks=outputs), "eu-central-1", tmp_path)

    assert {"Url": "https://x"} == deployments.deploy("the-stack", {"service": "tokens", "tags": 'a="b"'})

    assert f"deploy {tmp_path}/the-stack.toml --require-approval never\n" == noted.read_text()
    values = {"service": "tokens", "tags": 'a="b"', "stack": "the-stack", "region": "eu-central-1"}
    assert values == tomllib.loads((tmp_path / "the-stack.toml").read_text())
    assert "account 123456789012\n" == (tmp_path / "scripts-deploy.log").read_text()
    assert ("", "") == tuple(capfd.readouterr())


def test_an_interrupted_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption ends what was started, and what that started, before anything is removed."""
    communicate = subprocess.Popen.communicate

    def interrupted(process: Any) -> Any:
        monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
        assert "begun\n" == process.stdout.readline()
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    waits = "while :; do sleep 0.1; done"  # a signal that comes just before one sleep is seen after it
    command = ["sh", "-c", f"trap 'echo ended >{tmp_path}/noted; exit' INT; echo begun; {waits}"]

    with pytest.raises(KeyboardInterrupt):
        stacks.carried_out(command, stdout=subprocess.PIPE)

    assert "ended\n" == (tmp_path / "noted").read_text()


@pytest.mark.parametrize("begun", [True, False])
def test_a_deployment_that_is_rolled_back(script: Callable[[int], Path], tmp_path: Path, *, begun: bool) -> None:
    """The first failed resource of this deployment is the reason, if a stack was begun at all."""
    script(1)
    events = [
        {"LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason}
        for name, status, reason in (
            ("Later", "CREATE_FAILED", "cancelled"),
            ("First", "CREATE_FAILED", "exists"),
            ("Fine", "CREATE_COMPLETE", ""),
            ("x", "CREATE_IN_PROGRESS", "User Initiated"),
            ("Before", "CREATE_FAILED", "quota"),
        )
    ]
    unknown = ClientError({"Error": {"Code": "ValidationError", "Message": "no"}}, "DescribeStackEvents")
    client = SimpleNamespace(describe_stack_events=Mock(side_effect=[{"StackEvents": events} if begun else unknown]))

    with pytest.raises(DeploymentFailed, match="First: exists" if begun else "no stack the-stack was begun"):
        ScriptDeployments(client, "eu-central-1", tmp_path).deploy("the-stack", {})

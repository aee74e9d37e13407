"""The conformance suite in a real account: what it survives, asks for and leaves."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tenacity import wait_none

import conformance.backends
import conformance.run
from account.run import CONFORMANCE
from conformance.backends import Patient, serving
from conformance.run import ACTIONS, sweep
from testbed.secrets_manager.server import SecretsManagerServer

ONE_TRY = Config(retries={"total_max_attempts": 1})
SUITE = Path(conformance.backends.__file__).parent


def test_a_throttled_call_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """One throttled call doesn't fail the suite; a call that may have been carried out is sent once."""
    monkeypatch.setattr(Patient, "wait", wait_none())
    with SecretsManagerServer() as server:
        server.fault("throttle", "CreateSecret")
        client = Patient(server.client(config=ONE_TRY))

        client.create_secret(Name="once")

        assert ["once"] == [secret["Name"] for secret in client.list_secrets()["SecretList"]]
        server.fault("unavailable", "CreateSecret")
        with pytest.raises(ClientError):
            client.create_secret(Name="twice")


def test_the_permissions_are_those_of_its_calls() -> None:
    """What the suite says it needs is what its tests call, no more and no less."""
    called = {
        name for path in SUITE.glob("*.py") for name in re.findall(r"\w*client\.(\w+_\w+)\(", path.read_text("utf-8"))
    }
    operations = {"".join(word.title() for word in name.split("_")) for name in called - {"get_paginator"}}

    assert set(ACTIONS) == operations | {"ListSecrets"}


def test_the_command_of_an_account(tmp_path: Path) -> None:
    """`scripts/prove account` starts the suite with options that its script takes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}

    done = subprocess.run(  # noqa: S603 - our own
        [*CONFORMANCE, "--region", "eu-central-1"], env=environment, capture_output=True, text=True, check=False
    )

    assert "--live needs AWS credentials and found none" in done.stderr


def test_an_interrupted_run_leaves_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupted run deletes what it made, at SIGTERM, too; a sweep does so for killed ones, and nothing else."""
    monkeypatch.setattr(conformance.run, "_usable_region", lambda _: "eu-central-1")
    monkeypatch.setattr(sys, "argv", ["conformance", "--live"])
    monkeypatch.setenv(conformance.backends.LIVE_REGION, "eu-central-1")
    before = signal.getsignal(signal.SIGTERM)
    with SecretsManagerServer() as server:
        client = server.client()
        for name in ("token-refresh-conformance-1", "upwork-oauth-tokens"):
            client.create_secret(Name=name)

        def interrupted(_arguments: object) -> None:
            with serving("ours", server.region, endpoint_url=server.url) as backend:
                backend.create(SecretString="value")
                try:
                    os.kill(os.getpid(), signal.SIGTERM)
                finally:
                    os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(pytest, "main", interrupted)
        with pytest.raises(KeyboardInterrupt):
            conformance.run.main()
        sweep(client)

        assert ["upwork-oauth-tokens"] == [secret["Name"] for secret in client.list_secrets()["SecretList"]]
    signal.signal(signal.SIGTERM, before)
    assert "deleted token-refresh-conformance-1\n" == capsys.readouterr().out

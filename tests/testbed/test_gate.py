from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from testbed.gate import Call, Gate
from testbed.secrets_manager.moto_server import MotoServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def gate(moto: MotoServer) -> Iterator[Gate]:
    with Gate(moto.url) as gate:
        yield gate


def client(url: str) -> Any:
    return boto3.client(
        "secretsmanager",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_calls(gate: Gate) -> None:
    """Calls reach Secrets Manager as they are, and are counted by action, secret and label, without a value."""
    through = client(gate.url)
    through.create_secret(Name="counted", SecretString="a-secret")
    stored = through.put_secret_value(SecretId="counted", SecretString="another", VersionStages=["DRAFT"])
    read = through.get_secret_value(SecretId="counted", VersionStage="DRAFT")

    assert ("another", stored["VersionId"]) == (read["SecretString"], read["VersionId"])
    assert [
        Call(action="CreateSecret", secret_id="", labels=()),
        Call(action="PutSecretValue", secret_id="counted", labels=("DRAFT",)),
        Call(action="GetSecretValue", secret_id="counted", labels=("DRAFT",)),
    ] == gate.calls


def test_refusal(gate: Gate) -> None:
    """A refusal comes through as the service's own."""
    through = client(gate.url)

    with pytest.raises(through.exceptions.ResourceNotFoundException):
        through.get_secret_value(SecretId="missing")


def test_held_reply(gate: Gate, moto: MotoServer) -> None:
    """A held reply belongs to a call that was carried out; other calls pass meanwhile, and it goes out on release."""
    through, direct = client(gate.url), client(moto.url)
    direct.create_secret(Name="held", SecretString="first")
    gate.hold_reply(to=lambda call: call.labels == ("AWSPENDING",))

    with ThreadPoolExecutor(max_workers=1) as pool:
        put = pool.submit(
            through.put_secret_value, SecretId="held", SecretString="second", VersionStages=["AWSPENDING"]
        )
        assert gate.wait_until_held(unless=put.done)
        assert not put.done()
        assert "second" == through.get_secret_value(SecretId="held", VersionStage="AWSPENDING")["SecretString"]
        gate.release()

        assert "held" == put.result()["Name"]


def test_nothing_to_hold(gate: Gate) -> None:
    """Where the caller ends without the call that was to be held, the wait ends too."""
    gate.hold_reply(to=lambda _: False)

    assert not gate.wait_until_held(unless=lambda: True)

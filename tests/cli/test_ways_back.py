"""From each bad state back to a healthy secret, by an operator who only reads the messages.

Each way takes its commands out of what the program printed before, and runs them in a fresh shell.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from cli.scene import Cli
from cli.shell import commands_in
from cli.ways import REGION, SECRET, STATUS, Scene


def test_dead_grant(scene: Scene) -> None:
    """A revoked grant: `refresh` prints the command that authorizes again, and that is all there is to do."""
    scene.create()
    scene.provider.revoke()
    failed = scene.shell.run(f"token-refresh refresh {SECRET} --force --region {REGION}")

    assert "ReauthorizationRequired" in failed.screen
    scene.follow(scene.shell.run(STATUS), "authorize")

    assert scene.is_healthy()
    assert 0 == scene.shell.run(f"token-refresh refresh {SECRET} --force --region {REGION}").code


def test_staged_tokens(scene: Scene) -> None:
    """Tokens that an interrupted run stored: `status` prints the command that makes them current."""
    scene.create(hours=7)
    scene.store.fault("deny", "UpdateSecretVersionStage")
    scene.shell.run(f"token-refresh refresh {SECRET} --region {REGION}")

    recovered = scene.follow(scene.shell.run(STATUS), "refresh")

    assert "recovered" in recovered.out
    assert scene.is_healthy()


def save(value: dict[str, Any]) -> Callable[[Scene], None]:
    def over_a_good_set(scene: Scene) -> None:
        scene.create()
        scene.client.put_secret_value(SecretId=SECRET, **value)
        scene.client.put_secret_value(SecretId=SECRET, **value)

    return over_a_good_set


@pytest.mark.parametrize("first", [STATUS, f"token-refresh refresh {SECRET} --region {REGION}"])
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (save({"SecretString": "garbage"}), "the secret's value is not JSON"),
        (save({"SecretBinary": b"\x00"}), "it is binary, and must be text"),
    ],
    ids=["garbage", "binary"],
)
def test_something_else_saved_over_it(scene: Scene, spoil: Callable[[Scene], None], why: str, first: str) -> None:
    """Garbage or binary data over a good token set, twice: the message says so, and how to bring the set back."""
    spoil(scene)

    ended = scene.shell.run(first)
    assert why in ended.screen
    scene.follow(ended, "restore")

    assert scene.is_healthy()


@pytest.mark.parametrize("first", [STATUS, f"token-refresh refresh {SECRET} --region {REGION}"])
def test_empty(scene: Scene, first: str) -> None:
    """A secret without a value: the message prints the command that gets the first token set."""
    scene.client.create_secret(Name=SECRET)
    client_id, client_secret = scene.provider.client()
    scene.shell.environment |= {"UPWORK_CLIENT_ID": client_id, "UPWORK_CLIENT_SECRET": client_secret}

    scene.follow(scene.shell.run(first), "authorize")

    assert scene.is_healthy()


@pytest.mark.parametrize("command", ["status", "refresh", "authorize", "history", "doctor"])
def test_wrong_region(scene: Scene, command: str) -> None:
    """A wrong region: the message prints the command with the right one, and nothing is created in the wrong one."""
    scene.create()

    ended = scene.shell.run(f"token-refresh {command} {SECRET} --region us-east-1")

    assert f"does not exist in us-east-1, and exists in {REGION}" in ended.screen
    (line, *_) = commands_in(ended)
    assert f"token-refresh {command} {SECRET} --region {REGION}" == line
    assert 0 == scene.shell.run(line).code
    assert scene.is_healthy()
    with pytest.raises(scene.client.exceptions.ResourceNotFoundException):
        scene.store.client(region_name="us-east-1").describe_secret(SecretId=SECRET)


def test_denied(scene: Scene) -> None:
    """A role without permissions: each message names the one action to allow, until the refresh goes through."""
    scene.create(hours=7)
    allowed: set[str] = set()
    scene.store.authorize = lambda call: None if call.operation in allowed else "no"
    line = f"token-refresh refresh {SECRET} --region {REGION}"

    for _ in range(4):
        ended = scene.shell.run(line)
        if ended.code == 0:
            break
        named = re.search(rf"secretsmanager:(\w+) on secret {SECRET} in {REGION} was denied", ended.screen)
        assert named is not None, ended.screen
        allowed.add(named[1])

    assert {"GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"} == allowed
    assert scene.is_healthy()


def test_throttled(scene: Scene, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Throttling: the message says that it is throttling and passes; the same command works then."""
    scene.create()
    scene.store.fault("throttle", "GetSecretValue", times=None)
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.1)  # In place of ten seconds.

    ended = cli(*STATUS.split()[1:])
    scene.store.faults.clear()

    assert 3 == ended.code
    assert f"on secret {SECRET} in {REGION} was throttled" in ended.screen
    assert not re.search("network|VPC", ended.screen)
    assert "The next run, read or delivery tries again" in ended.screen
    assert scene.is_healthy()


def test_removed_label(scene: Scene) -> None:
    """The claim's label taken off by hand: nothing is wrong, and the next refresh goes through."""
    scene.create()
    refresh = f"token-refresh refresh {SECRET} --force --region {REGION}"
    scene.shell.run(refresh)
    at = next(
        version["VersionId"]
        for version in scene.client.list_secret_version_ids(SecretId=SECRET, IncludeDeprecated=True)["Versions"]
        if "REFRESH_CLAIM" in version.get("VersionStages", ())
    )
    scene.client.update_secret_version_stage(SecretId=SECRET, VersionStage="REFRESH_CLAIM", RemoveFromVersionId=at)

    assert scene.is_healthy()
    assert 0 == scene.shell.run(refresh).code
    assert scene.is_healthy()


def test_wrong_provider_settings(scene: Scene) -> None:
    """Settings of another provider: nothing is sent, and the message prints the command with the right provider."""
    scene.client.create_secret(Name=SECRET, SecretString=json.dumps({**scene.document(), "provider": "upwork"}))
    scene.shell.environment["PROVIDER"] = "atlassian"
    before = len(scene.provider.requests())

    ended = scene.shell.run(f"token-refresh refresh {SECRET} --force --region {REGION}")

    assert 2 == ended.code
    assert "ConfigurationError" in ended.screen
    assert before == len(scene.provider.requests())
    scene.follow(ended, "status")
    scene.follow(ended, "authorize")
    assert scene.is_healthy()

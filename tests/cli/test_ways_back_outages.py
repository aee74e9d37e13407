"""From an outage back to a healthy secret and a service that reads: each step is the first command that is printed.

The operator runs `status`, as the alarms say, and pastes.
"""

import json
import shlex
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cli.scene import Ended
from cli.ways import REGION, SECRET, STATUS, Scene

PUBLISHED, CLIENT = "shop/prod/upwork-published", "shop/prod/client"
REFRESH = f"token-refresh refresh {SECRET} --region {REGION}"
READ = f"from token_refresh.reader import TokenReader; TokenReader({PUBLISHED!r}).get()"
LOOKS = ("token-refresh status", "token-refresh doctor", "token-refresh history")

# The AWS CLI takes a second to start, and is not among what is installed here.
_AWS = """
import sys, boto3
service, action, *options = sys.argv[1:]
named = dict(zip(options[::2], options[1::2]))
client = boto3.client(service, region_name=named.pop("--region"))
members = {name[2:].title().replace("-", ""): value for name, value in named.items()}
getattr(client, action.replace("-", "_"))(**members)
"""


@pytest.fixture
def deployed(scene: Scene) -> Scene:
    """A secret that the worker refreshed and published, with the client credentials in a secret of their own."""
    aws = scene.shell.folder / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(f"#!{sys.executable}\n{_AWS}")
    aws.chmod(0o700)
    scene.shell.environment["PATH"] = f"{aws.parent}:{scene.shell.environment['PATH']}"
    scene.shell.environment |= {"PUBLISHED_SECRET_ID": PUBLISHED, "CLIENT_SECRET_ID": CLIENT}
    client_id, client_secret = scene.provider.client()
    credentials = {"clientId": client_id, "clientSecret": client_secret}
    scene.client.create_secret(Name=CLIENT, SecretString=json.dumps(credentials))
    scene.client.create_secret(Name=PUBLISHED)
    scene.create()
    assert 0 == scene.shell.run(f"{REFRESH} --force").code
    return scene


def delete(name: str) -> Callable[[Scene], None]:
    return lambda scene: scene.client.delete_secret(SecretId=name)


def overwrite(name: str, value: str = "garbage") -> Callable[[Scene], None]:
    return lambda scene: scene.client.put_secret_value(SecretId=name, SecretString=value)


def store_another(scene: Scene) -> None:
    """A second refresher stores what it received."""
    current = json.loads(scene.client.get_secret_value(SecretId=SECRET)["SecretString"])
    times = {"expiresAt": current["expiresAt"], "issuedAt": current["issuedAt"]}
    scene.client.put_secret_value(SecretId=SECRET, SecretString=json.dumps({**scene.document(), **times}))


def rotate_beside(scene: Scene) -> None:
    """The client secret beside the tokens is no longer the provider's."""
    del scene.shell.environment["CLIENT_SECRET_ID"]
    current = json.loads(scene.client.get_secret_value(SecretId=SECRET)["SecretString"])
    old = {"clientId": scene.provider.client()[0], "clientSecret": "the-old-one"}
    scene.client.put_secret_value(SecretId=SECRET, SecretString=json.dumps({**current, **old}))


def pass_time(hours: float) -> Callable[[Scene], None]:
    def later(scene: Scene) -> None:
        scene.store.clock_offset_seconds += int(hours * 3600)

    return later


def deny_writes(scene: Scene) -> None:
    """Seven runs fail before their claim; then a person allows the action that they name."""
    scene.store.fault("deny", "PutSecretValue", times=7)
    pass_time(17)(scene)
    assert {2} == {scene.shell.run(REFRESH).code for _ in range(7)}


STATES: dict[str, tuple[Callable[[Scene], Any], str, str, list[str]]] = {
    "each run fails before its claim": (deny_writes, STATUS, "is overdue", ["refresh"]),
    "the client secret is deleted": (delete(CLIENT), STATUS, "marked for deletion", ["restore-secret"]),
    "the client secret is overwritten": (overwrite(CLIENT), STATUS, "fails before it begins", ["client"]),
    "the client secret is rotated": (rotate_beside, f"{REFRESH} --force", "rejected the client", ["client", "refresh"]),
    "the published secret is deleted": (delete(PUBLISHED), STATUS, "can't read the published copy", ["restore-secret"]),
    "the published copy is overwritten": (overwrite(PUBLISHED, "[]"), STATUS, "was overwritten", ["refresh"]),
    "the token secret is deleted": (delete(SECRET), STATUS, "marked for deletion", ["restore-secret"]),
    "a second refresher": (store_another, STATUS, "stored by something else", ["authorize"]),
}
"""What happened; what the operator runs first; what that says; which commands are then followed."""


@pytest.mark.parametrize("state", STATES)
def test_way_back(deployed: Scene, state: str) -> None:
    """The printed commands alone lead back to a healthy secret, and a service reads its token."""
    breaks, first, said, wanted = STATES[state]
    breaks(deployed)
    ended = deployed.shell.run(first)
    assert 0 != ended.code
    assert said in ended.screen, ended.screen

    followed: list[str] = []
    while (ended.code != 0 or not followed) and len(followed) <= len(wanted):
        line = next(line for line in printed(ended) if not line.startswith(LOOKS))
        followed.append(shlex.split(line)[2 if line.startswith("aws") else 1])
        done = deployed.shell.run(line, stdin=answers(deployed, followed[-1]))
        assert 0 == done.code, done.screen
        # `client` prints the refresh that tries the credentials; everything else ends with a look.
        tries = [line for line in printed(done) if "refresh" in line.split()] if followed[-1] == "client" else []
        ended = deployed.shell.run(tries[0] if first != STATUS and tries else STATUS)
        if ended.code == 0 and tries and first != STATUS:
            followed.append("refresh")

    assert wanted == followed
    deployed.shell.run(REFRESH)
    assert deployed.is_healthy()
    read = deployed.shell.run(f"{sys.executable} -c {shlex.quote(READ)}")
    assert 0 == read.code, read.screen


def printed(ended: Ended) -> list[str]:
    """Give the commands of a message: each has a line for itself."""
    lines = [line.strip() for line in f"{ended.out}\n{ended.err}".splitlines()]
    return [line for line in lines if line.startswith(("token-refresh ", "aws "))]


def answers(scene: Scene, command: str) -> str:
    """What the operator types: the client's credentials where they are asked for, and yes."""
    client_id, client_secret = scene.provider.client()
    known = f"{client_secret}\n" if "CLIENT_SECRET_ID" not in scene.shell.environment else ""
    return "y\n" if command != "client" else known or f"{client_id}\n{client_secret}\n"

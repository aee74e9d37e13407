"""`token-refresh fleet clients`: a fleet's client credentials leave its token documents, and no run is without one."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fleet.command import run, said
from fleet.rows import row
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.cli.context import Context
from token_refresh_worker.fleet.aws.index import TableIndex

CLIENT = {"clientId": "mine", "clientSecret": "hush"}
TOKENS = {"refreshToken": "r", "accessToken": "a", "expiresAt": 1, "provider": "xero"}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that change a secret meanwhile are not waited for."""
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, _seconds: None)


@pytest.fixture
def secrets(index: TableIndex, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    # Not moto's: it reads the old value after `UpdateSecretVersionStage`.
    with SecretsManagerServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield _members(server.client(), index)


def _members(client: Any, index: TableIndex) -> Any:
    for name in ("a", "b"):
        member = client.create_secret(Name=name, SecretString=json.dumps(TOKENS | CLIENT))["ARN"]
        index.add(replace(row(name), secret_arn=member))
    return client


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the deployed worker has in its environment."""
    variables: dict[str, str] = {"FLEET_NAME": "prod", "CLAIM_TABLE": "prod"}
    monkeypatch.setattr(Context, "function_configuration", lambda _: {"Environment": {"Variables": variables}})
    return variables


def stored(secrets: Any, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
    return value


def change(secrets: Any, name: str, **keys: Any) -> None:
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps({**stored(secrets, name), **keys}))


def test_clients_leave_the_documents_after_the_deployment(secrets: Any, deployed: dict[str, str]) -> None:
    """First the client is stored in its own secret and stays in the documents; after the deployment it leaves them."""
    moved = run("clients")

    assert (0, CLIENT) == (moved.exit_code, stored(secrets, "clients/xero")), moved.stderr
    assert "clients/xero has the client of 2 documents" in moved.stdout
    assert 'client_secret = "clients/{provider}"' in moved.stdout
    assert "hush" not in moved.output
    assert TOKENS | CLIENT == stored(secrets, "a") == stored(secrets, "b")
    early = run("clients", "--remove", "--function", "worker")
    assert 2 == early.exit_code
    assert "reads the client from the token documents; nothing was changed" in said(early)
    assert TOKENS | CLIENT == stored(secrets, "a")

    deployed["CLIENT_SECRET_ID"] = "clients/{provider}"
    removed = run("clients", "--remove", "--function", "worker")
    again = run("clients", "--remove", "--function", "worker")

    assert (0, 0) == (removed.exit_code, again.exit_code), removed.stderr
    assert "2 of 2 documents had a client" in removed.stdout
    assert "0 of 2 documents had a client" in again.stdout
    assert TOKENS == stored(secrets, "a") == stored(secrets, "b")
    assert CLIENT == stored(secrets, "clients/xero")
    assert 0 == run("clients").exit_code


def test_moving_clients_twice_changes_nothing(secrets: Any) -> None:
    """A client that is in its place already is not stored again."""

    def moved() -> tuple[int, str]:
        return run("clients").exit_code, secrets.get_secret_value(SecretId="clients/xero")["VersionId"]

    first = moved()

    assert 0 == first[0]
    assert first == moved()


def test_another_client_in_the_place_stays(secrets: Any, deployed: dict[str, str]) -> None:
    """A secret with another client is not replaced, and no document loses a client that runs don't have elsewhere."""
    secrets.create_secret(Name="clients/xero", SecretString=json.dumps({"clientId": "other"}))
    deployed["CLIENT_SECRET_ID"] = "clients/{provider}"

    assert "has another client; it stays as it is" in said(run("clients"))
    ended = run("clients", "--remove", "--function", "worker")

    assert 2 == ended.exit_code
    assert "2 of 2 secrets failed" in said(ended)
    assert (TOKENS | CLIENT, {"clientId": "other"}) == (stored(secrets, "a"), stored(secrets, "clients/xero"))


def test_a_place_that_is_not_there_is_named(secrets: Any, deployed: dict[str, str]) -> None:
    """Where runs read the client from a secret that does not exist, that secret is named, and no document changes."""
    deployed["CLIENT_SECRET_ID"] = "clients/{provider}"

    ended = run("clients", "--remove", "--function", "worker")

    assert 2 == ended.exit_code
    assert "secret clients/xero in eu-central-1 was not found" in said(ended)
    assert TOKENS | CLIENT == stored(secrets, "a")


def test_a_place_with_other_keys_keeps_them(secrets: Any, deployed: dict[str, str]) -> None:
    """A secret without a client gets it beside its keys; a field of a secret counts as the place, too."""
    secrets.create_secret(Name="clients/xero", SecretString=json.dumps({"note": "ours", "web": CLIENT}))
    deployed["CLIENT_SECRET_ID"] = "clients/{provider}#web"

    assert 0 == run("clients").exit_code
    assert 0 == run("clients", "--remove", "--function", "worker").exit_code

    assert {"note": "ours", "web": CLIENT, **CLIENT} == stored(secrets, "clients/xero")
    assert TOKENS == stored(secrets, "a")


def test_wrong_options(secrets: Any) -> None:
    """A place without the provider's name, or a removal without the worker, is refused."""
    del secrets
    wrong = (["--to", "clients"], ["--to", "clients/{provider}#web"], ["--remove"])

    # 64 where `main` has been imported: it changes what a wrong option ends with.
    assert {run("clients", *options).exit_code for options in wrong} <= {2, 64}


def prepare_two_clients(secrets: Any) -> None:
    change(secrets, "b", clientId="other")


def prepare_a_deleted_place(secrets: Any) -> None:
    secrets.create_secret(Name="clients/xero", SecretString="{}")
    secrets.delete_secret(SecretId="clients/xero")


def prepare_an_unreadable_member(secrets: Any) -> None:
    secrets.delete_secret(SecretId="b")


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (prepare_two_clients, ["have 2 clients, or secrets of one ("]),
        (prepare_a_deleted_place, ["restore-secret"]),
        (prepare_an_unreadable_member, ["restore-secret", "1 of 2 secrets failed"]),
    ],
)
def test_what_stores_nothing(secrets: Any, prepare: Callable[[Any], None], says: list[str]) -> None:
    """A grant belongs to its own client: where documents differ, or one can't be read, nothing is stored.

    A client's secret that is being deleted is not made anew.
    """
    prepare(secrets)

    ended = run("clients")

    assert (2, []) == (ended.exit_code, [text for text in says if text not in said(ended)])
    with pytest.raises((secrets.exceptions.ResourceNotFoundException, secrets.exceptions.InvalidRequestException)):
        stored(secrets, "clients/xero")


def test_a_secret_that_keeps_changing(secrets: Any, deployed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where runs store something each time, the client stays, and the error says so."""
    run("clients")
    deployed["CLIENT_SECRET_ID"] = "clients/{provider}"
    monkeypatch.setattr("token_refresh_worker.cli.fleet.clients.swap", lambda *_: False)

    ended = run("clients", "--remove", "--function", "worker")

    assert 1 == ended.exit_code
    assert "runs kept changing this secret" in ended.stderr
    assert TOKENS | CLIENT == stored(secrets, "a")

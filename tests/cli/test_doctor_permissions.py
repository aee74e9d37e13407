"""`doctor`: the caller's permissions, tried without touching a token set, even in a store that upholds no rule."""

from collections.abc import Iterator
from typing import Any

import pytest

from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Ended, Tokens
from testbed.builders import DAY, HOUR
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.changes.change import PROBE_LABEL, PROBE_VERSION_ID
from token_refresh_admin.cli.context import Context

NAME = "your permissions"


@pytest.fixture
def at_aws(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], tokens: Tokens) -> Iterator[None]:
    """Let the test's Secrets Manager count as AWS's own; every other service refuses."""
    tokens.store(expires_in=DAY)
    monkeypatch.setattr(Context, "at_aws", property(lambda _: True))
    with Aws() as server:
        environment["AWS_ENDPOINT_URL"] = f"http://{server.address}"
        yield


def permissions(ended: Ended) -> dict[str, Any]:
    return next(check for check in ended.json["checks"] if check["name"] == NAME)


@pytest.mark.usefixtures("at_aws")
def test_allowed(cli: Cli, tokens: Tokens, store: SecretsManagerServer) -> None:
    """The probe leaves one version without a token under a fixed ID, once, and no label moves."""
    before = tokens.current()

    found = [permissions(cli("doctor", "--json")) for _ in range(2)]

    assert ["ok", "ok"] == [check["grade"] for check in found]
    versions = store.client().list_secret_version_ids(SecretId=SECRET_ID, IncludeDeprecated=True)["Versions"]
    assert {("AWSCURRENT",), (PROBE_LABEL,)} == {tuple(version.get("VersionStages", ())) for version in versions}
    assert PROBE_VERSION_ID in {version["VersionId"] for version in versions}
    assert before == tokens.current()


@pytest.mark.usefixtures("at_aws")
@pytest.mark.parametrize("action", ["PutSecretValue", "UpdateSecretVersionStage"])
def test_denied(cli: Cli, store: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    """An action that is denied is named; the other one is not. What an organization denies, only it can allow.

    A connection that breaks, or a store that fails, says nothing about permissions.
    """
    store.authorize = lambda call: "no" if call.operation == action else None
    check = permissions(cli("doctor", "--json"))
    denies = "with an explicit deny in a service control policy"
    store.authorize = lambda call: denies if call.operation == action else None
    organization, refresh = permissions(cli("doctor", "--json")), cli("refresh", "--force")
    store.authorize = None
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.1)
    store.fault("drop_before", action, times=None)
    broken = permissions(cli("doctor", "--json"))

    said = f"secretsmanager:{action} on secret {SECRET_ID} in eu-central-1 was denied because no identity-based policy "
    assert ("look", f"{said}allows it (AccessDeniedException)") == (check["grade"], check["text"])
    assert denies in organization["text"]
    assert f"was denied {denies} (AccessDeniedException)" in refresh.screen
    for said in (organization["remedy"], refresh.screen):
        assert "Ask the administrators of your AWS organization to remove that deny there" in said
    assert "allow this action" not in refresh.screen
    assert ("skipped", True) == (broken["grade"], broken["text"].startswith(f"not known: secretsmanager:{action} on "))


def test_the_cause_comes_before_its_symptoms(cli: Cli, tokens: Tokens) -> None:
    """What made the last attempt fail is listed before the attempt and what it left undone."""
    tokens.store(expires_in=HOUR, clientSecret="the-old-one")
    cli("refresh")

    checks = [check for check in cli("doctor", "--json").json["checks"] if check["grade"] in {"failed", "look"}]

    assert "rejects the client credentials" in checks[0]["text"]
    assert ["token endpoint", "tokens", "last refresh"] == list(dict.fromkeys(check["name"] for check in checks))[:3]


@pytest.mark.usefixtures("at_aws")
def test_a_store_that_moves_what_it_should_not(
    cli: Cli, tokens: Tokens, store: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current version is read after each probe: one that changed is reported, with the command that mends it."""
    version_id = store.client().get_secret_value(SecretId=SECRET_ID, VersionStage="AWSCURRENT")["VersionId"]

    def careless(*_: object) -> None:
        tokens.put("{}")

    monkeypatch.setattr("token_refresh_admin.cli.doctor.access.prove_write", careless)

    check = permissions(cli("doctor", "--json"))

    assert "failed" == check["grade"]
    assert f"token-refresh restore {SECRET_ID} --version {version_id} --region eu-central-1" in check["remedy"]


@pytest.mark.usefixtures("at_aws")
def test_a_read_that_fails_in_between_is_no_change(cli: Cli, store: SecretsManagerServer) -> None:
    """If the current version can't be read after a probe, no harm is claimed."""
    puts: list[str] = []

    def authorize(call: Any) -> str | None:
        puts.append(call.operation)
        return "no" if call.operation == "GetSecretValue" and "PutSecretValue" in puts else None

    store.authorize = authorize

    assert "ok" == permissions(cli("doctor", "--json"))["grade"]

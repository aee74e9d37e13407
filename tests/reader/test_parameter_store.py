"""Secrets in Parameter Store, through the real client, and never another source in its place."""

import json

import pytest

from testbed.parameter_store import ParameterStoreServer
from testbed.reader_surroundings import START, Clock, Store, runtime
from token_refresh.reader import SecretAccessDenied, SecretGroup, SecretNotFound, SecretReader, TokenReader


@pytest.mark.usefixtures("_aws")
def test_parameter(parameters: ParameterStoreServer, clock: Clock) -> None:
    """A SecureString is read decrypted, with its version and the time of its storing."""
    parameters.put("/app/dev/key", "old")
    parameters.put("/app/dev/key", "value")
    secret = SecretReader("ssm:/app/dev/key", runtime=runtime(clock)).secret()
    assert ("value", "2", START) == (secret.text(), secret.version_id, secret.created_at.timestamp())
    assert "ssm:/app/dev/key" == secret.secret_id


@pytest.mark.usefixtures("_aws")
def test_parameter_that_was_made_anew(parameters: ParameterStoreServer, clock: Clock) -> None:
    """A parameter that was deleted and made anew counts from 1 again; a rejection finds that it is another one."""
    parameters.put("/key", "old")
    reader = SecretReader("ssm:/key", background=False, runtime=runtime(clock))
    group = SecretGroup("ssm:/key", background=False, runtime=runtime(clock))
    old, same = reader.secret(), group["ssm:/key"]
    parameters.delete("/key")
    clock.advance(10)
    parameters.put("/key", "new")
    assert (True, True) == (reader.reject(old), group.reject(same))
    assert ("new", "1", 4) == (reader.text(), reader.secret().version_id, len(parameters.calls))


@pytest.mark.usefixtures("_aws")
def test_missing_parameter() -> None:
    """A missing parameter names its path, the region, the action, and the command that looks it up."""
    with pytest.raises(SecretNotFound, match=r"parameter /app/key in eu-central-1 was not found \(ssm:GetParameters\)"):
        SecretReader("ssm:/app/key").text()


@pytest.mark.usefixtures("_aws")
def test_denied_parameter(parameters: ParameterStoreServer) -> None:
    """A denied parameter names the permission that is missing: `ssm:GetParameters`, not `secretsmanager:`."""
    parameters.fault("deny", "GetParameters")
    with pytest.raises(SecretAccessDenied, match="ssm:GetParameters on parameter /app/key in eu-central-1 was denied"):
        SecretReader("ssm:/app/key").text()


@pytest.mark.usefixtures("_aws")
def test_missing_parameter_does_not_read_secrets_manager(store: Store) -> None:
    """One source, never a fallback: a missing sandbox secret must not become the production one."""
    store.put_text("production", secret_id="/app/key")
    with pytest.raises(SecretNotFound):
        SecretReader("ssm:/app/key").text()
    assert 0 == store.reads


@pytest.mark.usefixtures("_aws")
def test_token_in_a_parameter(parameters: ParameterStoreServer, clock: Clock) -> None:
    """A token document may be in Parameter Store; an expired one says who has to store another."""
    document = {"accessToken": "value", "expiresAt": (int(START) + 3600) * 1000}
    parameters.put("/app/token", json.dumps(document))
    reader = TokenReader("ssm:/app/token", background=False, runtime=runtime(clock))
    assert "value" == reader.get()
    clock.advance(3600)
    with pytest.raises(Exception, match=r"parameter /app/token .* expired .* the owner of this parameter has to"):
        reader.get()

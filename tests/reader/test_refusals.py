"""Every failure of a read has a name, and says which secret, where, what was refused, and what to do."""

import socket
from pathlib import Path

import boto3
import pytest
from botocore import exceptions
from botocore.config import Config

from reader.surroundings import Store
from token_refresh.errors import TokenRefreshError
from token_refresh.reader import (
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretReader,
    SecretStoreUnavailable,
    TokenReader,
    refusals,
)

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tokens-AbCdEf"
WHERE = "tokens in eu-central-1: secretsmanager:GetSecretValue"


def test_denied(store: Store, tokens: TokenReader) -> None:
    """A denied read names the permission that is missing, and no account or role that the service wrote."""
    store.put("one")
    store.server.fault("deny", "GetSecretValue")
    with pytest.raises(SecretAccessDenied) as caught:
        tokens.get()
    assert f"{WHERE} was denied: allow it on this secret for the role that reads it" == str(caught.value)


def test_missing(tokens: TokenReader) -> None:
    """A secret that isn't there may be elsewhere: the message says where it was looked for."""
    with pytest.raises(SecretNotFound) as caught:
        tokens.get()
    assert (
        f"{WHERE} found no such secret; check the name, the account and the region (AWS_REGION, or the client's)"
        == str(caught.value)
    )


def test_wrong_region(store: Store) -> None:
    """An ARN of another region than the client's is pointed out."""
    with pytest.raises(SecretNotFound, match="its ARN is of us-east-1: give a client of that region") as caught:
        TokenReader(ARN, client=store.client).get()
    assert f"{ARN} in eu-central-1" in str(caught.value)


def test_arn_chooses_the_region(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a client given, an ARN is read in its own region, whatever the configured one."""
    for name, value in store.server.environment.items():
        monkeypatch.setenv(name, value)
    created = store.server.client(region_name="us-east-1").create_secret(Name="elsewhere", SecretString="there")
    assert "there" == SecretReader(created["ARN"]).text()


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"])
def test_region_as_configured(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    """The region comes from AWS_REGION, AWS_DEFAULT_REGION or the profile, and the message names the one it was."""
    for name, value in store.server.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text("[profile eu-north-1]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv(variable, "eu-north-1")
    monkeypatch.setattr("token_refresh.reader.store.CLIENTS._made", {})
    with pytest.raises(SecretNotFound, match="tokens in eu-north-1: secretsmanager:GetSecretValue"):
        TokenReader("tokens").get()


def test_marked_for_deletion(store: Store, tokens: TokenReader) -> None:
    """A secret that is marked for deletion is missing, and can be restored."""
    store.put("one")
    store.client.delete_secret(SecretId="tokens")
    with pytest.raises(SecretNotFound, match="marked for deletion: restore it"):
        tokens.get()


def test_server_errors(store: Store, tokens: TokenReader) -> None:
    """Throttling and server errors that last are named by their code."""
    store.put("one")
    store.server.fault("unavailable", "GetSecretValue", times=None)
    with pytest.raises(SecretStoreUnavailable, match=rf"{WHERE} failed \(InternalServiceError\)"):
        tokens.get()


def test_slow_store_is_given_up() -> None:
    """A store that doesn't answer within the client's timeout is out of reach."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = boto3.client(
            "secretsmanager",
            region_name="eu-central-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            config=Config(read_timeout=0.05, retries={"total_max_attempts": 1}),
        )
        with pytest.raises(SecretStoreUnavailable, match=rf"{WHERE} got no answer \(ReadTimeoutError\): check the net"):
            TokenReader("tokens", client=client).get()


def test_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any region, the message says which variable to set."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(SecretStoreUnavailable, match="tokens: secretsmanager:GetSecretValue needs a region: set AWS_R"):
        TokenReader("tokens").get()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials, the message says so, and where the secret was looked for."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    with pytest.raises(SecretAccessDenied, match=r"found no usable AWS credentials \(NoCredentialsError\)"):
        TokenReader("arn:aws:secretsmanager:eu-west-3:123456789012:secret:tokens-AbCdEf").get()


@pytest.mark.parametrize(
    ("code", "message", "expected", "says"),
    [
        ("ResourceNotFoundException", "can't find the specified secret.", SecretNotFound, "found no such secret"),
        ("ResourceNotFoundException", "for staging label: AWSCURRENT", SecretEmpty, "found no value yet"),
        ("InvalidRequestException", "scheduled for deletion", SecretNotFound, "restore it"),
        ("InvalidRequestException", "something else", SecretStoreUnavailable, "failed (InvalidRequestException)"),
        ("AccessDeniedException", "no identity-based policy allows", SecretAccessDenied, "allow it on this secret"),
        ("AccessDeniedException", "Access to KMS is not allowed", SecretAccessDenied, "allow kms:Decrypt"),
        ("DecryptionFailure", "", SecretAccessDenied, "allow kms:Decrypt"),
        ("ExpiredTokenException", "", SecretAccessDenied, "AWS credentials (ExpiredTokenException)"),
        ("UnrecognizedClientException", "", SecretAccessDenied, "AWS credentials (UnrecognizedClientException)"),
        ("ThrottlingException", "Rate exceeded", SecretStoreUnavailable, "failed (ThrottlingException)"),
    ],
)
def test_codes(code: str, message: str, expected: type[TokenRefreshError], says: str) -> None:
    """Each code has its name and its remedy, and every message names secret, region and action."""
    error = refusals.translate(code, message, "tokens", "eu-central-1", "GetSecretValue")
    assert expected is type(error)
    assert says in str(error)
    assert str(error).startswith(WHERE)


def test_everything_else_is_out_of_reach() -> None:
    """Whatever a client raises becomes one of the named errors, by its class and without its text."""
    error = refusals.name(
        exceptions.SSLError(endpoint_url="canary", error=OSError()), "tokens", "eu-central-1", "GetSecretValue"
    )
    assert SecretStoreUnavailable is type(error)
    assert (
        f"{WHERE} got no answer (SSLError): check the network path to Secrets Manager, its endpoint and the region"
        == str(error)
    )


@pytest.mark.parametrize(
    ("secret_id", "variable", "expected"),
    [
        (ARN, "AWS_REGION", "us-east-1"),
        ("tokens", "AWS_REGION", "eu-north-1"),
        ("tokens", "AWS_DEFAULT_REGION", "eu-north-1"),
        ("tokens", "OTHER", "the configured region"),
        ("a:b", "AWS_REGION", "eu-north-1"),
    ],
)
def test_region_in_messages(monkeypatch: pytest.MonkeyPatch, secret_id: str, variable: str, expected: str) -> None:
    """Without a client, the region of an ARN counts, then what the environment says."""
    monkeypatch.setenv(variable, "eu-north-1")
    assert expected == refusals.likely_region(secret_id)

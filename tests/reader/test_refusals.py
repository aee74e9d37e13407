"""Every failed read is a named error that says which secret, in which region, what failed and what to do."""

import re
import socket
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from testbed.reader_surroundings import Store
from token_refresh.reader import SecretAccessDenied, SecretNotFound, SecretStoreUnavailable, TokenReader

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:tokens-AbCdEf"
PLACE = "secret tokens in eu-central-1"
CALL = f"secretsmanager:GetSecretValue on {PLACE}"
DENIED = "because no identity-based policy allows it (AccessDeniedException)"


def test_faults(store: Store, tokens: TokenReader) -> None:
    """A denied, missing, deleted or failed read is named with secret, region, permission or code, and the remedy."""

    def refused(error: type[Exception]) -> str:
        with pytest.raises(error) as caught:
            tokens.get()
        store.clock.advance(60)
        return str(caught.value)

    missing = f"{PLACE} was not found (secretsmanager:GetSecretValue): check the name, the account"
    assert missing in refused(SecretNotFound)
    store.put("one")
    store.server.fault("deny", "GetSecretValue")
    assert refused(SecretAccessDenied).startswith(f"{CALL} was denied {DENIED}: allow this action on this secret")
    store.server.fault("unavailable", "GetSecretValue", times=None)
    assert refused(SecretStoreUnavailable).startswith(f"{CALL} failed in the service (InternalServiceError)")
    store.server.faults.clear()
    store.client.delete_secret(SecretId="tokens")
    restore = r"marked for deletion .*: restore it with `aws secretsmanager restore-secret"
    assert re.search(restore, refused(SecretNotFound))


def test_wrong_region(store: Store) -> None:
    """An ARN of another region than the client's is pointed out."""
    with pytest.raises(
        SecretNotFound, match="the ARN belongs to us-east-1, and the request went to eu-central-1"
    ) as caught:
        TokenReader(ARN, client=store.client).get()
    assert f"{ARN} in eu-central-1" in str(caught.value)


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
    with pytest.raises(SecretNotFound, match="secret tokens in eu-north-1 was not found"):
        TokenReader("tokens").get()


def test_slow_store_is_given_up() -> None:
    """A store that doesn't respond within the client's timeout is unreachable."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = boto3.client(
            "secretsmanager",
            region_name="eu-central-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}",
            config=Config(read_timeout=0.05, retries={"total_max_attempts": 1}),
        )
        with pytest.raises(
            SecretStoreUnavailable, match=rf"{CALL} got no response \(ReadTimeoutError\): check the net"
        ):
            TokenReader("tokens", client=client).get()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials, the message says so, and where the secret was looked for."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    with pytest.raises(SecretAccessDenied, match=r"no AWS credentials were found for .* \(NoCredentialsError\)"):
        TokenReader("arn:aws:secretsmanager:eu-west-3:123456789012:secret:tokens-AbCdEf").get()

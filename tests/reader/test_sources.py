"""Which source a reference is read from, with which client and in which region; sources of AWS, and a developer's."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from testbed.parameter_store import ParameterStoreServer
from testbed.reader_surroundings import START, Store, WallClock, runtime
from token_refresh.reader import (
    ConfigurationError,
    SecretAccessDenied,
    SecretEmpty,
    SecretGroup,
    SecretNotFound,
    SecretReader,
    SecretStoreUnavailable,
    TokenExpired,
    TokenReader,
)

pytestmark = pytest.mark.usefixtures("_aws")


def test_group_of_sources(store: Store, parameters: ParameterStoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group may mix sources: one call to each of them, and ten parameters with one call."""
    monkeypatch.setenv("LOCAL", "local")
    store.put_text("secret", secret_id="a")
    names = [f"/app/{number}" for number in range(12)]
    for name in names:
        parameters.put(name, f"value of {name}")
    group = SecretGroup("a", "env:LOCAL", *(f"ssm:{name}" for name in names))
    assert ["secret", "local"] == [group["a"].text(), group["env:LOCAL"].text()]
    assert [f"value of {name}" for name in names] == [group[f"ssm:{name}"].text() for name in names]
    assert (1, 2) == (store.reads, len(parameters.calls))


def test_region(store: Store, parameters: ParameterStoreServer) -> None:
    """`region` chooses the region of the reader's own client, for both services; a group reads ARNs in their own."""
    there, here = (
        store.server.client(region_name=region).create_secret(Name="key", SecretString=region)["ARN"]
        for region in ("us-east-1", "eu-central-1")
    )
    parameters.put("/key", "us-east-1", region="us-east-1")
    assert ["us-east-1"] * 2 == [SecretReader(name, region="us-east-1").text() for name in ("key", "ssm:/key")]
    with pytest.raises(SecretNotFound, match="secret nowhere in us-east-1 was not found"):
        SecretReader("nowhere", region="us-east-1").text()
    reads, group = store.reads, SecretGroup(here, there, "key")
    assert ["eu-central-1", "us-east-1", "eu-central-1"] == [group[name].text() for name in (here, there, "key")]
    assert reads + 2 == store.reads


def test_client_of_another_service(store: Store, parameters: ParameterStoreServer) -> None:
    """A client that no reference is read through is a mistake, and so is a client of another region."""
    parameters.put("/key", "value")
    assert "value" == SecretReader("ssm:/key", client=parameters.client()).text()
    with pytest.raises(ConfigurationError, match="the given client is for secretsmanager, and no reference is"):
        SecretReader("ssm:/key", client=store.client)
    with pytest.raises(ConfigurationError, match="region is us-east-1, and the given client is for eu-central-1"):
        SecretReader("key", client=store.client, region="us-east-1")


def test_the_stage_is_always_in_the_request(store: Store) -> None:
    """A policy with a condition on the version's stage needs it in the request, for AWSCURRENT too."""
    store.put_text("value", secret_id="key")
    SecretReader("key", overlap=timedelta(hours=1)).accepted()
    stages = [logged.call.version_stages for logged in store.server.calls if logged.call.operation == "GetSecretValue"]
    assert [("AWSCURRENT",), ("AWSPREVIOUS",)] == stages


def test_parameter(parameters: ParameterStoreServer, clock: WallClock) -> None:
    """A SecureString is read decrypted, with its version and the time of its storing."""
    parameters.put("/app/dev/key", "old")
    parameters.put("/app/dev/key", "value")
    secret = SecretReader("ssm:/app/dev/key", runtime=runtime(clock)).secret()
    assert ("value", "2", START) == (secret.text(), secret.version_id, secret.created_at.timestamp())
    assert "ssm:/app/dev/key" == secret.secret_id


def test_parameter_that_was_made_anew(parameters: ParameterStoreServer, clock: WallClock) -> None:
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


def test_missing_parameter(store: Store, parameters: ParameterStoreServer) -> None:
    """A missing parameter is named with its region, a denied one with the permission, and no other source is read."""
    store.put_text("production", secret_id="/app/key")
    with pytest.raises(SecretNotFound, match=r"parameter /app/key in eu-central-1 was not found \(ssm:GetParameters\)"):
        SecretReader("ssm:/app/key").text()
    parameters.fault("deny", "GetParameters")
    with pytest.raises(SecretAccessDenied, match="ssm:GetParameters on parameter /app/key in eu-central-1 was denied"):
        SecretReader("ssm:/app/key").text()
    assert 0 == store.reads


def test_token_elsewhere(parameters: ParameterStoreServer, clock: WallClock, tmp_path: Path) -> None:
    """A token document may be in Parameter Store or a file; an expired one says who has to store another."""
    document = json.dumps({"accessToken": "value", "expiresAt": (int(START) + 3600) * 1000})
    parameters.put("/app/token", document)
    file = tmp_path / "token.json"
    file.write_text(document)
    stored, local = (
        TokenReader(reference, background=False, runtime=runtime(clock))
        for reference in ("ssm:/app/token", f"file:{file}")
    )
    assert ["value", "value"] == [stored.get(), local.get()]
    clock.advance(3600)
    with pytest.raises(TokenExpired, match=r"parameter /app/token .* expired .* the owner of this parameter has to"):
        stored.get()
    with pytest.raises(TokenExpired, match=f"there is no newer one: put one into file:{file}"):
        local.get()


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable is read at each TTL, and says what is wrong with it without its value."""
    monkeypatch.setenv("KEY", "value")
    assert "value" == SecretReader("env:KEY").text()
    monkeypatch.setenv("KEY", "")
    with pytest.raises(SecretEmpty, match="env:KEY is empty"):
        SecretReader("env:KEY").text()
    monkeypatch.delenv("KEY")
    with pytest.raises(SecretNotFound, match="env:KEY was not found: set the variable KEY"):
        SecretReader("env:KEY").text()


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"value\n", b"value"), (b"value\r\n", b"value"), (b"a\nb", b"a\nb"), (b"\xff\n", b"\xff\n")],
)
def test_file(tmp_path: Path, content: bytes, expected: bytes) -> None:
    """A file is a secret without the line end that an editor adds; what is not text stays as it is."""
    path = tmp_path / "key"
    path.write_bytes(content)
    assert expected == SecretReader(f"file:{path}").binary()


def test_changed_file(tmp_path: Path, clock: WallClock) -> None:
    """A file that was written again is another version, however soon after the first."""
    path = tmp_path / "key"
    path.write_text("old")
    os.utime(path, ns=(0, 1_800_000_000_000_000_001))
    reader = SecretReader(f"file:{path}", background=False, runtime=runtime(clock))
    old = reader.secret()
    path.write_text("new")
    os.utime(path, ns=(0, 1_800_000_000_000_000_002))
    assert reader.reject(old)
    assert "new" == reader.text()


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, a forbidden one and a folder are three errors."""
    with pytest.raises(SecretNotFound, match=r"nowhere was not found: write the secret to that file"):
        SecretReader(f"file:{tmp_path}/nowhere").text()
    with pytest.raises(SecretStoreUnavailable, match=r"can't be read \(IsADirectoryError\): check the path"):
        SecretReader(f"file:{tmp_path}").text()

    def forbid(_path: Path) -> bytes:
        raise PermissionError

    (tmp_path / "key").touch()
    monkeypatch.setattr(Path, "read_bytes", forbid)
    with pytest.raises(SecretAccessDenied, match="give this process permission to read the file"):
        SecretReader(f"file:{tmp_path}/key").text()

"""The adapter of Secrets Manager against a real HTTP server: what it says and does where the service refuses."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config

from testbed.fakes import FakeClock
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import SecretNotFound, SecretStoreUnavailable
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.run.ports import Deadline

V0, V1 = "0" * 36, "1" * 36
PLAIN = Config(retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=60, read_timeout=60)


@pytest.fixture
def server() -> Iterator[SecretsManagerServer]:
    with SecretsManagerServer() as running:
        running.client().create_secret(Name="tokens", SecretString="first", ClientRequestToken=V0)
        yield running


def secret(
    server: SecretsManagerServer, name: str = "tokens", *, at: float = 60.0, **client: Any
) -> SecretsManagerSecret:
    clock = FakeClock()
    return SecretsManagerSecret(server.client(config=PLAIN, **client), name, Deadline(clock=clock, at=at))


def act(subject: SecretsManagerSecret, operation: str) -> object:
    if operation == "GetSecretValue":
        return subject.read(label="AWSCURRENT")
    if operation == "PutSecretValue":
        return subject.put(V1, SecretValue("next"), label="AWSPENDING")
    return subject.move_label("REFRESH_CLAIM", to=V0, remove_from=None)


OPERATIONS = ["GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", ["throttle", "unavailable", "drop_before"])
def test_a_transient_failure_is_tried_again(server: SecretsManagerServer, operation: str, fault: Any) -> None:
    """A throttled, failed or cut call is repeated within the deadline, and then succeeds."""
    server.fault(fault, operation, times=2)

    assert act(secret(server), operation)
    assert 3 == len([c for c in server.calls if c.call.operation == operation])


def test_a_lost_reply_to_a_swap_reads_as_refused(server: SecretsManagerServer) -> None:
    """A label that moved without anybody hearing of it is not where it was: who swaps reads again and sees."""
    subject = secret(server)
    subject.put(V1, SecretValue("next"), label="AWSPENDING")
    server.fault("drop_after", "UpdateSecretVersionStage")

    assert not subject.move_label("AWSCURRENT", to=V1, remove_from=V0)
    current = subject.read(label="AWSCURRENT")
    assert current is not None
    assert V1 == current.version_id


def test_a_missing_secret_names_the_region(server: SecretsManagerServer) -> None:
    """A secret that isn't there says where it was looked for; another region is the usual reason."""
    with pytest.raises(SecretNotFound, match=r"secret nobody in eu-central-1 was not found .*AWS_REGION"):
        secret(server, "nobody").read(label="AWSCURRENT")
    with pytest.raises(SecretNotFound, match="secret tokens in us-east-1 was not found"):
        secret(server, region_name="us-east-1").read(label="AWSCURRENT")


def test_a_label_on_a_version_that_is_not_known_yet_is_moved_again(server: SecretsManagerServer) -> None:
    """A version that was just written has been seen to be unknown for a moment; one that never appears is an error."""
    with pytest.raises(SecretStoreUnavailable, match=f"UpdateSecretVersionStage on secret tokens .* version {V1}"):
        secret(server).move_label("AWSCURRENT", to=V1, remove_from=V0)


def test_a_version_id_that_can_not_exist_is_not_there(server: SecretsManagerServer) -> None:
    """A stored value may name any version. boto refuses a short one, and no setting is wrong then."""
    assert None is secret(server).read(version_id="v")


def test_all_pages_of_versions_are_listed() -> None:
    """A secret may have more versions than one page shows, those without labels too."""
    with SecretsManagerServer(quota=200) as server:
        client = server.client()
        client.create_secret(Name="tokens")
        for number in range(105):
            client.put_secret_value(SecretId="tokens", SecretString=str(number), ClientRequestToken=f"{number:036}")

        assert {f"{number:036}" for number in range(105)} == {v.version_id for v in secret(server).versions()}

"""Clients: one session for all of them, in the configured region, and the words where there is none."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from botocore.loaders import Loader

from token_refresh.aws.clients import ClientLimits, Clients
from token_refresh.errors import ConfigurationError, SecretAccessDenied

LIMITS = ClientLimits(connect_seconds=1, read_seconds=2, attempts=3, connections=4)
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return Clients()


def set_all(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("region", "environment", "expected"),
    [
        ("eu-west-1", {"AWS_REGION": "eu-north-1"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-north-1"),
        (None, {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ],
)
def test_the_region_is_the_given_one_or_the_configured_one(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, region: str | None, environment: dict[str, str], expected: str
) -> None:
    """A given region comes first, then AWS_REGION, then what boto3 reads itself."""
    set_all(monkeypatch, environment)

    assert expected == clients.region_of(region)
    assert expected == clients.get("secretsmanager", limits=LIMITS, region=region).meta.region_name


def test_descriptions_of_ones_own_count(clients: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A newer one in AWS_DATA_PATH does, an empty folder hides none of AWS's, and an unknown service is an error."""
    events, empty, unknown = (tmp_path / name for name in ("events/2099-01-01", "sqs", "unheard-of"))
    for folder in (events, empty, unknown):
        folder.mkdir(parents=True)
    own = Loader().load_service_model("events", "service-2")
    own["metadata"] |= {"apiVersion": "2099-01-01"}
    (events / "service-2.json").write_text(json.dumps(own))
    set_all(monkeypatch, {"AWS_DATA_PATH": str(tmp_path), "AWS_REGION": "eu-north-1"})

    assert "2099-01-01" == clients.get("events", limits=LIMITS).meta.service_model.api_version
    assert "sqs" == clients.get("sqs", limits=LIMITS).meta.service_model.service_name
    for name in ("unheard-of", "nowhere"):
        with pytest.raises(ConfigurationError, match="the AWS configuration can't be used"):
            clients.get(name, limits=LIMITS)


def test_the_profiles_region_is_the_last_one_asked(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A profile's region counts where no variable has one; before there is a session, nobody knows it."""
    (tmp_path / "config").write_text("[profile mine]\nregion = eu-north-1\n")
    set_all(monkeypatch, {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "mine"})

    assert None is clients.region_of()
    assert "eu-north-1" == clients.get("sqs", limits=LIMITS).meta.region_name
    assert "eu-north-1" == clients.region_of()
    monkeypatch.setenv("AWS_PROFILE", "another")
    assert None is clients.region_of()


def test_a_process_has_one_client_for_each_service_region_and_limits(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same client is given again, and a client with other limits is another."""
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    first = clients.get("sqs", limits=LIMITS)

    assert first is clients.get("sqs", limits=LIMITS, region="eu-central-1")
    others = [
        clients.get("events", limits=LIMITS),
        clients.get("sqs", limits=LIMITS, region="eu-west-1"),
        clients.get("sqs", limits=LIMITS._replace(attempts=1)),
    ]
    assert all(first is not other for other in others)


def test_all_clients_are_made_in_one_session(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading AWS's data once serves them all; another configuration is another session, with its own clients."""
    set_all(monkeypatch, KEYS | {"AWS_REGION": "eu-central-1"})
    first = clients.get("sqs", limits=LIMITS)
    clients.get("events", limits=LIMITS, region="eu-west-1")
    session = clients._session  # noqa: SLF001 - how many there are can't be seen from outside

    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    clients.get("sqs", limits=LIMITS)
    assert session is clients._session  # noqa: SLF001 - likewise
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    other = clients.get("sqs", limits=LIMITS, region="eu-central-1")
    assert "http://127.0.0.1:1" == other.meta.endpoint_url
    assert "http://127.0.0.1:1" != first.meta.endpoint_url
    assert session is not clients._session  # noqa: SLF001 - likewise


def test_variables_can_stand_for_those_of_the_process(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A command's options count before the process's environment: the region and the profile."""
    (tmp_path / "credentials").write_text("[mine]\naws_access_key_id = profile\naws_secret_access_key = s\n")
    set_all(monkeypatch, KEYS | {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")})
    options = {"AWS_REGION": "eu-west-1", "AWS_PROFILE": "mine"}

    client = clients.get("secretsmanager", limits=LIMITS, environment=options)

    assert "eu-west-1" == client.meta.region_name
    assert "profile" == client._request_signer._credentials.access_key  # noqa: SLF001 - whose they are, nobody else says


def test_a_forked_child_makes_its_own(clients: Clients) -> None:
    """What a process forgets, it makes anew: session, clients and lock."""
    first = clients.get("sqs", limits=LIMITS, region="eu-central-1")
    clients._lock.acquire()  # noqa: SLF001 - as another thread of the parent held it
    clients.forget()

    assert first is not clients.get("sqs", limits=LIMITS, region="eu-central-1")


@pytest.mark.parametrize("environment", [{}, {"AWS_DEFAULT_REGION": ""}])
def test_a_region_is_needed(clients: Clients, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Without any region, or with an empty one, there is no client, and the message says what to set."""
    set_all(monkeypatch, environment)

    with pytest.raises(
        ConfigurationError,
        match=r"^no AWS region is set\. Set AWS_REGION, or give --region on the command line, region= in code$",
    ):
        clients.get("secretsmanager", limits=LIMITS)


def test_a_profile_that_is_not_there_is_named(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the profile, and the command that lists those that there are."""
    set_all(monkeypatch, {"AWS_PROFILE": "nope", "AWS_REGION": "eu-central-1"})

    with pytest.raises(ConfigurationError, match=r"^there is no AWS profile nope\. .*`aws configure list-profiles`$"):
        clients.get("secretsmanager", limits=LIMITS)


@pytest.mark.parametrize(
    "variables", [{"AWS_ENDPOINT_URL": "canary"}, {"AWS_REGION": "canary canary"}, {"AWS_CONFIG_FILE": "malformed"}]
)
def test_a_configuration_that_can_not_be_used_is_not_quoted(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str]
) -> None:
    """A malformed endpoint, region or file names the settings to check, and nothing of what they hold."""
    (tmp_path / "malformed").write_text("canary canary")
    set_all(monkeypatch, {"AWS_REGION": "eu-central-1"} | variables)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError, match=r"^the AWS configuration can't be used ") as caught:
        clients.get("secretsmanager", limits=LIMITS)
    assert "canary" not in str(caught.value)
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)


def test_credentials_that_can_not_be_had(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a key pair is no credentials, already when the client is made."""
    set_all(monkeypatch, {"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "canary"})

    with pytest.raises(
        SecretAccessDenied, match=r"^no AWS credentials were found for secretsmanager \(PartialCredentialsError\)"
    ) as caught:
        clients.get("secretsmanager", limits=LIMITS)
    assert "canary" not in str(caught.value)

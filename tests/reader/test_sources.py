"""Which source a reference is read from, with which client and in which region; groups may mix them."""

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from testbed.parameter_store import ParameterStoreServer
from testbed.reader_surroundings import Clock, Store, runtime
from token_refresh.reader import (
    ConfigurationError,
    SecretGroup,
    SecretNotFound,
    SecretReader,
)


@pytest.mark.usefixtures("_aws")
def test_group_of_several_sources(
    store: Store, parameters: ParameterStoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
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


@pytest.mark.usefixtures("_aws")
def test_region(store: Store, parameters: ParameterStoreServer) -> None:
    """`region` chooses the region of the reader's own client, for both services."""
    store.server.client(region_name="us-east-1").create_secret(Name="key", SecretString="there")
    parameters.put("/key", "there", region="us-east-1")
    assert ["there"] * 2 == [SecretReader(name, region="us-east-1").text() for name in ("key", "ssm:/key")]
    with pytest.raises(SecretNotFound, match="secret nowhere in us-east-1 was not found"):
        SecretReader("nowhere", region="us-east-1").text()


@pytest.mark.usefixtures("_aws")
def test_group_of_several_regions(store: Store) -> None:
    """ARNs of several regions are read in their own, with one call each."""
    arns = [
        store.server.client(region_name=region).create_secret(Name="key", SecretString=region)["ARN"]
        for region in ("eu-central-1", "us-east-1")
    ]
    group = SecretGroup(*arns, "key")
    assert ["eu-central-1", "us-east-1", "eu-central-1"] == [group[name].text() for name in (*arns, "key")]
    assert 2 == store.reads


def test_client_of_another_service(store: Store, parameters: ParameterStoreServer) -> None:
    """A client that no reference is read through is a mistake, and so is a client of another region."""
    parameters.put("/key", "value")
    assert "value" == SecretReader("ssm:/key", client=parameters.client()).text()
    with pytest.raises(ConfigurationError, match="the given client is one of secretsmanager, and none of the"):
        SecretReader("ssm:/key", client=store.client)
    with pytest.raises(ConfigurationError, match="region is us-east-1, and the given client is of eu-central-1"):
        SecretReader("key", client=store.client, region="us-east-1")


def test_stub_of_a_client(clock: Clock) -> None:
    """A stub that does not say of which service it is reads whatever it is given for."""
    stub = mock.Mock()
    stub.meta.region_name = "eu-central-1"
    stub.get_secret_value.return_value = {
        "SecretString": "value",
        "VersionId": "version-1",
        "CreatedDate": datetime.fromtimestamp(clock(), UTC),
    }
    assert "value" == SecretReader("key", client=stub, runtime=runtime(clock)).text()


@pytest.mark.usefixtures("_aws")
def test_the_stage_is_always_in_the_request(store: Store) -> None:
    """A policy with a condition on the version's stage needs it in the request, for AWSCURRENT too."""
    store.put_text("value", secret_id="key")
    SecretReader("key", overlap=timedelta(hours=1)).accepted()
    stages = [logged.call.version_stages for logged in store.server.calls if logged.call.operation == "GetSecretValue"]
    assert [("AWSCURRENT",), ("AWSPREVIOUS",)] == stages

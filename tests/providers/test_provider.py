"""A provider: a profile, with the deployment's settings and the document's variables applied."""

from dataclasses import replace
from datetime import timedelta

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers.loader import load_provider
from token_refresh_worker.providers.variables import EndpointVariable

UPWORK = load_provider("upwork")
SHOP = replace(
    UPWORK,
    name="shop",
    token_endpoint="https://{shop}.example.com/token",
    variables={"shop": EndpointVariable(name="shop", pattern="[a-z]+")},
)


def test_the_host_is_the_endpoint_s() -> None:
    """The host that receives the token is known, in lower case."""
    assert "www.upwork.com" == UPWORK.host
    assert "www.upwork.com" == UPWORK.at_endpoint("https://WWW.upwork.com:443/x").host


def test_another_endpoint_of_the_same_host_keeps_the_grace() -> None:
    """The grace belongs to the host; a variable makes the host unknown."""
    assert timedelta(days=1) == UPWORK.at_endpoint("https://www.upwork.com/v4/token").replay_grace
    assert timedelta(0) == UPWORK.at_endpoint("https://www.upwork.org/token").replay_grace
    assert timedelta(0) == SHOP.at_endpoint("https://a.example.com/token").replay_grace
    assert timedelta(days=1) == SHOP.at_endpoint("http://[::1]:80/token").replay_grace


def test_an_endpoint_of_the_deployment_has_no_variables() -> None:
    """The deployment's endpoint is complete: the document fills nothing in it."""
    assert (
        "https://a.example.com/{shop}"
        == SHOP.at_endpoint("https://a.example.com/{shop}")
        .for_document({"providerVariables": {"shop": "b"}})
        .token_endpoint
    )


@pytest.mark.parametrize("fields", [{}, {"provider": None}, {"provider": ""}, {"provider": "upwork"}])
def test_a_document_may_name_its_provider(fields: dict[str, object]) -> None:
    """A document that says nothing, or names the deployment's provider, is refreshed."""
    assert UPWORK == UPWORK.for_document(fields)


@pytest.mark.parametrize("named", ["canary", "UPWORK", 7, ["upwork"], {"upwork": 1}, True])
def test_another_provider_s_document_is_refused(named: object) -> None:
    """A document of another provider is never sent to this one; the message doesn't quote what it names."""
    with pytest.raises(ConfigurationError, match="provider is not upwork") as caught:
        UPWORK.for_document({"provider": named})

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("key", ["providerVariables", "provider_variables"])
def test_a_document_fills_the_variables(key: str) -> None:
    """The variables stand in the document, in its own spelling."""
    filled = SHOP.for_document({key: {"shop": "mine"}})

    assert ("https://mine.example.com/token", {}) == (filled.token_endpoint, filled.variables)


@pytest.mark.parametrize("values", [None, [], "mine", {}, {"shop": "a.b/c"}])
def test_wrong_variables_are_refused(values: object) -> None:
    """Variables that are missing, or of the wrong kind, name what is needed."""
    with pytest.raises(ConfigurationError, match="provider shop needs the variable shop"):
        SHOP.for_document({"providerVariables": values})


def test_providers_are_values() -> None:
    """Providers are values: equal ones have equal hashes."""
    assert {UPWORK, SHOP} == {load_provider("upwork"), SHOP, UPWORK}

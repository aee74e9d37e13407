"""A provider: a profile, with the deployment's settings and the document's variables applied."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh_worker.providers.endpoint import is_loopback, read_endpoint
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
    assert timedelta(days=1) == UPWORK.at_endpoint("https://www.upwork.com/v4/token").grace.duration
    assert timedelta(0) == UPWORK.at_endpoint("https://www.upwork.org/token").grace.duration
    assert timedelta(0) == SHOP.at_endpoint("https://a.example.com/token").grace.duration
    assert timedelta(days=1) == SHOP.at_endpoint("http://[::1]:80/token").grace.duration


def test_another_host_is_another_audience() -> None:
    """An assertion for the profile's audience goes to the profile's host, or to an imitation on this machine."""
    profile = replace(UPWORK, request=replace(UPWORK.request, assertion_audience="https://upwork.example"))
    urls = ("https://www.upwork.com/v4/token", "http://127.0.0.1/token", "https://www.upwork.org/token")

    found = [profile.at_endpoint(url).request.assertion_audience for url in urls]

    assert ["https://upwork.example", "https://upwork.example", None] == found


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


@pytest.mark.parametrize(
    ("named", "kind"), [(7, "number"), (["x"], "array"), ({"upwork": 1}, "object"), (True, "boolean")]
)
def test_what_is_not_a_name(named: object, kind: str) -> None:
    """What a document has in a provider's place is named by its JSON type, and never taken for no provider."""
    with pytest.raises(ConfigurationError, match=f"must be the name of a profile, and is a JSON {kind}"):
        UPWORK.for_document({"provider": named})


@pytest.mark.parametrize("named", ["canary", "UPWORK"])
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


@pytest.mark.parametrize(
    ("day", "notice"),
    [
        (date(2026, 11, 17), None),
        (date(2026, 11, 18), "Upwork ends on 2027-02-16; its successor is the provider other"),
        (date(2027, 2, 15), "Upwork ends on 2027-02-16; its successor is the provider other"),
        (date(2027, 2, 16), "Upwork ended on 2027-02-16; its successor is the provider other"),
    ],
)
def test_an_end_is_known_90_days_ahead(day: date, notice: str | None) -> None:
    """A provider that ends is announced 90 days before, with its successor, and has ended on its last day."""
    ending = replace(UPWORK, ends_on=date(2027, 2, 16), successor="other")

    assert notice == ending.end_notice(day)
    assert ending.has_ended(day) is (day == date(2027, 2, 16))
    assert None is UPWORK.end_notice(day)


def test_where_a_token_is_revoked_belongs_to_the_provider() -> None:
    """A document fills its variables; another host's token never goes to the profile's host."""
    shop = replace(SHOP, revocation_endpoint="https://{shop}.example.com/revoke")
    upwork = replace(UPWORK, revocation_endpoint="https://www.upwork.com/revoke")

    filled = shop.for_document({"providerVariables": {"shop": "mine"}})
    assert "https://mine.example.com/revoke" == filled.revocation_endpoint
    assert "" == shop.at_endpoint("https://mine.example.com/token").revocation_endpoint
    assert "https://www.upwork.com/revoke" == upwork.at_endpoint("https://www.upwork.com/v4").revocation_endpoint
    assert "" == upwork.at_endpoint("https://www.upwork.org/token").revocation_endpoint


# Which URLs may receive a token; the refusals are in tests/worker/test_config.py.


@pytest.mark.parametrize(
    ("host", "ours"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("localhost.example.com", False)],
)
def test_loopback_is_this_machine(host: str, *, ours: bool) -> None:
    """Only loopback addresses and `localhost` count as this machine."""
    assert ours is is_loopback(host)


def test_spaces_around_a_url_are_dropped() -> None:
    """A URL that was pasted with a line end is accepted as it was meant."""
    assert "https://example.com/t" == read_endpoint("X", " https://example.com/t\n")
    with pytest.raises(ConfigurationError, match="X must be an https URL with a host"):
        read_endpoint("X", " ")


@pytest.mark.parametrize("url", ["https://exämple.com/t", "https://example.com/a b", "https://example.com/\x7f"])
def test_a_url_is_printable_ascii(url: str) -> None:
    """A host name in another script could look like the provider's, so it must be written as xn--."""
    with pytest.raises(ConfigurationError, match="X must be ASCII without spaces"):
        read_endpoint("X", url)

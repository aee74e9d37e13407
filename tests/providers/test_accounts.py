"""Whose grant a token document holds: what the shipped profiles keep of a response names the account."""

import json
from pathlib import Path

import pytest

from token_refresh_worker.oauth.body import find
from token_refresh_worker.providers.loader import load_provider, profile_names

FIXTURES = Path(__file__).parent / "fixtures"
ORGANISATION = "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P"


@pytest.mark.parametrize(
    ("provider", "name", "value"),
    [
        ("hubspot", "hub_id", 1234567),
        ("salesforce", "id", ORGANISATION),
        ("square", "merchant_id", "MLEF"),
        ("strava", "athlete_id", 227615),
        ("withings", "userid", "363"),
    ],
)
def test_what_the_response_keeps_names_the_account(provider: str, name: str, value: str | int) -> None:
    """A customer who connects another account by mistake is noticed."""
    profile = load_provider(provider)

    assert name in profile.response.extra
    assert profile.account({name: value, "accessToken": "a"}) == {name: value}


@pytest.mark.parametrize("name", [name for name in profile_names() if load_provider(name).authorization])
def test_each_profile_with_a_consent_page_says_what_names_the_account(name: str) -> None:
    """A field of the documented response or redirect, a variable, or evidence that nothing does; never both."""
    profile = load_provider(name)
    assert profile.authorization is not None
    nothing = [fact for fact in profile.evidence if fact.says.startswith("Nothing in the documented response")]

    assert len(nothing) == (not profile.authorization.identity)

    fixture = json.loads((FIXTURES / f"{name}.success.json").read_text(encoding="utf-8"))
    documented = {**fixture["body"], **fixture.get("code_body", {})}
    tokens = find(documented, profile.response.envelope)
    brought = {kept for kept, path in profile.response.extra.items() if find(tokens, path) is not None}
    elsewhere = {*profile.authorization.redirect.keep, *profile.variables}
    if profile.ends_on is None:
        assert set(profile.authorization.identity) <= brought | elsewhere

"""Whose grant a token document holds: what the shipped profiles keep of a response names the account."""

import pytest

from token_refresh_worker.providers.loader import load_provider

ORGANISATION = "https://login.salesforce.com/id/00Dx0000000BV7z/005x00000012Q9P"


@pytest.mark.parametrize(
    ("provider", "name", "value"),
    [("hubspot", "hub_id", 1234567), ("salesforce", "id", ORGANISATION), ("square", "merchant_id", "MLEF")],
)
def test_what_the_response_keeps_names_the_account(provider: str, name: str, value: str | int) -> None:
    """A customer who connects another account by mistake is noticed."""
    profile = load_provider(provider)

    assert name in profile.response.extra
    assert profile.account({name: value, "accessToken": "a"}) == {name: value}

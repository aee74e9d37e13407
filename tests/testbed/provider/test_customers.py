import httpx

from testbed.provider.customers import Customers


def refresh(provider: Customers, refresh_token: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    client = {"client_id": provider.client_id, "client_secret": provider.client_secret}
    return httpx.post(provider.url, data=form | client, timeout=30)


def test_each_customer_has_a_grant() -> None:
    """Reuse of one customer's refresh token revokes that customer's grant alone."""
    with Customers(reuse="revokes") as provider:
        first, second = (provider.authorize()["refresh_token"] for _ in range(2))
        renewed = refresh(provider, first).json()["refresh_token"]

        assert [400, 400] == [refresh(provider, token).status_code for token in (first, renewed)]

        assert provider.grant.accepts(second)
        assert not provider.grant.accepts(renewed)
        assert not provider.grant.accepts("unknown")
        assert 400 == refresh(provider, "unknown").status_code
        assert 1 == provider.grant.redemptions
        assert {first, second, renewed} <= set(provider.grant.secrets)

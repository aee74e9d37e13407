"""The refresh request, as each provider's format wants it."""

from hypothesis import given
from hypothesis import strategies as st

from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth.formats import AuthMethod, Encoding, Grant, RequestFormat
from token_refresh_worker.oauth.request import refresh_request, token_request
from token_refresh_worker.stored.credentials import ClientCredentials

CLIENT = ClientCredentials(client_id="id", client_secret=SecretValue("hush & more"))
REDEEMED = SecretValue("r")
IN_THE_BODY = {"client_id": "id", "client_secret": "hush & more"}


def test_client_credentials_redeem_no_token() -> None:
    """The grant of client credentials has nothing to redeem (section 4.4)."""
    request = refresh_request(SecretValue(""), CLIENT, RequestFormat(grant=Grant.CLIENT_CREDENTIALS))

    assert {"grant_type": "client_credentials", **IN_THE_BODY} == request.fields


def test_an_access_token_is_exchanged() -> None:
    """Without a refresh token, the access token itself is sent, under the provider's names (Meta)."""
    form = RequestFormat(
        grant=Grant.EXCHANGE,
        grant_type="fb_exchange_token",
        method="GET",
        encoding=Encoding.QUERY,
        names={"access_token": "fb_exchange_token"},
    )

    request = refresh_request(SecretValue("a"), CLIENT, form)

    assert ("GET", Encoding.QUERY) == (request.method, request.encoding)
    assert {"grant_type": "fb_exchange_token", "fb_exchange_token": "a", **IN_THE_BODY} == request.fields


def test_names_parameters_and_headers_are_the_provider_s() -> None:
    """Fields are renamed or dropped; further fields and headers are added."""
    form = RequestFormat(
        encoding=Encoding.JSON,
        names={"client_id": "client_key", "grant_type": ""},
        params={"expires_in": "1800"},
        headers={"Notion-Version": "2022-06-28"},
    )

    request = refresh_request(REDEEMED, CLIENT, form)

    expected = {"refresh_token": "r", "client_key": "id", "client_secret": "hush & more", "expires_in": "1800"}
    assert (Encoding.JSON, expected) == (request.encoding, request.fields)
    assert {"Notion-Version": "2022-06-28"} == request.headers


def test_another_grant_has_no_parameters_of_the_refresh() -> None:
    """The exchange of a code takes over names and headers, and not the further fields of a refresh."""
    form = RequestFormat(names={"client_id": "client_key"}, params={"scope": "a"}, headers={"X": "y"})

    request = token_request({"grant_type": "authorization_code", "code": "c"}, CLIENT, form)

    assert {"grant_type", "code", "client_key", "client_secret"} == set(request.fields)
    assert {"X": "y"} == request.headers


def test_a_profile_s_header_can_t_replace_the_client_s_authentication() -> None:
    """The method's own header wins."""
    form = RequestFormat(auth_method=AuthMethod.BASIC, headers={"Authorization": "x"})

    assert refresh_request(REDEEMED, CLIENT, form).headers["Authorization"].startswith("Basic ")


def test_an_assertion_is_left_to_be_signed() -> None:
    """For private_key_jwt the request says what to sign; the audience is the endpoint, or the profile's."""
    form = RequestFormat(auth_method=AuthMethod.PRIVATE_KEY_JWT, assertion_algorithm="ES256")
    other = RequestFormat(auth_method=AuthMethod.PRIVATE_KEY_JWT, assertion_audience="https://as.example.com")

    assertion = refresh_request(REDEEMED, CLIENT, form, endpoint="https://example.com/token").assertion
    with_audience = refresh_request(REDEEMED, CLIENT, other, endpoint="https://example.com/token").assertion

    assert assertion is not None
    assert with_audience is not None
    assert ("id", "https://example.com/token", "ES256") == (
        assertion.client_id,
        assertion.audience,
        assertion.algorithm,
    )
    assert "https://as.example.com" == with_audience.audience
    assert None is refresh_request(REDEEMED, CLIENT).assertion


@given(
    method=st.sampled_from(AuthMethod), grant=st.sampled_from(Grant), secret=st.text(min_size=8).map("canary".__add__)
)
def test_a_request_does_not_show_itself(method: AuthMethod, grant: Grant, secret: str) -> None:
    """The repr of a request has neither the token nor the credentials, whatever the method."""
    client = ClientCredentials(client_id=f"{secret}-id", client_secret=SecretValue(secret))

    request = refresh_request(SecretValue(secret), client, RequestFormat(auth_method=method, grant=grant))

    assert "canary" not in repr(request)

"""Try the token endpoint, with or without a client: what `doctor` and `client` ask of it redeems nothing."""

import secrets
from typing import Final

from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.store import NOT_SENT_FIX
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.finding import Finding
from token_refresh_worker.bootstrap import token_endpoint
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.oauth.request import TokenRequest, refresh_request
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.run.ports import REQUEST_TIMEOUT_SECONDS
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.credentials import ClientCredentials

_RESPONDED: Final = {FailureKind.GRANT_REJECTED, FailureKind.CLIENT_REJECTED, FailureKind.REQUEST_REJECTED}


def try_client(context: Context, settings: Settings, client: ClientCredentials | None) -> Finding:
    """Send a request that can't succeed: a made-up refresh token, with client credentials if there are some.

    A token endpoint checks the client first, then the grant (RFC 6749 section 5.2). So `invalid_grant` means that the
    client credentials are right.
    """
    provider = settings.provider
    # Random: nobody's token, and so not the reuse of one, for which providers revoke grants (RFC 9700 section 4.14.2).
    made_up = SecretValue(f"made-up-{secrets.token_hex(8)}")
    if client is None:
        request = TokenRequest(fields={"grant_type": "refresh_token", "refresh_token": made_up.reveal()}, headers={})
    else:
        request = refresh_request(made_up, client, provider.request, endpoint=provider.token_endpoint)
    endpoint = token_endpoint(provider, client_key_id=settings.client_key_id, client=context.run_client)
    response = endpoint.send(request, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
    if isinstance(response, TokenResponse) and provider.request.grant is Grant.CLIENT_CREDENTIALS:
        return Finding.healthy("it issues tokens to the client")
    return _judge(context, response, with_client=client is not None)


def _judge(context: Context, response: EndpointResponse, *, with_client: bool) -> Finding:
    if not isinstance(response, FailedRequest):
        text = "it issued tokens for a made-up refresh token: do not trust it"
        return Finding.broken(text, "check TOKEN_ENDPOINT")
    seen = response.seen
    if response.kind is FailureKind.CLIENT_REJECTED and with_client:
        text = f"it responds, and rejects the client credentials ({seen})"
        return Finding.broken(text, "replace them, which takes no consent: ", context.command("client"))
    if response.kind in _RESPONDED:
        return Finding.healthy(_responds(response) if with_client else f"it responds ({seen}, as expected)")
    if response.kind in NOT_SENT_FIX:
        return Finding.broken(f"nothing could be sent from here ({seen})", NOT_SENT_FIX[response.kind])
    text = f"it does not respond as a token endpoint ({seen})"
    if response.kind in {FailureKind.BUSY, FailureKind.NO_RESPONSE}:
        return Finding.attention(text, "the provider has trouble: try again later; or check TOKEN_ENDPOINT")
    return Finding.broken(
        text, "wait, and try again: a challenge or maintenance page passes. If it lasts, check TOKEN_ENDPOINT"
    )


def _responds(refusal: FailedRequest) -> str:
    """Say how the endpoint refused a made-up token of a known client; RFC 6749 section 5.2 has `invalid_grant`."""
    if refusal.kind is FailureKind.GRANT_REJECTED:
        return f"it responds and knows the client ({refusal.seen}, as expected)"
    return (
        f"it responds, and refuses a made-up refresh token with {refusal.error}, not with invalid_grant. If it refuses "
        "the tokens of a dead grant alike, a profile of your own has to say so, under [response]: "
        f'dead = [{{ fields = {{ error = "{refusal.error}" }} }}]'
    )

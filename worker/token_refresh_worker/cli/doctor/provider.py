"""Check the token endpoint with a request that redeems nothing."""

import secrets

from token_refresh.errors import TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh_worker.bootstrap import token_endpoint
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.cli.secret.provider import names_provider
from token_refresh_worker.cli.secret.state import SecretState
from token_refresh_worker.core.steps import Mismatch
from token_refresh_worker.oauth.formats import Grant
from token_refresh_worker.oauth.request import TokenRequest, refresh_request
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.run.credentials import find_credentials
from token_refresh_worker.run.parts import REQUEST_TIMEOUT_SECONDS
from token_refresh_worker.run.settings import Settings

_NOT_SENT = {
    FailureKind.NOT_SENT: "check TOKEN_ENDPOINT, and the network of this machine and of the function",
    FailureKind.NOT_SIGNED: (
        "correct CLIENT_KEY_ID, or allow kms:Sign on that key; with aws_iam_jwt, correct CLIENT_ASSERTION_AUDIENCE, or "
        "allow sts:GetWebIdentityToken"
    ),
}
_RESPONDED = {FailureKind.GRANT_REJECTED, FailureKind.CLIENT_REJECTED, FailureKind.REQUEST_REJECTED}


def check_token_endpoint(context: Context, state: SecretState | None) -> Finding:
    """Send a request that can't succeed: a made-up refresh token, with the client credentials if they are known.

    A token endpoint checks the client first, then the grant (RFC 6749 section 5.2). So `invalid_grant` means that the
    client credentials are right.
    """
    settings = context.settings() if state is None else state.settings
    if state is not None and isinstance(state.step, Mismatch) and state.step.setting == "TOKEN_ENDPOINT":
        text = f"not asked: the tokens belong to {state.step.stored}, and the settings name {state.step.configured}"
        return Finding.unknown(text)
    request, with_client = _request(settings, context, state)
    endpoint = token_endpoint(settings.provider, client_key_id=settings.client_key_id, client=context.run_client)
    response = endpoint.send(request, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
    if isinstance(response, TokenResponse) and settings.provider.request.grant is Grant.CLIENT_CREDENTIALS:
        return Finding.healthy("it issues tokens to the client")
    return _judge(context, response, with_client=with_client)


def _request(settings: Settings, context: Context, state: SecretState | None) -> tuple[TokenRequest, bool]:
    provider = settings.provider
    # Random: nobody's token, and so not the reuse of one, for which providers revoke grants (RFC 9700 section 4.14.2).
    made_up = SecretValue(f"made-up-{secrets.token_hex(8)}")
    if state is not None and names_provider(context, state.document.fields):
        try:
            client = find_credentials(state.document, settings=settings, secret=context.client_secret)
            return refresh_request(made_up, client, provider.request, endpoint=provider.token_endpoint), True
        except TokenRefreshError:
            pass  # Another check reports it.
    return TokenRequest(fields={"grant_type": "refresh_token", "refresh_token": made_up.reveal()}, headers={}), False


def _judge(context: Context, response: EndpointResponse, *, with_client: bool) -> Finding:
    if not isinstance(response, FailedRequest):
        text = "it issued tokens for a made-up refresh token: do not trust it"
        return Finding.broken(text, "check TOKEN_ENDPOINT")
    seen = response.seen
    if response.kind is FailureKind.CLIENT_REJECTED and with_client:
        text = f"it responds, and rejects the client credentials ({seen})"
        return Finding.broken(text, "replace them, which takes no consent: ", context.command("client"))
    if response.kind in _RESPONDED:
        known = " and knows the client" if response.kind is FailureKind.GRANT_REJECTED and with_client else ""
        return Finding.healthy(f"it responds{known} ({seen}, as expected)")
    if response.kind in _NOT_SENT:
        return Finding.broken(f"nothing could be sent from here ({seen})", _NOT_SENT[response.kind])
    text = f"it does not respond as a token endpoint ({seen})"
    if response.kind in {FailureKind.BUSY, FailureKind.NO_RESPONSE}:
        return Finding.attention(text, "the provider has trouble: try again later; or check TOKEN_ENDPOINT")
    return Finding.broken(
        text, "wait, and try again: a challenge or maintenance page passes. If it lasts, check TOKEN_ENDPOINT"
    )

"""Checks of the token endpoint, which redeem nothing."""

import secrets

from token_refresh.bootstrap import find_credentials, token_endpoint
from token_refresh.cli.checks import Check, Grade
from token_refresh.cli.state import State, open_store
from token_refresh.config import Settings
from token_refresh.errors import TokenRefreshError
from token_refresh.oauth.request import TokenRequest, refresh_request
from token_refresh.oauth.response import Answer, Failure, Kind
from token_refresh.refresh.parts import REQUEST_TIMEOUT_SECONDS
from token_refresh.secret_value import SecretValue

_ANSWERED = {Kind.GRANT_REJECTED, Kind.CLIENT_REJECTED, Kind.REQUEST_REJECTED}


def check_token_endpoint(settings: Settings, state: State | None) -> Check:
    """Send a request that can't succeed: a made-up refresh token, with the client credentials where they are known.

    The order in which a token endpoint refuses is that of RFC 6749: the client first, then the grant. So
    `invalid_grant` says that the client credentials are right.
    """
    request, with_client = _request(settings, state)
    endpoint = token_endpoint(settings.token_endpoint)
    answer = endpoint.send(request, timeout_seconds=settings.request_timeout_seconds or REQUEST_TIMEOUT_SECONDS)
    return _judge(answer, with_client=with_client)


def _request(settings: Settings, state: State | None) -> tuple[TokenRequest, bool]:
    made_up = SecretValue(f"made-up-{secrets.token_hex(8)}")
    if state is not None:
        try:
            client = find_credentials(state.document, settings=settings, secret=open_store)
            return refresh_request(made_up, client, settings.auth_method), True
        except TokenRefreshError:
            pass  # A check of its own tells of it.
    return TokenRequest(form={"grant_type": "refresh_token", "refresh_token": made_up.reveal()}, headers={}), False


def _judge(answer: Answer, *, with_client: bool) -> Check:
    name = "token endpoint"
    if not isinstance(answer, Failure):
        text = "it gave tokens for a made-up refresh token; that is no token endpoint to trust"
        return Check(name=name, grade=Grade.FAILED, text=text, remedy="check TOKEN_ENDPOINT")
    if answer.kind is Kind.CLIENT_REJECTED and with_client:
        return Check(
            name=name,
            grade=Grade.FAILED,
            text=f"it answers, and refuses the client credentials ({answer.seen})",
            remedy="correct them where they are stored, or store others: token-refresh authorize --client-id ID",
        )
    if answer.kind in _ANSWERED:
        known = " and knows the client" if answer.kind is Kind.GRANT_REJECTED and with_client else ""
        return Check(name=name, grade=Grade.OK, text=f"it answers as one{known} ({answer.seen}, as it should)")
    if answer.kind is Kind.NOT_SENT:
        return Check(
            name=name,
            grade=Grade.FAILED,
            text=f"out of reach from here ({answer.seen})",
            remedy="check TOKEN_ENDPOINT, and this machine's and the function's network",
        )
    return Check(
        name=name,
        grade=Grade.LOOK if answer.kind in {Kind.BUSY, Kind.NO_ANSWER} else Grade.FAILED,
        text=f"it does not answer as a token endpoint ({answer.seen})",
        remedy="check TOKEN_ENDPOINT; where it is right, the provider has trouble: try again later",
    )

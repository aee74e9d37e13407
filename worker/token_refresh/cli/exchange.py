"""Exchange an authorization code for tokens, and store them."""

from collections.abc import Sequence
from dataclasses import dataclass

from token_refresh.bootstrap import token_endpoint
from token_refresh.cli import page
from token_refresh.cli.authorization import Authorization
from token_refresh.cli.clock import service_now
from token_refresh.cli.failures import CommandFailed
from token_refresh.cli.screen import fields_table, output, when
from token_refresh.cli.storing import base_document, create_secret, store_version, tags_for
from token_refresh.config import Settings
from token_refresh.errors import ClientRejected
from token_refresh.oauth.response import Failure, Kind, TokenResponse
from token_refresh.ports import SecretStore
from token_refresh.refresh.parts import REQUEST_TIMEOUT_SECONDS
from token_refresh.secret_value import SecretValue
from token_refresh.stored.credentials import ClientCredentials
from token_refresh.stored.origin import Origin

_REMEDIES = {
    Kind.GRANT_REJECTED: "the code was used, has expired, or the redirect URI differs from the registered one; run "
    "token-refresh authorize again",
    Kind.NOT_SENT: "check --token-endpoint and the network, then run token-refresh authorize again",
    Kind.UNEXPECTED: "check --token-endpoint",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is to be done once the provider has authorized."""

    settings: Settings
    store: SecretStore
    client: ClientCredentials
    keeps_client: bool
    """Whether the client credentials are stored beside the tokens."""
    creates: bool
    """Whether the secret is not there yet."""
    fields: dict[str, object]
    """What is stored so far."""
    tags: Sequence[tuple[str, str]]

    def complete(self, authorization: Authorization, code: SecretValue) -> str:
        """Exchange the code, store the tokens, say so, and give the page for the browser.

        Raises:
            TokenRefreshError: No tokens came, or they could not be stored.
        """
        secret_id = self.settings.token_secret_id
        sent_at = service_now(secret_id)
        tokens = self._redeem(authorization, code)
        document = base_document(self.fields, self.client if self.keeps_client else None).renewed(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            lifetime=tokens.lifetime,
            issued_at=sent_at,
            origin=Origin(
                host=self.settings.policy.host,
                grace=self.settings.policy.replay_grace,
                store=self.settings.policy.store,
            ),
        )
        if self.creates:
            version_id = create_secret(secret_id, document.serialize(), tags_for(secret_id, self.tags))
        else:
            version_id = store_version(self.store, document.serialize())
        output().print("Authorized: the tokens are stored.", style="bold green")
        output().print(
            fields_table(
                [
                    ("secret", secret_id),
                    ("version", version_id),
                    ("expires", None if document.expires_at is None else when(document.expires_at)),
                    ("next", "token-refresh status"),
                ]
            )
        )
        return page.authorized(secret_id)

    def _redeem(self, authorization: Authorization, code: SecretValue) -> TokenResponse:
        """Send the request once: a code is good for one exchange (RFC 6749 section 4.1.2)."""
        request = authorization.code_request(code, self.client, self.settings.auth_method)
        endpoint = token_endpoint(self.settings.token_endpoint)
        timeout_seconds = self.settings.request_timeout_seconds or REQUEST_TIMEOUT_SECONDS
        answer = endpoint.send(request, timeout_seconds=timeout_seconds)
        if isinstance(answer, Failure):
            raise _refused(answer)
        if answer.refresh_token is None:
            raise CommandFailed(
                "the provider sent no refresh token, so there is nothing to refresh with; ask for one, where it is a "
                "scope (--scope offline_access) or a setting of the client"
            )
        return answer


def _refused(answer: Failure) -> ClientRejected | CommandFailed:
    if answer.kind is Kind.CLIENT_REJECTED:
        return ClientRejected(
            f"the token endpoint refused the client credentials ({answer.seen}); correct client ID and secret, and run "
            "token-refresh authorize again"
        )
    remedy = _REMEDIES.get(answer.kind, "run token-refresh authorize again")
    return CommandFailed(f"the token endpoint did not give tokens ({answer.seen}); {remedy}")

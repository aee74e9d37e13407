"""Exchange an authorization code for tokens, and store them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from token_refresh.advice import Command
from token_refresh.errors import ClientRejected
from token_refresh.secret_value import SecretValue
from token_refresh_worker.bootstrap import token_endpoint
from token_refresh_worker.changes.authorization import AuthorizationRequest
from token_refresh_worker.cli import browser
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.failures import CommandFailed, finishing
from token_refresh_worker.cli.lookups import read_clock
from token_refresh_worker.cli.screen import fields_table, message, output, show, text, when
from token_refresh_worker.cli.secret.publishing import publish
from token_refresh_worker.cli.secret.storing import base_document, create_secret, store_version, tags_for
from token_refresh_worker.core.attempts import fingerprint_of
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.oauth.scopes import read_scopes
from token_refresh_worker.run.parts import REQUEST_TIMEOUT_SECONDS
from token_refresh_worker.run.settings import Settings
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.origin import IN_VERSIONS, Origin, read_origin

_REMEDIES = {
    FailureKind.GRANT_REJECTED: "the code was used, has expired, or the redirect URI is not the registered one; run "
    "authorize again",
    FailureKind.NOT_SIGNED: (
        "correct CLIENT_KEY_ID, or allow kms:Sign on that key (with aws_iam_jwt: CLIENT_ASSERTION_AUDIENCE, and "
        "sts:GetWebIdentityToken), then run authorize again"
    ),
    FailureKind.NOT_SENT: "check --token-endpoint and the network, then run authorize again",
    FailureKind.UNEXPECTED: "check --token-endpoint",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What to do once the provider has authorized."""

    context: Context
    settings: Settings
    client: ClientCredentials
    keeps_client: bool
    """Whether the client credentials are stored beside the tokens."""
    creates: bool
    """Whether the secret has to be created."""
    fields: dict[str, object]
    """What is stored so far, with the provider's keys."""
    tags: Sequence[tuple[str, str]]

    def complete(self, authorization: AuthorizationRequest, code: SecretValue) -> str:
        """Exchange the code, store the tokens, say so, and give the page for the browser.

        Raises:
            TokenRefreshError: No tokens came, or they could not be stored.
        """
        context, provider = self.context, self.settings.provider
        # The provider may have ended the old grant: new tokens that are not stored leave none.
        with finishing("The tokens are stored first."):
            sent_at = read_clock(context)  # Before the request, so that the stored expiry is never too late.
            tokens = self._redeem(authorization, code)
            fields = {**self.fields, **tokens.kept}
            document = base_document(fields, self.client if self.keeps_client else None).renewed(
                access_token=tokens.access_token,
                refresh_token=tokens.refresh_token,
                lifetime=tokens.lifetime_from(sent_at) or provider.access_token_lifetime,
                issued_at=sent_at,
                origin=self._origin(tokens, sent_at, asked=authorization.scope),
            )
            if self.creates:
                version_id = create_secret(context, document.serialize(), tags_for(context.secret_id, self.tags))
            else:
                version_id = store_version(context.store(), document.serialize())
        output().print(text("Authorized: the tokens are stored.", "bold green"))
        output().print(
            fields_table(
                [
                    ("secret", context.secret_id),
                    ("region", context.region),
                    ("provider", f"{provider.title} ({provider.host})"),
                    ("version", version_id),
                    ("expires", None if document.expires_at is None else when(document.expires_at)),
                ]
            )
        )
        publish(context, self.settings, version_id, document)
        show(output(), *message("Next: ", context.command("status")))
        return browser.authorized(context.secret_id, context.command("status"))

    def _origin(self, tokens: TokenResponse, issued_at: datetime, *, asked: str | None) -> Origin:
        """Name the last known claim too: from there a run finds the newest one, if a label or a table is lost."""
        provider, claim_store = self.settings.provider, self.settings.policy.claim_store
        before = read_origin(self.fields)
        # Claims in the secret also go on after those of a table, which may be lost: its fence is older than they are.
        fits = before is not None and claim_store in {IN_VERSIONS, before.claim_store}
        known = before if fits else None
        ends_at = provider.refresh_token.ends_at(issued_at, stated=tokens.refresh_token_lifetime, begins=True)
        return Origin(
            host=provider.host,
            grace=provider.grace.duration,
            claim_store=claim_store,
            claim_id=known.claim_id if known else None,
            number=known.number if known else 0,
            authorized=True,
            token=fingerprint_of(tokens.refresh_token) if tokens.refresh_token else None,
            grant_ends_at=ends_at,
            grant_began_at=issued_at.replace(microsecond=0) if ends_at else None,
            scopes=self._asked(asked) if tokens.scopes is None else tokens.scopes,
        )

    def _asked(self, scope: str | None) -> tuple[str, ...] | None:
        """Return the scopes that were asked for; a response that omits them grants these (RFC 6749 section 5.1)."""
        page = self.settings.provider.authorization
        return read_scopes(scope, separator=page.scope_separator if page else " ")

    def _redeem(self, authorization: AuthorizationRequest, code: SecretValue) -> TokenResponse:
        """Send the request once: a code is good for one exchange (RFC 6749 section 4.1.2)."""
        provider = self.settings.provider
        request = authorization.code_request(code, self.client, provider)
        endpoint = token_endpoint(provider, client_key_id=self.settings.client_key_id, client=self.context.run_client)
        response = endpoint.send(request, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
        if isinstance(response, FailedRequest):
            raise self._refused(response)
        if response.refresh_token is None:  # Optional by RFC 6749 section 5.1.
            raise CommandFailed(
                "the provider sent no refresh token, so there is nothing to refresh with",
                fix=(
                    "It may want a scope (--scope), or a setting of the client; what is known of it: ",
                    Command.of("token-refresh providers {}", provider.name, is_complete=True),
                ),
            )
        return response

    def _refused(self, failure: FailedRequest) -> ClientRejected | CommandFailed:
        if failure.kind is FailureKind.CLIENT_REJECTED:
            again = self.context.command("authorize", "--client-id", "ID")
            if self.settings.provider.request.auth_method is AuthMethod.AWS_IAM_JWT:
                return ClientRejected(
                    f"the token endpoint rejected the client assertion ({failure.seen}), which names your own AWS role",
                    fix=(
                        "Register your role at the provider beside the function's, for as long as it takes; ",
                        Command.of("aws iam get-role --role-name NAME --query Role.Arn --output text"),
                        " shows the ARN that it goes by. Then run ",
                        self.context.command("authorize"),
                    ),
                )
            return ClientRejected(
                f"the token endpoint rejected the client credentials ({failure.seen})",
                fix=("Enter others: ", again),
            )
        remedy = _REMEDIES.get(failure.kind, "run authorize again")
        return CommandFailed(f"the token endpoint sent no tokens ({failure.seen})", fix=remedy)

"""Exchange an authorization code for tokens, and store them: a grant begins, or begins anew."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from token_refresh.advice import Advice, Command
from token_refresh.errors import ClientRejected, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import write_object
from token_refresh_admin.changes.authorization_request import AuthorizationRequest
from token_refresh_admin.changes.change import (
    CLIENT_KEYS,
    ChangeFailed,
    document_of,
    fields_of,
    is_snake,
    new_version_id,
    swap,
)
from token_refresh_admin.changes.client import with_client
from token_refresh_admin.changes.publish import PublishedCopyBeforeChange, StoredGrant
from token_refresh_admin.changes.recover import shape_of
from token_refresh_worker.core.attempts import fingerprint_of
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.oauth.formats import AuthMethod
from token_refresh_worker.oauth.response import FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.oauth.scopes import read_scopes
from token_refresh_worker.oauth.unread import body_of, object_of, read_unread
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.run.ports import REQUEST_TIMEOUT_SECONDS, RunDependencies
from token_refresh_worker.stored.credentials import ClientCredentials
from token_refresh_worker.stored.document import TokenDocument, read_document
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, Origin, read_origin

SWAPS: Final = 5
"""How often something else may become current while tokens are stored; after that they replace whatever is there."""

NOT_SENT_FIX: Final = {
    FailureKind.NOT_SIGNED: (
        "correct CLIENT_KEY_ID, or allow kms:Sign on that key (with aws_iam_jwt: CLIENT_ASSERTION_AUDIENCE, and "
        "sts:GetWebIdentityToken)"
    ),
    FailureKind.NOT_SENT: "check the token endpoint (TOKEN_ENDPOINT) and the network",
    FailureKind.UNTRUSTED: (
        "check the token endpoint (TOKEN_ENDPOINT); a private authority's certificate goes into a profile of your own "
        "(ca_certificates)"
    ),
}
"""What to do where nothing could be sent to the token endpoint."""

_BEFORE_IT: Final = {
    FailureKind.GRANT_REJECTED: "the code was used, has expired, or the redirect URI is not the registered one; ",
    FailureKind.UNEXPECTED: "check the token endpoint (TOKEN_ENDPOINT), then ",
    **{kind: f"{fix}, then " for kind, fix in NOT_SENT_FIX.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewGrant:
    """Tokens that have arrived for a secret, as its provider sent them."""

    tokens: TokenResponse
    sent_at: datetime
    """When the request was sent, by the service's clock."""
    asked_scope: str | None = None
    """The scopes that were asked for: a response that omits them grants these (RFC 6749 section 5.1)."""
    client: ClientCredentials | None = None
    """Credentials to store beside the tokens."""
    lost_claim: str | None = None
    """The claim that the claim table has lost, see `find_lost_claim`: the tokens don't name it."""

    def store(
        self,
        parts: RunDependencies,
        known: Mapping[str, object],
        change: Callable[[Mapping[str, object]], dict[str, object]],
        create: Callable[[SecretValue], str] | None = None,
    ) -> StoredGrant:
        """Put the tokens on what is stored by now, and make that current.

        `known` are the keys that were stored before, for a secret that can't be read any more. `change` sets what the
        change sets beside the tokens. `create` creates a secret that is not there, with its first value, and returns
        its version.
        """
        # Before the new version: a run may publish newer tokens after it.
        copy = PublishedCopyBeforeChange.read(parts.published)
        document = self.document(parts, change(known))
        if create is not None:
            return StoredGrant(version_id=create(document.serialize()), document=document, copy=copy)
        # Whatever happens, the tokens are stored: the provider may have ended the old grant.
        with suppress(TokenRefreshError):
            for _ in range(SWAPS):
                current, version_id = parts.store.read(label=CURRENT), new_version_id(parts)
                fields = fields_of(current)
                document = self.document(_where_claims_went(parts, known, fields), change(fields))
                if current is None:
                    break
                if swap(parts.store, current.version_id, version_id, document.serialize()):
                    return StoredGrant(version_id=version_id, document=document, copy=copy)
        version_id = new_version_id(parts)
        parts.store.put(version_id, document.serialize(), label=CURRENT)  # Whatever is current.
        return StoredGrant(version_id=version_id, document=document, copy=copy)

    def document(self, parts: RunDependencies, fields: Mapping[str, object]) -> TokenDocument:
        """Put the tokens on what is stored."""
        # Extra fields belong to a grant: those of the one before don't stay.
        known = {name: value for name, value in fields.items() if name not in parts.provider.response.extra}
        return base_document({**known, **self.tokens.extra}, self.client).renewed(
            access_token=self.tokens.access_token,
            refresh_token=self.tokens.refresh_token,
            lifetime=parts.provider.lifetime_of(self.tokens, self.sent_at),
            issued_at=self.sent_at,
            origin=self._origin(parts, fields),
        )

    def _origin(self, parts: RunDependencies, fields: Mapping[str, object]) -> Origin:
        """Name the last known claim too: from there a run finds the newest one, if a label or a table is lost."""
        provider, claim_store, before = parts.provider, parts.policy.claim_store, read_origin(fields)
        # Claims in the secret also go on after those of a table, which may be lost: its fence is older than they are.
        known = before if before is not None and claim_store in {IN_VERSIONS, before.claim_store} else None
        if known is not None and known.claim_id is not None and known.claim_id == self.lost_claim:
            known = None
        tokens, page = self.tokens, provider.authorization
        stated, store = tokens.refresh_token_ends, claim_store.kind
        ends_at = provider.refresh_token.ends_at(self.sent_at, stated=stated, begins=True, store=store)
        asked = read_scopes(self.asked_scope, separator=page.scope_separator if page else " ")
        return Origin(
            host=provider.host,
            grace=provider.grace.duration,
            claim_store=claim_store,
            claim_id=known.claim_id if known else None,
            number=known.number if known else 0,
            authorized=True,
            token=fingerprint_of(tokens.refresh_token) if tokens.refresh_token else None,
            grant_ends_at=ends_at,
            grant_began_at=self.sent_at.replace(microsecond=0) if ends_at else None,
            scopes=asked if tokens.scopes is None else tokens.scopes,
            extra_names=provider.extra_names,
        )


def find_lost_claim(parts: RunDependencies, known: Mapping[str, object]) -> str | None:
    """Return the claim that a secret names and its claim table has lost; None if nothing shows a loss.

    A run takes new tokens that name it for tokens that a lost claim may have used. Before they are issued, none has.
    """
    origin = read_origin(known)
    if origin is None or origin.claim_id is None or origin.claim_store != parts.policy.claim_store:
        return None
    if origin.claim_store.kind is not ClaimStoreKind.TABLE:
        return None
    with suppress(TokenRefreshError):  # Whoever may not read the table consents all the same.
        newest = parts.claims.newest().claim
        return origin.claim_id if newest is None or newest.number < origin.number else None
    return None


def _where_claims_went(
    parts: RunDependencies, known: Mapping[str, object], fields: Mapping[str, object]
) -> RunDependencies:
    """Name the new claim store where somebody moved the claims meanwhile: runs of the old one send nothing."""
    before, now = read_origin(known), read_origin(fields)
    if before is None or now is None or before.claim_store == now.claim_store:
        return parts
    return replace(parts, policy=replace(parts.policy, claim_store=now.claim_store))


def exchange(parts: RunDependencies, authorization: AuthorizationRequest, code: SecretValue) -> TokenResponse:
    """Exchange a code for tokens, once: it is good for one exchange (RFC 6749 section 4.1.2).

    Raises:
        ClientRejected: The provider rejected the client credentials.
        ChangeFailed: It sent no tokens, or no refresh token.
    """
    request = authorization.code_request(code, parts.provider)
    response = parts.endpoint(parts.provider).send(request, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
    if isinstance(response, FailedRequest):
        raise _refused(parts, response, authorization.again)
    return require_refresh_token(response, parts.provider)


def require_refresh_token(response: TokenResponse, provider: Provider) -> TokenResponse:
    """Refuse a response without a refresh token, which is optional by RFC 6749 section 5.1."""
    if response.refresh_token is None:
        raise ChangeFailed(
            "the provider sent no refresh token, so there is nothing to refresh with",
            fix=(
                "It may want a scope (--scope), prompt=consent (`params` in a profile), or a setting of the client: ",
                Command.of("token-refresh providers {}", provider.name, is_complete=True),
            ),
        )
    return response


def _refused(parts: RunDependencies, failure: FailedRequest, again: Advice) -> ClientRejected | ChangeFailed:
    secret, method = parts.secret, parts.provider.request.auth_method
    if failure.kind is not FailureKind.CLIENT_REJECTED:
        fix = (_BEFORE_IT.get(failure.kind, ""), *again)
        return ChangeFailed(f"the token endpoint sent no tokens ({failure.seen}{_shape_of(failure)})", fix=fix)
    if method is AuthMethod.AWS_IAM_JWT:
        return ClientRejected(
            f"the token endpoint rejected the client assertion ({failure.seen}), which names your own AWS role",
            fix=(
                "Register your role at the provider beside the function's, for as long as it takes; ",
                Command.of("aws iam get-role --role-name NAME --query Role.Arn --output text"),
                *(" shows the ARN that it goes by. Then run ", secret.authorize),
            ),
        )
    return ClientRejected(
        f"the token endpoint rejected the client credentials ({failure.seen})",
        fix=("Enter others: ", secret.command("authorize", "--client-id", "ID")),
    )


def _shape_of(failure: FailedRequest) -> str:
    """Say what is in a response that may hold tokens, without a value: from that, a profile can be written."""
    raw = read_unread(failure.unread) if failure.unread else None
    fields = {} if raw is None else shape_of(object_of(body_of(raw)))
    return "".join(f"; {pointer}: {shape}" for pointer, shape in fields.items())


def base_document(fields: Mapping[str, object], client: ClientCredentials | None) -> TokenDocument:
    """Return the document that new tokens are put into: all keys that are stored, if they fit a token document.

    `client` are credentials to store beside the tokens, in the spelling that is there.
    """
    given = with_client(fields, client) if client else fields
    own = {name: given[name] for name in CLIENT_KEYS if client and name in given}
    # The received refresh token replaces `none yet`. Keys that don't fit a token document are dropped: with them no run
    # could read the new tokens.
    own["refresh_token" if is_snake(fields) else "refreshToken"] = "none yet"
    found = document_of({**given, **own}, needs_refresh_token=True)
    return found or read_document(write_object(own), needs_refresh_token=True)

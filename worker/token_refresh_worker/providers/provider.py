"""One provider: everything that a refresh, an authorization and a safe retry depend on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from token_refresh.errors import ConfigurationError
from token_refresh.stored.refresh_window import refresh_window
from token_refresh.stored.times import LONGEST_LIFETIME, is_possible
from token_refresh_worker.oauth.body import jwt_expiry
from token_refresh_worker.oauth.formats import Grant, RequestFormat, ResponseFormat, RevocationFormat
from token_refresh_worker.oauth.response import TokenResponse
from token_refresh_worker.providers.endpoint import host_of, is_loopback
from token_refresh_worker.providers.lifetime import LIFETIMES_STATED, MILLISECONDS, shortest_lifetime
from token_refresh_worker.providers.redirect import RedirectFormat
from token_refresh_worker.providers.variables import EndpointVariable, fill, places, provider_named_in, variables_in
from token_refresh_worker.stored.document import DEFAULT_LIFETIME
from token_refresh_worker.stored.origin import ClaimStoreKind

SAME_END: Final = timedelta(minutes=1)
"""Ends that are not further apart are one. LinkedIn states what is left, in whole seconds: it moves a little."""

NOTICE: Final = timedelta(days=90)
"""How long before a provider's change `status` and `doctor` announce it."""


class Rotation(StrEnum):
    """Whether a refresh returns a new refresh token."""

    ALWAYS = "always"
    OPTIONAL = "optional"
    NEVER = "never"


class OldAccessToken(StrEnum):
    """What a refresh does to the access token before it."""

    DIES = "dies"
    """Its API rejects it at once, although it has not expired."""
    LIVES = "lives"
    """It works until it expires."""


class GraceEnd(StrEnum):
    """What ends the time in which the provider accepts a refresh token again."""

    TIME = "time"
    USE = "until_used"
    """The first use of the new tokens. A run whose response was lost has no new tokens to use."""
    NEVER = "static"
    """Nothing: the refresh token stays valid."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Grace:
    """How long the provider accepts a refresh token after it was redeemed, so that a lost response may be repeated."""

    duration: timedelta
    """Zero for single use."""
    ends_by: GraceEnd = GraceEnd.TIME


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RefreshTokenLife:
    """How long a grant lives. None where the provider documents nothing."""

    lifetime: timedelta | None = None
    is_fixed: bool = False
    """Whether `lifetime` counts from the consent, and no refresh extends it."""
    idle: timedelta | None = None
    """Without a refresh for this long, the grant ends."""

    def ends_at(
        self,
        issued_at: datetime,
        *,
        stated: Iterable[timedelta | datetime],
        begins: bool,
        store: ClaimStoreKind,
        known: datetime | None = None,
    ) -> datetime | None:
        """Return when a grant ends that is not refreshed again; None where nothing is known.

        `stated` is what the response says, durations or moments, and the earliest end counts. One so near that the
        claim store can't keep up with it is a mistake, such as 90 for days. The end that was `known` before comes near.
        `begins` says whether `lifetime` begins with these tokens.
        """
        began_at = issued_at.replace(microsecond=0)
        ends = [end.replace(microsecond=0) if isinstance(end, datetime) else began_at + end for end in stated]
        nearest = began_at + shortest_lifetime(store)
        believed = [
            end
            for end in ends
            if began_at < end and is_possible(end, latest=began_at + LONGEST_LIFETIME)
            if end >= nearest or (known is not None and abs(end - known) <= SAME_END)
        ]
        # What the provider states is about this grant; the profile is about all of them.
        by_profile = began_at + self.lifetime if self.lifetime and begins else None
        return min(believed, default=by_profile)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RateLimit:
    """How many token requests the provider accepts."""

    requests: int
    per: timedelta
    scope: str
    """What is counted: `ip`, `client` or `grant`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuthorizationPage:
    """The authorization page (RFC 6749 section 4.1.1)."""

    endpoint: str
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    params: Mapping[str, str] = field(default_factory=dict, hash=False)
    code_params: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Further fields of the request that exchanges the code."""
    pkce: bool = True
    issuer: str = ""
    """What its redirects carry as `iss` (RFC 9207), each of them; may have variables in it. Empty where unknown."""
    redirect: RedirectFormat = field(default_factory=RedirectFormat)
    identity: tuple[str, ...] = ()
    """The extra fields and variables that say whose account it is."""


class EvidenceKind(StrEnum):
    """What a fact rests on."""

    DOCUMENTED = "documented"
    """The provider's own documentation or source."""
    REPORTED = "reported"
    """Third parties report it."""
    ASSUMED = "assumed"
    """Nobody verified it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Evidence:
    """Where a fact of the profile comes from."""

    says: str
    source: str
    on: date
    """When somebody looked."""
    basis: EvidenceKind = EvidenceKind.DOCUMENTED
    changes_on: date | None = None
    """From when it is so, where the provider has announced a change."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Provider:
    """A profile, with the deployment's settings and the document's variables applied."""

    name: str
    title: str
    token_endpoint: str
    """May have variables in it until `for_document`. Empty where the deployment must name it."""
    variables: Mapping[str, EndpointVariable] = field(default_factory=dict, hash=False)
    request: RequestFormat = field(default_factory=RequestFormat)
    response: ResponseFormat = field(default_factory=ResponseFormat)
    rotation: Rotation
    grace: Grace
    access_token_lifetime: timedelta | None = None
    """As the deployment says, else as documented. It applies where a response doesn't say, or says far more."""
    refresh_token: RefreshTokenLife = field(default_factory=RefreshTokenLife)
    refresh_window: timedelta
    """How long before expiry a token set is due."""
    rate: RateLimit | None = None
    authorization: AuthorizationPage | None = None
    old_access_token: OldAccessToken | None = None
    """None where nothing is known."""
    revocation_endpoint: str = ""
    """Where a token can be revoked (RFC 7009); may have variables in it until `for_document`. Empty where unknown."""
    revocation: RevocationFormat = field(default_factory=RevocationFormat)
    ca_certificates: str | None = None
    """In PEM: who signs the certificates of its endpoints, instead of the public authorities."""
    ends_on: date | None = None
    """From this day on the provider's endpoints are gone."""
    successor: str | None = None
    """The profile that takes its place."""
    evidence: tuple[Evidence, ...] = ()

    def lifetime_of(
        self, response: TokenResponse, sent_at: datetime, before: timedelta | None = None
    ) -> timedelta | None:
        """Return how long an access token lives: as the response says, else as is known, else as before.

        Where the response doesn't say it, a JWT lives until its `exp` at most (RFC 7519 section 4.1.4).
        """
        stated, documented = response.lifetime_from(sent_at), self.access_token_lifetime
        if stated is None:
            known, ends_at = documented or before, jwt_expiry(response.access_token)
            left = ends_at - sent_at if ends_at else timedelta(0)
            return min(known or DEFAULT_LIFETIME, left) if left >= timedelta(seconds=1) else known
        if before is not None and response.lifetime == MILLISECONDS * before:
            return before
        if documented is None or is_possible(sent_at + stated, latest=sent_at + LIFETIMES_STATED * documented):
            return stated
        return documented

    def longest_safe_cache(self, lifetime: timedelta | None) -> timedelta:
        """Return how long a consumer may keep a token without a look at its expiry; zero if not at all.

        Half of the refresh window: with less left the alarm `renewal-overdue` has been raised. Where a refresh ends the
        access token before, or might, no cache of a fixed life is safe.
        """
        if self.old_access_token is not OldAccessToken.LIVES:
            return timedelta()
        return refresh_window(self.refresh_window, lifetime) / 2

    def end_notice(self, today: date) -> str | None:
        """Say that the provider has ended, or ends within `NOTICE`, and what follows; None otherwise."""
        if self.ends_on is None or today < self.ends_on - NOTICE:
            return None
        follows = f"; its successor is the provider {self.successor}" if self.successor else ""
        return f"{self.title} {'ended' if self.has_ended(today) else 'ends'} on {self.ends_on}{follows}"

    def has_ended(self, today: date) -> bool:
        """Whether the provider's endpoints are gone."""
        return self.ends_on is not None and today >= self.ends_on

    @property
    def host(self) -> str:
        """The host that receives the refresh token, in lower case. Fill the variables first."""
        return host_of(self.token_endpoint)

    @property
    def extra_names(self) -> tuple[str, ...]:
        """The keys of the token document that hold what responses and the redirect bring beside the tokens."""
        return (*self.response.extra, *(self.authorization.redirect.keep if self.authorization else ()))

    def account(self, fields: Mapping[str, object]) -> dict[str, str | int]:
        """Return whose grant a token document holds, as far as the profile names it and the document has it."""
        known = {**variables_in(fields), **fields}
        names = self.authorization.identity if self.authorization else ()
        return {name: value for name in names if isinstance(value := known.get(name), str | int)}

    @property
    def needs_refresh_token(self) -> bool:
        """Whether a token document is incomplete without a refresh token."""
        return self.request.grant is Grant.REFRESH_TOKEN

    @property
    def prolongs_grants(self) -> bool:
        """Whether a refresh moves the end of the grant."""
        # A refresh token that stays the same keeps the end that it was issued with.
        return self.rotation is not Rotation.NEVER and not self.refresh_token.is_fixed

    def for_resource(self, resource: str) -> "Provider":
        """Return the provider that names the API on its page, in the code's exchange and in a refresh (RFC 8707)."""
        sent, page = {"resource": resource}, self.authorization
        if page is not None:
            page = replace(page, params={**page.params, **sent}, code_params={**page.code_params, **sent})
        request = replace(self.request, params={**self.request.params, **sent})
        return replace(self, request=request, authorization=page)

    def at_endpoint(self, url: str) -> "Provider":
        """Return the provider at the deployment's own endpoint.

        Another host may rotate in another way, so it gets no grace; it is another audience, too. A loopback host is an
        imitation and keeps both.
        """
        # Behind a variable is any tenant's host, and a tenant may have set rotation in another way (Okta, Auth0).
        trusted = is_loopback(host_of(url)) or (not places(self.token_endpoint) and host_of(url) == self.host)
        grace = self.grace if trusted else Grace(duration=timedelta(0))
        # Another host's token must not go to the profile's; a place in the URL could no longer be filled.
        same = host_of(url) == self.host and not places(self.revocation_endpoint)
        revocation = self.revocation_endpoint if same else ""
        request = self.request if trusted else replace(self.request, assertion_audience=None)
        return replace(
            self, token_endpoint=url, variables={}, grace=grace, revocation_endpoint=revocation, request=request
        )

    def for_document(self, fields: Mapping[str, object]) -> "Provider":
        """Return the provider for a token document, given all its keys: check `provider` and fill in the variables."""
        if provider_named_in(fields) not in {None, self.name}:
            raise ConfigurationError(
                f"the token secret's key provider is not {self.name}, and this deployment refreshes {self.name} only "
                "(PROVIDER). Refresh the secret with its own deployment, or correct the key"
            )
        # Also where `TOKEN_ENDPOINT` took their place: the deployment's endpoint is complete.
        if not self.variables:
            return self
        token, revocation = (
            fill(url, self.variables, variables_in(fields), provider=self.name)
            for url in (self.token_endpoint, self.revocation_endpoint)
        )
        return replace(self, token_endpoint=token, revocation_endpoint=revocation, variables={})

"""One provider: everything that a refresh, an authorization and a safe retry depend on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from token_refresh.errors import ConfigurationError
from token_refresh_worker.oauth.formats import Grant, RequestFormat, ResponseFormat
from token_refresh_worker.providers.endpoint import host_of, is_loopback
from token_refresh_worker.providers.variables import Variable, fill, places


class Rotation(StrEnum):
    """Whether a refresh returns a new refresh token."""

    ALWAYS = "always"
    OPTIONAL = "optional"
    NEVER = "never"


class GraceEnd(StrEnum):
    """What ends the time in which the provider accepts a refresh token again."""

    TIME = "time"
    USE = "until_used"
    """The first use of the new tokens. A run whose response was lost has no new tokens to use."""
    NEVER = "static"
    """Nothing: the refresh token stays valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long the provider accepts a refresh token after it was redeemed."""

    duration: timedelta
    ends_by: GraceEnd = GraceEnd.TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenLife:
    """How long a grant lives. None where the provider documents nothing."""

    lifetime: timedelta | None = None
    is_fixed: bool = False
    """Whether `lifetime` counts from the consent, and no refresh extends it."""
    idle: timedelta | None = None
    """Without a refresh for this long, the grant ends."""

    def ends_at(self, issued_at: datetime, *, stated: timedelta | None, begins: bool) -> datetime | None:
        """Return when a grant ends that is not refreshed again; None where nothing is known.

        Args:
            issued_at: When the tokens were issued.
            stated: How long the refresh token lives, as the response says.
            begins: Whether `lifetime` begins with these tokens.
        """
        # What the provider states is about this grant; the profile is about all of them.
        lifetime = stated or (self.lifetime if begins else None)
        return None if lifetime is None else issued_at.replace(microsecond=0) + lifetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How many token requests the provider accepts."""

    requests: int
    per: timedelta
    scope: str
    """What is counted: `ip`, `client` or `grant`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationPage:
    """The authorization page (RFC 6749 section 4.1.1)."""

    endpoint: str
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    params: Mapping[str, str] = field(default_factory=dict, hash=False)
    pkce: bool = True


class Basis(StrEnum):
    """What a fact rests on."""

    DOCUMENTED = "documented"
    """The provider's own documentation or source."""
    REPORTED = "reported"
    """Third parties report it."""
    ASSUMED = "assumed"
    """Nobody verified it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a fact of the profile comes from."""

    says: str
    source: str
    on: date
    basis: Basis = Basis.DOCUMENTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A profile, with the deployment's settings and the document's variables applied."""

    name: str
    title: str
    token_endpoint: str
    """May have variables in it until `for_document`. Empty where the deployment must name it."""
    variables: Mapping[str, Variable] = field(default_factory=dict, hash=False)
    request: RequestFormat = field(default_factory=RequestFormat)
    response: ResponseFormat = field(default_factory=ResponseFormat)
    rotation: Rotation
    grace: Grace
    access_token_lifetime: timedelta | None = None
    """As documented. It applies where a response doesn't say."""
    refresh_token: RefreshTokenLife = field(default_factory=RefreshTokenLife)
    refresh_window: timedelta
    """How long before expiry a token set is due."""
    rate: RateLimit | None = None
    authorization: AuthorizationPage | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def host(self) -> str:
        """The host that receives the refresh token, in lower case. Fill the variables first."""
        return host_of(self.token_endpoint)

    @property
    def replay_grace(self) -> timedelta:
        """How long a lost response may be repeated; zero for single use."""
        return self.grace.duration

    @property
    def needs_refresh_token(self) -> bool:
        """Whether a token document is incomplete without a refresh token."""
        return self.request.grant is Grant.REFRESH_TOKEN

    @property
    def prolongs_grants(self) -> bool:
        """Whether a refresh moves the end of the grant."""
        # A refresh token that stays the same keeps the end that it was issued with.
        return self.rotation is not Rotation.NEVER and not self.refresh_token.is_fixed

    def at_endpoint(self, url: str) -> "Provider":
        """Return the provider at the deployment's own endpoint.

        Another host may rotate in another way, so it gets no grace. A loopback host is an imitation and keeps it.
        """
        # Behind a variable is any tenant's host, and a tenant may have set rotation in another way (Okta, Auth0).
        trusted = is_loopback(host_of(url)) or (not places(self.token_endpoint) and host_of(url) == self.host)
        grace = self.grace if trusted else Grace(duration=timedelta(0))
        return replace(self, token_endpoint=url, variables={}, grace=grace)

    def for_document(self, fields: Mapping[str, object]) -> "Provider":
        """Return the provider for a token document: check its `provider` key and fill in its variables.

        Args:
            fields: All keys of the document.

        Raises:
            ConfigurationError: The document names another provider, or a variable is missing or not allowed.
        """
        # An empty value counts as none; consoles that edit JSON leave it behind. Any other type is somebody's mistake.
        if fields.get("provider") not in (None, "", self.name):
            raise ConfigurationError(
                f"the token secret's key provider is not {self.name}, and this deployment refreshes {self.name} only "
                "(PROVIDER). Refresh the secret with its own deployment, or correct the key"
            )
        # Also where `TOKEN_ENDPOINT` took their place: the deployment's endpoint is complete.
        if not self.variables:
            return self
        values = fields.get("providerVariables", fields.get("provider_variables"))
        values = values if isinstance(values, dict) else {}
        endpoint = fill(self.token_endpoint, self.variables, values, provider=self.name)
        return replace(self, token_endpoint=endpoint, variables={})

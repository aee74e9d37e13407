"""The authorization code grant (RFC 6749 section 4.1), with PKCE (RFC 7636); nothing here sends or receives."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from token_refresh.advice import Advice, Command
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.change import ChangeFailed, is_snake
from token_refresh_worker.oauth.client_auth import authenticate
from token_refresh_worker.oauth.formats import AuthMethod, Grant
from token_refresh_worker.oauth.request import TokenRequest, token_request
from token_refresh_worker.providers.endpoint import host_of, read_endpoint
from token_refresh_worker.providers.provider import AuthorizationPage, Provider
from token_refresh_worker.providers.redirect import RedirectFormat
from token_refresh_worker.providers.variables import PROVIDER_KEY, VARIABLES_KEYS, fill, places, variables_in
from token_refresh_worker.stored.credentials import ClientCredentials

_REFUSALS: Final = {
    "access_denied",  # RFC 6749 section 4.1.2.1
    # OpenID Connect Core 1.0 section 3.1.2.6
    *("consent_required", "login_required", "interaction_required", "account_selection_required"),
}
"""What a redirect has for an error where nobody consented."""
_ERROR_CODES: Final = {  # RFC 6749 section 4.1.2.1
    *_REFUSALS,
    *("invalid_request", "invalid_scope", "server_error", "temporarily_unavailable"),
    *("unauthorized_client", "unsupported_response_type"),
}
EXTRA_VALUE: Final = re.compile(r"[A-Za-z0-9._~:@-]{1,256}")
"""What an extra field of a redirect must be: an identifier, which fits into a URL as it is."""


class ForeignRedirect(ChangeFailed):
    """A URL does not belong to this authorization: its `state` or code is missing or another one's."""


class ConsentRefused(ChangeFailed):
    """The user said no, or the provider did for the user (`access_denied`, or OpenID Connect's codes for it)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Redirect:
    """What a redirect brought."""

    code: SecretValue
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What is stored beside the tokens."""
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The provider's variables that it chose."""

    def put_into(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Return the token document's keys with what the redirect brought."""
        return with_variables({**fields, **self.extra}, self.variables)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuthorizationRequest:
    """One request for authorization, and what tells its redirect from a forged one."""

    endpoint: str
    client: ClientCredentials
    """Who asks; the client secret also signs the redirect, where the provider does that."""
    redirect_uri: str
    scope: str | None
    pkce: bool
    params: Mapping[str, str] = field(default_factory=dict)
    """What the provider wants beside the fields of RFC 6749."""
    issuer: str | None = None
    """What the provider sends as `iss` (RFC 9207), where its profile says so."""
    token_host: str = ""
    redirect: RedirectFormat = field(default_factory=RedirectFormat)
    known: Mapping[str, object] = field(default_factory=dict)
    """The provider's variables that the operator has named: a redirect may leave these out."""
    again: Advice = ()
    """How another authorization begins."""
    # 192 bits; RFC 6749 section 10.10 asks for at least 128.
    state: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    # 64 characters, within the 43 to 128 of RFC 7636 section 4.1.
    verifier: SecretValue = field(default_factory=lambda: SecretValue(secrets.token_urlsafe(48)))

    @property
    def url(self) -> str:
        """Return the URL of the authorization page (RFC 6749 section 4.1.1)."""
        query = {
            **self.params,
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": self.redirect_uri,
            "state": self.state,
        }
        if self.scope is not None:
            query["scope"] = self.scope
        if self.pkce:
            digest = hashlib.sha256(self.verifier.reveal().encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        return f"{self.endpoint}{'&' if urlsplit(self.endpoint).query else '?'}{urlencode(query)}"

    def read_redirect(self, url: str) -> Redirect:
        """Read the URL that the provider redirected to (RFC 6749 section 4.1.2).

        Raises:
            ForeignRedirect: It does not belong to this authorization, or is not a URL.
            ChangeFailed: The provider refused, another one responded, or something is missing or malformed.
        """
        try:
            url.encode()  # Half of a surrogate pair is no character: it could not be compared, nor sent on.
            query = urlsplit(url).query
            pairs = parse_qsl(query)
        except ValueError:
            raise self._foreign() from None
        # RFC 6749 section 3.1: two programs could read two different values.
        if any(sum(name == once for name, _ in pairs) > 1 for once in self.redirect.once):
            raise self._foreign()
        response = dict(pairs)
        # In constant time; and before anything else is read, since a forged redirect may carry any error or code.
        if not hmac.compare_digest(response.get("state", "").encode(), self.state.encode()):
            raise self._foreign()
        self._check_issuer(response.get("iss"))
        if "error" in response:
            # The provider's own text is not printed: it comes through the browser, from anyone.
            code = response["error"] if response["error"] in _ERROR_CODES else "an error without an RFC 6749 code"
            kind = ConsentRefused if code in _REFUSALS else ChangeFailed
            raise kind(f"the provider did not authorize ({code})", why="nothing is stored", fix=self.again)
        if not response.get(self.redirect.code_name):
            raise self._foreign()
        self._check_signature(query, response)
        return Redirect(
            code=SecretValue(response[self.redirect.code_name]),
            extra={name: self._extra(name, response.get(name)) for name in self.redirect.keep},
            variables=self._chosen(response),
        )

    def _foreign(self) -> ForeignRedirect:
        return ForeignRedirect(
            "the URL does not belong to this authorization", why="its code was not used", fix=self.again
        )

    def _not_used(self, what: str, further: str = "") -> ChangeFailed:
        # Its values are not quoted: a redirect comes through the browser, from anyone.
        return ChangeFailed(what, why="its code was not used", fix=(*self.again, further) if further else self.again)

    def _extra(self, name: str, value: str | None) -> str:
        if problem := extra_problem(value):
            raise self._not_used(f"the redirect's {name} {problem}")
        return value or ""

    def _chosen(self, response: Mapping[str, str]) -> dict[str, str]:
        chosen = {}
        for name, variable in self.redirect.variables.items():
            value = response.get(variable.parameter)
            if value is not None and value in variable.values:
                chosen[name] = variable.values[value]
            elif value is not None or name not in self.known:
                what = "is missing" if value is None else "is not one that the profile lists"
                raise self._not_used(f"the redirect's {variable.parameter} {what}")
        return chosen

    def _check_signature(self, query: str, response: Mapping[str, str]) -> None:
        """Refuse a redirect that the provider didn't sign with the client secret, where it signs them."""
        if self.redirect.signature is None:
            return
        pairs = sorted(pair for pair in query.split("&") if pair.partition("=")[0] != self.redirect.signature)
        secret = self.client.client_secret
        key = secret.reveal().encode() if secret else b""
        # Decoded or not: of the providers' own libraries some do the one, some the other, and both prove the secret.
        signed = {"&".join(pairs), "&".join(sorted(map(unquote_plus, pairs)))}
        given = response.get(self.redirect.signature, "").encode()
        expected = [hmac.new(key, text.encode(), hashlib.sha256).hexdigest().encode() for text in sorted(signed)]
        if not key or not any(hmac.compare_digest(given, one) for one in expected):
            raise self._not_used(f"the redirect's {self.redirect.signature} is not the signature of your client secret")

    def _check_issuer(self, issuer: str | None) -> None:
        """Refuse the response of another authorization server (RFC 9207 section 2.4).

        Where the profile doesn't say what its provider sends, `iss` must be on a host of the provider's.
        """
        if issuer == self.issuer:
            return
        if self.issuer is not None:
            raise self._not_used(f"the redirect does not come from the issuer {self.issuer} (RFC 9207)")
        try:
            host = urlsplit(issuer or "").hostname
        except ValueError:
            host = None
        if host not in {host_of(self.endpoint), self.token_host}:
            raise self._not_used(
                "the redirect names an issuer on a host that is not the provider's (RFC 9207)",
                ". If the provider documents that issuer, write it into the profile (docs/providers.md)",
            )

    def code_request(self, code: SecretValue, provider: Provider) -> TokenRequest:
        """Build the request that exchanges the code for tokens (RFC 6749 section 4.1.3)."""
        grant = {"grant_type": "authorization_code", "code": code.reveal(), "redirect_uri": self.redirect_uri}
        if self.pkce:
            grant["code_verifier"] = self.verifier.reveal()
        further = provider.authorization.code_params if provider.authorization else {}
        return token_request({**further, **grant}, self.client, provider.request, endpoint=provider.token_endpoint)


def extra_problem(value: object) -> str | None:
    """Say what is wrong with an extra field of the redirect; None if it is an identifier."""
    if value is None:
        return "is missing"
    return None if isinstance(value, str) and EXTRA_VALUE.fullmatch(value) else "is malformed"


def check_refresh_tokens(template: Provider, put: Command) -> None:
    """Raise `ChangeFailed` if the provider has no refresh tokens; `put` stores a document without one.

    Ask this first: who needs no authorization needs no client for it.
    """
    if template.needs_refresh_token:
        return
    keys = "clientId and clientSecret"
    if template.request.grant is Grant.EXCHANGE:
        client = "clientId" if template.request.auth_method is AuthMethod.NONE else "clientId, clientSecret"
        keys = f"{client}, expiresAt, and accessToken, which lives for weeks,"
    raise ChangeFailed(
        f"{template.title} has no refresh tokens, so there is nothing to authorize",
        fix=(f"Pipe a JSON object with {keys} into: ", put),
    )


def build_authorization(  # noqa: PLR0913 - all by name
    template: Provider,
    fields: Mapping[str, object],
    *,
    client: ClientCredentials,
    redirect_uri: str,
    endpoint: str | None,
    scope: str | None,
) -> AuthorizationRequest:
    """Build the request for authorization as the profile says, with the document's values in its variables.

    An `endpoint` has precedence over the page's. What `scope` asks for is added to what the profile needs for a refresh
    token.
    """
    authenticate(client, template.request.auth_method)
    page = template.authorization or AuthorizationPage(endpoint="")
    if not (endpoint or page.endpoint):
        raise ChangeFailed(
            f"the profile {template.name} has no authorization page", fix="name it with --authorization-endpoint URL"
        )
    asked = scope.split(page.scope_separator) if scope else []
    scopes = [*asked, *(name for name in page.scopes if name not in asked)]
    fields, known = with_start_values(template, fields), variables_in(fields)
    chosen = {name: found for name, found in page.redirect.variables.items() if name in template.variables}
    return AuthorizationRequest(
        endpoint=read_endpoint("AUTHORIZATION_ENDPOINT", endpoint or _filled(page.endpoint, template, fields)),
        client=client,
        redirect_uri=redirect_uri,
        scope=page.scope_separator.join(scopes) or None,
        pkce=page.pkce,
        params=page.params,
        # The profile's issuer is that of its own page.
        issuer=_filled(page.issuer, template, fields) if page.issuer and not endpoint else None,
        token_host=template.for_document(fields).host,
        redirect=replace(page.redirect, variables=chosen),
        known=known,
    )


def with_start_values(template: Provider, fields: Mapping[str, object]) -> dict[str, object]:
    """Return the token document's keys with a first value for each variable that the redirect will choose."""
    page, known = template.authorization, variables_in(fields)
    chosen = page.redirect.variables if page and template.variables else {}
    return with_variables(fields, {name: it.start for name, it in chosen.items() if name not in known})


def with_provider(fields: Mapping[str, object], name: str | None, variables: Mapping[str, str]) -> dict[str, object]:
    """Return the token document's keys with the provider that was named, if one was, and with these variables."""
    return with_variables({**fields, **({PROVIDER_KEY: name} if name else {})}, variables)


def with_variables(fields: Mapping[str, object], variables: Mapping[str, str]) -> dict[str, object]:
    """Return the token document's keys with these variables of the provider, in the spelling that is there."""
    if not variables:
        return dict(fields)
    key = next((key for key in VARIABLES_KEYS if key in fields), VARIABLES_KEYS[is_snake(fields)])
    return {**fields, key: {**variables_in(fields), **variables}}


def _filled(endpoint: str, template: Provider, fields: Mapping[str, object]) -> str:
    if places(endpoint) and not template.variables:
        raise ChangeFailed("name the authorization page of that token endpoint with --authorization-endpoint URL")
    return fill(endpoint, template.variables, variables_in(fields), provider=template.name)

"""Grants for an application's own callback: its customer consents in the browser, and the tokens are stored.

    grants = Grants("https://app.example.com/oauth/callback")

    begun = grants.begin("customers/7/quickbooks", provider="quickbooks", browser=cookie, customer="7")
    ...                                              # keep begun.session, redirect the browser to begun.url
    stored = grants.finish(session, callback_url, browser=cookie, customer="7", confirm=is_free)  # never a token

All of it is what `token-refresh authorize` does; docs/grants.md has an application. Everything blocks, and may be
called from several threads at once.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from traceback import clear_frames
from typing import Any, Final, ParamSpec, TypeVar

from token_refresh.advice import Command
from token_refresh.errors import (
    ClientRejected,
    ConfigurationError,
    InvalidSecretDocument,
    SecretNotFound,
    TokenRefreshError,
    and_causes,
)
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.authorization_request import (
    AuthorizationRequest,
    ConsentRefused,
    ForeignRedirect,
    Redirect,
    build_authorization,
    check_refresh_tokens,
    extra_problem,
    with_provider,
    with_start_values,
)
from token_refresh_admin.changes.authorize import (
    ANYONE,
    Account,
    AnotherAccount,
    Confirm,
    Expected,
    RedirectTaken,
    Target,
    TooManyRedirects,
    complete_authorization,
    expecting,
    refuse_unknowable,
    take_redirect,
)
from token_refresh_admin.changes.change import (
    ChangeFailed,
    NullLog,
    fields_of,
    prove_write,
    settings_in,
)
from token_refresh_admin.changes.publish import StoredGrant
from token_refresh_admin.changes.store import NewGrant, base_document, require_refresh_token
from token_refresh_worker.bootstrap import SystemClock, aws_client, build_run, open_secret
from token_refresh_worker.core.versions import CURRENT, is_redirect_note
from token_refresh_worker.oauth.formats import Encoding
from token_refresh_worker.oauth.response import FailedRequest, read_response
from token_refresh_worker.providers.loader import load_provider, own_profiles
from token_refresh_worker.providers.provider import Provider
from token_refresh_worker.providers.variables import provider_named_in
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.ports import RunDependencies, SecretStore, SecretVersion
from token_refresh_worker.run.settings import Settings, Variable, names_copy, read_settings
from token_refresh_worker.stored.published import is_published

__all__ = [
    "ANYONE",
    "Account",
    "AnotherAccount",
    "BegunGrant",
    "ConsentRefused",
    "ForeignRedirect",
    "Grants",
    "RedirectTaken",
    "StoredTokens",
    "TokenRefreshError",
    "TooManyRedirects",
]

P = ParamSpec("P")
T = TypeVar("T")

_TIME_LIMIT_SECONDS: Final = 60.0
_AGAIN: Final = "let the user begin again (Grants.begin)"
_NOT_USED: Final = "its code was not used"
_SESSION_LIFETIME: Final = timedelta(hours=2)
_PROVEN: Final[set[str]] = set()
"""The ARNs of the secrets that this process may write."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BegunGrant:
    """An authorization that waits for its consent."""

    url: str
    """Where to redirect the browser: the provider's page."""
    state: str
    """What the redirect brings back as `state`; random. Keep the session under it: a user may begin twice.

    It doesn't say who comes back: somebody may have sent the link to a stranger. `finish` compares that.
    """
    session: dict[str, object]
    """For `finish`. Plain JSON, without a secret but the PKCE verifier: keep it where the browser can't change it.

    It holds a digest of browser, customer and callback.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTokens:
    """What was stored: names and times, and no token, so that it may be printed."""

    secret_id: str
    """The secret, as it was named."""
    region: str
    """Its AWS region."""
    provider: str
    """The profile's name."""
    account: Account
    """Whose grant it is, as far as the profile has `identity`; empty otherwise."""
    version_id: str
    """The version of the secret that is current now."""
    expires_at: datetime | None
    """When the access token expires. None: nobody knows, and the next run refreshes it."""
    published: bool | None
    """Whether the published copy has it, too. None: none is wanted. False: it is missing, or could not be written.

    If it is there, a later run publishes; `token-refresh fleet add` makes a missing one.
    """


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Opened:
    """A secret of which a grant is to be stored."""

    secret: SecretName
    environment: Mapping[str, str]
    provider: str | None
    variables: Mapping[str, str]
    arn: str | None
    """None where the secret is empty."""
    now: datetime
    """By the service's clock; by this machine's where the secret is empty."""
    known: dict[str, object]

    def change(self, fields: Mapping[str, object]) -> dict[str, object]:
        return with_provider(fields, self.provider, self.variables)

    def settings(self, fields: Mapping[str, object]) -> Settings:
        """Read the settings that fit a token document."""
        # The log is the application's.
        given = {**self.environment, "TOKEN_SECRET_ID": self.secret.secret_id, "LOG_LEVEL": ""}
        given |= {"PROVIDER": self.provider} if self.provider else {}
        return read_settings(given | settings_in(given, fields, lambda: self.secret))

    @property
    def template(self) -> Provider:
        """The provider before the document's variables are filled in."""
        return self.settings(self.change(self.known)).provider

    def target(self, expect: Expected | None, confirm: Confirm | None) -> Target:
        """Say where the grant goes, and whose it must be: what is expected, else what the secret holds."""
        template = self.template
        refuse_unknowable(template, expect)
        names_nobody = template.authorization is None or not template.authorization.identity
        wanted = ANYONE if names_nobody else expect or template.account(self.known) or None
        judge = expecting(wanted, confirm, secret=self.secret, again=(_AGAIN,))
        return Target(known=self.known, change=self.change, judge=judge)

    def parts(self, fields: Mapping[str, object]) -> RunDependencies:
        settings = self.settings(fields)
        settings = replace(settings, provider=settings.provider.for_document(fields))
        trigger, clock = Trigger(name="grants"), SystemClock()
        run = build_run(settings, trigger, clock=clock, log=NullLog(), time_left_seconds=_TIME_LIMIT_SECONDS)
        return run.parts


def _sealed(method: Callable[P, T]) -> Callable[P, T]:
    """Keep codes and tokens out of the frames of an error: error reporters send the variables of each.

    An error of the application's own `confirm`, too: its lines stay, and its variables go.
    """

    @wraps(method)
    def call(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return method(*arguments, **named)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure = error
        del arguments, named
        _clear(failure)
        raise failure

    return call


def _clear(failure: BaseException) -> None:
    """Empty the frames of an error and of all that led to it; in a frame that ends before it is raised again."""
    for link in and_causes(failure):
        clear_frames(link.__traceback__)


class Grants:
    """Gets grants by an application's own callback.

    Of Secrets Manager it uses the secret that it writes, the client secret if the settings name one, and the published
    copy if they name one. It needs no right on any other secret: docs/grants.md has the policy.
    """

    def __init__(self, redirect_uri: str, settings: Mapping[str, str] | None = None) -> None:
        """Describe the callback.

        Args:
            redirect_uri: Exactly as it is registered for the client at the provider.
            settings: The worker's variables, as docs/configuration.md names them: `CLIENT_SECRET_ID`, `CLAIM_TABLE`,
                `PUBLISHED_SECRET_ID`. By default the environment's. AWS's own variables are always the environment's.
        """
        self.redirect_uri = redirect_uri
        self._settings = os.environ if settings is None else settings

    @_sealed
    def begin(  # noqa: PLR0913 - by name
        self,
        secret_id: str,
        *,
        browser: str,
        customer: str,
        provider: str | None = None,
        expect: Expected | None = None,
        variables: Mapping[str, str] | None = None,
        scope: str | None = None,
    ) -> BegunGrant:
        """Check all that can be checked before the user is asked, and return where to redirect the browser.

        Args:
            secret_id: Name or ARN of the token secret. It must be there; it may be empty.
            browser: A random value that this browser alone has, such as its session cookie.
            customer: Who is signed in, such as the customer's ID: by your own login, never from the request.
            provider: The profile's name, for a secret whose document names none.
            expect: Whose grant must come, such as `{"realmId": "1234"}`; or `ANYONE`. By default the account that the
                secret holds; where it holds none, `finish` needs `confirm`. Any account where the profile names none.
            variables: Variables of the provider, such as `{"shop": "my-shop"}`.
            scope: Scopes to ask for, beside those that a refresh token needs.

        Raises:
            ConfigurationError: A setting is wrong, no client credentials are there, or nobody could tell who came.
            SecretStoreError: The secret can't be read, or not be written.
            ChangeFailed: The provider has no authorization page.
        """
        if not browser or not customer or browser == customer:
            raise ConfigurationError(
                "begin needs browser, a random value that this browser alone has, and customer, who is signed in; "
                "they are empty or the same"
            )
        opened = self._open(secret_id, provider, variables or {})
        refuse_unknowable(opened.template, expect)
        authorization, parts = self._authorization(opened, scope)
        if opened.arn is not None:  # The first version of an empty secret would be its current one.
            _prove_once(opened.arn, parts.store)
        session: dict[str, object] = {
            "secret_id": secret_id,
            "provider": provider,
            "variables": dict(variables or {}),
            "scope": scope,
            "expect": expect if expect is None or isinstance(expect, str) else dict(expect),
            "client_id": authorization.client.client_id,
            "state": authorization.state,
            "verifier": authorization.verifier.reveal(),
            "bound_to": self._bind(browser, customer),
            "begun_at": opened.now.timestamp(),
        }
        return BegunGrant(url=authorization.url, state=authorization.state, session=session)

    @_sealed
    def finish(
        self,
        session: Mapping[str, Any] | None,
        url: str,
        *,
        browser: str | None,
        customer: str | None,
        confirm: Confirm | None = None,
    ) -> StoredTokens:
        """Check who comes back and the redirect, exchange its code once, store the tokens, return what is stored.

        A customer can send a link to a stranger, who consents. So browser and customer must be those that began (RFC
        6749 section 10.12). The tokens are put on what is in the secret by then.

        Args:
            session: `BegunGrant.session`, as it was stored under the redirect's `state`; None if it is gone.
            url: The URL that the provider redirected to, with its query.
            browser: What `begin` got, as this request brings it; None if it brings none.
            customer: Who is signed in now, by your own login; None if nobody is.
            confirm: Asked with the account that has come, before anything is stored, where nobody is expected: the
                first grant of a secret. Only True stores it; an async function is not awaited.

        Raises:
            ForeignRedirect: There is no session, it is over, it was begun in another browser, for another customer or
                callback, or the redirect belongs to another one.
            ConsentRefused: The user said no.
            AnotherAccount: Another account came than the expected one, or `confirm` said no.
            RedirectTaken: The redirect came twice.
            TooManyRedirects: The secret has taken all that it takes on a day.
            SecretFull: The secret has no place for the tokens, where the caller may list its versions.
            ClientRejected: The provider rejected the client credentials.
            ChangeFailed: The redirect has an error or is not complete, or the provider sent no tokens.
            ConfigurationError: A setting is wrong, or nobody is expected and there is no `confirm`.
            SecretStoreError: Secrets Manager refused. If the tokens had arrived, the message says so.
        """
        if session is None:
            raise ForeignRedirect("no authorization is under way in this session", why=_NOT_USED, fix=_AGAIN)
        if "bound_to" not in session:
            raise ForeignRedirect("this session was begun by another release", why=_NOT_USED, fix=_AGAIN)
        if not hmac.compare_digest(session["bound_to"], self._bind(browser, customer)):
            began = "this authorization was begun in another browser, for another customer or for another callback"
            raise ForeignRedirect(began, why=_NOT_USED, fix=_AGAIN)
        opened = self._open(session["secret_id"], session["provider"], session["variables"])
        if opened.now - datetime.fromtimestamp(session["begun_at"], UTC) > _SESSION_LIFETIME:
            raise ForeignRedirect("this session was begun over 2 hours ago", why=_NOT_USED, fix=_AGAIN)
        begun, _ = self._authorization(opened, session["scope"])
        authorization = replace(begun, state=session["state"], verifier=SecretValue(session["verifier"]))
        redirect = authorization.read_redirect(url)
        if begun.client.client_id != session["client_id"]:
            raise ChangeFailed(f"the client of {opened.secret} was replaced", why=_NOT_USED, fix=_AGAIN)
        target = opened.target(session["expect"], confirm)
        parts = opened.parts(target.fields(redirect))
        take = partial(take_redirect, parts, authorization.state, opened.now)
        try:
            stored = complete_authorization(parts, authorization, target, redirect, take=take)
        except ClientRejected as failure:
            failure.fix = ("Enter the right ones: ", opened.secret.command("client"), f"; then {_AGAIN}")
            raise
        return _summary(parts, stored)

    @_sealed
    def store(  # noqa: PLR0913 - by name
        self,
        secret_id: str,
        response: Mapping[str, object],
        *,
        provider: str | None = None,
        expect: Expected | None = None,
        confirm: Confirm | None = None,
        variables: Mapping[str, str] | None = None,
        redirect: Mapping[str, str] | None = None,
        sent_at: datetime | None = None,
    ) -> StoredTokens:
        """Store the token response of an application that exchanges the code itself, and return what is stored.

        The application has to compare browser and customer before that exchange, as `finish` does.

        Args:
            secret_id: As in `begin`, and so are `provider`, `expect` and `variables`.
            response: The token response as the provider sent it: a JSON object.
            provider: See `begin`.
            expect: See `begin`.
            confirm: See `finish`.
            variables: See `begin`.
            redirect: What the profile keeps of the redirect, such as `{"realmId": "1234"}`; the rest is ignored.
            sent_at: When the token request was sent, with its time zone. By default now, which is a little too late.

        Raises:
            AnotherAccount: Another account came than the expected one, or `confirm` said no.
            ChangeFailed: The response has no tokens, or the profile keeps something that `redirect` lacks.
            ConfigurationError: A setting is wrong, or nobody is expected and there is no `confirm`.
            SecretStoreError: Secrets Manager refused.
        """
        opened = self._open(secret_id, provider, variables or {})
        template = opened.template
        page, extra = template.authorization, {}
        for name in page.redirect.keep if page else ():
            value = (redirect or {}).get(name)
            if problem := extra_problem(value):
                raise ChangeFailed(f"the redirect's {name} {problem}; nothing is stored", fix="give it as redirect=")
            extra[name] = str(value)
        brought, target = Redirect(code=SecretValue(""), extra=extra), opened.target(expect, confirm)
        parts = opened.parts(target.fields(brought))
        tokens = read_response(
            200, json.dumps(response).encode(), response_format=replace(parts.provider.response, encoding=Encoding.JSON)
        )
        if isinstance(tokens, FailedRequest):
            raise ChangeFailed(f"this is not a token response of {template.title} ({tokens.seen}); nothing is stored")
        # No token was sent after now: it would expire unnoticed.
        grant = NewGrant(tokens=require_refresh_token(tokens, template), sent_at=min(sent_at or opened.now, opened.now))
        return _summary(parts, target.store(parts, brought, grant))

    def _open(self, secret_id: str, provider: str | None, variables: Mapping[str, str]) -> _Opened:
        """Read the secret, and refuse one that is not for tokens, or for those of another provider."""
        client = aws_client("secretsmanager")
        secret = SecretName(secret_id=secret_id, region=client.meta.region_name)
        try:
            current = open_secret(client, secret_id, time_left_seconds=_TIME_LIMIT_SECONDS).read(label=CURRENT)
        except SecretNotFound as missing:
            if not (missing.is_deleted or secret_id.startswith("arn:")):
                create = "aws secretsmanager create-secret --name {} --region {}"
                missing.fix = ("Create it: ", Command.of(create, secret_id, secret.region, is_complete=True))
            raise
        if provider:
            load_provider(provider, own_profiles(self._settings))
        known = fields_of(current)
        if current is not None and not known and not _is_empty(current):
            raise InvalidSecretDocument(
                f"{secret} holds a value that is not a token document; nothing was sent",
                fix="name another secret, or store {} in this one",
            )
        # An empty copy has no content that says so, and services may read it.
        if is_published(known) or names_copy(self._settings.get(Variable.PUBLISHED_SECRET_ID, ""), secret_id):
            raise InvalidSecretDocument(f"{secret} is a published copy, which has no refresh token; name its source")
        if provider and provider_named_in(known) not in {None, provider}:
            raise ConfigurationError(f"{secret} holds tokens of another provider than {provider}; nothing was sent")
        return _Opened(
            secret=secret,
            environment=self._settings,
            provider=provider,
            variables=variables,
            arn=current.arn if current else None,
            now=current.read_at if current else datetime.now(UTC),
            known=known,
        )

    def _bind(self, browser: str | None, customer: str | None) -> str:
        """Return a digest of who begins and of the callback, so that a table of sessions holds no cookie."""
        return hashlib.sha256(json.dumps([self.redirect_uri, browser, customer]).encode()).hexdigest()

    def _authorization(self, opened: _Opened, scope: str | None) -> tuple[AuthorizationRequest, RunDependencies]:
        """Build the request for authorization from what is stored now."""
        check_refresh_tokens(opened.template, opened.secret.put_value)
        fields = opened.change(opened.known)
        parts = opened.parts(with_start_values(opened.template, fields))
        authorization = build_authorization(
            opened.template,
            fields,
            client=parts.credentials(base_document(fields, None)),
            redirect_uri=self.redirect_uri,
            endpoint=self._settings.get("AUTHORIZATION_ENDPOINT"),
            scope=scope,
        )
        return replace(authorization, again=(_AGAIN,)), parts


def _prove_once(arn: str, store: SecretStore) -> None:
    """Find out whether this process may write a secret, once: an account has 50 writes a second."""
    if arn in _PROVEN:
        return
    _PROVEN.add(arn)  # before the write: others begin meanwhile
    try:
        prove_write(store)
    except TokenRefreshError:
        _PROVEN.discard(arn)
        raise


def _is_empty(version: SecretVersion) -> bool:
    """Whether a version without keys may be replaced: an empty object, or the note of a redirect without tokens."""
    return is_redirect_note(version.value) or (version.value is not None and version.value.reveal().strip() == "{}")


def _summary(parts: RunDependencies, stored: StoredGrant) -> StoredTokens:
    """Publish what was stored, and say what it is."""
    return StoredTokens(
        secret_id=parts.secret.secret_id,
        region=parts.secret.region,
        provider=parts.provider.name,
        account=parts.provider.account(stored.document.fields),
        version_id=stored.version_id,
        expires_at=stored.document.expires_at,
        published=stored.publish(),
    )

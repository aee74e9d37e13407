"""`Grants`: an application's own callback, from the link to the stored tokens."""

import asyncio
import json
import re
import runpy
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from testbed.aws.faults import Call
from testbed.policy import Ask, IamPolicy
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.errors import (
    ConfigurationError,
    InvalidSecretDocument,
    SecretAccessDenied,
    SecretFull,
    SecretNotFound,
)
from token_refresh.reader import TokenReader
from token_refresh_admin.changes.authorize import REDIRECTS_A_DAY
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_admin.grants import (
    _SESSION_LIFETIME,
    ANYONE,
    AnotherAccount,
    BegunGrant,
    ConsentRefused,
    ForeignRedirect,
    Grants,
    RedirectTaken,
    StoredTokens,
    TokenRefreshError,
    TooManyRedirects,
)
from token_refresh_worker.run.version_capacity import PLACES

SECRET, OTHER, CLIENT = "customers/7/quickbooks", "customers/8/quickbooks", "clients/quickbooks"
NO_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-AbCdEf"
CALLBACK = "https://app.example.com/callback"
TOKENS = {"access_token": "canary-access", "refresh_token": "canary-refresh", "expires_in": 3600}
RESPONSE = script.status(200, TOKENS)
CODE = "canary-code"
WHO: Any = {"browser": "cookie-of-this-browser", "customer": "7"}
"""Who begins and comes back."""


class Application:
    """A web application with 2 customers at QuickBooks, and what it is connected to."""

    def __init__(self, store: SecretsManagerServer, endpoint: TokenEndpoint) -> None:
        self.store, self.endpoint, self.client = store, endpoint, store.client()
        for name in (SECRET, OTHER):
            self.client.create_secret(Name=name)
        credentials = {"clientId": endpoint.client_id, "clientSecret": endpoint.client_secret}
        self.client.create_secret(Name=CLIENT, SecretString=json.dumps(credentials))
        self.settings = {"CLIENT_SECRET_ID": "clients/{provider}", "TOKEN_ENDPOINT": endpoint.url, "LOG_LEVEL": "ours"}

    @property
    def grants(self) -> Grants:
        return Grants(CALLBACK, self.settings)

    def begin(self, **how: Any) -> BegunGrant:
        self.endpoint.play(how.pop("response", RESPONSE))
        begun = self.grants.begin(SECRET, **{"provider": "quickbooks", **WHO, **how})
        return BegunGrant(url=begun.url, state=begun.state, session=json.loads(json.dumps(begun.session)))

    def finish(self, begun: BegunGrant) -> StoredTokens:
        return self.grants.finish(begun.session, redirect(begun), **WHO)

    def refuses(self, begun: BegunGrant, kind: type[Exception], *, match: str, **response: str) -> None:
        failing(lambda: self.grants.finish(begun.session, redirect(begun, **response), **WHO), kind, match=match)

    def put(self, secret_id: str = SECRET, **document: object) -> None:
        first = {"accessToken": "a", "refreshToken": "r", "provider": "quickbooks", "realmId": "1", "note": "kept"}
        self.client.put_secret_value(SecretId=secret_id, SecretString=json.dumps(first | document))

    def current(self, secret_id: str = SECRET) -> Any:
        return json.loads(self.client.get_secret_value(SecretId=secret_id)["SecretString"])


def redirect(begun: BegunGrant, **response: str) -> str:
    return f"{CALLBACK}?{urlencode({'state': begun.state, 'code': CODE, 'realmId': '1'} | response)}"


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    with SecretsManagerServer() as store, TokenEndpoint() as endpoint:
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr("token_refresh_admin.grants._PROVEN", set())
        yield Application(store, endpoint)


def failing(act: Callable[[], object], kind: type[Exception], *, match: str) -> None:
    """Expect an error, and none of its words or frames with a code, a token or the client's secret."""
    with pytest.raises(kind, match=match) as raised:
        act()
    product = raised.tb.tb_next.tb_next if raised.tb.tb_next else None
    shown = "".join(traceback.TracebackException(kind, raised.value, product, capture_locals=True).format())
    assert "grants.py" in shown
    assert "canary" not in f"{shown}{raised.value!r}"


def test_a_first_grant_is_confirmed_and_stored(application: Application) -> None:
    """The browser goes to the provider's page; what was confirmed is stored, and names and times come back."""
    application.settings["PROVIDER"] = "upwork"
    begun = application.begin(scope="openid")
    assert begun.url.startswith("https://appcenter.intuit.com/"), "the named provider precedes the settings' default"
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.url).query).items()}
    assert {"state": begun.state, "redirect_uri": CALLBACK, "code_challenge_method": "S256"}.items() <= asked.items()
    assert application.endpoint.client_secret not in json.dumps(begun.session)
    application.refuses(begun, ConfigurationError, match="somebody must confirm the first one; its code was not used")
    assert [] == application.endpoint.requests

    stored = application.grants.finish(begun.session, redirect(begun), **WHO, confirm=lambda it: it == {"realmId": "1"})

    assert (SECRET, "eu-central-1", "quickbooks") == (stored.secret_id, stored.region, stored.provider)
    assert ({"realmId": "1"}, None) == (stored.account, stored.published)
    assert application.client.get_secret_value(SecretId=SECRET)["VersionId"] == stored.version_id
    assert "canary" not in repr(stored)
    assert f"StoredTokens(secret_id='{SECRET}'" in repr(stored), "an application may log it"
    document = application.current()
    assert ("canary-refresh", "1", "quickbooks") == tuple(
        document[it] for it in ("refreshToken", "realmId", "provider")
    )
    assert {"accessToken", "refreshToken", "expiresAt", "issuedAt", "provider", "realmId", "tokenRefresh"} == set(
        document
    )
    assert stored.expires_at is not None
    assert document["expiresAt"] == int(stored.expires_at.timestamp() * 1000)


@pytest.mark.parametrize("answer", [False, None, "a coroutine that nobody awaits is as good as true"])
def test_what_is_not_confirmed_is_not_stored(application: Application, answer: Any) -> None:
    """Where `confirm` does not say True, the tokens are dropped."""
    begun = application.begin()

    failing(
        lambda: application.grants.finish(begun.session, redirect(begun), **WHO, confirm=lambda _: answer),
        AnotherAccount,
        match="realmId 1 was not confirmed for secret customers/7/quickbooks in eu-central-1; nothing is stored",
    )

    assert "canary" not in application.client.get_secret_value(SecretId=SECRET)["SecretString"]


def _circle() -> list[BaseException]:
    error, other = LookupError(), _caught("canary of another")
    error.__cause__, other.__cause__ = other, error
    return [error, other]


def _group() -> list[BaseException]:
    member, nested = _caught("canary of a member"), _caught("canary of a nested member")
    return [ExceptionGroup("several", [ExceptionGroup("nested", [nested]), member]), member, nested]


def _caught(canary: str) -> Exception:
    """Return an error that was raised in a frame with a variable."""
    try:
        return [][len(canary)]
    except LookupError as error:
        return error


@pytest.mark.parametrize(
    "errors",
    [[LookupError("no database")], [KeyboardInterrupt()], _circle(), _group()],
    ids=["an error", "an interruption", "a circle", "a group"],
)
def test_an_error_of_the_application(application: Application, errors: list[BaseException]) -> None:
    """What `confirm` raises comes out with its lines, and no frame of it or of what led to it has a variable."""
    raised = errors[0]

    def lost(account: Mapping[str, Any]) -> bool:
        canary = f"canary of {len(account)} account"
        assert canary
        raise raised

    begun = application.begin()

    with pytest.raises(type(raised)) as found:
        application.grants.finish(begun.session, redirect(begun), **WHO, confirm=lost)

    assert raised is found.value
    frames = [frame for error in errors for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if frame.f_code.co_name not in {"test_an_error_of_the_application", "call"}]
    assert {"finish", "complete_authorization", "lost"} <= {frame.f_code.co_name for frame in ours}
    assert all(not frame.f_locals for frame in ours)
    (call,) = {frame for frame in frames if frame.f_code.co_name == "call"}
    assert {"failure", "method"} == set(call.f_locals)
    assert "canary" not in application.client.get_secret_value(SecretId=SECRET)["SecretString"]


@pytest.mark.parametrize("table", [None, "", "another"])
def test_claims_stay_where_they_are(application: Application, table: str | None) -> None:
    """A fleet's document goes on naming its table where the settings don't; a setting has precedence, as for runs."""
    claim = {"claim": "0" * 32, "number": 7, "store": "table", "table": "prod"}
    origin = {"host": "127.0.0.1", "grace_seconds": 0, **claim}
    application.put(tokenRefresh=origin)
    application.settings |= {} if table is None else {"CLAIM_TABLE": table}
    begun = application.begin()

    application.finish(begun)

    document = application.current()
    stored = document["tokenRefresh"]
    assert ((table or "prod"), "kept") == (stored["table"], document["note"])
    assert (not table) == (claim.items() <= stored.items())


@pytest.mark.parametrize("may_list", [True, False])
def test_a_secret_without_a_place_for_the_tokens(application: Application, *, may_list: bool) -> None:
    """Its code is not used, where the application may list versions; else it is, and the tokens take the last place."""
    application.put()
    begun = application.begin()
    for number in range(PLACES - 5):
        application.client.put_secret_value(SecretId=SECRET, SecretString=f"{number}", VersionStages=["OTHER"])
    if not may_list:
        application.store.fault("deny", "ListSecretVersionIds", times=None)
        assert "1" == application.finish(begun).account["realmId"]
        return

    application.refuses(
        begun,
        SecretFull,
        match="customers/7/quickbooks in eu-central-1 is full: it holds as many versions .*; the code was not used",
    )

    assert [] == application.endpoint.requests


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_double_click_uses_the_code_once(application: Application, *, is_empty: bool) -> None:
    """Of two redirects at once, and of one that comes later, one gets to the provider: a second use costs the grant."""
    if not is_empty:
        application.put()
    begun = application.begin(expect=ANYONE, response=replace(RESPONSE, hold="before_commit"))
    held = threading.Thread(target=lambda: application.finish(begun))

    held.start()
    application.endpoint.wait_until_held()
    for ended in (False, True):
        if ended:
            application.endpoint.release()
            held.join()
        application.refuses(
            begun,
            RedirectTaken,
            match="came twice.*`token-refresh status customers/7/quickbooks --region eu-central-1`",
        )

    assert 1 == len(application.endpoint.requests)


@pytest.mark.parametrize(
    ("response", "kind", "match"),
    [
        ({"state": "another"}, ForeignRedirect, "does not belong to this authorization: its code was not used"),
        ({"error": "access_denied"}, ConsentRefused, r"\(access_denied\): nothing is stored; let the user begin again"),
        *(
            ({"error": code}, ConsentRefused, rf"\({code}\): nothing is stored; let the user begin again")
            for code in ("consent_required", "login_required", "interaction_required", "account_selection_required")
        ),
        ({"error": "invalid_scope"}, ChangeFailed, r"\(invalid_scope\): nothing is stored"),
        ({"realmId": "<b>"}, ChangeFailed, "the redirect's realmId is malformed: its code was not used"),
        ({"iss": "https://evil.example"}, ChangeFailed, "names an issuer on a host that is not the provider's"),
    ],
)
def test_a_wrong_redirect_uses_no_code(
    application: Application, response: dict[str, str], kind: type[ChangeFailed], match: str
) -> None:
    """Whatever is wrong with a redirect, it costs no code and no version, and the message says what to do."""
    application.put()
    begun = application.begin(expect=ANYONE)
    before = versions(application)

    application.refuses(begun, kind, match=match, **response)
    # Half of a surrogate pair, as servers decode stray bytes, is in no URL of a browser's.
    failing(
        lambda: application.grants.finish(begun.session, f"{redirect(begun)}\udcff", **WHO),
        ForeignRedirect,
        match="not belong",
    )

    assert (before, []) == (versions(application), application.endpoint.requests)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda _: None, "no authorization is under way in this session"),
        (lambda it: {key: it[key] for key in it if key != "bound_to"}, "session was begun by another release"),
        (lambda it: it | {"begun_at": it["begun_at"] - 7200}, "session was begun over 2 hours ago"),
    ],
)
def test_an_expired_session(application: Application, change: Callable[[Any], Any], match: str) -> None:
    """A session that is gone, older than the release or over uses no code: the user begins again."""
    begun = application.begin(expect=ANYONE)

    failing(
        lambda: application.grants.finish(change(begun.session), redirect(begun), **WHO),
        ForeignRedirect,
        match=f"{match}: its code was not used; let the user begin again",
    )
    assert [] == application.endpoint.requests
    young = begun.session | {"begun_at": datetime.now(UTC).timestamp() - 7000}
    assert application.grants.finish(young, redirect(begun), **WHO).version_id


@pytest.mark.parametrize(
    "back",
    [
        {"browser": "cookie-of-a-stranger"},
        {"browser": None},
        {"customer": "8"},
        {"customer": None},
        {"browser": WHO["browser"][:-1], "customer": WHO["browser"][-1] + "7"},
    ],
)
def test_who_did_not_begin_it(application: Application, back: Mapping[str, str | None]) -> None:
    """A redirect to another browser, customer or callback stores nothing and asks nobody; its own one still may."""
    begun = application.begin(expect=ANYONE)
    assert WHO["browser"] not in json.dumps(begun.session)
    application.store.calls.clear()

    failing(
        lambda: application.grants.finish(begun.session, redirect(begun), **{**WHO, **back}),
        ForeignRedirect,
        match="was begun in another browser, for another customer or for another callback: its code was not used; let",
    )

    # RFC 9700 section 4.4: a code that came to the callback of one provider never goes to another one.
    other = Grants(f"{CALLBACK}/slack", application.settings)
    failing(lambda: other.finish(begun.session, redirect(begun), **WHO), ForeignRedirect, match="for another callback")
    assert ([], []) == (application.store.calls, application.endpoint.requests)
    assert application.finish(begun).version_id


@pytest.mark.parametrize("who", [{"browser": ""}, {"customer": ""}, {"browser": "7"}])
def test_nobody_begins(application: Application, who: Mapping[str, str]) -> None:
    """Without a browser or a customer, or with one value for both, nothing could be compared later."""
    failing(lambda: application.begin(**who), ConfigurationError, match="begin needs browser, .* and customer")


def test_a_client_that_was_replaced_meanwhile(application: Application) -> None:
    """A code is the client's that asked for it: it is not sent as another one."""
    begun = application.begin(expect=ANYONE)
    application.client.put_secret_value(SecretId=CLIENT, SecretString='{"clientId": "new", "clientSecret": "canary-s"}')

    application.refuses(begun, ChangeFailed, match="the client of secret .* was replaced: its code was not used")


def versions(application: Application) -> int:
    """Count what is stored, without what this test stored by itself."""
    listed = application.client.list_secret_version_ids(SecretId=SECRET, IncludeDeprecated=True)["Versions"]
    return len(listed) - 1


def test_a_flood_of_callbacks_leaves_the_secret_room(application: Application) -> None:
    """Of 20 redirects with a code that somebody made up 5 get to the provider; places are of the day of coming."""
    application.put()
    now = datetime.now(UTC)
    evening = (now + timedelta(days=1)).replace(hour=23, minute=0)
    application.store.clock_offset_seconds = (evening - now).total_seconds()
    met = []
    application.endpoint.play(*[script.error("invalid_grant")] * 5)
    for _ in range(20):
        begun = application.grants.begin(SECRET, **WHO)
        with pytest.raises(ChangeFailed) as raised:
            application.finish(begun)
        met.append(type(raised.value))

    assert [ChangeFailed] * 5 + [TooManyRedirects] * 15 == met
    assert (5, 11) == (len(application.endpoint.requests), versions(application))
    application.refuses(
        begun,
        TooManyRedirects,
        match=r"has taken 5 redirects today.*: its code was not used; let the user begin again .* on 20\d\d-\d\d-\d\d",
    )

    application.store.clock_offset_seconds += 5400
    application.endpoint.play(RESPONSE)
    assert application.finish(begun).version_id


def test_a_process_tries_to_write_a_secret_once(application: Application) -> None:
    """However often a customer presses Connect, at once or in turn, an account's 50 writes a second are not spent."""
    application.put()
    held = application.store.fault("hold_before", "PutSecretValue")
    threads = [threading.Thread(target=application.begin) for _ in range(3)]
    for thread in threads:
        thread.start()
    held.wait()
    application.begin()
    held.release()
    for thread in threads:
        thread.join()
    application.begin()

    writes = [it.call.operation for it in application.store.calls if it.call.operation.startswith(("Put", "Update"))]
    assert ["PutSecretValue", "PutSecretValue", "UpdateSecretVersionStage"] == writes  # the first one is `put`'s


def test_a_denied_write_shows_before_the_consent(application: Application) -> None:
    """Who may not write the secret learns it from `begin`, and the provider's page is not opened."""
    application.put()
    application.store.fault("deny", operation="PutSecretValue", times=2)

    for _ in range(2):
        failing(application.begin, SecretAccessDenied, match="secretsmanager:PutSecretValue.*customers/7/quickbooks")
    assert application.begin().url


@pytest.mark.parametrize(("nth", "requests"), [(1, 0), (2, 0), (3, 1)])
def test_a_write_that_is_denied_later(application: Application, nth: int, requests: int) -> None:
    """Before the exchange a denied write spares the code; after it, the message says that tokens were lost."""
    application.put()
    begun = application.begin()
    application.store.fault("deny", operation="PutSecretValue", nth=nth, times=None)

    application.refuses(
        begun,
        TokenRefreshError,
        match="the provider sent tokens for .*could not be stored" if requests else "PutSecretValue",
    )

    assert requests == len(application.endpoint.requests)


def test_a_used_code_needs_the_user_again(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage passes, but where it loses the tokens of a used code, somebody has to consent again."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)
    application.put()
    begun = application.begin()
    application.store.fault("unavailable", operation="PutSecretValue", nth=3, times=None)

    with pytest.raises(TokenRefreshError, match=r"the provider sent tokens for .*could not be stored") as raised:
        application.grants.finish(begun.session, redirect(begun), **WHO)

    assert raised.value.needs_person


@pytest.mark.parametrize(
    ("response", "match"),
    [
        (script.error("invalid_grant"), r"sent no tokens \(HTTP 400 with invalid_grant\).*; let the user begin again"),
        (script.error("invalid_client", http_status=401), "Enter the right ones: `token-refresh client customers/7"),
        (script.status(200, {"access_token": "canary"}), "the provider sent no refresh token.*prompt=consent"),
    ],
)
def test_an_exchange_that_fails(application: Application, response: script.Script, match: str) -> None:
    """A provider that sends no tokens leaves what is stored as it is."""
    application.put()
    begun = application.begin(response=response)

    application.refuses(begun, TokenRefreshError, match=match)

    assert "r" == application.current()["refreshToken"]


def test_it_reads_the_secret_that_it_writes_and_its_client(application: Application) -> None:
    """No call is about another tenant's secret, whoever consents."""
    application.put()
    application.put(OTHER)
    ours = {application.client.describe_secret(SecretId=name)["ARN"] for name in (SECRET, CLIENT)}
    application.store.calls.clear()
    begun = application.begin()
    application.finish(begun)
    application.grants.store(SECRET, TOKENS, redirect={"realmId": "1"})

    assert ours == {logged.call.arn for logged in application.store.calls}


def test_the_printed_policy_is_enough_and_all_of_it_is_needed(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the policy of docs/grants.md whole consents succeed; without any permission but that to list, none does."""
    page = (Path(__file__).parents[2] / "docs" / "grants.md").read_text()
    policy = IamPolicy(statements=json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0]))

    def enforce(policy: IamPolicy) -> None:
        def authorize(call: Call) -> str | None:
            labels = {"secretsmanager:VersionStage": call.version_stages[0]} if call.version_stages else {}
            action = f"secretsmanager:{call.operation}"
            return None if policy.allows(Ask(action=action, resource=call.arn or "", context=labels)) else action

        application.store.authorize = authorize
        monkeypatch.setattr("token_refresh_admin.grants._PROVEN", set())  # as in a new process

    def connect() -> None:
        begun = application.begin(expect=ANYONE)
        application.finish(begun)

    enforce(policy)
    connect()
    connect()
    needed = [grant for grant in policy.grants(["secretsmanager:"]) if not grant[1].endswith("ListSecretVersionIds")]
    for grant in needed:
        enforce(policy.without(grant))
        failing(connect, SecretAccessDenied, match=grant[1])


def test_the_copy_is_published(application: Application) -> None:
    """Services get the new access token, and not the refresh token; a copy that is denied waits for the next run."""
    application.client.create_secret(Name="published")
    application.settings["PUBLISHED_SECRET_ID"] = "published"
    begun = application.begin(expect=ANYONE)

    assert application.finish(begun).published
    copy = application.current("published")
    assert ("canary-access", "1") == (copy["accessToken"], copy["realmId"])
    assert "refreshToken" not in copy
    application.client.delete_secret(SecretId="published", ForceDeleteWithoutRecovery=True)
    assert application.grants.store(SECRET, TOKENS, redirect={"realmId": "1"}).published is False


def test_the_page_in_a_fleet_with_copies(application: Application) -> None:
    """Who does what docs/grants.md says has a member of the fleet, and a copy that its customer's service reads."""
    page = (Path(__file__).parents[2] / "docs" / "grants.md").read_text()
    application.client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    (create,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "create_secret" in block]
    exec(create, {})  # noqa: S102 - the page's own words
    application.settings |= dict(re.findall(r"`([A-Z_]+)=([^`]+)`", page.split("## What it does")[0]))

    assert application.finish(application.begin(expect=ANYONE)).published

    copy = f"published/{SECRET}"
    assert "canary-access" == TokenReader(copy, client=application.client).get()
    tags = [application.client.describe_secret(SecretId=name)["Tags"] for name in (SECRET, copy)]
    assert [{"token-refresh:fleet": "prod"}, {"token-refresh:copy-of": SECRET}] == [
        {tag["Key"]: tag["Value"] for tag in each} for each in tags
    ]


def test_the_response_of_an_own_exchange(application: Application) -> None:
    """Who exchanges the code keeps the same rules: the account, what the redirect brought, tokens that can be read."""
    grants, realm, in_a_year = application.grants, {"realmId": "1"}, datetime.now(UTC) + timedelta(days=365)
    stored = grants.store(SECRET, TOKENS, provider="quickbooks", expect=realm, redirect=realm, sent_at=in_a_year)
    assert ("canary-refresh", realm) == (application.current()["refreshToken"], stored.account)
    assert stored.expires_at
    assert stored.expires_at < in_a_year, "a time after now, such as by a wrong clock, counts as now"
    before = application.current()

    failing(
        lambda: grants.store(SECRET, TOKENS, redirect={"realmId": "2"}), AnotherAccount, match="realmId 1 was expected"
    )
    failing(lambda: grants.store(SECRET, TOKENS), ChangeFailed, match="realmId is missing; nothing is stored")
    failing(
        lambda: grants.store(SECRET, {"error": "canary"}, redirect=realm), ChangeFailed, match="not a token response"
    )
    assert before == application.current()


def test_the_variables_of_a_provider(application: Application) -> None:
    """Variables that `begin` or `store` is given are in the document that runs read."""
    page = "https://ours.zendesk.com/oauth/authorizations/new"
    application.settings |= {"CLIENT_SECRET_ID": CLIENT, "AUTHORIZATION_ENDPOINT": page}
    ours, theirs = MappingProxyType({"subdomain": "ours"}), {"subdomain": "theirs"}

    application.finish(application.begin(provider="zendesk", variables=ours))
    application.grants.store(OTHER, TOKENS, provider="zendesk", variables=theirs)

    stored = [application.current(name)["providerVariables"] for name in (SECRET, OTHER)]
    assert [{"subdomain": "ours"}, {"subdomain": "theirs"}] == stored


def test_another_try_after_a_failed_first_one(application: Application) -> None:
    """The note that the first try left in an empty secret is no obstacle, and nothing of it stays."""
    for response in (script.error("invalid_grant"), RESPONSE):
        begun = application.begin(expect=ANYONE, response=response)
        with suppress(ChangeFailed):
            application.finish(begun)

    assert ("canary-refresh", 7) == (application.current()["refreshToken"], len(application.current()))


@pytest.mark.parametrize(
    "stored", [{"clientId": "c"}, {"clientId": "c", "clientSecret": ""}, {"clientSecret": "s"}, {}]
)
def test_nobody_consents_in_vain(application: Application, stored: dict[str, str]) -> None:
    """A client secret that is missing or empty shows before the customer is asked, not when the code is exchanged."""
    application.client.put_secret_value(SecretId=CLIENT, SecretString=json.dumps(stored))

    failing(
        application.begin,
        ConfigurationError if "clientId" in stored else InvalidSecretDocument,
        match="needs a client secret, and there is none" if "clientId" in stored else "has no clientId",
    )
    assert [] == application.endpoint.requests


def test_what_nobody_could_find_out(application: Application) -> None:
    """To expect an account takes a provider that names it, by the names that the profile has."""
    failing(lambda: application.begin(expect={}), ConfigurationError, match="values for some of realmId, or be ANYONE")
    failing(lambda: application.begin(expect="1"), ConfigurationError, match="some of realmId, or be ANYONE")
    failing(lambda: application.begin(expect={"realmId": None}), ConfigurationError, match="some of realmId")
    begun = application.begin(expect=ANYONE)
    failing(
        lambda: application.grants.finish(begun.session | {"expect": "of another version"}, redirect(begun), **WHO),
        ConfigurationError,
        match="some of realmId, or be ANYONE",
    )
    assert [] == application.endpoint.requests
    failing(lambda: application.begin(expect={"team": "1"}), ConfigurationError, match="some of realmId")
    failing(
        lambda: application.grants.begin(SECRET, **WHO, provider="upwork", expect={"tenant": "1"}),
        ConfigurationError,
        match="the profile of Upwork names no account; leave expect out",
    )


def test_a_secret_that_is_not_for_it(application: Application) -> None:
    """A missing secret, a published copy and another provider's tokens are refused before the consent."""
    grants = application.grants
    application.put(refreshToken=None)
    application.client.create_secret(Name="copy", SecretString='{"accessToken": "a", "sourceVersionId": "v"}')
    application.put(OTHER, provider="slack")

    failing(
        lambda: grants.begin(SECRET, **WHO, provider="quickboks"), ConfigurationError, match="did you mean quickbooks"
    )
    create = "`aws secretsmanager create-secret --name none --region eu-central-1`"
    failing(lambda: grants.begin("none", **WHO), SecretNotFound, match=f"Create it: {create}")
    failing(
        lambda: grants.begin(NO_ARN, **WHO),
        SecretNotFound,
        match=r"not found \(secretsmanager:GetSecretValue\)(?!.*create)",
    )
    failing(lambda: grants.begin("copy", **WHO), InvalidSecretDocument, match="published copy")
    failing(
        lambda: grants.begin(OTHER, **WHO, provider="quickbooks"),
        ConfigurationError,
        match="holds tokens of another provider than quickbooks",
    )
    application.put(OTHER, provider=["slack"])
    not_a_name = "must be the name of a profile, and is a JSON array"
    failing(lambda: grants.begin(OTHER, **WHO, provider="quickbooks"), ConfigurationError, match=not_a_name)
    failing(lambda: grants.begin(OTHER, **WHO), ConfigurationError, match=not_a_name)
    application.client.put_secret_value(SecretId="copy", SecretBinary=b"another program's")
    failing(
        lambda: grants.begin("copy", **WHO, provider="quickbooks"),
        InvalidSecretDocument,
        match="holds a value that is not a token document.*name another secret, or store {} in this one",
    )
    application.client.put_secret_value(SecretId="copy", SecretString="{}")
    assert grants.begin("copy", **WHO, provider="quickbooks").url
    application.client.delete_secret(SecretId=OTHER)
    failing(lambda: grants.begin(OTHER, **WHO), SecretNotFound, match="`aws secretsmanager restore-secret")
    copy = f"published/{SECRET}"
    application.client.create_secret(Name=copy)
    for copies in ("published/{secret}", copy):
        application.settings["PUBLISHED_SECRET_ID"] = copies
        failing(
            lambda: application.grants.begin(copy, **WHO, expect=ANYONE), InvalidSecretDocument, match="published copy"
        )


def test_what_needs_no_authorization_needs_no_client(application: Application) -> None:
    """A provider without refresh tokens is named before anybody looks for credentials, with the command to store."""
    application.put(OTHER, provider="paypal", clientId=None, clientSecret=None)

    failing(
        lambda: application.grants.begin(OTHER, **WHO, expect=ANYONE),
        ChangeFailed,
        match=f"PayPal has no refresh tokens, so there is nothing to authorize.*put-secret-value --secret-id {OTHER} ",
    )


@pytest.mark.parametrize(("callback", "secure"), [(CALLBACK, True), ("http://localhost:8000/callback", False)])
def test_the_example(application: Application, callback: str, *, secure: bool) -> None:
    """A customer connects, and comes back with others' companies, in other hands, and twice with one redirect.

    Each browser has a cookie of its own, which never crosses the network in the clear, also where a proxy ends TLS.
    """
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "fastapi_grants.py"))
    customers, cookies = example["Customers"](), set()
    customers.accounts["8"] = {"realmId": "9"}
    app = example["create_app"](Grants(callback, application.settings), customers)
    application.put(realmId=None)
    application.endpoint.play(RESPONSE, RESPONSE, RESPONSE)

    async def visit() -> list[str]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.example.com") as browser:
            shown = []
            for companies, cookie, customer in (
                (["9"], None, "7"),
                (["1"], None, "7"),
                (["6"], None, "7"),
                (["1"], {}, "7"),
                (["1"], {"Cookie": "browser=that-of-a-stranger"}, "7"),
                (["1"], None, "8"),
                (["1", "1"], None, "7"),
            ):
                customers.signed_in = lambda _: "7"
                begun = await browser.post("/connect")
                own = begun.headers["Set-Cookie"]
                cookies.add(own)
                assert (303, secure) == (begun.status_code, "Secure" in own)
                assert "HttpOnly; Max-Age=7200; Path=/; SameSite=lax" in own
                (state,) = parse_qs(urlsplit(begun.headers["Location"]).query)["state"]
                browser.cookies.clear()
                customers.signed_in = lambda _, customer=customer: customer
                for company in companies:
                    query = {"state": state, "code": CODE, "realmId": company}
                    sent = {"Cookie": own.partition(";")[0]} if cookie is None else cookie
                    page = await browser.get("/callback", params=query, headers=sent)
                    shown += re.findall("<h1>(.*)</h1>", page.text)
            return shown

    refused = ["Another company", *["Begin again"] * 3]
    assert ["Another company", "Connected", *refused, "Connected", "Begin again"] == asyncio.run(visit())
    assert (3, 7) == (len(application.endpoint.requests), len(cookies))


def test_the_page_has_the_limits_of_the_code(application: Application) -> None:
    """docs/grants.md says how many redirects a day takes, how long a session lasts, what a callback writes at most."""
    application.put()
    application.client.create_secret(Name="published")
    application.settings["PUBLISHED_SECRET_ID"] = "published"
    for last in (False, False, False, False, True):
        begun = application.begin(response=RESPONSE if last else script.error("invalid_grant"))
        application.store.calls.clear()
        with suppress(ChangeFailed):
            application.finish(begun)
    writes = [it for it in application.store.calls if it.call.operation.startswith(("Put", "Update"))]
    page = " ".join((Path(__file__).parents[2] / "docs" / "grants.md").read_text().split())

    assert f"a secret takes {REDIRECTS_A_DAY} redirects a day (UTC)" in page
    assert f"A session ends after {_SESSION_LIFETIME // timedelta(hours=1)} hours" in page
    assert f"a callback tries up to {len(writes)} writes" in page

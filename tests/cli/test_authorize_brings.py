"""`authorize`: which redirect a provider accepts, whose is believed (RFC 9207), and what one brings beside its code."""

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from cli.authorizing import Authorize, Person, consent, stored
from cli.scene import Cli
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import TokenReader
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.authorization_request import (
    AuthorizationRequest,
    ForeignRedirect,
    Redirect,
    build_authorization,
)
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_worker.providers.loader import read_profile
from token_refresh_worker.providers.redirect import RedirectFormat, RedirectVariable
from token_refresh_worker.stored.credentials import ClientCredentials

DATA_CENTERS = RedirectVariable(parameter="location", start="com", values={"us": "com", "eu": "eu"})
HOSTILE = ("evil.example", "https://evil.example", "eu/../evil", "eu@evil.example", "EU", "com", "")
EVIDENCE = '[[evidence]]\nsays = "All of it"\nsource = "https://example.com/docs"\non = 2026-11-29\n'
PROFILE = """
title = "Centers"
token_endpoint = "{origin}/api/{{place}}/oauth2/token"
rotation = "always"
grace = 0
[variables.place]
com = "nowhere"
eu = "v3"
[access_token]
lifetime_seconds = 7200
[authorization]
endpoint = "{page}"
identity = ["place"]
[authorization.redirect_variables.place]
parameter = "location"
start = "com"
values = {{ us = "com", eu = "eu" }}
"""

TENANTS = """
title = "Tenants"
token_endpoint = "https://{tenant}.example.com/token"
rotation = "always"
grace = 0
[variables]
tenant = "[a-z]+"
[authorization]
endpoint = "https://{tenant}.example.com/authorize"
issuer = "https://{tenant}.example.com/realm"
"""


def request(
    *, known: tuple[str, ...] = (), signs: bool = True, issuer: str | None = None, **redirect: Any
) -> AuthorizationRequest:
    return AuthorizationRequest(
        endpoint="https://login.example.com/authorize",
        client=ClientCredentials(client_id="me", client_secret=SecretValue("hush") if signs else None),
        redirect_uri="https://app.example.com/callback",
        scope=None,
        pkce=True,
        redirect=RedirectFormat(**redirect),
        known=dict.fromkeys(known),
        issuer=issuer,
        token_host="identity.example.com",
    )


def read(asked: AuthorizationRequest, **response: str | None) -> Redirect:
    given = {"state": asked.state, "code": "c", **response}
    query = urlencode({name: value for name, value in given.items() if value is not None})
    return asked.read_redirect(f"{asked.redirect_uri}?{query}")


def adding(**response: str) -> Callable[[str], str]:
    """Consent, at a provider that adds these parameters to its redirect."""
    return lambda url: f"{consent(url)}&{urlencode(response)}"


def test_what_is_kept_comes_once_and_is_an_identifier() -> None:
    """A value that the profile keeps is read; one that comes twice makes the redirect a foreign one."""
    asked = request(keep=("realmId",))

    assert {"realmId": "9130:a.b_c~d@e-f"} == read(asked, realmId="9130:a.b_c~d@e-f").extra
    with pytest.raises(ForeignRedirect):
        asked.read_redirect(f"{asked.redirect_uri}?state={asked.state}&code=c&realmId=1&realmId=2")


@pytest.mark.parametrize("value", [None, "", "a b", "a/b", "a\n", "1" * 257, "https://evil.example", "é", "{}"])
def test_a_wrong_kept_value_is_refused(value: str | None) -> None:
    """A missing or malformed value ends the command before the code is used, and is not quoted."""
    with pytest.raises(
        ChangeFailed, match=r"the redirect's realmId is (missing|malformed): its code was not used"
    ) as no:
        read(request(keep=("realmId",)), realmId=value)
    assert not value or value not in str(no.value)


def test_another_name_of_the_code() -> None:
    """Where the code has another name, a parameter `code` is none."""
    asked = request(code_name="spapi_oauth_code")

    assert "sp" == read(asked, spapi_oauth_code="sp", code="no").code.reveal()
    with pytest.raises(ForeignRedirect):
        read(asked)


def test_a_redirect_chooses_from_a_closed_list() -> None:
    """A parameter picks a value that the profile lists; without it the value that the operator named holds."""
    assert {"region": "eu"} == read(request(variables={"region": DATA_CENTERS}), location="eu").variables
    assert {} == read(request(variables={"region": DATA_CENTERS}, known=("region",))).variables
    with pytest.raises(ChangeFailed, match="the redirect's location is missing: its code was not used"):
        read(request(variables={"region": DATA_CENTERS}))


@pytest.mark.parametrize("known", [(), ("region",)])
@pytest.mark.parametrize("location", HOSTILE)
def test_a_redirect_supplies_no_host(location: str, known: tuple[str, ...]) -> None:
    """A value that the profile doesn't list is refused, also where the operator has named one."""
    if location or not known:  # An empty parameter counts as none.
        with pytest.raises(ChangeFailed, match=r"location is (missing|not one that the profile lists)"):
            read(request(variables={"region": DATA_CENTERS}, known=known), location=location)


@pytest.mark.parametrize("host", ["YWRtaW4", "YWRt/aW4="])
def test_a_signed_redirect(host: str) -> None:
    """A signature by the client secret over all other parameters is believed, decoded or as sent; no secret, none."""
    asked = request(signature="hmac")
    fields = {"code": "c", "host": host, "shop": "acme.myshopify.com", "state": asked.state, "timestamp": "1337178173"}

    for text in (urlencode(fields), "&".join(f"{name}={value}" for name, value in fields.items())):
        signature = hmac.new(b"hush", text.encode(), hashlib.sha256).hexdigest()
        assert "c" == asked.read_redirect(f"https://a.example/?{urlencode(fields)}&hmac={signature}").code.reveal()
        changed = urlencode({**fields, "shop": "evil.myshopify.com"})
        for query in (f"{changed}&hmac={signature}", f"{urlencode(fields)}&hmac={signature[:-1]}", urlencode(fields)):
            with pytest.raises(ChangeFailed, match="hmac is not the signature of your client secret"):
                asked.read_redirect(f"https://a.example/?{query}")
    public = request(signature="hmac", signs=False)
    query = f"code=c&state={public.state}"
    with pytest.raises(ChangeFailed, match="signature"):
        public.read_redirect(f"https://a.example/?{query}&hmac={hmac.new(b'', query.encode(), 'sha256').hexdigest()}")


@pytest.mark.parametrize("iss", ["https://login.example.com", "https://identity.example.com/realm/1", None])
def test_the_providers_own_issuer(iss: str | None) -> None:
    """Where the profile names no issuer, one on a host of the provider's is believed, and so is none."""
    assert "c" == read(request(), iss=iss).code.reveal()


@pytest.mark.parametrize("iss", ["https://evil.example", "https://login.example.com.evil.example", "http://[", "x"])
def test_a_stranger_as_issuer(iss: str) -> None:
    """An issuer on another host is refused, also with the right state, and is not quoted; nor is an error of its."""
    with pytest.raises(ChangeFailed, match=r"its code was not used") as refused:
        read(request(), iss=iss)
    assert iss == "x" or iss not in str(refused.value)
    with pytest.raises(ChangeFailed, match="issuer"):
        read(request(), error="access_denied", iss=iss)


@pytest.mark.parametrize("iss", ["https://login.example.com/", "https://login.example.com/other", None])
def test_a_known_issuer_is_compared_exactly(iss: str | None) -> None:
    """Where the profile says what its provider sends, nothing else is believed, and not its absence."""
    asked = request(issuer="https://login.example.com")

    assert "c" == read(asked, iss="https://login.example.com").code.reveal()
    with pytest.raises(ChangeFailed, match="does not come from the issuer https://login") as refused:
        read(asked, iss=iss)
    assert not isinstance(refused.value, ForeignRedirect)  # It ends the command, which would wait for another redirect.


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
def test_a_field_that_comes_twice(name: str) -> None:
    """A redirect in which two programs could read two values is not this authorization's (RFC 6749 section 3.1)."""
    asked = request()
    values = {"state": asked.state, "code": "c", "iss": "https://login.example.com"}
    with pytest.raises(ForeignRedirect):
        asked.read_redirect(
            f"{asked.redirect_uri}?{urlencode([*values.items(), *[(name, values.get(name, 'x'))] * 2])}"
        )


def test_the_profiles_issuer_is_filled(tmp_path: Path) -> None:
    """A profile's issuer has the variables of its endpoints, and holds for its own page alone."""
    (tmp_path / "tenants.toml").write_text(TENANTS + EVIDENCE)
    provider = read_profile(tmp_path / "tenants.toml")

    def issuer(endpoint: str | None) -> str | None:
        return build_authorization(
            provider,
            {"providerVariables": {"tenant": "acme"}},
            client=ClientCredentials(client_id="me", client_secret=SecretValue("made-up")),
            redirect_uri="http://127.0.0.1/callback",
            endpoint=endpoint,
            scope=None,
        ).issuer

    assert "https://acme.example.com/realm" == issuer(None)
    assert issuer("https://example.com/authorize") is None


def test_a_company_reaches_every_reader(cli: Cli, authorize: Authorize, store: SecretsManagerServer) -> None:
    """QuickBooks' `realmId` is stored, published, shown, read, kept by a refresh, and replaced by the next consent."""
    store.client().create_secret(Name="copy", SecretString="{}")
    settings = {"PROVIDER": "quickbooks", "PUBLISHED_SECRET_ID": "copy"}

    def extra(secret_id: str) -> dict[str, Any]:
        return dict(TokenReader(secret_id, client=store.client()).token().extra)

    ended, _ = authorize("qb", visits=[adding(realmId="9130")], **settings)

    assert 0 == ended.code, ended.screen
    assert "realmId 9130" in ended.screen
    assert ("9130", ["realmId"]) == (stored(store, "qb")["realmId"], stored(store, "qb")["tokenRefresh"]["kept"])
    copy = stored(store, "copy")
    assert {"accessToken", "expiresAt", "tokenType", "scope", "sourceVersionId", "realmId", "tokenRefresh"} == set(copy)
    assert {"kept": ["realmId"], "lifetime_seconds": 86400} == copy["tokenRefresh"]
    assert {"realmId": "9130"} == extra("qb") == extra("copy")
    assert "refreshed" == cli("refresh", "qb", "--force", "--json", **settings).json["outcome"]
    assert {"realmId": "9130"} == extra("qb") == extra("copy")

    assert 0 == authorize("qb", "--another-account", visits=[adding(realmId="77")], **settings)[0].code
    assert {"realmId": "77"} == extra("qb") == extra("copy")


def test_a_redirect_chooses_the_data_center(
    cli: Cli, authorize: Authorize, provider: AuthorizationServer, store: SecretsManagerServer, tmp_path: Path
) -> None:
    """The code goes to the data center that the redirect picked, and so does each refresh."""
    text = PROFILE.format(origin=provider.issuer, page=provider.authorization_endpoint) + EVIDENCE
    (tmp_path / "centers.toml").write_text(text)
    settings = {"PROVIDER": "centers", "PROVIDER_PROFILES": str(tmp_path)}
    settings |= {"TOKEN_ENDPOINT": "", "AUTHORIZATION_ENDPOINT": ""}
    before = len(provider.requests())

    refused, _ = authorize(visits=[adding(location="https://evil.example")], **settings)
    ended, _ = authorize(visits=[adding(location="eu")], **settings)

    assert (2, 0) == (refused.code, ended.code), ended.screen
    assert "location is not one that the profile lists" in refused.screen
    assert {"place": "eu"} == stored(store)["providerVariables"]
    assert "place eu" in ended.screen
    assert 1 == len(provider.requests()) - before
    assert "refreshed" == cli("refresh", "--force", "--json", **settings).json["outcome"]


@pytest.mark.parametrize(
    ("name", "uri"),
    [("quickbooks", "https://example.com/callback"), ("square", "https://example.com/callback"), ("ebay", "NAME")],
)
def test_where_no_redirect_to_this_machine_works(
    cli: Cli, client_file: Path, person: Callable[..., Person], name: str, uri: str
) -> None:
    """The command ends before the browser opens, and prints one that works, with the other options."""
    someone = person(consent)

    ended = cli("authorize", f"--client-file={client_file}", "--scope=a b", "--variable=x=y", f"--provider={name}")

    assert 2 == ended.code
    assert someone.pages == []
    printed = " ".join(ended.screen.split())
    assert "accepts no redirect to this machine" in printed
    assert f"authorize upwork-oauth-tokens --paste --redirect-uri {uri} --client-file {client_file}" in printed
    assert "--scope 'a b'" in printed
    assert "--variable x=y" in printed
    assert f"--provider {name}" in printed


@pytest.mark.parametrize(
    ("name", "host"),
    [("hubspot", "localhost"), ("microsoft", "localhost"), ("spotify", "127.0.0.1"), ("upwork", "127.0.0.1")],
)
def test_the_default_redirect_fits_the_provider(cli: Cli, client_file: Path, name: str, host: str) -> None:
    """A provider that wants `localhost`, or an IP address, gets that."""
    tenant = ["--variable=tenant=common"] if name == "microsoft" else []

    fixed = ["authorize", f"--client-file={client_file}", f"--provider={name}", "--paste", "--yes", *tenant]

    ended = cli(*fixed, CLAIM_TABLE="claims")

    assert f"redirect_uri=http%3A%2F%2F{host}%3A8765%2Fcallback" in ended.err


def test_a_redirect_that_is_a_name(cli: Cli, client_file: Path) -> None:
    """EBay's RuName is sent as `redirect_uri`, and the redirect is pasted; any other provider refuses a name."""
    name = "--redirect-uri=Acme_Inc-AcmeInc-AcmePR-abcde"

    ended = cli("authorize", f"--client-file={client_file}", name, "--yes", "--provider=ebay")
    refused = cli("authorize", f"--client-file={client_file}", name, "--yes")

    assert "redirect_uri=Acme_Inc-AcmeInc-AcmePR-abcde" in ended.err
    assert "Copy the whole URL" in ended.err
    assert 64 == refused.code


def test_the_tutorials_line_for_quickbooks(
    cli: Cli, client_file: Path, monkeypatch: pytest.MonkeyPatch, store: SecretsManagerServer
) -> None:
    """The tutorial's command works as printed at a provider that takes a registered https callback, by paste."""
    page = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
    line = next(line for line in page.splitlines() if line.startswith("$ token-refresh authorize quickbooks-"))
    uri, known = line.rpartition(" ")[2], "one-known-value-that-is-long-enough-for-a-verifier"
    monkeypatch.setattr("token_refresh_admin.changes.authorization_request.secrets.token_urlsafe", lambda _: known)
    with AuthorizationServer(redirect_uris=(uri,)) as server:
        client_id, client_secret = server.client()
        client_file.write_text(json.dumps({"clientId": client_id, "clientSecret": client_secret}))
        client = ClientCredentials(client_id=client_id, client_secret=SecretValue(client_secret))
        asked = AuthorizationRequest(
            endpoint=server.authorization_endpoint, client=client, redirect_uri=uri, scope=None, pkce=True
        )
        words = line.replace("client.json", str(client_file)).split()[2:]
        settings = {"TOKEN_ENDPOINT": server.token_endpoint, "AUTHORIZATION_ENDPOINT": server.authorization_endpoint}

        ended = cli(*words, stdin=f"y\n{adding(realmId='9130')(asked.url)}\n", **settings)

    assert 0 == ended.code, ended.screen
    assert "9130" == stored(store, "quickbooks-oauth-tokens")["realmId"]

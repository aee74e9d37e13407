"""`client`: other client credentials for the same grant, beside the tokens or in a secret of their own."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.authorizing import written
from cli.scene import SECRET_ID, Cli, Tokens, meanwhile
from testbed.builders import DAY, HOUR
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.fixture
def right(endpoint: TokenEndpoint, tmp_path: Path) -> Path:
    """The credentials that the provider takes."""
    return written(tmp_path, {"clientId": endpoint.client_id, "clientSecret": endpoint.client_secret})


def test_beside_the_tokens(cli: Cli, tokens: Tokens, right: Path, endpoint: TokenEndpoint) -> None:
    """After a rotation at the provider the printed command stores the new secret, and the same grant is refreshed."""
    tokens.store(expires_in=7 * HOUR, clientSecret="the-old-one", note="kept")
    before = tokens.current()
    rejected = cli("refresh", "--force")
    replaced = cli("client", "--client-file", str(right))
    stored = tokens.current()
    refreshed = cli("refresh", "--force")

    assert (2, 0, 0) == (rejected.code, replaced.code, refreshed.code), refreshed.screen
    assert f"token-refresh client {SECRET_ID} --region eu-central-1" in rejected.screen
    assert f"token-refresh refresh {SECRET_ID} --force --region eu-central-1" in replaced.screen
    assert before | {"clientSecret": endpoint.client_secret} == stored
    assert "refreshed" in refreshed.out
    assert endpoint.client_secret not in replaced.screen


@pytest.mark.parametrize("provider", ["paypal", "databricks", "facebook", "instagram", "threads"])
@pytest.mark.parametrize("refreshed", [True, False])
def test_without_a_refresh_token(cli: Cli, tokens: Tokens, right: Path, provider: str, *, refreshed: bool) -> None:
    """At a provider without refresh tokens a document is complete without one, also before its first refresh."""
    if refreshed:
        tokens.store(expires_in=HOUR / 2, refreshToken=None, clientSecret="the-old-one")
    else:
        tokens.put({"clientId": "me", "clientSecret": "the-old-one", "note": "kept"})
    before = tokens.current()

    given = json.loads(right.read_text())
    replaced = cli("client", "--client-file", str(right), "--client-id", given["clientId"], PROVIDER=provider)

    assert 0 == replaced.code, replaced.screen
    assert before | given == tokens.current()


@pytest.mark.parametrize("provider", ["paypal", "upwork"])
def test_what_is_no_document_stays(cli: Cli, tokens: Tokens, right: Path, provider: str) -> None:
    """Client credentials replace no value that isn't a token document, whatever the provider needs."""
    tokens.put("[1]")

    assert 2 == cli("client", "--client-file", str(right), "--yes", PROVIDER=provider).code
    assert "[1]" == json.dumps(tokens.current())


def test_the_new_one_is_tried(cli: Cli, tokens: Tokens, right: Path, tmp_path: Path, endpoint: TokenEndpoint) -> None:
    """What came of a request that redeems nothing is said: the provider knows the client, or not."""
    tokens.store(expires_in=7 * HOUR)
    before = tokens.current()["refreshToken"]
    said = cli("client", "--client-file", str(right))
    assert (0, True) == (said.code, "The token endpoint: it responds and knows the client" in said.screen)
    wrong = written(tmp_path, {"clientId": endpoint.client_id, "clientSecret": "not-known-yet"})
    said = cli("client", "--client-file", str(wrong))
    assert (2, True) == (said.code, "it responds, and rejects the client credentials" in said.screen)
    assert "the new ones are stored; replace them, which takes no consent: token-refresh client" in said.screen
    assert f"may know them only after a while; then: token-refresh refresh {SECRET_ID} --force" in said.screen

    assert [False, False] == [request.redeemed for request in endpoint.requests]
    assert (before, "not-known-yet") == tuple(tokens.current()[name] for name in ("refreshToken", "clientSecret"))


def test_where_nothing_names_the_provider(cli: Cli, tokens: Tokens, right: Path, endpoint: TokenEndpoint) -> None:
    """The new credentials are stored, and sent nowhere: the default provider may be the wrong one."""
    tokens.store(expires_in=7 * HOUR)
    said = cli("client", "--client-file", str(right), PROVIDER="", TOKEN_ENDPOINT="")

    assert (0, False) == (said.code, "The token endpoint" in said.screen)
    assert f"token-refresh refresh {SECRET_ID} --force" in said.screen
    assert [] == endpoint.requests


def test_a_client_without_its_secret(cli: Cli, tokens: Tokens, tmp_path: Path) -> None:
    """Credentials that no request could use are not stored."""
    tokens.store(expires_in=7 * HOUR)
    before = tokens.current()
    ended = cli("client", "--client-file", str(written(tmp_path, {"clientId": before["clientId"]})))

    assert (2, before) == (ended.code, tokens.current())
    assert "which needs a client secret, and there is none" in ended.screen


def test_in_a_field(
    cli: Cli, tokens: Tokens, right: Path, store: SecretsManagerServer, endpoint: TokenEndpoint
) -> None:
    """Where CLIENT_SECRET_ID names a field, the object in it is replaced, and what else the secret holds stays."""
    tokens.store(expires_in=7 * HOUR, clientId=None, clientSecret=None)
    stored = {"upwork": {"client_id": endpoint.client_id, "client_secret": "the-old-one", "note": 1}, "slack": "kept"}
    store.client().create_secret(Name="oauth", SecretString=json.dumps(stored))
    replaced = cli("client", "--client-file", str(right), CLIENT_SECRET_ID="oauth#upwork")

    assert 0 == replaced.code, replaced.screen
    assert "refreshed" in cli("refresh", CLIENT_SECRET_ID="oauth#upwork").out
    value = json.loads(store.client().get_secret_value(SecretId="oauth")["SecretString"])
    stored["upwork"] |= {"client_secret": endpoint.client_secret}  # type: ignore[operator] # the object above
    assert stored == value
    store.client().create_secret(Name="client")
    assert 0 == cli("client", "--client-file", str(right), "--yes", CLIENT_SECRET_ID="client").code
    assert "refreshed" in cli("refresh", "--force", CLIENT_SECRET_ID="client").out, "their secret had no value yet"


def test_a_colleague_s_client_stays(
    cli: Cli, tokens: Tokens, right: Path, store: SecretsManagerServer, endpoint: TokenEndpoint
) -> None:
    """Credentials that somebody stored while the command asked stay, wherever they are; it ends with 1."""
    tokens.store(expires_in=7 * HOUR)
    meanwhile(store, lambda: tokens.store(expires_in=7 * HOUR, clientSecret="a colleague's"))
    beside = cli("client", "--client-file", str(right))
    store.client().create_secret(Name="client", SecretString='{"clientId": "c", "clientSecret": "s"}')
    theirs = '{"clientId": "c", "clientSecret": "theirs"}'
    meanwhile(store, lambda: store.client().put_secret_value(SecretId="client", SecretString=theirs))
    own = cli("client", "--client-file", str(right), "--client-id", endpoint.client_id, CLIENT_SECRET_ID="client")

    store.client().create_secret(Name="empty")
    meanwhile(store, lambda: store.client().put_secret_value(SecretId="empty", SecretString=theirs))
    first = cli("client", "--client-file", str(right), "--yes", CLIENT_SECRET_ID="empty")

    assert (1, 1, 1) == (beside.code, own.code, first.code), own.screen
    assert "changed since this command read it: the new value stays" in beside.screen
    assert f"token-refresh status {SECRET_ID} --region eu-central-1" in own.screen
    assert "a colleague's" == tokens.current()["clientSecret"]
    kept = [store.client().get_secret_value(SecretId=name)["SecretString"] for name in ("client", "empty")]
    assert [theirs, theirs] == kept


def test_snake_case(cli: Cli, tokens: Tokens, right: Path, endpoint: TokenEndpoint) -> None:
    """The credentials are stored in the document's own spelling."""
    tokens.store()
    found = tokens.current()
    tokens.put({"access_token": found["accessToken"], "refresh_token": found["refreshToken"], "client_id": "x"})
    tokens.put({**tokens.current(), "client_id": endpoint.client_id})

    assert 0 == cli("client", "--client-file", str(right)).code
    assert endpoint.client_secret == tokens.current()["client_secret"]
    assert "clientSecret" not in tokens.current()


def test_a_person_corrects_the_client_id(
    cli: Cli, tokens: Tokens, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal the client ID that is stored is a suggestion, and another one may be typed in its place."""
    tokens.store(clientId="edited")
    monkeypatch.setattr(
        "token_refresh_admin.cli.client.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    )

    ended = cli("client", stdin=f"{endpoint.client_id}\n{endpoint.client_secret}\ny\n")

    assert (0, endpoint.client_id) == (ended.code, tokens.current()["clientId"])
    assert "[edited]" in ended.screen


def test_an_edited_client_id(cli: Cli, tokens: Tokens, right: Path, endpoint: TokenEndpoint) -> None:
    """A client ID that somebody edited is set right without a consent, by a yes or by its name; --yes says neither."""
    tokens.store(clientId="edited")
    before = tokens.current()
    file = ("--client-file", str(right))

    refused, meant = cli("client", *file, stdin="\n"), cli("client", *file, "--yes")
    other = cli("client", *file, "--client-id", "another")
    spaced = cli("client", "--client-id", f"{endpoint.client_id} ", "--yes", stdin=f"{endpoint.client_secret}\n")
    assert (1, 2, 2, 64) == (refused.code, meant.code, other.code, spaced.code)
    assert "--client-id begins or ends with white space" in spaced.screen
    assert f"Client edited is stored for the tokens of secret {SECRET_ID}, and you gave client" in refused.screen
    assert f"client {SECRET_ID} --client-id {endpoint.client_id} {' '.join(file)} --region eu-central-1" in meant.screen
    assert f"token-refresh authorize {SECRET_ID} --client-id {endpoint.client_id}" in meant.screen
    assert f"and the file has client {endpoint.client_id}" in other.screen
    assert before == tokens.current()

    assert 0 == cli("client", *file, stdin="y\n").code
    assert "refreshed" in cli("refresh", "--force").out
    tokens.put({**tokens.current(), "clientId": "edited"})
    named = cli("client", "--client-id", endpoint.client_id, "--yes", stdin=f"{endpoint.client_secret}\n")
    assert (0, endpoint.client_id) == (named.code, tokens.current()["clientId"])


def test_nothing_says_where_they_are(cli: Cli, tokens: Tokens, right: Path) -> None:
    """Credentials that are nowhere may belong into a secret that only the function knows: it asks first."""
    tokens.store(expires_in=DAY, clientId=None, clientSecret=None)

    refused = cli("client", "--client-file", str(right), stdin="n\n")
    agreed = cli("client", "--client-file", str(right), "--yes")

    assert (1, 0) == (refused.code, agreed.code)
    assert "Nothing says where the function reads its client credentials" in refused.screen


@pytest.mark.parametrize(("value", "said"), [(None, "token-refresh authorize"), ("garbage", "token-refresh restore")])
def test_no_tokens(  # noqa: PLR0917 - fixtures, and what is seen
    cli: Cli, tokens: Tokens, right: Path, store: SecretsManagerServer, value: str | None, said: str
) -> None:
    """Without a token document there is nothing to keep: it says how to get one."""
    if value is None:
        store.client().create_secret(Name=SECRET_ID)
    else:
        tokens.put(value)

    ended = cli("client", "--client-file", str(right))

    assert 2 == ended.code
    assert f"{said} {SECRET_ID} --region eu-central-1" in ended.screen


def test_a_run_meanwhile(cli: Cli, tokens: Tokens, right: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that a run makes current meanwhile are never put back: it reads again, and gives up in the end."""
    tokens.store()
    monkeypatch.setattr("token_refresh_admin.changes.change.TRIES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(
            "token_refresh_worker.adapters.secrets_manager.SecretsManagerSecret.move_label", lambda *_, **__: False
        )
        ended = cli("client", "--client-file", str(right))

    assert 1 == ended.code
    assert "the client credentials are not stored" in ended.screen
    assert f"token-refresh client {SECRET_ID} --region eu-central-1" in ended.screen

"""`authorize` risks no grant: it may write before anybody consents, and another account's grant takes a yes."""

from collections.abc import Callable
from typing import Any

import pytest

from cli.authorizing import STATE, paste_into
from cli.scene import SECRET_ID, Cli, Ended, Tokens
from testbed.builders import DAY
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer

ADDRESS = f"http://127.0.0.1/callback?code=any&state={STATE}\n"


@pytest.fixture
def paste(cli: Cli, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Authorize, where the secret holds a grant."""
    tokens.store(expires_in=DAY, workspace_id="ours", note="kept")
    return lambda *arguments, **variables: paste_into(cli, monkeypatch, *arguments, **variables)


@pytest.mark.parametrize("action", ["PutSecretValue", "UpdateSecretVersionStage"])
def test_who_may_not_write_is_told_before_the_consent(
    paste: Callable[..., Ended], tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint, action: str
) -> None:
    """Without the right to store, no URL is shown and no code is exchanged: the old grant stays alive."""
    store.authorize = lambda call: "no" if call.operation == action else None
    before = tokens.current()

    ended = paste()

    assert 2 == ended.code
    assert f"secretsmanager:{action} on secret {SECRET_ID} in eu-central-1 was denied" in ended.screen
    assert ([], False) == (endpoint.requests, "authorize?" in ended.screen)
    store.authorize = None
    assert before == tokens.current()
    endpoint.play(responds())
    assert 0 == paste().code


def test_who_may_not_publish_is_told_first(
    paste: Callable[..., Ended], store: SecretsManagerServer, endpoint: TokenEndpoint
) -> None:
    """The published copy is another matter: the tokens are stored, and the next run publishes them."""
    store.client().create_secret(Name="published", SecretString="{}")
    store.authorize = lambda call: "no" if "published" in str(call.secret_id) and "Put" in call.operation else None

    endpoint.play(responds())
    ended = paste(PUBLISHED_SECRET_ID="published")

    assert 0 == ended.code
    said = " ".join(ended.err.split())
    assert said.index("the next run publishes to secret published") < said.index("authorize?")


def responds(**fields: Any) -> script.Script:
    return script.status(200, {"access_token": "new-access", "refresh_token": "new-refresh", **fields})


NOTION = {"PROVIDER": "notion"}


def test_another_account_takes_an_option(paste: Callable[..., Ended], tokens: Tokens, endpoint: TokenEndpoint) -> None:
    """Where nobody can be asked, another account's grant is stored only with the option; its keys replace the old."""
    before = tokens.current()
    endpoint.play(responds(workspace_id="theirs"))
    refused = paste(**NOTION)

    assert (2, before) == (refused.code, tokens.current())
    assert "the provider authorized workspace_id theirs, and workspace_id ours was expected" in refused.screen
    assert f"token-refresh authorize {SECRET_ID} --another-account --region eu-central-1" in refused.screen

    endpoint.play(responds(workspace_id="theirs"))
    assert 0 == paste("--another-account", **NOTION).code
    stored = tokens.current()
    assert ("theirs", "new-refresh", "kept") == (stored["workspace_id"], stored["refreshToken"], stored["note"])


def test_the_same_account_is_not_asked_about(paste: Callable[..., Ended], endpoint: TokenEndpoint) -> None:
    """The grant of the account that is there needs no question."""
    endpoint.play(responds(workspace_id="ours"))

    assert 0 == paste(**NOTION).code


@pytest.mark.parametrize(("answer", "code", "stays"), [("n", 2, True), ("", 2, True), ("y", 0, False)])
def test_another_account_is_asked_about(
    paste: Callable[..., Ended], tokens: Tokens, endpoint: TokenEndpoint, answer: str, code: int, *, stays: bool
) -> None:
    """A person is asked, with both accounts and with no as the default; an account that is not named is another one."""
    before = tokens.current()
    endpoint.play(responds(**({} if answer == "y" else {"workspace_id": "theirs"})))

    ended = paste(stdin=f"y\n{ADDRESS}{answer}\n", **NOTION)

    assert (code, stays) == (ended.code, before == tokens.current()), ended.screen
    assert f"and secret {SECRET_ID} holds the grant of workspace_id ours. Store the other" in ended.screen
    assert ("workspace_id" in tokens.current()) is stays


def test_another_account_is_asked_about_once(
    paste: Callable[..., Ended], tokens: Tokens, endpoint: TokenEndpoint
) -> None:
    """Whoever takes the account that the redirect names is not asked again when its tokens have come."""
    tokens.store(expires_in=DAY, realmId="1")
    endpoint.play(responds())

    uri = "https://example.com/callback"

    ended = paste(
        f"--redirect-uri={uri}", stdin=f"y\n{uri}?code=any&state={STATE}&realmId=2\ny\n", PROVIDER="quickbooks"
    )

    assert (0, "2", 1) == (ended.code, tokens.current()["realmId"], ended.screen.count("Store the other")), ended.screen

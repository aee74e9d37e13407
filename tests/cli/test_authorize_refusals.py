"""`authorize` risks no grant: what is refused, by whom, before or after the consent, and what is stored then."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest

from cli.authorizing import Authorize, Paste, brings, redirect_of, redirected, stored
from cli.aws import KEYS
from cli.scene import SECRET_ID, Cli, Tokens
from deployed import tag_secrets
from testbed.builders import DAY
from testbed.provider import script
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.moto_server import MotoServer
from testbed.secrets_manager.server import SecretsManagerServer


@pytest.mark.parametrize(
    ("response", "printed"),
    [
        ({"error": "access_denied"}, "the provider did not authorize (access_denied)"),
        ({"error": "<script>"}, "an error without an RFC 6749 code"),
        ({"code": "made-up"}, "the token endpoint sent no tokens (HTTP 400 with invalid_grant): the code was used"),
    ],
)
def test_refused(cli: Cli, authorize: Authorize, response: dict[str, str], printed: str) -> None:
    """Where the provider refuses, the terminal says why, the page says so, and nothing is stored."""
    ended, (page,) = authorize(visits=[lambda url: redirected(url, **response)])

    assert (2, True) == (ended.code, printed in ended.screen)
    assert "Not authorized" in page.text
    assert 3 == cli("status").code


@pytest.mark.parametrize("known_by", ["tag", "deployment", "setting", "content"])
def test_a_published_secret(authorize: Authorize, store: SecretsManagerServer, known_by: str) -> None:
    """A secret that a deployment publishes to is refused before the browser opens, also while it is empty."""
    copy = {"accessToken": "a", "expiresAt": 4_000_000_000_000, "sourceVersionId": "v"}
    content = {"SecretString": json.dumps(copy)} if known_by == "content" else {}
    tags = [{"Key": "token-refresh:published-from", "Value": "my tokens"}] if known_by == "tag" else []
    store.client().create_secret(Name=SECRET_ID, Tags=[{"Key": "team", "Value": "a"}, *tags], **content)
    if known_by == "deployment":  # What `scripts/deploy` does to an adopted secret is enough.
        store.client().create_secret(Name="mine")
        outputs = {"FunctionName": "token-refresh-prod", "TokenSecretId": "mine", "PublishedSecretId": SECRET_ID}
        tag_secrets(store.client(), outputs)
    variables = {"PUBLISHED_SECRET_ID": SECRET_ID} if known_by == "setting" else {}

    ended, pages = authorize("--timeout=1", visits=(), **variables)

    assert (False, []) == (ended.code == 0, pages)
    assert f"secret {SECRET_ID} in eu-central-1 is the published copy for consumers" in ended.screen
    named = {"tag": "'my tokens'", "deployment": "mine"}.get(known_by)
    assert not named or f"token-refresh authorize {named} --redirect-uri" in ended.screen
    assert (known_by == "content") == bool(store.client().list_secret_version_ids(SecretId=SECRET_ID)["Versions"])


@pytest.fixture
def fleet_with_copies(moto: MotoServer, environment: dict[str, str]) -> Iterator[str]:
    """An account with two fleets, of which one publishes; yields where."""
    environment["AWS_ENDPOINT_URL"] = moto.url
    tables: Any = boto3.client("dynamodb", endpoint_url=moto.url, **KEYS)  # type: ignore[call-overload]  # its overloads know no dict
    for name, tags in (("dev", []), ("prod", [{"Key": "token-refresh:published-under", "Value": "published/"}])):
        tables.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "team", "Value": "a"}, *tags],
        )
    yield "published/"
    httpx.post(f"{moto.url}/moto-api/reset", trust_env=False, timeout=60)


COPIES = pytest.mark.parametrize(
    ("name", "source"),
    [("published/customers/7/xero", "customers/7/xero"), ("upwork-tokens-published", "upwork-tokens")],
)


@COPIES
def test_a_missing_secret_with_the_name_of_a_copy(cli: Cli, fleet_with_copies: str, name: str, source: str) -> None:
    """No command is printed that would be refused: the token secret is looked at."""
    assert fleet_with_copies

    ended = cli("status", name)
    status = f"token-refresh status {source} --region eu-central-1"

    assert ended.code == 3
    assert f"secret {name} does not exist in eu-central-1" in ended.screen
    assert f"the name of a published copy, which runs make. Look at the token secret: {status}" in ended.screen
    assert "authorize" not in ended.screen


@pytest.mark.parametrize("there", [True, False])
@COPIES
def test_the_name_of_a_copy(
    authorize: Authorize, store: SecretsManagerServer, fleet_with_copies: str, name: str, source: str, *, there: bool
) -> None:
    """No grant is stored where services read, although the copy is missing or has no tag; the source is named."""
    assert fleet_with_copies
    if there:
        store.client().create_secret(Name=name)

    ended, pages = authorize(name, "--timeout=1", visits=())

    assert (2, []) == (ended.code, pages)
    assert f"secret {name} in eu-central-1 has the name of a published copy" in ended.screen
    assert f"Authorize the token secret: token-refresh authorize {source} --redirect-uri" in ended.screen
    assert there == (store.secrets.find(name) is not None)


def test_other_names_are_no_copies(authorize: Authorize, store: SecretsManagerServer, fleet_with_copies: str) -> None:
    """A name elsewhere is authorized; so is one that nobody can look up, after a warning."""
    assert fleet_with_copies
    ended, _ = authorize("customers/7/xero")
    assert (0, False) == (ended.code, "publishes under" in ended.screen)

    unreachable = {"AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API": "http://127.0.0.1:1"}
    ended, _ = authorize("customers/8/xero", **unreachable)

    assert (0, True) == (ended.code, "Whether a fleet publishes under this name is not known: " in ended.screen)
    assert stored(store, "customers/8/xero")["refreshToken"]


@pytest.mark.parametrize(
    ("played", "printed"),
    [
        (
            script.status(200, {"access_token": "a"}),
            "prompt=consent (`params` in a profile), or a setting of the client: token-refresh providers generic",
        ),
        (script.error("invalid_client", http_status=401), "ClientRejected: the token endpoint rejected the client"),
        (
            script.html(403),
            f"check the token endpoint (TOKEN_ENDPOINT), then begin again: token-refresh authorize {SECRET_ID}",
        ),
        (script.status(500), "sent no tokens (HTTP 500)"),
        (
            script.status(200, b'{"data":{"accessToken":"canary-1","refreshToken":"canary-2"}}'),
            "no usable access_token; /data/accessToken: text of 8 characters (letters, digits, others); /data/refresh",
        ),
    ],
)
def test_no_tokens(paste: Paste, played: script.Script, printed: str) -> None:
    """Whatever the token endpoint sends instead of tokens, it is said in our own words, with what to do."""
    ended = paste(response=played, UPWORK_CLIENT_ID="me", UPWORK_CLIENT_SECRET="hush")

    assert (2, True) == (ended.code, printed in ended.screen), ended.screen
    assert "canary" not in ended.screen


@pytest.fixture
def again(paste: Paste, tokens: Tokens) -> Paste:
    """Authorize, where the secret holds a grant."""
    tokens.store(expires_in=DAY, workspace_id="ours", note="kept")
    return paste


@pytest.mark.parametrize("action", ["PutSecretValue", "UpdateSecretVersionStage"])
def test_who_may_not_write_is_told_before_the_consent(
    again: Paste, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint, action: str
) -> None:
    """Without the right to store, no URL is shown and no code is exchanged: the old grant stays alive."""
    store.authorize = lambda call: "no" if call.operation == action else None
    before = tokens.current()

    ended = again()

    assert 2 == ended.code
    assert f"secretsmanager:{action} on secret {SECRET_ID} in eu-central-1 was denied" in ended.screen
    assert ([], False, before) == (endpoint.requests, "authorize?" in ended.screen, tokens.current())


def test_who_may_not_publish_is_told_first(again: Paste, store: SecretsManagerServer) -> None:
    """The published copy is another matter: the tokens are stored, and the next run publishes them."""
    store.client().create_secret(Name="published", SecretString="{}")
    store.authorize = lambda call: "no" if "published" in str(call.secret_id) and "Put" in call.operation else None

    ended = again(PUBLISHED_SECRET_ID="published")

    assert 0 == ended.code
    said = " ".join(ended.err.split())
    assert said.index("the next run publishes to secret published") < said.index("authorize?")


def test_another_account_takes_an_option(again: Paste, tokens: Tokens) -> None:
    """Where nobody can be asked, another account's grant is stored only with the option; its keys replace the old."""
    before, theirs = tokens.current(), brings(workspace_id="theirs")
    refused = again(response=theirs, PROVIDER="notion")

    assert (2, before) == (refused.code, tokens.current())
    assert "the provider authorized workspace_id theirs, and workspace_id ours was expected" in refused.screen
    assert f"token-refresh authorize {SECRET_ID} --another-account" in refused.screen
    assert 0 == again("--another-account", response=theirs, PROVIDER="notion").code
    stored = tokens.current()
    assert ("theirs", "r", "kept") == (stored["workspace_id"], stored["refreshToken"], stored["note"])


@pytest.mark.parametrize(
    ("answer", "account", "code"),
    [("n", "theirs", 2), ("", "theirs", 2), ("y", None, 0), (None, "ours", 0)],
    ids=["no", "no answer", "yes to one without a name", "the same account, and no question"],
)
def test_another_account_is_asked_about(
    again: Paste, tokens: Tokens, answer: str | None, account: str | None, code: int
) -> None:
    """A person is asked, with both accounts and with no as the default; an account that is not named is another one."""
    before = tokens.current()

    ended = again(
        response=brings(**({"workspace_id": account} if account else {})),
        stdin=f"y\n{redirect_of()}{answer}\n",
        PROVIDER="notion",
    )

    assert (code, code == 2) == (ended.code, before == tokens.current()), ended.screen
    asked = f"and secret {SECRET_ID} holds the grant of workspace_id ours. Store the other" in ended.screen
    assert asked == (answer is not None)
    assert ("workspace_id" in tokens.current()) is (account is not None)


def test_another_account_is_asked_about_once(again: Paste, tokens: Tokens) -> None:
    """Whoever takes the account that the redirect names is not asked again when its tokens have come."""
    tokens.store(expires_in=DAY, realmId="1")
    uri = "https://example.com/callback"

    ended = again(
        f"--redirect-uri={uri}", stdin=f"y\n{redirect_of('code=any&realmId=2', uri)}y\n", PROVIDER="quickbooks"
    )

    assert (0, "2", 1) == (ended.code, tokens.current()["realmId"], ended.screen.count("Store the other")), ended.screen

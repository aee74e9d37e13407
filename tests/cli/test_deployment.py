"""What a secret's tags name of its deployment: it is acted on where it is proven, and asked about where it is not."""

import json
import select
import socket
from collections.abc import Iterator

import pytest

from cli.authorizing import Authorize
from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import DAY
from testbed.dynamodb.server import DynamoDbServer
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, STACK_TAG, Made

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/token-refresh-prod/1"
OTHER = "arn:aws:cloudformation:eu-central-1:123456789012:stack/another/1"
PUBLISHED, TABLE = "tokens-published", "my-claims"


def tag(store: SecretsManagerServer, name: str, **tags: str) -> None:
    named = {"stack": STACK_TAG, "logical_id": LOGICAL_ID_TAG}
    keys = {key: named.get(key, f"token-refresh:{key.replace('_', '-')}") for key in tags}
    store.client().tag_resource(SecretId=name, Tags=[{"Key": keys[key], "Value": tags[key]} for key in tags])


def copy(store: SecretsManagerServer, name: str = PUBLISHED) -> str | None:
    """The access token that consumers read."""
    client = store.client()
    try:
        found = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    except client.exceptions.ResourceNotFoundException:
        return None
    return str(found["accessToken"])


@pytest.fixture
def deployed(store: SecretsManagerServer, tokens: Tokens) -> str:
    """A token secret and a published one, as one stack makes them; gives the first version ID."""
    version_id = tokens.store(expires_in=DAY)
    store.client().create_secret(Name=PUBLISHED)
    tag(store, SECRET_ID, stack=STACK, logical_id=Made.TOKENS, function="worker", published=PUBLISHED)
    tag(store, PUBLISHED, stack=STACK, logical_id=Made.PUBLISHED, published_from=SECRET_ID)
    return version_id


FORGERIES = [
    *("a secret of another stack", "a secret of no stack", "of an adopted one", "itself", "nothing"),
    *("another secret of an application's stack", "another secret of our stack"),
]


@pytest.fixture(params=FORGERIES)
def forged(request: pytest.FixtureRequest, store: SecretsManagerServer, tokens: Tokens) -> str:
    """A token secret whose tag was forged; gives the secret that the tag names."""
    tokens.store(expires_in=DAY)
    target = {"itself": SECRET_ID, "nothing": "nothing"}.get(request.param, "foreign")
    if target == "foreign":
        store.client().create_secret(Name=target)
    if request.param == "a secret of another stack":
        tag(store, target, stack=OTHER, logical_id=Made.PUBLISHED, published_from=SECRET_ID)
    if request.param in {"another secret of an application's stack", "another secret of our stack"}:
        tag(store, target, stack=STACK, logical_id="Database", published_from=SECRET_ID)
    if request.param == "another secret of an application's stack":
        tag(store, SECRET_ID, stack=STACK, logical_id="Tokens")
    elif request.param != "of an adopted one":
        tag(store, SECRET_ID, stack=STACK, logical_id=Made.TOKENS)
    tag(store, SECRET_ID, function="worker", published=target)
    return target


def versions(store: SecretsManagerServer) -> list[tuple[str, int]]:
    return [(secret.name, len(secret.versions)) for secret in store.secrets.snapshot()]


def test_a_refresh_reaches_consumers(cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str) -> None:
    """`refresh` finds the published secret of its stack, brings it up to date, and says so."""
    del deployed

    ended = cli("refresh", "--force")

    assert 0 == ended.code
    assert "updated the published copy" in ended.screen
    assert tokens.current()["accessToken"] == copy(store)
    assert f"{PUBLISHED}: the current version" in cli("status").screen


@pytest.mark.usefixtures("endpoint")
def test_an_authorization_reaches_consumers(authorize: Authorize, store: SecretsManagerServer) -> None:
    """`authorize` publishes what it has stored, and says so."""
    for name, made in {SECRET_ID: Made.TOKENS, PUBLISHED: Made.PUBLISHED}.items():
        store.client().create_secret(Name=name)
        tag(store, name, stack=STACK, logical_id=made)
    tag(store, SECRET_ID, published=PUBLISHED)

    ended, _ = authorize()

    assert 0 == ended.code
    assert f"Published: secret {PUBLISHED} has the new access token." in ended.screen
    current = json.loads(store.client().get_secret_value(SecretId=SECRET_ID)["SecretString"])
    assert current["accessToken"] == copy(store)


def test_a_restored_set_reaches_consumers(cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str) -> None:
    """`restore` publishes the set that it brings back."""
    good = tokens.current()["accessToken"]
    tokens.put("garbage")

    ended = cli("restore", "--version", deployed, "--yes")

    assert f"Published: secret {PUBLISHED} has the new access token." in ended.screen
    assert good == copy(store)


def test_a_set_that_runs_replace_is_not_published(
    cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str
) -> None:
    """`restore` leaves the copy alone where the next run puts newer tokens on top of what it brings back."""
    cli("refresh", "--force")
    newest = tokens.current()["accessToken"]

    ended = cli("restore", "--version", deployed, "--yes")

    assert "Published" not in ended.screen
    assert newest == copy(store)


def test_a_copy_that_can_not_be_published(cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str) -> None:
    """What the published secret refuses is said, with its remedy; the tokens are stored all the same."""
    good = tokens.current()["accessToken"]
    tokens.put("garbage")
    store.authorize = lambda call: (
        "no" if PUBLISHED in (call.arn or "") and call.operation == "PutSecretValue" else None
    )

    ended = cli("restore", "--version", deployed, "--yes")

    assert (0, good) == (ended.code, tokens.current()["accessToken"])
    assert f"The next run publishes: secret {PUBLISHED} still has the older access token." in ended.screen
    assert f"secretsmanager:PutSecretValue on secret {PUBLISHED}" in ended.screen


def test_a_copy_that_a_run_publishes_meanwhile(
    cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str
) -> None:
    """A copy that changes between look and write stays: a run was faster, and the next one decides."""
    tokens.put("garbage")
    meanwhile: list[bool] = []

    def faster(call: object) -> None:
        if getattr(call, "operation", "") == "UpdateSecretVersionStage" and not meanwhile:
            meanwhile.append(True)
            store.secrets.call("PutSecretValue", {"SecretId": PUBLISHED, "SecretString": "{}"} | NEW, now=store.now())

    store.authorize = faster

    ended = cli("restore", "--version", deployed, "--yes")

    assert f"Secret {PUBLISHED} changed meanwhile: the next run publishes." in ended.screen


NEW = {"ClientRequestToken": "11111111-2222-3333-4444-555555555555"}


def test_a_forged_tag(cli: Cli, store: SecretsManagerServer, endpoint: TokenEndpoint, forged: str) -> None:
    """What a tag names without a proof gets no token: the command asks, and a no stores and sends nothing."""
    before = versions(store)

    refused = cli("refresh", "--force", stdin="n\n")

    assert 1 == refused.code
    assert f"name the published secret {forged}, and nothing proves that they are of one deployment" in refused.screen
    assert "Cancelled: nothing was stored." in refused.screen
    assert before == versions(store)
    assert [] == endpoint.requests


def test_a_forged_tag_without_a_question(cli: Cli, store: SecretsManagerServer, tokens: Tokens, forged: str) -> None:
    """Where no question is asked, the tokens are refreshed, what the tag names is left alone, and that is said."""
    refreshed = cli("refresh", "--force", "--yes")
    restored = cli("restore", "--yes")

    assert (0, 0) == (refreshed.code, restored.code)
    assert "They are left alone." in refreshed.screen
    assert f"token-refresh refresh {SECRET_ID} --function NAME --region eu-central-1" in refreshed.screen
    assert "They are left alone." in restored.screen
    if forged == "foreign":
        assert copy(store, forged) is None
    assert "refreshToken" in tokens.current()
    assert f"published copy not looked at: nothing proves that {forged} is this secret's" in cli("status").screen


def test_the_operators_word(cli: Cli, store: SecretsManagerServer, tokens: Tokens) -> None:
    """After a yes, `refresh` publishes to what an adopted secret's tag names."""
    tokens.store(expires_in=DAY)
    store.client().create_secret(Name=PUBLISHED)
    tag(store, SECRET_ID, function="worker", published=PUBLISHED)

    ended = cli("refresh", "--force", stdin="y\ny\n")

    assert 0 == ended.code
    assert tokens.current()["accessToken"] == copy(store)


def test_a_setting_goes_first(cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str) -> None:
    """What a variable names stays, whatever the tags say."""
    del deployed
    store.client().create_secret(Name="mine")

    cli("refresh", "--force", PUBLISHED_SECRET_ID="mine")

    assert tokens.current()["accessToken"] == copy(store, "mine")
    assert copy(store) is None


@pytest.fixture
def table(environment: dict[str, str]) -> Iterator[DynamoDbServer]:
    with DynamoDbServer() as server:
        server.create_table(TABLE, key="secret_arn")
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = server.url
        yield server


def test_the_claim_table_of_the_stack(
    cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str, table: DynamoDbServer
) -> None:
    """With claims in the stack's table the first refresh needs no option, and the claim is where the function looks."""
    del deployed
    table.tags[TABLE] = {STACK_TAG: STACK, LOGICAL_ID_TAG: Made.TABLE}
    tag(store, SECRET_ID, claim_table=TABLE)

    ended = cli("refresh", "--force")

    assert 0 == ended.code
    assert {"store": "table", "table": TABLE}.items() <= tokens.current()["tokenRefresh"].items()
    assert table.tables[TABLE]


def test_a_claim_table_without_a_proof(
    cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str, table: DynamoDbServer
) -> None:
    """A table without a proof is asked about once: from then on the token document names it."""
    del deployed
    tag(store, SECRET_ID, claim_table=TABLE)

    asked = cli("refresh", "--force", stdin="y\ny\n")
    again = cli("refresh", "--force")

    assert f"name the claim table {TABLE}, and nothing proves" in asked.screen
    assert (0, 0) == (asked.code, again.code)
    assert "nothing proves" not in again.screen
    assert {"table": TABLE}.items() <= tokens.current()["tokenRefresh"].items()
    assert table.tables[TABLE]


def test_an_emulator_leads_to_no_account(
    cli: Cli, store: SecretsManagerServer, deployed: str, environment: dict[str, str]
) -> None:
    """Where Secrets Manager is not AWS's own, no other service of AWS is asked about a tag."""
    del deployed
    tag(store, SECRET_ID, claim_table=TABLE)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        environment["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.getsockname()[1]}"

        assert "BROKEN" not in cli("status").screen

        asked, _, _ = select.select([proxy], [], [], 0)
    assert [] == asked


def test_commands_name_the_function(
    cli: Cli, store: SecretsManagerServer, tokens: Tokens, environment: dict[str, str]
) -> None:
    """Printed commands name the function of the same stack, and no function that a tag alone names."""
    tokens.store(expires_in=2 * DAY / 24)
    tag(store, SECRET_ID, stack=STACK, logical_id=Made.TOKENS, function="worker")
    with Aws() as aws:
        environment["AWS_ENDPOINT_URL_LAMBDA"] = f"http://{aws.address}"
        doubtful = cli("status")
        aws.function_tags = {STACK_TAG: STACK, LOGICAL_ID_TAG: Made.FUNCTION}
        proven = cli("status")

    assert f"token-refresh doctor {SECRET_ID} --function NAME --region" in doubtful.screen
    assert f"token-refresh doctor {SECRET_ID} --function worker --region" in proven.screen

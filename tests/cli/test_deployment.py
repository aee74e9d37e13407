"""Which settings a command takes, and what it says of them; test_worlds.py has every command in every world."""

import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.aws import Aws
from cli.scene import SECRET_ID, Cli, Tokens
from testbed.aws.faults import Call
from testbed.builders import DAY, HOUR
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.providers.loader import PROFILES
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, STACK_TAG, StackResource

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/worker/1"
PUBLISHED = "tokens-published"
NEW = {"ClientRequestToken": "11111111-2222-3333-4444-555555555555"}


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
def deployed(store: SecretsManagerServer, tokens: Tokens, environment: dict[str, str]) -> str:
    """A token secret and a published one, which the shell names; gives the first version ID."""
    environment["PUBLISHED_SECRET_ID"] = PUBLISHED
    store.client().create_secret(Name=PUBLISHED)
    return tokens.store(expires_in=DAY)


def test_a_set_that_runs_replace_is_not_published(
    cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str
) -> None:
    """`restore` leaves the copy alone where the next run puts newer tokens on top of what it brings back."""
    cli("refresh", "--force")
    newest = tokens.current()["accessToken"]

    ended = cli("restore", "--version", deployed, "--yes")

    assert "Published" not in ended.screen
    assert newest == copy(store)


@pytest.mark.parametrize("faster", [False, True])
def test_a_copy_that_can_not_be_published(
    cli: Cli, store: SecretsManagerServer, tokens: Tokens, deployed: str, *, faster: bool
) -> None:
    """What the published secret refuses is said, with its remedy, and so is a faster run; the tokens are stored."""
    good = tokens.current()["accessToken"]
    tokens.put("garbage")
    came: list[str] = []

    def authorize(call: Call) -> str | None:
        if faster and call.operation == "UpdateSecretVersionStage" and not came:
            came.append("a run's copy")
            store.secrets.call("PutSecretValue", {"SecretId": PUBLISHED, "SecretString": "{}"} | NEW, now=store.now())
        return "no" if not faster and PUBLISHED in (call.arn or "") and call.operation == "PutSecretValue" else None

    store.authorize = authorize

    ended = cli("restore", "--version", deployed, "--yes")

    assert (0, good) == (ended.code, tokens.current()["accessToken"])
    assert faster == (f"Secret {PUBLISHED} changed meanwhile: the next run publishes." in ended.screen)
    older = f"The next run publishes: secret {PUBLISHED} still has the older access token." in ended.screen
    assert (not faster) == (older and f"secretsmanager:PutSecretValue on secret {PUBLISHED}" in ended.screen)


def test_an_emulator_leads_to_no_account(
    cli: Cli, store: SecretsManagerServer, tokens: Tokens, environment: dict[str, str]
) -> None:
    """Beside an emulator nothing proves a tag, no account is asked about it, and the tags can be taken off."""
    tokens.store(expires_in=DAY)
    tag(store, SECRET_ID, stack=STACK, logical_id=StackResource.TOKENS, function="worker")
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        environment["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.getsockname()[1]}"

        status, named = cli("status"), cli("status", "--function=worker")

        asked, _, _ = select.select([proxy], [], [], 0)
    assert [] == asked
    assert (3, 3) == (status.code, named.code)
    assert "lambda can't be asked: only Secrets Manager is at this endpoint" in named.screen
    assert (
        f"aws secretsmanager untag-resource --secret-id {SECRET_ID} --tag-keys token-refresh:function" in status.screen
    )
    assert "--function NAME" not in status.screen


def test_a_copy_that_may_not_be_described(cli: Cli, store: SecretsManagerServer, deployed: str) -> None:
    """Who may not see whose copy it is writes nothing there; what only reads goes on."""
    store.authorize = lambda call: "no" if (call.operation, call.secret_id) == ("DescribeSecret", PUBLISHED) else None

    refreshed, status = cli("refresh", "--force", "--yes"), cli("status")

    assert (2, None) == (refreshed.code, copy(store))
    assert f"secretsmanager:DescribeSecret on secret {PUBLISHED} in eu-central-1 was denied" in refreshed.screen
    assert deployed in status.out


@pytest.mark.usefixtures("impatient")
def test_versions_that_can_not_be_listed(cli: Cli, store: SecretsManagerServer, tokens: Tokens) -> None:
    """Where nobody can say whether the secret is full, `status` says all else."""
    tokens.store(expires_in=DAY)
    store.fault("unavailable", "ListSecretVersionIds", times=None)

    assert 0 == cli("status").code


@pytest.mark.parametrize(
    "line", ["refresh --force", "refresh --invoke", "pause", "resume", "restore --yes", "revoke --yes", "client --yes"]
)
def test_a_throttle_stays_a_throttle(cli: Cli, store: SecretsManagerServer, tokens: Tokens, *, line: str) -> None:
    """While AWS throttles, a command that acts ends with 1 and the failure's own name."""
    tokens.store(expires_in=DAY)
    store.fault("throttle", "DescribeSecret", times=None)

    ended = cli(*line.split())

    assert 1 == ended.code
    assert ended.screen.startswith("SecretStoreUnavailable: nothing proves which deployment secret"), ended.screen
    assert "DescribeSecret on secret upwork-oauth-tokens in eu-central-1 was throttled" in ended.screen


def test_a_throttle_for_machines(cli: Cli, store: SecretsManagerServer, tokens: Tokens) -> None:
    """A script gets the throttle's own name, and that nobody is needed; who may not describe the secret is needed."""
    tokens.store(expires_in=DAY)
    store.fault("throttle", "DescribeSecret", times=1)
    throttled = json.loads(cli("refresh", "--json").out)
    store.authorize = lambda call: "no" if call.operation == "DescribeSecret" else None
    denied = cli("refresh", "--json")

    assert ("SecretStoreUnavailable", False) == (throttled["error_type"], throttled["needs_person"])
    found = json.loads(denied.out)
    assert (2, "SecretAccessDenied", True) == (denied.code, found["error_type"], found["needs_person"])


def test_what_is_broken_and_not_proven(cli: Cli, store: SecretsManagerServer, tokens: Tokens) -> None:
    """`doctor` says both, and asks no token endpoint; to `status` it is unknown: by other settings it may be whole."""
    tokens.put("[]")
    tag(store, SECRET_ID, function="worker")

    ended, status = cli("doctor"), cli("status")

    assert (1, 3) == (ended.code, status.code)
    assert "FAILED secret: InvalidSecretDocument" in ended.screen
    assert "skipped deployment: not known: nothing proves which deployment" in ended.screen
    assert "skipped token endpoint: not asked" in ended.screen


@pytest.fixture
def aws(environment: dict[str, str], tokens: Tokens) -> Iterator[Aws]:
    """Fresh tokens, and a function for which nobody has said what it refreshes."""
    tokens.store(expires_in=DAY)
    with Aws() as server:
        environment["AWS_ENDPOINT_URL_LAMBDA"] = f"http://{server.address}"
        server.function = settings(TOKEN_ENDPOINT=environment["TOKEN_ENDPOINT"], PROVIDER="upwork")
        yield server


def settings(**variables: str) -> dict[str, Any]:
    return {"FunctionName": "worker", "Environment": {"Variables": variables}}


def test_the_functions_own_secret(cli: Cli, aws: Aws) -> None:
    """A function that is named alone names its secret, whatever the shell says, by ARN or name; without, it is none."""
    none = cli("status", "--function=worker")
    copy = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:copy-AbCdEf"
    aws.function["Environment"]["Variables"] |= {"TOKEN_SECRET_ID": SECRET_ID, "PUBLISHED_SECRET_ID": copy}

    ended = cli("status", "--function=worker", TOKEN_SECRET_ID="other")

    assert (3, True) == (none.code, "function worker refreshes no secret" in none.screen)
    assert SECRET_ID in ended.out
    assert "Not read from the shell, since those of function worker apply: TOKEN_SECRET_ID\n" in ended.err
    assert "Not read" not in cli("doctor", "--function=worker", PUBLISHED_SECRET_ID="copy").err
    assert "Not read" in cli("doctor", "--function=worker", PUBLISHED_SECRET_ID="another").err


def test_an_option_against_the_function(cli: Cli, aws: Aws) -> None:
    """An option that contradicts the function is an error that names both; the ARN of the same secret is accepted."""
    aws.function = settings(TOKEN_SECRET_ID=SECRET_ID)
    arn = f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{SECRET_ID}-AbCdEf"

    ended, provider = cli("status", "other", "--function=worker"), cli("status", "--function=worker", "--provider=xero")
    same = cli("refresh", arn, "--function=worker", "--provider=upwork", "--dry-run")

    assert (3, 3) == (ended.code, provider.code)
    assert f"function worker has TOKEN_SECRET_ID={SECRET_ID}, and you gave other" in ended.screen
    assert "function worker has PROVIDER=upwork, and you gave xero" in provider.screen
    assert "and you gave" not in same.screen


def test_profiles_of_the_shell(cli: Cli, aws: Aws, tmp_path: Path) -> None:
    """A folder with profiles in the shell counts where the deployment has some, too, and there it has to be named."""
    variables = aws.function["Environment"]["Variables"]
    (tmp_path / "upwork.toml").write_text((PROFILES / "upwork.toml").read_text().replace('"Upwork"', '"Another"'))
    variables["TOKEN_SECRET_ID"] = SECRET_ID
    without = cli("status", "--function=worker", PROVIDER_PROFILES=str(tmp_path))
    variables["PROVIDER_PROFILES"] = "in the zip"
    own = cli("status", "--function=worker", PROVIDER_PROFILES=str(tmp_path))
    nowhere = cli("status", "--function=worker")

    assert ("provider Upwork at" in without.screen, "apply: PROVIDER_PROFILES" in without.err) == (True, True)
    assert ("provider Another at" in own.screen, "PROVIDER_PROFILES" in own.err) == (True, False)
    assert (3, True) == (nowhere.code, "function worker has provider profiles of its own" in nowhere.screen)


@pytest.mark.parametrize("name", ["status", "authorize"])
def test_a_short_lifetime_names_the_command_with_the_function_s_settings(cli: Cli, tokens: Tokens, name: str) -> None:
    """Tokens of 30 minutes need a claim table; what to deploy is said, and the whole command with its settings."""
    tokens.store(provider="xero")

    ended = cli(name, "--provider=xero")

    assert 'the deployment\'s file and deploy: claim_table = "create"; then act with its settings' in ended.screen
    command = f"token-refresh {name} {SECRET_ID} --function NAME --region eu-central-1 --provider xero"
    assert command in ended.screen


def test_claims_move_out_of_a_store_that_tokens_do_not_fit(
    cli: Cli, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that is the way out of a claim store too small for the tokens works on them."""
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0)  # there is no table
    tokens.store(provider="xero")

    ended = cli("claims", "move", "--provider=xero", "--to=table", "--table=claims")

    assert "fit the claim store" not in ended.screen


def test_a_function_whose_tokens_live_too_short(cli: Cli, aws: Aws) -> None:
    """With the function's own settings the message names the way out, and not `--function` again."""
    aws.function = settings(TOKEN_SECRET_ID=SECRET_ID, PROVIDER="xero")

    ended = cli("status", "--function=worker")

    assert 0 != ended.code
    assert "xero" in ended.screen
    assert "--function NAME" not in ended.screen


def test_a_function_that_does_not_name_the_table(cli: Cli, tokens: Tokens, aws: Aws) -> None:
    """The deployed function's settings don't fit the tokens: the message says to deploy it with the table."""
    tokens.store(tokenRefresh={"host": "127.0.0.1", "grace_seconds": 0, "store": "table", "table": "claims"})
    aws.function["Environment"]["Variables"]["TOKEN_SECRET_ID"] = SECRET_ID

    ended = cli("status", "--function=worker")

    assert 2 == ended.code
    assert "Correct claim_table in the deployment" in ended.screen


def test_doctor_checks_the_function(cli: Cli, tokens: Tokens, aws: Aws, store: SecretsManagerServer) -> None:
    """`doctor` needs no name: the tag leads to the function, and no printed command has a placeholder."""
    tokens.store(expires_in=DAY)
    tag(store, SECRET_ID, stack=STACK, logical_id=StackResource.TOKENS, function="worker")
    aws.function |= settings(TOKEN_SECRET_ID=SECRET_ID)
    aws.function_tags = {STACK_TAG: STACK, LOGICAL_ID_TAG: StackResource.FUNCTION}
    ended = cli("doctor")
    aws.function["Environment"]["Variables"]["PROVIDER"] = "xreo"
    wrong = cli("doctor")
    store.clock_offset_seconds = int((20 * HOUR).total_seconds())
    late = cli("status")

    assert "ok function: worker, deployed" in ended.screen
    assert "FAILED configuration: every run of function worker fails: PROVIDER must be one of" in wrong.screen
    assert not [said for said in (ended, wrong, late) if "NAME" in said.screen]

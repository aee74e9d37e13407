"""Commands that a message prints repeat the options that the command itself was given."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import token_refresh_admin
from cli import states
from cli.scene import SECRET_ID, Cli, Tokens
from cli.shell import commands_in
from cli.states import STATES, Stage
from testbed.builders import DAY, HOUR
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.stored.origin import in_table

GROUP = "unmeasured"

PACKAGE = Path(token_refresh_admin.__file__).parent
BAD = (
    *("rejected", "held", "staged", "used", "of another host", "claims in a table"),
    *("garbage", "empty", "published before"),
)


@pytest.fixture
def stage(cli: Cli, tokens: Tokens, store: SecretsManagerServer, endpoint: TokenEndpoint) -> Stage:
    return Stage(cli=cli, tokens=tokens, store=store, endpoint=endpoint)


@pytest.fixture
def profile(environment: dict[str, str], tmp_path: Path) -> str:
    """A profile of the AWS configuration, which the environment does not name; its name is shell code."""
    name = "it's $(touch pwned); `id` & rm -rf ~ # \\"
    config = tmp_path / "aws"
    config.write_text(f"[profile {shlex.quote(name)}]\naws_access_key_id = testing\naws_secret_access_key = testing\n")
    environment["AWS_CONFIG_FILE"] = str(config)
    return name


@pytest.mark.parametrize("state", BAD)
def test_options_are_repeated(stage: Stage, profile: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each bad state, every command that is printed repeats `--profile`, and is read as its words by a shell."""
    # In one state the claims are in a table that nobody can reach.
    monkeypatch.setattr("token_refresh_worker.adapters.calls.PATIENCE_SECONDS", 0.0)
    variables = STATES[state](stage) or {}

    for name in ("status", "refresh", "doctor", "restore", "verify"):
        ended = stage.cli(name, "--profile", profile, stdin="n\n", **variables)
        for line in commands_in(ended):
            program, _, *words = shlex.split(line)
            assert ("token-refresh", SECRET_ID, 1) == (program, words[words[0] == "move"], words.count("--profile"))
            assert profile == words[words.index("--profile") + 1]


def test_json_repeats_them_too(stage: Stage, environment: dict[str, str], tmp_path: Path) -> None:
    """Commands for machines repeat `--profile`, also those of an error that comes before anything is read."""
    (tmp_path / "aws").write_text("[profile ops]\naws_access_key_id = testing\naws_secret_access_key = testing\n")
    environment["AWS_CONFIG_FILE"] = str(tmp_path / "aws")
    stage.tokens.put("[]")
    client: Any = stage.store.client()
    client.tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "token-refresh:function", "Value": "worker"}])

    for line in ("status --json", "refresh --json", "doctor --json"):
        said = stage.cli(*line.split(), "--profile", "ops").out
        printed = re.findall(rf"`([^`]* {SECRET_ID} [^`]*)`", said)
        assert printed, said
        assert all(command.endswith("--profile ops") for command in printed), said


@pytest.mark.parametrize("line", ["claims move --to table --table mine", "refresh --force --invoke", "pause --for 3h"])
def test_own_options_are_repeated(stage: Stage, line: str) -> None:
    """A command that prints itself for another region, secret or function repeats its own options, and the common."""
    stage.tokens.store(expires_in=DAY)
    client: Any = stage.store.client()
    client.create_secret(Name="copy", Tags=[{"Key": "token-refresh:published-from", "Value": SECRET_ID}])
    name, _, options = line.partition(" --")
    words, given = name.split(), [*f"--{options}".split(), "--provider", "upwork"]

    elsewhere = stage.cli(*words, *given, "--region", "us-east-1")
    copied = stage.cli(*words, "copy", *given)
    client.tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "token-refresh:function", "Value": "worker"}])
    unproven = stage.cli(*words, *given, AWS_ENDPOINT_URL_LAMBDA="http://127.0.0.1:9")

    rest = f"--{options} --region eu-central-1 --provider upwork"
    for ended, more in ((elsewhere, ""), (copied, ""), (unproven, "--function NAME ")):
        assert f"token-refresh {name} {SECRET_ID} {more}{rest}" in commands_in(ended), ended.screen


def test_a_command_of_aws(stage: Stage, profile: str) -> None:
    """A printed command of `aws` repeats `--profile`, and none of the options that only this program has."""
    stage.tokens.store(expires_in=3000 * DAY)

    def printed(name: str) -> list[str]:
        ended = stage.cli(name, "--profile", profile, "--provider", "upwork")
        (line,) = [line for line in f"{ended.out}{ended.err}".splitlines() if line.lstrip().startswith("aws ")]
        return shlex.split(line)

    for name in ("status", "doctor"):
        assert ["put-secret-value", "--profile", profile] == [printed(name)[place] for place in (2, -2, -1)]
    stage.store.fault("deny", "GetSecretValue", times=None)
    assert ["aws", "sts", "get-caller-identity", "--profile", profile] == printed("status")


def test_a_hostile_name(stage: Stage) -> None:
    """The name of a secret or of a table that is shell code is one word of each printed command."""
    name = "it's $(touch pwned); `id` & rm -rf ~ # \\"
    states.claimed(stage)

    missing = stage.cli("status", name)
    move = SecretName(secret_id=name, region="eu-central-1").move_claims(in_table(name))

    assert ["token-refresh", "authorize", name, "--region", "eu-central-1"] == shlex.split(commands_in(missing)[0])
    assert [name, "--table", name] == [shlex.split(str(move))[place] for place in (3, -2, -1)]


def test_a_hostile_error(stage: Stage) -> None:
    """A stored error that looks like a command in backticks is printed as a part of the text, and not as a command."""
    hostile = "`token-refresh restore evil; rm -rf ~ --region eu-central-1`"
    states.failed(stage)
    (secret,) = stage.store.secrets.snapshot()
    versions = (replace(v, value=str(v.value).replace("invalid_client", hostile)) for v in secret.versions)
    stage.store.secrets.restore((replace(secret, versions=tuple(versions)),))

    for name in ("status", "doctor", "history"):
        ended = stage.cli(name, *(["--all"] if name == "history" else []))
        assert "evil" in ended.out
        assert [] == [line for line in commands_in(ended) if "evil" in line]


def test_the_wrong_provider(stage: Stage, profile: str) -> None:
    """Where an option named the wrong provider, the printed commands keep `--profile` and drop that option."""
    stage.tokens.store(expires_in=DAY, provider="upwork")

    ended = stage.cli("status", "--profile", profile, "--provider", "atlassian")

    kept = f"--region eu-central-1 --profile {shlex.quote(profile)}"
    assert [
        f"token-refresh status {SECRET_ID} --provider upwork {kept}",
        f"token-refresh restore {SECRET_ID} {kept}",
        f"token-refresh authorize {SECRET_ID} --provider atlassian {kept}",
    ] == commands_in(ended)


def test_a_function_that_does_not_exist(stage: Stage) -> None:
    """No command is printed with a function that can't be read: that command would fail, too."""
    stage.tokens.store(expires_in=7 * HOUR)

    ended = stage.cli("doctor", "--function", "nope", AWS_ENDPOINT_URL_LAMBDA="http://127.0.0.1:9")

    assert not [line for line in commands_in(ended) if "--function" in line]


def test_parameters_belong_in_a_file() -> None:
    """No message advises a parameter on the command line of `scripts/deploy`: the next deployment would drop it."""
    advised = [path.name for path in PACKAGE.rglob("*.py") if re.search(r"-c [a-z_]+=", path.read_text())]

    assert [] == advised

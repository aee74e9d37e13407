"""What all commands share: help, wrong options, failures, and the environment that options stand for."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from cli.scene import SECRET_ID, Cli, Tokens
from testbed.builders import HOUR
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_admin.cli import main
from token_refresh_admin.cli.failures import EX_INTERRUPTED, Cancelled
from token_refresh_admin.cli.prompts import ask_secret
from token_refresh_worker.run.failures import span


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("status", "--wrong"),
        ("wrong",),
        ("status", "--interval=0"),
        ("refresh", "--invoke="),
        ("authorize", "--client-id="),
        ("authorize", "--tag=team"),
        ("authorize", "--redirect-uri=callback"),
        ("authorize", "--redirect-uri=http://[::1/"),
        ("authorize", "--redirect-uri=http://127.0.0.1:99999/"),
    ],
)
def test_usage(cli: Cli, arguments: tuple[str, ...]) -> None:
    """A wrong option is exit status 64, which monitoring can't take for a response of `status`."""
    assert 64 == cli(*arguments).code


def test_an_empty_option(cli: Cli) -> None:
    """An option that is empty, as with an unset variable of the shell, is named as the operator wrote it."""
    assert "--version is empty" in cli("restore", "--version=").screen
    assert "--fleet is empty" in cli("authorize", "--fleet=").screen
    assert "SECRET_ID is empty" in cli("history", " ").screen
    assert "--region is empty" in cli("fleet", "status", "--fleet=prod", "--region=").screen
    assert "NAME is empty" in cli("providers", "").screen


def test_version_and_help(cli: Cli) -> None:
    """The version can be asked for, and `-h` is `--help`, for the program and for each command."""
    assert "token-refresh 0." in cli("--version").out
    assert cli("-h").out == cli("--help").out
    assert cli("status", "-h").out == cli("status", "--help").out


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("hi", "history"),
        ("fleet pa", "pause"),
        ("status --watc", "--watch"),
        ("authorize --provider hub", "hubspot"),
        ("fleet status --provider xer", "xero"),
        ("providers xer", "xero"),
    ],
)
def test_completion(cli: Cli, words: str, completed: str) -> None:
    """Shells complete commands, options and the names of providers."""
    asked = {"COMP_WORDS": f"token-refresh {words}", "COMP_CWORD": str(len(words.split()))}

    assert completed in cli(_TOKEN_REFRESH_COMPLETE="complete_bash", **asked).out


def test_profile(cli: Cli, tokens: Tokens, store: SecretsManagerServer, tmp_path: Path) -> None:
    """`--profile` has precedence over credentials in the environment."""
    tokens.store()
    config = tmp_path / "config"
    config.write_text("[profile ops]\naws_access_key_id = operator\naws_secret_access_key = hush\n")

    cli("status", "--profile=ops", AWS_CONFIG_FILE=str(config))

    assert "operator" == store.calls[-1].call.access_key_id


@pytest.mark.parametrize("command", ["status", "fleet status --fleet prod"])
def test_an_unknown_profile(cli: Cli, command: str) -> None:
    """A profile that does not exist is named."""
    ended = cli(*command.split(), "--profile=nope")

    assert 3 == ended.code
    assert "there is no AWS profile nope" in ended.screen


@pytest.mark.parametrize("command", ["status", "authorize"])
def test_a_secret_of_another_region(cli: Cli, tokens: Tokens, store: SecretsManagerServer, command: str) -> None:
    """Where another region has the secret, or its ARN is of one, the command for that region is printed."""
    tokens.store()
    (secret,) = store.secrets.snapshot()

    for secret_id, why in ((SECRET_ID, "exists in"), (secret.arn, "its ARN names")):
        ended = cli(command, secret_id, "--region=us-east-1")
        assert f"does not exist in us-east-1, and {why} {store.region}" in ended.screen
        assert f"token-refresh {command} {secret_id} --region {store.region}" in ended.screen


@pytest.mark.parametrize(
    ("setting", "command"),
    [
        ("CLIENT_SECRET_ID", "refresh"),
        ("CLIENT_SECRET_ID", "doctor"),
        ("CLIENT_SECRET_ID", "authorize"),
        ("PUBLISHED_SECRET_ID", "refresh"),
        ("PUBLISHED_SECRET_ID", "doctor"),
        ("PUBLISHED_SECRET_ID", "status"),
    ],
)
def test_a_missing_second_secret(cli: Cli, tokens: Tokens, setting: str, command: str) -> None:
    """A second secret is named with its own setting; no command advises to authorize or refresh into it."""
    tokens.store(expires_in=7.9 * HOUR)  # due, and not overdue

    ended = cli(command, **{setting: "missing"})

    assert 2 == ended.code or command != "refresh"
    assert "secret missing in eu-central-1 was not found" in ended.screen
    assert f"check {setting} and the region" in ended.screen
    for misleading in (
        *("TOKEN_SECRET_ID", "token-refresh authorize missing", "token-refresh refresh upwork-oauth-tokens --region"),
        *("older version", "--client-id"),
    ):
        assert misleading not in ended.screen


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("command", ["status", "history", "fleet status --fleet prod"])
def test_no_region(cli: Cli, environment: dict[str, str], command: str, *, empty: bool) -> None:
    """Without a region, or with an empty one, it says how to give one."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if empty:
            environment[name] = ""
        else:
            del environment[name]

    ended = cli(*command.split())

    assert "ConfigurationError: no AWS region is set. Set AWS_REGION, or give --region" in ended.screen


def test_debug(cli: Cli) -> None:
    """`--debug` shows where a failure arose; without it there is no such line."""
    plain, debug = cli("status"), cli("status", "--debug")

    assert "was raised here" not in plain.err
    assert "SecretNotFound was raised here:" in debug.screen
    assert re.search(r"state.py:\d+ in read_state", debug.screen)


@pytest.mark.parametrize("flags", [(), ("--debug",)])
def test_defect(cli: Cli, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]) -> None:
    """A defect of ours shows its kind and place, with --debug the calls, and never its text."""

    def broken(_: object) -> None:
        try:
            os.environ["CANARY"]
        except KeyError as cause:
            defect = ValueError("canary")
            cause.__context__ = ExceptionGroup("canary", [defect])  # A circle, which a library may make.
            raise defect from cause

    monkeypatch.setattr("token_refresh_admin.cli.status.read_state", broken)

    ended = cli("status", *flags)

    assert 3 == ended.code
    assert re.search(r"InternalError: ValueError at test_common.py:\d+: a defect of this program", ended.screen)
    for name in ("ValueError", "KeyError", "ExceptionGroup"):
        assert ended.screen.count(f"{name} was raised here") == len(flags)
    assert "canary" not in ended.screen.lower()


def test_a_hidden_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a terminal a secret is asked for without an echo, and Ctrl-C there is no empty line."""

    def interrupted(_question: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _question: " pasted ")
    assert "pasted" == ask_secret("Client secret").reveal()

    monkeypatch.setattr("getpass.getpass", interrupted)
    with pytest.raises(Cancelled) as ended:
        ask_secret("Client secret")
    assert EX_INTERRUPTED == ended.value.exit_code


def test_ctrl_c_while_it_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading takes half a second, and Ctrl-C then ends the command without a traceback, as later."""

    def interrupted(_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("token_refresh_admin.cli.app.run", interrupted)

    with pytest.raises(SystemExit) as ended:
        main([])
    assert EX_INTERRUPTED == ended.value.code


@pytest.mark.parametrize(
    ("lasts", "said"), [(93_784, "1 d 2 h"), (-3661, "1 h 1 min"), (86_460, "1 d 1 min"), (59.9, "59 s"), (0, "0 s")]
)
def test_durations(lasts: float, said: str) -> None:
    """A duration is written by its two largest units, whichever way it goes; a short one in whole seconds."""
    assert said == span(timedelta(seconds=lasts))

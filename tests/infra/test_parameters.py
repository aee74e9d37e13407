import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from demos import account, serve
from token_refresh_infra.constructs.role import role_name
from token_refresh_infra.context import ParameterError
from token_refresh_infra.modes import parameters_of
from token_refresh_infra.single.checks import CheckedParameters
from token_refresh_worker.providers.lifetime import shortest_lifetime
from token_refresh_worker.providers.loader import PROFILES
from token_refresh_worker.run.settings import read_settings
from token_refresh_worker.stored.origin import ClaimStoreKind

UPWORK_PROFILE = (PROFILES / "upwork.toml").read_text()
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
TOKENS = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tokens-AbCdEf"
SHORTEST, IN_TABLE = (int(shortest_lifetime(store).total_seconds()) for store in ClaimStoreKind)
OPERATOR = "arn:aws:iam::123456789012:role/a"
ELSEWHERE = OPERATOR.replace("123456789012", "210987654321")
IN_GRACE = {"provider": "atlassian"}
HERE = {"account": "123456789012", "region": "eu-central-1"}


def read(**context: Any) -> CheckedParameters:
    parameters = parameters_of({"environment": "prod"} | context)
    assert isinstance(parameters, CheckedParameters)
    return parameters


def test_the_demo_uses_these_names() -> None:
    """`scripts/demo --serve` calls function, role, secrets and table as the default deployment does."""
    prod = read(claim_table="create")

    assert (prod.stack_name, prod.token_secret_id, prod.published_secret_id, prod.claim_table_name) == (
        account.FUNCTION_NAME,
        account.TOKEN_SECRET_ID,
        account.PUBLISHED_SECRET_ID,
        serve.CLAIM_TABLE,
    )
    assert role_name(prod.stack_name, "eu-central-1", "worker") == serve.ROLE_NAME


def test_environment_is_required() -> None:
    """Without an environment there is no deployment: the error names the parameter, its choices and how to give it."""
    with pytest.raises(ParameterError, match=r"^environment: is required: .* \(cdk: -c environment=prod\)$"):
        parameters_of({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environment", "Production"),
        ("environment", "prod-"),
        ("region", "frankfurt"),
        ("account", "12345"),
        ("app", "Up Work"),
        ("service", "a/b"),
        ("token_secret", "has spaces"),
        ("token_secret", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:without-suffix-"),
        ("client_secret", "*"),
        ("kms_key", "alias/mine"),
        ("client_assertion_audience", "api://${aws:username}"),
        ("token_endpoint", "http://provider.example/token"),
        ("token_endpoint", "https://user:password@provider.example/token"),
        ("token_endpoint_auth_method", "tls_client_auth"),
        ("provider", "Up Work"),
        ("https_proxy", "http://user:password@proxy.example:3128"),
        ("claim_table", "a table"),
        ("operators", "arn:aws:iam::123456789012:root"),
        ("operators", "arn:aws:iam::123456789012:role/*/admin"),
        ("client_key", "alias/signing"),
        ("event_bus", "arn:aws:events:eu-central-1:123456789012:event-bus/default"),
        ("refresh_window_seconds", "8h"),
        ("refresh_window_seconds", "59"),
        ("request_timeout_seconds", "0"),
        ("timeout_seconds", "29"),
        ("timeout_seconds", "901"),
        ("memory_mb", "64"),
        ("memory_mb", True),
        ("memory_mb", "256.5"),
        ("memory_mb", "\N{FULLWIDTH DIGIT TWO}56"),
        ("tags", "Environment=mine"),
        ("schedule_minutes", "0"),
        ("schedule_enabled", "perhaps"),
        ("log_level", "TRACE"),
        ("log_retention_days", "42"),
        ("previous_kms_keys", "create"),
        ("alarm_email", "nobody"),
        ("alarm_topic", "pager"),
    ],
)
def test_wrong_value(name: str, value: Any) -> None:
    """A value that can't be is refused at synth with an error that begins with the parameter's name."""
    with pytest.raises(ParameterError, match=f"^{name}: must be "):
        read(**{name: value})


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"refresh_window_seconds": 540}, r"^timeout_seconds: a claim must outlive its run by 330 s, and lives 297 s"),
        ({"token_lifetime_seconds": 3600, "timeout_seconds": 571}, r"^timeout_seconds: a claim must outlive its run"),
        ({"schedule_minutes": 180}, r"^schedule_minutes: 180 with flexible_minutes 0 does not fit 3 times into"),
        ({"token_lifetime_seconds": 3600, "schedule_minutes": 7}, r"^schedule_minutes: 7 with .* the 1200 s in which"),
        (IN_GRACE | {"schedule_minutes": 6}, r"^schedule_minutes: 6 .* not fit twice into the 600 s in which atlassia"),
        (IN_GRACE | {"schedule_minutes": 5, "flexible_minutes": 1}, r"^schedule_minutes: 5 with flexible_minutes 1 "),
        (
            IN_GRACE | {"timeout_seconds": 450, "claim_table": "t-1"},
            r"^timeout_seconds: .* lives 480 s, .* start 180 s later; atlassian accepts .* for 600 s",
        ),
        ({"schedule_minutes": 10, "flexible_minutes": 10}, r"^flexible_minutes: must be below schedule_minutes \(10\)"),
        ({"token_lifetime_seconds": SHORTEST - 1}, r'^provider: .* .* claim_table = "create"'),
        ({"token_lifetime_seconds": IN_TABLE - 1}, r"^provider: .* Make access tokens live at least"),
        (
            {"token_lifetime_seconds": IN_TABLE - 1, "claim_table": "t-1"},
            r"^provider: .* must live at least .* Make access tokens live at least",
        ),
        ({"provider": "hubspot"}, r'^provider: hubspot .* live 30 minutes, .* claim_table = "create"'),
        ({"provider_profiles": "/nowhere"}, r"^provider_profiles: must be a folder"),
        ({"provider": "hubsopt"}, r"^provider: must be one of .* \(did you mean hubspot\?\)"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, r"^client_key: must be the ARN"),
        ({"token_endpoint_auth_method": "aws_iam_jwt"}, r"^client_assertion_audience: needed with aws_iam_jwt"),
        ({"consumers": OPERATOR}, r"^consumers: needs operators"),
        ({"operators": OPERATOR, "token_secret": "mine"}, r"^operators: does not protect token_secret, mine: it exist"),
        (
            {"operators": OPERATOR, "published_secret": "for-all"},
            r"^operators: does not protect published_secret, for-all: .*#an-allow-list",
        ),
        ({"encrypt_logs": True}, r"^encrypt_logs: needs kms_key"),
        ({"replica_regions": ["eu-west-1", KEY.replace("eu-central-1", "eu-west-1")]}, r"^replica_regions: names a re"),
        (
            {"replica_regions": KEY.replace("eu-central-1:123456789012", "eu-west-1:210987654321")},
            r"^replica_regions: .* is in another account than this deployment, 123456789012",
        ),
        ({"tags": ["team=a", "Team=b"]}, r"^tags: must be at most 44, each name once"),
        ({"tags": [f"t{number}=a" for number in range(45)]}, r"^tags: must be at most 44, each name once"),
        ({"claim_table": "create", "kept_tokens_key": KEY, "previous_kms_keys": [KEY]}, r"^kept_tokens_key: must be"),
        ({"KMS_KEY": "create"}, r"^KMS_KEY: unknown parameter; did you mean kms_key\?"),
        ({"alarm_topic": "arn:aws:sns:eu-central-1:123456789012:t", "alarm_email": "a@b"}, r"^alarm_email: "),
        ({"kms_key": KEY.replace("eu-central-1", "us-east-1")}, r"^kms_key: .* is in region us-east-1, and this"),
        ({"kms_key": KEY.replace("123456789012", "210987654321")}, r"^kms_key: .* is in account 210987654321, and"),
        ({"kms_key": KEY, "region": None}, r"^region: is needed to check the ARN in kms_key: .* \(cdk: -c region=eu"),
        ({"previous_kms_keys": [KEY], "kms_key": KEY}, r"^previous_kms_keys: .* is kms_key, which may decrypt anyway"),
        ({"previous_kms_keys": KEY.replace("eu-central-1", "us-east-1")}, r"^previous_kms_keys: .* is in region us-ea"),
        ({"token_secret": "upwork/dev/tokens"}, r"^token_secret: upwork/dev/tokens is of environment dev, and this"),
        ({"client_secret": "upwork/dev/client"}, r"^client_secret: upwork/dev/client is of environment dev, and"),
        ({"published_secret": "upwork/staging/for-all"}, r"^published_secret: .* is of environment staging, and"),
        *(
            ({"published_secret": one, "token_secret": other}, r"^published_secret: .* is token_secret, which it")
            for one, other in ((TOKENS, TOKENS), ("tokens", TOKENS), (TOKENS, "tokens"))
        ),
        ({"published_secret": "upwork-oauth-tokens"}, r"^published_secret: .* is token_secret, which it would replace"),
        ({"published_secret": "c", "client_secret": "c"}, r"^published_secret: c is client_secret, which it would"),
        ({"alarm_topic": "arn:aws:sns:us-east-1:123456789012:pager"}, r"^alarm_topic: .* is in region us-east-1, and"),
        ({"kms-key": KEY}, r"^kms-key: unknown parameter; did you mean kms_key\?"),
        ({"key": KEY}, r"^key: unknown parameter; the parameters are: account, alarm_email, .*, vpc_subnets$"),
        ({"concurrency": 8}, r"^concurrency: unknown parameter; it is of mode fleet, and this deployment is single$"),
        (
            {"mode": "webhooks", "dashboard": True},
            r"^dashboard: .*; it is of mode single and fleet, and this .* webhooks$",
        ),
        (
            {"mode": "webhooks", "stripe_secret": "s", "provider_profiles": "profiles"},
            r"^provider_profiles: a receiver of webhooks has no providers; leave it out$",
        ),
        ({"alarms": False, "alarm_email": "a@b"}, r"^alarm_email: nothing is sent to it with alarms=false"),
        ({"alarms": "false", "alarm_topic": "arn:aws:sns:eu-central-1:123456789012:t"}, r"^alarm_topic: nothing is"),
        ({"app": "upwork", "client_secret": "upwork/qa/client"}, r"^client_secret: .* is of environment qa, and this"),
        ({"environment": "a" * 52}, r"^environment: the stack's name token-refresh-a+ has over 64 characters"),
        (
            {"mode": "fleet", "fleet": "prod", "by_tag": True, "client_secret": "documents", "environment": "a" * 31},
            r"^environment: the stack's name token-refresh-a+-fleet-prod has over 53 characters",
        ),
        ({"mode": "fleett"}, r"^mode: must be one of single"),
        (
            {"operators": [OPERATOR], "consumers": [ELSEWHERE]},
            r"^consumers: .*role/a is in account 210987654321, and .* whose secrets refuse every other account",
        ),
        ({"operators": [ELSEWHERE]}, r"^operators: .* is in account 210987654321"),
        (
            {"permissions_boundary": "arn:aws:iam::321456789012:policy/boundary"},
            r"^permissions_boundary: .* in account 321",
        ),
        ({"permissions_boundary": "boundary"}, r"^permissions_boundary: must be the ARN of a managed policy"),
        ({"vpc_subnets": "subnet-0a1b2c3d"}, r"^vpc_subnets: goes with vpc_security_groups"),
        ({"vpc_subnets": "10.0.0.0/16", "vpc_security_groups": "sg-0a1b2c3d"}, r"^vpc_subnets: must be IDs of subnets"),
        ({"tags": ["token-refresh:function=other"]}, r"^tags: must be NAME=VALUE"),
        ({"tags": ["team"]}, r"^tags: must be NAME=VALUE"),
        ({"encrypt_messages": True}, r"^encrypt_messages: needs kms_key"),
        ({"kept_tokens_key": "create"}, "needs claim_table"),
        ({"claim_table": "create", "kept_tokens_key": KEY, "kms_key": KEY}, "must be another key than kms_key"),
        ({"claim_table": "create", "timeout_seconds": "39"}, "must be at least 40"),
        ({"claim_table": "create", "kept_tokens_key": KEY.replace("eu-", "us-")}, "is in region us-central-1"),
        ({"replica_regions": ["eu-central-1"]}, "^replica_regions: eu-central-1 is where the published"),
        ({"replica_regions": ["x"]}, "^replica_regions: must be a region, or the ARN of the key"),
        ({"replica_regions": ["eu-west-1"], "published_secret": "none"}, "^replica_regions: needs a published secret"),
    ],
)
def test_values_that_do_not_go_together(context: dict[str, Any], message: str) -> None:
    """Values that are possible alone and wrong together are refused, with the parameter and the reason."""
    with pytest.raises(ParameterError, match=message):
        read(**HERE | context)


@pytest.mark.parametrize("written", ["true", "True", "1", "yes", "on", True, 1])
def test_values_of_command_line_and_file(written: Any) -> None:
    """Switches and lists are written as strings or values; the CDK's own keys are no misspelt parameters."""
    assert read(tracing=written).tracing
    names = ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/sso/Admin_*"]
    assert tuple(names) == read(**HERE, operators=names).operators == read(**HERE, operators=", ".join(names)).operators
    assert () == read(operators="").operators
    own = {"@aws-cdk/core:x": True, "aws:cdk:enable-path-metadata": True, "cli-telemetry": False}
    assert read() == read(**own, **{"acknowledged-issue-numbers": [1]})


def test_names() -> None:
    """Each service has its own stack; with an application's name secrets are `{app}/{environment}/{service}`."""
    for context, stack in (
        ({}, "token-refresh-prod"),
        ({"service": "xero-oauth-tokens"}, "token-refresh-prod-xero-oauth-tokens"),
        ({"app": "upwork", "environment": "eu-prod-3"}, "token-refresh-upwork-eu-prod-3"),
        ({"service": "xero-oauth-tokens", "stack": "token-refresh-prod"}, "token-refresh-prod"),
    ):
        assert stack == read(**context).stack_name
    assert "upwork-oauth-tokens" == read().token_secret_id
    assert "upwork/dev/tokens" == read(environment="dev", app="upwork", service="tokens").token_secret_id
    for secret, published in (
        ({"app": "upwork"}, "upwork/prod/upwork-oauth-tokens-published"),
        ({"token_secret": "old-tokens"}, "old-tokens-published"),
        ({"token_secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a/b-AbCdEf"}, "a/b-published"),
    ):
        assert published == read(**HERE | secret, published_secret="create").published_secret_id


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"app": "upwork", "client_secret": "client", "published_secret": "create", "log_level": "CRITICAL"},
        {"refresh_window_seconds": 2_592_000, "token_lifetime_seconds": 31_104_000, "replay_grace_seconds": 2_592_000},
        {"request_timeout_seconds": 300, "timeout_seconds": 900},
        {"token_endpoint": "https://provider.example/token", "token_endpoint_auth_method": "none"},
    ],
)
def test_worker_accepts_its_environment(context: dict[str, Any]) -> None:
    """What passes at synth passes in the worker: its own configuration takes every value that this one lets through."""
    parameters = read(**context)

    settings = read_settings(parameters.variables)

    assert parameters.token_secret_id == settings.token_secret_id
    assert parameters.published_secret_id == settings.published_secret_id


def test_defaults_are_the_workers() -> None:
    """Deployed without a choice, the worker behaves as it does without configuration, and publishes."""
    assert read_settings({"PUBLISHED_SECRET_ID": "upwork-oauth-tokens-published"}) == read_settings(read().variables)


@pytest.mark.parametrize(
    ("lifetime_seconds", "claim_table", "schedule"),
    [
        (86400, None, (30, 10)),
        (3600, None, (3, 0)),
        (SHORTEST, None, (3, 0)),
        (1800, "create", (1, 0)),
        (IN_TABLE, "t-1", (1, 0)),
    ],
)
def test_schedule_follows_the_tokens(lifetime_seconds: int, claim_table: str | None, schedule: tuple[int, int]) -> None:
    """Without a schedule of its own, a deployment runs often enough for its tokens: three times while one is due."""
    parameters = read(token_lifetime_seconds=lifetime_seconds, claim_table=claim_table)

    assert schedule == (parameters.run_every_minutes, parameters.start_within_minutes)
    assert 3 * parameters.longest_gap_seconds <= parameters.due_window_seconds
    assert 9 == read(schedule_minutes=10).start_within_minutes


def test_what_messages_name_in_the_deployments_file_is_there() -> None:
    """Where a run or a command says what to set in the deployment's file, that is the name of a parameter."""
    lines = (line for path in PROFILES.parents[1].rglob("*.py") for line in path.read_text().splitlines())
    texts = [line for line in lines if re.search(r"""[^"]"[^"]+the deployment's""", line)]  # and no docstring
    named = {name for line in texts for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", line)}

    assert {"schedule_minutes", "timeout_seconds"} <= named <= {field.name for field in fields(CheckedParameters)}


def test_profiles_of_one_s_own(tmp_path: Path) -> None:
    """A profile of one's own folder sets endpoint, lifetime and schedule; a wrong endpoint ends the synthesis."""
    own = UPWORK_PROFILE.replace("https://www.upwork.com/api", "https://crm.example.com/api").replace("86400", "7200")
    (tmp_path / "my-crm.toml").write_text(own)
    (tmp_path / "wrong.toml").write_text(own.replace("crm.example.com", "crm.example.com:99999"))

    parameters = read(provider="my-crm", provider_profiles=str(tmp_path))

    assert 7200 == parameters.lifetime_seconds
    assert "crm.example.com" == parameters.settings.provider.host
    assert "my-crm" == parameters.variables["PROVIDER"]
    assert "in the zip" == parameters.variables["PROVIDER_PROFILES"]
    assert "PROVIDER_PROFILES" not in read().variables
    with pytest.raises(ParameterError, match=r"wrong\.toml: token_endpoint must be a URL such as https://"):
        read(provider="wrong", provider_profiles=str(tmp_path)).settings  # noqa: B018 - reading it checks it


@pytest.mark.parametrize(("fact", "seconds"), [("lives", 14_400), ("dies", 0), (None, 0)])
def test_the_longest_safe_cache(fact: str | None, seconds: int, tmp_path: Path) -> None:
    """Consumers are told half of the refresh window, and 0 where a refresh ends the access token before, or might."""
    stated = f'old_access_token = "{fact}"\n' if fact else ""
    (tmp_path / "my-crm.toml").write_text(stated + UPWORK_PROFILE)

    assert seconds == read(provider="my-crm", provider_profiles=str(tmp_path)).longest_safe_cache_seconds

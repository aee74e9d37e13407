"""Every command that a page prints runs in a fresh shell, as printed, at the servers of `scripts/demo --serve`.

An emulator stands in for the services that the demo lacks, and `cdk deploy` only checks what it is asked to deploy:
tests/deployment deploys. Each night `cdk bootstrap` and `cdk diff` are the real ones, which take seconds; the real `cdk
synth` runs each time, in tests/infra/test_deploy.py.
"""

import contextlib
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main

import app as application
from cli.issuer import fill_template
from cli.shell import Shell
from examples import SHARE
from printed.blocks import PAGES, ROOT, commands
from testbed.emulator import ACCOUNT, Emulator
from testbed.fleet_table import FLEET_TABLE
from testbed.synthesis import FLAGS
from token_refresh_admin.cli.app import app
from token_refresh_infra.deployment_file import read_deployment
from token_refresh_worker.stored.tags import StackResource

from aws_cdk import App  # isort: skip - after our package, which chooses the node that this starts

GRANT_EVENTS = next(line for line in commands(ROOT / "docs" / "events.md") if "grant_events.yaml" in line)
RECEIVER = ROOT / "docs" / "webhooks.md"
CLOUDFRONT = next(line for line in commands(RECEIVER) if "webhook_cloudfront.yaml" in line)
CONSUMER = next(line for line in commands(ROOT / "docs" / "webhooks.md") if "event-source-mapping" in line)
QUICKBOOKS = next(line for line in commands(ROOT / "docs" / "tutorial.md") if "--provider quickbooks" in line)
SUBSCRIBE = next(line for line in commands(ROOT / "docs" / "operations.md") if line.startswith("aws sns subscribe"))
CHECKS = [line for line in commands(ROOT / "docs/account.md") if re.match("scripts/prove account .*--region", line)]
PLAIN = [line for line in commands(ROOT / "docs" / "beside-another-stack.md") if "BUCKET" in line]
NOT_RUN = {
    "scripts/demo": "tests/demos/test_demo.py plays it",
    "scripts/test": "it runs this test",
    **dict.fromkeys(
        (
            "pip install PATH/TO/token-refresh-worker/reader",
            'pip install "PATH/TO/token-refresh-worker/reader[httpx]"',
            f"pip install {' '.join(f'PATH/TO/token-refresh-worker{part}' for part in ('/reader', '', '/admin'))}",
        ),
        "tests/package/test_installed.py runs it, and uses what it installed",
    ),
    "aws secretsmanager replicate-secret-to-regions --secret-id origin-verify --add-replica-regions Region=us-east-1": (
        "the demo's Secrets Manager has one region"
    ),
    "token-refresh revoke upwork-oauth-tokens": "other pages need the demo's grant; tests/cli/test_revoke.py runs it",
    **dict.fromkeys(CHECKS, "it takes an hour in a real account; tests/account and tests/deployment run its checks"),
    **dict.fromkeys(PLAIN, "tests/deployment/test_plain.py runs it"),
    QUICKBOOKS: "it needs the URL that the browser ends on; tests/cli/test_authorize_brings.py pastes one",
    "aws iam enable-outbound-web-identity-federation": "the emulator does not know the action",
    CLOUDFRONT: "the emulator has no CloudFront; tests/fleet/test_docs.py checks the template",
    CONSUMER: "the function is the reader's own; tests/pages/test_examples.py checks the operation and its options",
    SUBSCRIBE: "the demo has no topics; tests/pages/test_examples.py checks the operation and its options",
    GRANT_EVENTS: "the emulator has no API destinations; tests/fleet/test_docs.py checks the template",
}
TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}
THERE_ALREADY: dict[str, dict[str, list[str]]] = {
    "fleet.md": {key: ["refreshToken"] for key in ("customers/8/xero", "customers/11/xero")},
    "maintain.md": {"quickbooks-tokens": ["refresh_token", "client_id", "client_secret"]},  # another refresher's
}
"""The secrets that a page's reader has, with their fields."""
DEPLOY = ROOT / "docs" / "deploy.md"


def lines_of(page: Path) -> list[str]:
    """A page's commands, each once. docs/deploy.md also has a table, and runs what other pages repeat of it."""
    table = re.findall(r"^\| `(scripts/deploy [^`]+)` \|", page.read_text(), re.MULTILINE)
    lines = [line for line in dict.fromkeys(commands(page) + table) if line not in NOT_RUN]
    if page == DEPLOY:
        return lines
    return [
        line for line in lines if line.partition("#")[0].strip() not in set(lines_of(DEPLOY)) or "deploy" not in line
    ]


# tests/demos/test_customers.py runs its page at a demo of its own.
WITH_COMMANDS = [page for page in PAGES if lines_of(page) and page.name != "customers.md"]


@pytest.fixture
def stored(page: Path, client: Callable[..., Any]) -> None:
    """Store the secrets that a page's reader has."""
    secrets = client("secretsmanager")
    for name, fields in THERE_ALREADY.get(page.name, {}).items():
        secrets.create_secret(Name=name, SecretString=json.dumps(dict.fromkeys(fields, "made-up")))


@pytest.fixture
def words(page: Path, client: Callable[..., Any], emulator: Emulator, shell: Shell) -> dict[str, str]:
    """What a reader puts in the place of the words in capitals, and what is there already."""
    secrets = client("secretsmanager")
    match page.name:
        case "fleet.md":
            shell.environment |= dict.fromkeys(("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_LAMBDA"), emulator.url)
            make_fleet(emulator, shell.environment["TOKEN_ENDPOINT"])
        case "deploy.md" if SHARE == 1:
            shell.environment["ASSEMBLY"] = str(assembly(shell.folder))
        case "webhooks.md":
            old = secrets.create_secret(Name="github-webhook-secret", SecretString="old")["VersionId"]
            return {"OLD_VERSION_ID": old}
        case "providers.md":
            key: Any = emulator.client("kms").create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
            issuer = shell.environment["AUTHORIZATION_ENDPOINT"].partition("/ab/")[0]
            return {"KEY_ID": key["KeyMetadata"]["KeyId"], "ISSUER_URL": issuer}
        case "mcp.md":
            page_url, token_url = shell.environment.pop("AUTHORIZATION_ENDPOINT"), shell.environment["TOKEN_ENDPOINT"]
            issuer = page_url.partition("/ab/")[0]
            (shell.folder / "profiles").mkdir()
            filled = fill_template(issuer, page_url, token_url, resource=f"{issuer}/mcp")
            (shell.folder / "profiles" / "mcp.toml").write_text(filled)
            shell.environment |= dict.fromkeys(("TOKEN_ENDPOINT", "PROVIDER", "PUBLISHED_SECRET_ID"), "")
            shell.environment["PROVIDER_PROFILES"] = str(shell.folder / "profiles")  # exported on the page
            return {"HOST_URL": issuer}
        case "beside-another-stack.md":
            make_stack(emulator, "token-refresh-prod", TOPIC)
        case "tutorial.md":
            make_stack(emulator, "token-refresh-prod", TOPIC)
            for name in ("upwork-oauth-tokens", "upwork-oauth-tokens-published"):
                emulator.client("secretsmanager").create_secret(Name=name)
            iam: Any = emulator.client("iam")
            iam.create_role(RoleName="MY-SERVICE-ROLE", AssumeRolePolicyDocument="{}")
            statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            return {"THE-ARN": iam.create_policy(PolicyName="read", PolicyDocument=policy)["Policy"]["Arn"]}
    return {}


def assembly(folder: Path) -> Path:
    """What the page's deployment is synthesised to; tests/infra/test_deploy.py has the CDK's command do that."""
    values = {"deployment": "prod"}
    out = str(folder / "assembly")
    made = App(context=FLAGS | values, outdir=out, builtin_cloud_formation_validation=False)
    application.synthesise(made)
    return Path(out)


def make_stack(emulator: Emulator, name: str, resources: dict[str, Any]) -> None:
    stacks: Any = emulator.client("cloudformation")
    with contextlib.suppress(stacks.exceptions.AlreadyExistsException):
        stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


def make_fleet(emulator: Emulator, token_endpoint: str) -> None:
    """What the commands look at of a fleet's stack: its table, and its worker's settings."""
    name = "token-refresh-prod-fleet-prod"
    settings = {"FLEET_NAME": "prod", "CLAIM_TABLE": "prod", "CLIENT_SECRET_ID": "clients/{provider}"}
    worker = {
        "FunctionName": name,
        "Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Code": {"ZipFile": "# nobody invokes it"},
        "Environment": {"Variables": settings | {"TOKEN_ENDPOINT": token_endpoint}},
    }
    resources: dict[str, Any] = {
        StackResource.FLEET_TABLE: {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "prod", **FLEET_TABLE}},
        StackResource.FUNCTION: {"Type": "AWS::Lambda::Function", "Properties": worker},
    }
    make_stack(emulator, name, resources)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_as_printed(page: Path, shell: Shell, words: dict[str, str], emulator: Emulator) -> None:
    """Every command of a page ends with exit status 0 in a fresh shell, and prints no client secret."""
    written = {shell.folder / name: (shell.folder / name).read_text() for name in ("client.json", "secret.txt")}
    secret = json.loads((shell.folder / "client.json").read_text())["clientSecret"]

    for line in lines_of(page):
        filled = re.sub(r"\b[A-Z]+(?:[_-][A-Z]+)+\b", lambda word: words.get(word[0], word[0]), line)
        for file, text in written.items():  # a page may remove it, and have the reader write the next one
            file.write_text(text)
            file.chmod(0o600)
        if "delete-secret" in line:  # The demo's secret is needed by other pages; the emulator has one to delete.
            filled = f"AWS_ENDPOINT_URL_SECRETS_MANAGER={emulator.url}; {filled}"
        ended = shell.run(filled)
        assert 0 == ended.code, f"{line}\n{ended.out}\n{ended.err}"
        check_deployments(shell.folder / "asked")
        assert "FunctionError" not in ended.out, line
        assert secret not in ended.out + ended.err, line


def check_deployments(asked: Path) -> None:
    """Check what the stand-in for the CDK was asked to deploy."""
    for folder in asked.glob("*"):
        read_deployment(folder.name, folder=folder)
        shutil.rmtree(folder)


def test_every_page_is_run() -> None:
    """What is not run is on some page, and every command of the command line is on one."""
    printed = [line for page in PAGES for line in commands(page)]
    subcommands = {shlex.split(line)[1] for line in printed if line.startswith("token-refresh ")}

    assert set(NOT_RUN) <= set(printed)
    kept = {"recover"}  # docs/operations.md has it in its steps: the demo keeps no response; tests/cli/test_recover.py
    assert set(typer.main.get_command(app).commands) == subcommands | kept  # type: ignore[attr-defined]  # a group


def test_deploy_page_has_all() -> None:
    """docs/deploy.md has each form of `scripts/deploy`, and no other."""
    lines = {line for line in lines_of(DEPLOY) if line.startswith("scripts/deploy")}
    forms = ("prod", "diff prod", "synth prod", "destroy prod", "bootstrap prod")

    assert {f"scripts/deploy {form}" for form in forms} == lines


def test_every_option() -> None:
    """Every option that the operator's pages name exists."""
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("operations.md", "maintain.md"))
    pages = re.sub(r"^\$ aws .*$", "", pages, flags=re.MULTILINE)
    known = {
        option
        for outer in typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]  # a group
        for command in getattr(outer, "commands", {"": outer}).values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    others = {"--from", "--with", "--help", "--secret-id"}  # of uvx, of every command, and of the AWS CLI

    assert set() == set(re.findall(r"(?<=[`\s])--[a-z][a-z-]*", pages)) - known - others

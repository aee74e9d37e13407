"""What the tests of `token-refresh fleet` share: the command, rows as of now, and secrets with a fleet's tags."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from typer.testing import CliRunner, Result

from fleet.rows import failed, row, seen
from token_refresh_admin.cli.app import app
from token_refresh_admin.cli.fleet.view import FleetSelection, select
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Pause, Pauses, Row, State

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
IN_FORCE = Pause(at=NOW, until=NOW + 2 * HOUR, by="operator", why="maintenance")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["fleet", *arguments])


def ends(*arguments: str) -> tuple[int, str]:
    """A command's exit status, and what it wrote to standard output."""
    ended = run(*arguments)
    return ended.exit_code, ended.stdout.strip()


def said(ended: Result) -> str:
    """What a command wrote to standard error, on one line."""
    return " ".join(ended.stderr.split())


def healthy(name: str, **others: Any) -> Row:
    found = seen(at=NOW, expires_at=NOW + 2 * HOUR, due_at=NOW + HOUR, **others)
    return row(name, next_at=NOW + HOUR, found=found)


def late(name: str) -> Row:
    return row(name, next_at=NOW, found=seen(expires_at=NOW + timedelta(minutes=1), due_at=NOW - HOUR))


def dead(name: str) -> Row:
    return row(name, provider="hubspot", found=failed("ReauthorizationRequired", at=NOW, state=State.REAUTHORIZE))


def view_of(rows: list[Row], *, now: datetime = NOW) -> FleetSelection:
    members = select(rows, Pauses(), now)
    return FleetSelection(fleet="prod", region="eu-central-1", members=members, pauses=Pauses(), now=now)


def tagged_secret(name: str, **tags: str) -> str:
    given: Any = [{"Key": f"token-refresh:{key}", "Value": value} for key, value in tags.items()]
    client = boto3.client("secretsmanager", region_name="eu-central-1")
    return str(client.create_secret(Name=name, SecretString="{}", Tags=given)["ARN"])


def join(index: TableIndex, name: str, *, fleet: str | None = "prod", **known: Any) -> str:
    """Make a secret with the fleet's tag, and its row, of a secret that is due; give its ARN."""
    secret_arn = tagged_secret(name, **({"fleet": fleet} if fleet else {}))
    member = Row(secret_arn=secret_arn, provider="xero", added_at=NOW, next_at=NOW)
    index.add(replace(member, **known))
    return secret_arn


def status_of(*options: str) -> Any:
    return json.loads(run("status", "--json", *options).stdout)


def tags_of(name: str) -> dict[str, str]:
    client = boto3.client("secretsmanager", region_name="eu-central-1")
    return {tag["Key"]: tag["Value"] for tag in client.describe_secret(SecretId=name).get("Tags", ())}

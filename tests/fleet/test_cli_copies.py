"""What commands do with the copies of a fleet's secrets: make, remove, count, and refuse what would be none."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fleet.command import HOUR, healthy, run, said, status_of
from fleet.doubles import CommandsTable
from fleet.rows import arn, row, seen
from testbed.builders import MINUTE
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.row import Row
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.outcome import CopyState

TOKENS = {"refreshToken": "r", "accessToken": "a", "expiresAt": 1, "provider": "xero"}
MEMBER, COPY = "customers/7/xero", "published/customers/7/xero"


@pytest.fixture
def secrets(index: TableIndex, table: CommandsTable, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManagerServer]:
    """A fleet that publishes copies, as its stack says on the table, and one secret that is no member yet."""
    del index
    table.tags.append({"Key": "token-refresh:published-under", "Value": "published/"})
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, _seconds: None)
    with SecretsManagerServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        server.client().create_secret(Name=MEMBER, SecretString=json.dumps(TOKENS), KmsKeyId="alias/customer-7")
        yield server


def described(secrets: SecretsManagerServer, name: str = COPY) -> dict[str, Any]:
    found: dict[str, Any] = dict(secrets.client().describe_secret(SecretId=name))
    return {**found, "Tags": {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}}


def test_add_makes_an_empty_copy(secrets: SecretsManagerServer, index: TableIndex) -> None:
    """A new member gets a copy without a value, under its own key, tagged as its copy and never as a member."""
    ended = run("add", MEMBER)

    copy = described(secrets)
    assert (0, 1) == (ended.exit_code, len([*index.rows()])), ended.stderr
    assert {"token-refresh:copy-of": MEMBER, "managed-by": "token-refresh-worker"} == copy["Tags"]
    assert ("alias/customer-7", {}) == (copy["KmsKeyId"], copy.get("VersionIdsToStages", {}))
    assert 0 == run("add", MEMBER).exit_code, "again, it changes nothing"


def test_remove_and_come_back(secrets: SecretsManagerServer) -> None:
    """Who leaves has no copy after thirty days; who comes back within them has the old one."""
    run("add", MEMBER)

    assert 0 == run("remove", MEMBER).exit_code
    assert "DeletedDate" in described(secrets)
    assert 0 == run("remove", MEMBER).exit_code, "again, it changes nothing"
    assert 0 == run("add", MEMBER).exit_code
    assert "DeletedDate" not in described(secrets)


def test_a_secret_that_is_no_copy_stays(secrets: SecretsManagerServer, index: TableIndex) -> None:
    """Where another secret has a copy's name, nobody joins, and leaving deletes nothing."""
    secrets.client().create_secret(Name=COPY, SecretString="theirs")

    ended = run("add", MEMBER)

    assert (2, []) == (ended.exit_code, [*index.rows()]), "a person is needed"
    assert f"secret {COPY} is not a copy of {MEMBER}, whose copy needs this name" in said(ended)
    assert f"describe-secret --secret-id {COPY}" in ended.stderr
    index.add(replace(healthy(MEMBER), secret_arn=described(secrets, MEMBER)["ARN"]))
    assert 0 == run("remove", MEMBER).exit_code
    assert "DeletedDate" not in described(secrets)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (COPY, f"is the copy of {MEMBER} for services"),
        ("published/theirs", "secret published/theirs is under published/, where copies are"),
    ],
)
def test_no_member_among_the_copies(secrets: SecretsManagerServer, index: TableIndex, name: str, says: str) -> None:
    """A copy has no refresh token, so it can't join; the error says which secret can.

    Nor can a token secret under the prefix of the copies: readers of copies would read its refresh token.
    """
    run("add", MEMBER)
    secrets.client().create_secret(Name="published/theirs", SecretString=json.dumps(TOKENS))

    ended = run("add", name)

    assert (2, 1) == (ended.exit_code, len([*index.rows()])), "a person is needed"
    assert says in said(ended)
    assert "token-refresh:fleet" not in described(secrets, name)["Tags"]


def test_the_tag_alone_says_where_copies_are(secrets: SecretsManagerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another fleet's setting, left in the shell, puts no copy under that fleet's prefix."""
    monkeypatch.setenv("PUBLISHED_SECRET_ID", "copies/{secret}")

    assert 0 == run("add", MEMBER).exit_code
    assert described(secrets, COPY)


def test_a_tag_that_may_not_be_read(
    secrets: SecretsManagerServer, index: TableIndex, table: CommandsTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may not read the table's tags can still add members, and is told that no copies are made."""

    def refuse(**_: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "ListTagsOfResource")

    monkeypatch.setattr(table, "list_tags_of_resource", refuse)

    ended = run("add", MEMBER)

    assert (0, 1) == (ended.exit_code, len([*index.rows()]))
    assert "Whether fleet prod publishes copies is not known, so none are made or removed" in ended.stderr
    assert "dynamodb:ListTagsOfResource" in ended.stderr
    assert not [name for name in secrets.client().list_secrets()["SecretList"] if name["Name"] == COPY]


@pytest.mark.parametrize("command", ["add", "remove"])
def test_a_tag_that_can_not_be_read_now(
    index: TableIndex, table: CommandsTable, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """While AWS throttles, nobody joins without a copy or leaves one behind: the command ends with 1."""

    def throttle(**_: str) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "ListTagsOfResource")

    monkeypatch.setattr(table, "list_tags_of_resource", throttle)

    ended = run(command, MEMBER)

    assert (1, []) == (ended.exit_code, [*index.rows()])
    assert "TableUnavailable: dynamodb:ListTagsOfResource on fleet table prod" in ended.stderr


def copied(name: str, copy: CopyState, *, minutes: int = 20, error: str | None = None) -> Row:
    now = datetime.now(UTC)  # as the command sees it
    found = seen(at=now, expires_at=now + 2 * HOUR, due_at=now + HOUR)
    behind = None if copy is CopyState.CURRENT else now - minutes * MINUTE
    return row(name, next_at=now + HOUR, found=replace(found, copy=copy, copy_behind_at=behind, copy_error=error))


def test_status_tells_current_older_and_missing(index: TableIndex) -> None:
    """The counts are there, and what is wrong with a copy for ten minutes needs somebody, with the command."""
    long_ago = datetime.now(UTC) - 20 * HOUR
    index.add(healthy("a"))
    assert "copies" not in run("status").stdout + run("status", "--json").stdout, "it publishes none"
    fine = copied("fine", CopyState.CURRENT)
    index.add(replace(fine, seen=replace(fine.seen, at=long_ago)) if fine.seen else fine)
    index.add(copied("new", CopyState.OLDER, minutes=2))
    assert 0 == run("status").exit_code
    assert f"copies for services: 1 current, 1 older, each seen since {utc(long_ago)}" in run("status").stdout

    index.add(copied("old", CopyState.OLDER))
    index.add(copied("closed", CopyState.UNREAD, error="SecretAccessDenied"))
    index.add(copied("gone", CopyState.MISSING, error="SecretNotFound"))
    ended, found = run("status"), status_of()

    printed = " ".join(ended.stdout.split())
    assert 1 == ended.exit_code
    assert "copies that are missing, so that services can't read them: 1, the first of gone" in printed
    assert "token-refresh fleet add gone --fleet prod" in printed
    assert "copies that are older than the tokens: 1, the first of old (not written yet: 1)" in printed
    assert "copies that the worker can't read: 1, the first of closed (SecretAccessDenied: 1)" in printed
    assert "the copy is missing (SecretNotFound)" in printed
    assert {"current": 1, "older": 2, "unread": 1, "missing": 1} == found["copies"]
    rows = {fields["secret_id"]: fields for fields in found["rows"]}
    assert ("missing", "SecretNotFound") == tuple(rows[arn("gone")][name] for name in ("copy", "copy_error_type"))
    assert "copy_error_type" not in rows[arn("fine")]
    assert "4 of 4 secrets are due now" in run("retry", "--state", "error").stdout

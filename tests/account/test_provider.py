"""The provider behind a function URL: RFC 6749 with single-use refresh tokens, and nothing but digests at rest."""

import base64
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from account import provider
from account.account import HERE, TableProvider
from testbed.dynamodb.server import DynamoDbServer

TABLE = "trw-check-abc123-provider"
Ask = Any  # a function of members of a token document that sends a token request


class Grants(TableProvider):
    """Begins grants in a table whose stand-in knows no `PutItem`."""

    def __init__(self, server: DynamoDbServer) -> None:
        super().__init__(self, TABLE)
        self._server = server

    def put_item(self, TableName: str, Item: dict[str, Any]) -> None:  # noqa: N803 - boto3's names
        self._server.tables[TableName]["grant"] = Item


@pytest.fixture
def server() -> Iterator[DynamoDbServer]:
    with DynamoDbServer() as running:
        running.create_table(TABLE, key="id")
        yield running


@pytest.fixture
def ask(server: DynamoDbServer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setenv("TABLE", TABLE)
    monkeypatch.setattr(provider, "boto3", SimpleNamespace(client=lambda _: server.client()))

    def request(document: dict[str, str], *, basic: bool = False, **changes: str) -> tuple[int, dict[str, Any]]:
        form = {"grant_type": "refresh_token", "refresh_token": document["refreshToken"]}
        client = {"client_id": document["clientId"], "client_secret": document["clientSecret"]}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if basic:
            pair = f"{client['client_id']}:{client['client_secret']}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        body = base64.b64encode(urlencode({**form, **({} if basic else client), **changes}).encode()).decode()
        response = provider.handler({"headers": headers, "body": body, "isBase64Encoded": True}, None)
        return response["statusCode"], json.loads(response["body"])

    return request


@pytest.mark.parametrize("basic", [True, False])
def test_a_refresh(server: DynamoDbServer, ask: Ask, *, basic: bool) -> None:
    """A refresh token is redeemed once; used again it ends the grant. The table has digests alone."""
    document = Grants(server).authorize()

    status, first = ask(document, basic=basic)
    again, second = ask(document | {"refreshToken": first["refresh_token"]}, basic=basic)

    assert (200, 200) == (status, again)
    assert ("Bearer", 1800) == (first["token_type"], first["expires_in"])
    issued = {found[name] for found in (first, second) for name in ("access_token", "refresh_token")}
    assert 4 == len(issued)
    stored = json.dumps(server.tables[TABLE])
    secrets = {document["refreshToken"], document["clientSecret"], *issued}
    assert not [canary for canary in secrets if canary in stored]
    assert (400, {"error": "invalid_grant"}) == ask(document)
    assert (400, {"error": "invalid_grant"}) == ask(document | {"refreshToken": second["refresh_token"]})


def test_a_rejected_grant(server: DynamoDbServer, ask: Ask) -> None:
    """Grants that begin while the provider rejects are dead, and later ones are not."""
    grants = Grants(server)
    grants.reject(rejected=True)
    rejected = ask(grants.authorize())
    grants.reject(rejected=False)

    assert (400, {"error": "invalid_grant"}) == rejected
    assert 200 == ask(grants.authorize())[0]


def test_its_code_fits_into_a_template_s_parameter() -> None:
    """CloudFormation takes 4,096 bytes in a parameter."""
    assert len((HERE / "provider.py").read_bytes()) <= 4096

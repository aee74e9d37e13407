"""Every example of these pages of docs/ runs, as printed, one after the other."""

import json
import logging
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.parameter_store import ParameterStoreServer
from testbed.reader_surroundings import Store, WallClock
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import amplify_branch, amplify_sandbox

DOCS = Path(__file__).parents[2] / "docs"
TOKEN, ELSEWHERE, OTHERS = (
    (DOCS / name).read_text() for name in ("reader.md", "other-languages.md", "other-secrets.md")
)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The secrets that the page's examples read."""
    with SecretsManagerServer() as server, ParameterStoreServer() as parameters:
        for name, value in {**server.environment, **parameters.environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("STRIPE_SECRET_ID", "ssm:/my-app/dev/stripe")
        for reference in (
            "ssm:/my-app/dev/stripe",
            amplify_sandbox("my-app", "alice", "STRIPE_KEY"),
            amplify_branch("d1a2b3c4", "main", "STRIPE_KEY"),
        ):
            parameters.put(reference.removeprefix("ssm:"), f"value of {reference}")
        store = Store(server, WallClock(time.time()))
        store.put("canary", secret_id="upwork-oauth-tokens-published")
        store.put_text('{"key": 1}', secret_id="stripe-key")
        for password in ("old", "new"):
            store.put_text(json.dumps({"username": "app", "password": password}), secret_id="my-app/prod/database")
        store.put_text('{"signingSecret": ["new", "old"]}', secret_id="stripe")
        for value in ("old", "new"):
            store.put_text(value, secret_id="webhook-secret")
        yield store


def run(page: str, expected: int, **names: Any) -> dict[str, Any]:
    """Run a page's examples in its order, each with what the ones before it have defined."""
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert expected == len(examples)
    for example in examples:
        exec(compile(example, "a page", "exec"), names)  # noqa: S102 - our own page
    return names


def test_use_a_token(running: Store) -> None:
    """The examples of *Use a token* run: the token, a 401, an error, health, and HTTP clients."""
    statuses = iter([401, 200])

    names = run(TOKEN, 7, logging=logging, call_api=lambda _token: next(statuses))

    assert "canary" == names["tokens"].get()
    assert [] == list(statuses) or running.reads
    assert names["health"].seconds_to_expiry > 0
    assert "never an expired one" in TOKEN


def test_without_the_reader(running: Store) -> None:
    """The example for Powertools runs: it reads, and after a 401 it reads again."""
    run(ELSEWHERE, 1)

    assert 2 == running.reads


def test_other_secrets(running: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The examples of *Other secrets* run, and a database login follows a rotation without a failed call."""
    database = Database()
    monkeypatch.setitem(sys.modules, "psycopg", database)

    names = run(OTHERS, 6)

    assert names["mine"].text().startswith("value of ssm:/amplify/myapp/alice-sandbox-")
    assert names["main"].text().startswith("value of ssm:/amplify/d1a2b3c4/main-branch-")
    assert ["new", "old"] == [secret.value for secret in names["signing"].accepted()]
    assert {"key": 1} == json.loads(names["group"]["stripe-key"].text())
    assert ["current", "previous"] == [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert "logged in with new" == names["connect"]()
    database.password = "newer"
    running.put_text(json.dumps({"username": "app", "password": "newer"}), secret_id="my-app/prod/database")
    assert "logged in with newer" == names["connect"]()
    database.password = "unknown"
    with pytest.raises(OSError, match="password authentication failed"):
        names["connect"]()


class Database:
    """Stands in for psycopg, which the tests don't install."""

    OperationalError = OSError
    Connection = str

    def __init__(self) -> None:
        self.password = "new"

    def connect(self, **login: Any) -> str:
        """Log in, as psycopg does."""
        if login["password"] != self.password:
            raise self.OperationalError("password authentication failed")
        return f"logged in with {login['password']}"

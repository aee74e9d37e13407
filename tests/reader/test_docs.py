"""Every example of docs/reader.md runs, as printed, one after the other."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reader.surroundings import Clock, Store
from testbed.parameter_store import ParameterStoreServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.reader import amplify_branch, amplify_sandbox

PAGE = (Path(__file__).parents[2] / "docs" / "reader.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


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
        store = Store(server, Clock(time.time()))
        store.put("canary", secret_id="upwork-oauth-tokens-published")
        store.put_text('{"key": 1}', secret_id="stripe-key")
        store.put_text('{"signingSecret": ["new", "old"]}', secret_id="stripe")
        for value in ("old", "new"):
            store.put_text(value, secret_id="webhook-secret")
        yield store


def test_examples_run_as_printed(running: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The page's examples run in the order of the page, each with what the ones before it have defined."""
    assert 11 == len(EXAMPLES)
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(compile(example, "docs/reader.md", "exec"), names)  # noqa: S102 - our own page
    assert "canary" == names["tokens"].get()
    assert names["mine"].text().startswith("value of ssm:/amplify/myapp/alice-sandbox-")
    assert names["main"].text().startswith("value of ssm:/amplify/d1a2b3c4/main-branch-")
    assert ["new", "old"] == [secret.value for secret in names["signing"].accepted()]
    assert {"key": 1} == json.loads(names["group"]["stripe-key"].text())
    assert ["current", "previous"] == [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert running.reads


@pytest.mark.parametrize("name", ["fastapi_service.py", "lambda_handler.py", "upwork_graphql.py"])
def test_programs_are_there(name: str) -> None:
    """The programs that the page names exist; `test_examples.py` runs them."""
    assert f"../examples/{name}" in PAGE
    assert (Path(__file__).parents[2] / "examples" / name).is_file()

"""docs/webhooks.md: its programs run, as printed, one after the other."""

import re
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sqs.server import SqsServer
from testbed.webhooks.events import http_v2
from testbed.webhooks.signing import SECRETS, sent

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
PROGRAMS = re.findall(r"^ *```python\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
PATH = "/webhooks/stripe"


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[SqsServer]:
    """The queue and the secret that the page's programs use."""
    with SecretsManagerServer() as store, SqsServer() as queue:
        for name, value in {**store.environment, **queue.environment, "WEBHOOK_QUEUE_URL": queue.queue_url}.items():
            monkeypatch.setenv(name, value)
        client = store.client()
        client.create_secret(Name="stripe-webhook-secret", SecretString=SECRETS["stripe"])
        client.close()
        yield queue


def test_the_programs_run(queue: SqsServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A delivery goes through the handler and the consumer; the same, verified elsewhere, is a copy for the queue."""
    names: dict[str, Any] = {}
    for program in PROGRAMS:
        exec(compile(textwrap.dedent(program), "webhooks.md", "exec"), names)  # noqa: S102 - our own page
    request = sent("stripe", at=int(time.time()))
    forged = sent("stripe", at=int(time.time()), secret="whsec_of_a_stranger")

    assert 200 == names["handler"](http_v2("POST", PATH, request.headers, request.body))["statusCode"]
    names["consume"]({"Records": [{"body": message.body} for message in queue.messages]}, None)
    statuses = [names["receive"](given.headers, given.body) for given in (request, forged)]

    assert "evt_1 evt_1" == capsys.readouterr().out.strip()
    assert [(200, ""), (401, "")] == statuses
    assert 1 == len(queue.messages)
    queue.fault("unavailable", times=None)
    assert (503, "") == names["receive"](request.headers, request.body)

"""docs/webhooks.md: its programs run, as printed, one after the other, and what it says of replays holds."""

import json
import re
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.reader_surroundings import WallClock
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.sqs.server import SqsServer
from testbed.webhooks.events import http_v2
from testbed.webhooks.signing import SECRETS, sent
from token_refresh.webhooks import from_message
from webhooks.conftest import Stored

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


ROOT = Path(__file__).parents[2]
YEAR_SECONDS = 365 * 24 * 3600


def test_a_signature_of_github_holds_until_the_secret_is_changed(
    server: SecretsManagerServer, clock: WallClock
) -> None:
    """A request of GitHub verifies until a new secret's overlap ends; the page says how long a consumer knows it."""
    example = (ROOT / "examples" / "webhook_consumer.py").read_text()
    (days,) = re.findall(r"expires_after_seconds=(\d+) \* 24 \* 3600", example)
    section = PAGE.split("### Replays of GitHub\n")[1].split("\n### ")[0]
    assert f"keeps that record for {days} days" in section
    stored = Stored(server, clock, "github")
    request = stored.request(SECRETS["github"])
    first = stored.verifier.verify(request.headers, request.body)

    clock.advance(YEAR_SECONDS)
    again = stored.verifier.verify(request.headers, request.body)
    stored.rotate()
    clock.advance(2 * 3600)

    assert first.key == again.key
    assert "WebhookNotVerified" == stored.verify(SECRETS["github"])


def test_a_message_proves_nothing() -> None:
    """A caller that may write to the queue can make a delivery that nobody signed, and SECURITY.md says so."""
    page = (ROOT / "SECURITY.md").read_text()
    assert "A caller that may send to a receiver's queue can forge verified deliveries." in page
    at = "2026-11-27T12:00:00+00:00"
    forged = {"route": "/webhooks/github", "source": "github", "key": "k", "id": None, "type": "push"}
    forged |= {"signed_at": None, "received_at": at, "current_since": at}
    forged |= {"version_id": "v", "stage": "current", "body": "forged"}

    route, delivery = from_message(json.dumps(forged))

    assert ("/webhooks/github", b"forged") == (route, delivery.body)

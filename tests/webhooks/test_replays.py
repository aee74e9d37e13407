"""What the pages say of replays: how long a signature holds, and what the record of a consumer and a queue prove."""

import json
import re
from pathlib import Path

from testbed.reader_surroundings import Clock
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.webhooks.signing import SECRETS
from token_refresh.webhooks import from_message
from webhooks.stored import Stored

ROOT = Path(__file__).parents[2]
YEAR_SECONDS = 365 * 24 * 3600


def test_a_signature_of_github_holds_until_the_secret_is_changed(server: SecretsManagerServer, clock: Clock) -> None:
    """The same request of GitHub verifies a year later; only a new secret, and the end of its overlap, ends that."""
    stored = Stored(server, clock, "github")
    request = stored.request(SECRETS["github"])
    first = stored.verifier.verify(request.headers, request.body)

    clock.advance(YEAR_SECONDS)
    again = stored.verifier.verify(request.headers, request.body)
    stored.rotate()
    clock.advance(2 * 3600)

    assert first.key == again.key
    assert "WebhookNotVerified" == stored.verify(SECRETS["github"])


def test_the_page_says_how_long_the_record_is_kept() -> None:
    """The page names the days after which the example's consumer has forgotten a delivery."""
    example = (ROOT / "examples" / "webhook_consumer.py").read_text()
    (days,) = re.findall(r"expires_after_seconds=(\d+) \* 24 \* 3600", example)
    section = (ROOT / "docs" / "webhooks.md").read_text().split("### Replays of GitHub\n")[1].split("\n### ")[0]

    assert f"keeps that record for {days} days" in section


def test_a_message_proves_nothing() -> None:
    """Whoever may write to the queue makes a delivery that nobody signed, as the page says."""
    at = "2026-11-27T12:00:00+00:00"
    forged = {
        "route": "/webhooks/github",
        "source": "github",
        "key": "k",
        "id": None,
        "type": "push",
        "signed_at": None,
        "received_at": at,
        "current_since": at,
        "version_id": "v",
        "stage": "current",
        "body": "forged",
    }

    route, delivery = from_message(json.dumps(forged))

    assert ("/webhooks/github", b"forged") == (route, delivery.body)

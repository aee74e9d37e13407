import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.emulator import ACCOUNT, REGION, Emulator, Stack
from testbed.synthesis import synthesise
from testbed.webhooks.events import http_v2
from testbed.webhooks.signing import SECRETS, sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A deployed receiver."""

    stack: Stack

    def deliver(self, kind: str, **changes: Any) -> int:
        """Invoke the function as its URL does; give the status."""
        request = sent(kind, at=int(time.time()), **changes)
        response = self.stack.invoke(http_v2("POST", f"/webhooks/{kind}", request.headers, request.body))
        return int(response.get("statusCode", 0))

    def queued(self) -> int:
        """Count the messages in its queue."""
        client: Any = self.stack.emulator.client("sqs")
        name = "ApproximateNumberOfMessages"
        found = client.get_queue_attributes(QueueUrl=self.stack.outputs["QueueUrl"], AttributeNames=[name])
        return int(found["Attributes"][name])


@pytest.fixture
def deployed(emulator: Emulator, receiver_zip: Path) -> Callable[..., Receiver]:
    """Deploys a receiver under a name of its own, for the secrets that exist."""

    def make(**secrets: str) -> Receiver:
        here = {
            "mode": "webhooks",
            "environment": f"t{uuid.uuid4().hex[:8]}",
            "account": ACCOUNT,
            "region": REGION,
            "app": "test",
        }
        template = synthesise(here | {f"{kind}_secret": name for kind, name in secrets.items()}, receiver_zip).template
        _fit_emulator(template)
        name = f"receiver-{here['environment']}"
        return Receiver(stack=Stack(emulator=emulator, name=name, template=template).create(receiver_zip))

    return make


def _fit_emulator(template: dict[str, Any]) -> None:
    """Take out the queues' refusal of plain HTTP."""
    resources = template["Resources"]
    for name in [name for name, r in resources.items() if r["Type"] == "AWS::SQS::QueuePolicy"]:
        del resources[name]


def test_the_three_endpoints_of_one_application(emulator: Emulator, deployed: Callable[..., Receiver]) -> None:
    """Slack's secret is a field of a JSON object, Stripe's and GitHub's are text: signed gets 200, forged 401."""
    app = f"app-{uuid.uuid4().hex[:8]}"
    stored = {
        f"{app}/test/slack": json.dumps({"signingSecret": SECRETS["slack"], "botToken": "other"}),
        f"{app}-stripe-webhook-secret": SECRETS["stripe"],
        f"{app}-github-webhook-secret": SECRETS["github"],
    }
    slack, stripe, github = stored
    for name, value in stored.items():
        emulator.client("secretsmanager").create_secret(Name=name, SecretString=value)
    receiver = deployed(slack=f"{slack}#signingSecret", stripe=stripe, github=github)

    kinds = ("slack", "stripe", "github")
    assert dict.fromkeys(kinds, 200) == {kind: receiver.deliver(kind) for kind in kinds}
    assert dict.fromkeys(kinds, 401) == {kind: receiver.deliver(kind, secret="whsec_another") for kind in kinds}
    assert len(kinds) == receiver.queued()

"""A fleet's stack, created from its template: index, queue and functions, with members of two kinds."""

import json
import re
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

from testbed.emulator import ACCOUNT, REGION, Emulator, Stack, wait_for
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.synthesis import synthesise
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG, PROVIDER_TAG

PROFILE = "token_refresh_worker/providers/profiles/quickbooks.toml"
LEFT_OUT = ("AWS::CloudWatch::Alarm", "AWS::Lambda::EventSourceMapping", "AWS::SQS::QueuePolicy")


def at(endpoint: str, code: Path, target: Path) -> Path:
    """Copy the function's zip, with another host in QuickBooks' profile."""
    with zipfile.ZipFile(code) as before, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as after:
        for entry in before.infolist():
            content = before.read(entry)
            if entry.filename == PROFILE:
                profile = re.sub(r'^(token_endpoint = )".*"$', rf'\1"{endpoint}"', content.decode(), flags=re.MULTILINE)
                content = profile.encode()
            after.writestr(entry, content)
    return target


def as_emulated(template: dict[str, Any]) -> dict[str, Any]:
    """Without what the emulator doesn't see: a batch's one permission, and the keys of a request to a table."""
    text = json.dumps(template).replace('"sqs:SendMessage"', '["sqs:SendMessage", "sqs:SendMessageBatch"]')
    fitted: dict[str, Any] = json.loads(text.replace(', "Null": {"dynamodb:LeadingKeys": "false"}', ""))
    return fitted


class Fleet:
    """A deployed fleet, and its members in the strict Secrets Manager."""

    def __init__(self, emulator: Emulator, store: SecretsManagerServer, code: Path) -> None:
        self.emulator, self.store = emulator, store
        self.name = f"t{uuid.uuid4().hex[:8]}"
        context = {"mode": "fleet", "fleet": self.name, "environment": self.name, "by_tag": True}
        context |= {
            "account": ACCOUNT,
            "region": REGION,
            "client_secret": "clients/{provider}",
            "schedule_enabled": False,
        }
        deployment = synthesise(context, code)
        self.stack = Stack(
            emulator=emulator,
            name=deployment.parameters.stack_name,
            template=as_emulated(deployment.template),
            variables={store.endpoint_variable: store.url},
            left_out=LEFT_OUT,
        ).create(code)

    def store_secret(self, name: str, document: dict[str, Any], **tags: str) -> str:
        created = self.store.client().create_secret(
            Name=name, SecretString=json.dumps(document), Tags=[{"Key": key, "Value": tags[key]} for key in tags]
        )
        return str(created["ARN"])

    def invoke(self, output: str, event: dict[str, Any]) -> dict[str, Any]:
        found: Any = self.emulator.client("lambda").invoke(
            FunctionName=self.stack.outputs[output], Payload=json.dumps(event)
        )
        payload: dict[str, Any] = json.loads(found["Payload"].read())
        assert "FunctionError" not in found, payload
        return payload

    def dispatch(self) -> int:
        """Run the dispatcher, and then the worker on each message, as Lambda does; give how many there were."""
        # The table's clock says whole seconds, and the last run's time may be later in this one.
        second = int(time.time())
        wait_for(lambda: int(time.time()) > second, seconds=2)
        self.invoke("DispatcherName", {})
        queue: Any = self.emulator.client("sqs")
        url, taken = self.stack.outputs["QueueUrl"], 0
        while messages := queue.receive_message(QueueUrl=url, AttributeNames=["All"]).get("Messages"):
            (message,) = messages
            record = {"messageId": message["MessageId"], "body": message["Body"], "eventSource": "aws:sqs"}
            self.invoke("FunctionName", {"Records": [record | {"attributes": message["Attributes"]}]})
            queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += 1
        return taken


def test_members_join_and_are_refreshed(emulator: Emulator, code: Path, tmp_path: Path) -> None:
    """The resync finds a tagged secret, a first run reads it, the next redeems; its roles suffice."""
    with SecretsManagerServer(region=REGION) as store, TokenEndpoint(reuse="revokes") as endpoint:
        fleet = Fleet(emulator, store, at(endpoint.url, code, tmp_path / "code.zip"))
        document = endpoint.token_set(lives_seconds=300)
        client = {name: document.pop(name) for name in ("clientId", "clientSecret")}
        fleet.store_secret("clients/quickbooks", client)
        tags = {FLEET_TAG: fleet.name, PROVIDER_TAG: "quickbooks"}
        fleet.store_secret("customers/1", document | {"provider": "quickbooks"}, **tags)
        fleet.store_secret("nobody/1", {"provider": "quickbooks"})

        assert 1 == fleet.invoke("ResyncName", {})["added"]
        assert (1, 0) == (fleet.dispatch(), endpoint.grant.redemptions)
        assert (1, 1) == (fleet.dispatch(), endpoint.grant.redemptions)
        assert (0, 1) == (fleet.dispatch(), endpoint.grant.redemptions)

        (row,) = TableIndex(emulator.client("dynamodb"), fleet.name, fleet.name).rows()
        current = json.loads(store.client().get_secret_value(SecretId="customers/1")["SecretString"])
        assert endpoint.grant.accepts(current["refreshToken"])
        assert ("customers/1", True) == (row.name, bool(row.host))

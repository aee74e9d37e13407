"""An AWS account with a fleet in it: the synthesised stack on an emulator, five providers, and a secret a customer."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Self, cast

import httpx

from demos.fleets.mapping import RUNS_AT_ONCE, Mapping
from demos.fleets.providers import REAL, Providers, with_profiles
from testbed.emulator import ACCOUNT, REGION, ROOT, Emulator, Stack
from testbed.ports import free_port
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.adapters.event_bus import SOURCE
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.fleet.core.enrolment import FLEET_TAG, PROVIDER_TAG
from token_refresh_worker.fleet.core.row import Row

FLEET = "demo"
PATIENCE_SECONDS = 150
"""How long to wait for what should happen; a busy machine may be slow, and nothing here is timed."""
LEFT_OUT = ("AWS::CloudWatch::Alarm", "AWS::Lambda::EventSourceMapping", "AWS::SQS::QueuePolicy")
_SPOKEN_OF_NOWHERE = {"access_token", "refresh_token", "clientSecret"}
_COMMAND = Path(sys.executable).with_name("token-refresh")
_CONTEXT = {
    "mode": "fleet",
    "fleet": FLEET,
    "environment": "demo",
    "account": ACCOUNT,
    "region": REGION,
    "by_tag": "true",
    "client_secret": "clients/{provider}",
    "event_bus": "default",
    "alarm_email": "operator@example.com",
    "concurrency": str(RUNS_AT_ONCE),
    # A run tries to store new tokens for as long as it may run, and nobody wants to watch that for a minute.
    "timeout_seconds": "40",
    # On a slow machine they would start a dispatcher in the middle of a step that has a provider yet to hang.
    "schedule_enabled": "false",
}


class FleetAccount:
    """Everything that the fleet's demo runs on, for as long as the `with` block lasts."""

    def __init__(self, secrets: int) -> None:
        self.size = secrets
        self._started = contextlib.ExitStack()
        self.providers = Providers()
        self.store = SecretsManagerServer(region=REGION)
        self.secrets: dict[str, str] = {}
        """The ARN of each secret, by its name."""
        self.printed: list[str] = []
        """All that commands printed."""

    def __enter__(self) -> Self:
        """Start the servers and the emulator; nothing is deployed yet."""
        with contextlib.ExitStack() as starting:
            self._folder = Path(starting.enter_context(tempfile.TemporaryDirectory()))
            self.emulator = starting.enter_context(Emulator(self._folder))
            starting.enter_context(self.store)
            starting.enter_context(self.providers)
            self._started = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """End everything that was started."""
        self._started.close()

    def deploy(self) -> None:
        """Build the zip, synthesise the stack, and create it; then take its queue's messages to the worker."""
        from testbed.synthesis import synthesise  # noqa: PLC0415 - starts the CDK, for which `--help` does not wait

        package = ROOT / "scripts" / "package"
        built = subprocess.run([package], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
        profiles, code = self._folder / "profiles", self._folder / "code.zip"
        profiles.mkdir()
        self.providers.write_profiles(profiles)
        with_profiles(ROOT / built.stdout.strip(), profiles, code)
        deployment = synthesise(_CONTEXT, code)
        self.stack = Stack(
            emulator=self.emulator,
            name=deployment.parameters.stack_name,
            template=_as_emulated(deployment.template),
            variables={self.store.endpoint_variable: self.store.url},
            left_out=LEFT_OUT,
        ).create(code)
        # Before the first run, or its event has no queue to go to.
        self._listen_to_events()
        queue_url, function = self.stack.outputs["QueueUrl"], self.stack.outputs["FunctionName"]
        self.mapping = self._started.enter_context(Mapping(self.emulator, queue_url=queue_url, function=function))

    def enrol(self) -> None:
        """Store a due token set for each customer, with the fleet's tag."""
        for name in self.providers.names:
            client_id, client_secret = self.providers.client(name)
            self._create(f"clients/{name}", {"clientId": client_id, "clientSecret": client_secret})
        for number in range(self.size):
            provider = self.providers.names[number % len(self.providers.names)]
            tokens = self.providers.authorize(provider)
            # Five minutes before its end every profile has the token due, whatever its window.
            document = {
                "provider": provider,
                "access_token": tokens["access_token"],
                "refresh_token": tokens["refresh_token"],
                "expires_at": int(time.time()) + 300,
            }
            name = f"customers/{number + 1}/{provider}"
            self.secrets[name] = self._create(name, document, {FLEET_TAG: FLEET, PROVIDER_TAG: provider})

    def names_of(self, provider: str) -> list[str]:
        """Give the names of a provider's secrets."""
        return [name for name in self.secrets if name.endswith(f"/{provider}")]

    def rows(self) -> dict[str, Row]:
        """Read the index: one row a secret, by the secret's name."""
        index = TableIndex(self.emulator.client("dynamodb"), FLEET, FLEET)
        return {row.name: row for row in index.rows()}

    def document(self, name: str) -> dict[str, Any]:
        """Read a secret's current token document."""
        response = self.store.call("GetSecretValue", {"SecretId": name, "VersionStage": "AWSCURRENT"})
        found: dict[str, Any] = json.loads(response["SecretString"])
        return found

    def live_grants(self) -> int:
        """Count the secrets whose refresh token the provider would accept."""
        return sum(
            self.providers.accepts(name.rpartition("/")[2], self.document(name)["refresh_token"])
            for name in self.secrets
        )

    def invoke(self, output: str, event: dict[str, Any]) -> dict[str, Any]:
        """Run one of the stack's functions, and return its payload."""
        response = self.emulator.client("lambda").invoke(
            FunctionName=self.stack.outputs[output], Payload=json.dumps(event)
        )
        payload: dict[str, Any] = json.loads(response["Payload"].read())
        return payload

    def force_runs(self, names: list[str]) -> None:
        """Run on several secrets at once, although their tokens are fresh."""
        events = ({"secret_id": self.secrets[name], "force": True} for name in names)
        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(lambda event: self.invoke("FunctionName", event), events))

    def events(self, wanted: str) -> list[dict[str, Any]]:
        """Wait for an event of this kind on the bus, and return the details of those that came."""
        queue = self.emulator.client("sqs")
        end = time.monotonic() + PATIENCE_SECONDS
        found: list[dict[str, Any]] = []
        while not found and time.monotonic() < end:
            asked = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
            for message in queue.receive_message(QueueUrl=self._events_url, **asked).get("Messages", ()):
                event = json.loads(message["Body"])
                found += [event["detail"]] if event["detail-type"] == wanted else []
                queue.delete_message(QueueUrl=self._events_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def lose_table(self) -> None:
        """Delete the table with all rows and claims, and create an empty one, as a new deployment would."""
        tables = self.emulator.client("dynamodb")
        (template,) = [
            r["Properties"] for r in self.stack.template["Resources"].values() if r["Type"] == "AWS::DynamoDB::Table"
        ]
        # The stack protects its table from deletion; a person took that off.
        tables.update_table(TableName=FLEET, DeletionProtectionEnabled=False)
        tables.delete_table(TableName=FLEET)
        members = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
        tables.create_table(TableName=FLEET, **{member: template[member] for member in members})

    def bring_forward(self) -> str:
        """Let a copy of the dispatcher's schedule start it in a second, and return the rate of the schedule."""
        scheduler, name = self.emulator.client("scheduler"), self.stack.name
        schedule = scheduler.get_schedule(Name=f"{name}-dispatch", GroupName=name)
        soon = datetime.now(UTC) + timedelta(seconds=1)
        same = {key: schedule[key] for key in ("GroupName", "FlexibleTimeWindow", "Target")} | {"State": "ENABLED"}
        # The emulator starts no schedule by `at` that is one by `rate`, so it is a schedule of its own.
        scheduler.create_schedule(**same, Name="soon", ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})")
        return str(schedule["ScheduleExpression"])

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the `token-refresh` command as an operator does, and return its exit status and what it printed."""
        ended = subprocess.run(  # noqa: S603 - our own command
            [_COMMAND, *arguments], env=self._environment(), capture_output=True, text=True, check=False
        )
        self.printed.append(ended.stdout + ended.stderr)
        return ended.returncode, (ended.stdout + ended.stderr).strip()

    def authorize(self, name: str) -> int:
        """Run `token-refresh authorize` for a secret, consent in its browser's place, and return the exit status."""
        redirect = f"http://127.0.0.1:{free_port()}/callback"
        options = ["--provider", REAL, "--fleet", FLEET, "--yes", "--no-browser", f"--redirect-uri={redirect}"]
        with subprocess.Popen(  # noqa: S603 - our own command
            [_COMMAND, "authorize", name, *options],
            env=self._environment() | {"CLIENT_SECRET_ID": f"clients/{REAL}", "CLAIM_TABLE": FLEET},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            lines = list(_until(lambda line: line.startswith("http"), cast("IO[str]", process.stderr).readline))
            page = lines[-1].strip()
            # Without the environment's proxy, which does not reach this machine's loopback.
            with httpx.Client(trust_env=False, timeout=30) as browser:
                consent = {"scope": "read"} | dict(httpx.URL(page).params) | {"allow": "Authorize"}
                browser.post(page.partition("?")[0], data=consent, follow_redirects=True)
            out, err = process.communicate(timeout=60)
            self.printed += [*lines[:-1], out, err]
        return process.returncode

    def logs(self) -> list[str]:
        """Give every line that the functions logged."""
        logs = self.emulator.client("logs")
        found: list[str] = []
        for group in logs.describe_log_groups()["logGroups"]:
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                found += [event["message"] for event in page["events"]]
        return found

    def unspeakable(self) -> set[str]:
        """Give every token and client secret that is known here: what must be printed nowhere."""
        found = {self.providers.client(name)[1] for name in self.providers.names}
        for server in self.providers.imitations.values():
            found |= set(server.grant.secrets)
        for secret in self.store.secrets.snapshot():
            for version in secret.versions:
                fields = json.loads(version.value)
                found |= {str(value) for name, value in fields.items() if name in _SPOKEN_OF_NOWHERE}
        return found

    def _listen_to_events(self) -> None:
        """Send the fleet's events to a queue, as a rule of an operator sends them to a mailbox."""
        queue, events = self.emulator.client("sqs"), self.emulator.client("events")
        self._events_url = queue.create_queue(QueueName="grant-events")["QueueUrl"]
        arn = queue.get_queue_attributes(QueueUrl=self._events_url, AttributeNames=["QueueArn"])["Attributes"]
        events.put_rule(Name="grants", EventPattern=json.dumps({"source": ["token-refresh"]}))
        events.put_targets(Rule="grants", Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}])

    def _create(self, name: str, document: dict[str, Any], tags: dict[str, str] | None = None) -> str:
        created = self.store.call(
            "CreateSecret",
            {
                "Name": name,
                "ClientRequestToken": str(uuid.uuid4()),
                "SecretString": json.dumps(document),
                "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
            },
        )
        return str(created["ARN"])

    def _environment(self) -> dict[str, str]:
        own = {"AWS_ENDPOINT_URL": self.emulator.url, "PROVIDER_PROFILES": str(self._folder / "profiles")}
        keys = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test"}
        return dict(os.environ) | self.store.environment | own | keys


def _as_emulated(template: dict[str, Any]) -> dict[str, Any]:
    """Name permissions as the emulator does: a right of its own for batches, and no condition on what it does not see.

    It sees neither the source of an event, nor the keys of a request to a table, nor what a key of KMS is to encrypt.
    """
    text = json.dumps(template).replace('"sqs:SendMessage"', '["sqs:SendMessage", "sqs:SendMessageBatch"]')
    text = text.replace(', "Null": {"dynamodb:LeadingKeys": "false"}', "")
    text = text.replace(f'"Condition": {{"StringEquals": {{"events:source": "{SOURCE}"}}}}, ', "")
    changed: dict[str, Any] = json.loads(text)
    for resource in changed["Resources"].values():
        for statement in resource.get("Properties", {}).get("PolicyDocument", {}).get("Statement", ()):
            if statement["Effect"] == "Allow" and "kms:Encrypt" in statement["Action"]:
                statement.pop("Condition", None)
    return changed


def _until(last: Callable[[str], bool], read_line: Callable[[], str]) -> Iterator[str]:
    """Read lines up to the last one, or to the end."""
    for line in iter(read_line, ""):
        yield line
        if last(line):
            return

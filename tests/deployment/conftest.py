import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from testbed.emulator import ACCOUNT, REGION, Emulator, Stack
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from testbed.synthesis import synthesise

GROUP = "deployments"

LIFETIME_SECONDS = 86400


@dataclass(slots=True, kw_only=True)
class World:
    """A deployed stack, the Secrets Manager that its function uses, and the provider."""

    stack: Stack
    store: SecretsManagerServer
    endpoint: TokenEndpoint
    programs: Path
    """Where `token-refresh` is."""

    def authorize(self, *, expires_in_seconds: float) -> None:
        """Store a token set, as a person's authorization does."""
        document = self.endpoint.token_set(lives_seconds=expires_in_seconds)
        self.store.client().put_secret_value(
            SecretId=self.stack.outputs["TokenSecretId"],
            SecretString=json.dumps(document),
            ClientRequestToken=str(uuid.uuid4()),
        )

    def operate(self, *words: str) -> str:
        """Run a command of the operator, with no setting but whose AWS account it is, and return what it prints."""
        keys = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION}
        aws = {"AWS_ENDPOINT_URL": self.stack.emulator.url, self.store.endpoint_variable: self.store.url}
        provider = {"PROVIDER": "upwork", "TOKEN_ENDPOINT": self.endpoint.url}
        done = subprocess.run(
            [self.programs / "token-refresh", *words],
            env=keys | aws | provider,
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout

    def read(self, output: str) -> dict[str, Any]:
        """Read the current value of one of the stack's secrets."""
        response = self.store.client().get_secret_value(SecretId=self.stack.outputs[output], VersionStage="AWSCURRENT")
        document: dict[str, Any] = json.loads(response["SecretString"])
        return document

    def bring_forward(self) -> None:
        """Let a copy of the schedule start the function at once: a second expression for one schedule may not fire.

        The emulator looks each 10 s, and lets none fire once that it has seen with another (ministack 1.5.33).
        """
        scheduler: Any = self.stack.emulator.client("scheduler")
        name = self.stack.outputs["ScheduleName"]
        deployed = scheduler.get_schedule(Name=name, GroupName=name)
        kept = {key: deployed[key] for key in ("GroupName", "State", "FlexibleTimeWindow", "Target")}
        at = f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})"
        scheduler.create_schedule(**kept, Name="soon", ScheduleExpression=at)


@pytest.fixture
def deploy(emulator: Emulator, code: Path, programs: Path) -> Iterator[Callable[..., World]]:
    """Deploys a stack under a name of its own, with the parameters that it is given."""
    number = 0
    with SecretsManagerServer(region=REGION) as store, TokenEndpoint(reuse="revokes") as endpoint:

        def make(**context: Any) -> World:
            nonlocal number
            number += 1
            environment = f"t{uuid.uuid4().hex[:8]}"
            here = {"environment": environment, "account": ACCOUNT, "region": REGION, "app": "test"}
            deployment = synthesise(here | context, code)
            for name in (deployment.parameters.token_secret_id, deployment.parameters.published_secret_id):
                store.client().create_secret(Name=name)
            servers = {store.endpoint_variable: store.url, "TOKEN_ENDPOINT": endpoint.url}
            stack = Stack(
                emulator=emulator,
                name=deployment.parameters.stack_name,
                template=deployment.template,
                variables=servers,
            ).create(code)
            store.authorize = stack.authorize
            return World(stack=stack, store=store, endpoint=endpoint, programs=programs)

        yield make

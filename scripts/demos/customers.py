"""`scripts/demo customers`: the servers that docs/customers.md is written for, with 40 customers' secrets."""

import argparse
import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import boto3

from testbed.aws.faults import Call
from testbed.fleet_table import create_fleet_table
from testbed.loopback import LoopbackHandler, LoopbackServer
from testbed.policy import Ask, IamPolicy
from testbed.provider.authorization_server import AuthorizationServer
from testbed.provider.customers import Customers
from testbed.secrets_manager.moto_server import MotoServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.providers.loader import IN_ZIP, PROFILES
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, PUBLISHED_UNDER_TAG, STACK_TAG, StackResource

FLEET, UNDER = "prod", "published/"
REAL, IMITATED = "quickbooks", "xero"
SIZE = 40
WORKER = f"token-refresh-prod-fleet-{FLEET}"
_STACK = f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{WORKER}/made-up"
SETTINGS = {
    "FLEET_NAME": FLEET,
    "CLAIM_TABLE": FLEET,
    "CLIENT_SECRET_ID": "clients/{provider}",
    "PUBLISHED_SECRET_ID": f"{UNDER}{{secret}}",
}
"""The worker's."""
LEFT = "customers/7/quickbooks"
"""The customer who took the grant back before the tokens came here."""
SERVICE = "customer-12"
"""The access key of a service that may read the copies of customer 12 alone."""
RIGHTS: list[dict[str, Any]] = [
    {
        "Effect": "Allow",
        "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        "Resource": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:published/customers/12/*",
    }
]
_DESCRIPTION = """\
Serve 40 customers of two providers: Secrets Manager, DynamoDB, a fleet's
worker, a real authorization server and an imitation, on this machine and
without an AWS account, until you press Ctrl-C. docs/customers.md says what to
try.
"""
_ROOT = Path(__file__).resolve().parents[2]


class LambdaApi(LoopbackServer):
    """Lambda's words on the fleet's worker, by which commands prove whose settings a member has."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(_Describe)
        self.configuration = {"FunctionName": WORKER, "Environment": {"Variables": settings}}


class _Describe(LoopbackHandler):
    server: LambdaApi

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        """Return the worker's settings, or its tags."""
        tags = {"Tags": {STACK_TAG: _STACK, LOGICAL_ID_TAG: StackResource.FUNCTION}}
        self.respond(200, json.dumps(tags if "/tags/" in self.path else self.server.configuration).encode())


class Scene:
    """Everything that the page needs, for as long as the `with` block lasts."""

    def __init__(self) -> None:
        self._started = contextlib.ExitStack()
        self.store = SecretsManagerServer(authorize=_refused)
        self.real = AuthorizationServer(access_token_seconds=3600)
        self.imitation = Customers(reuse="grace", access_token_seconds=1800)
        self._moto = MotoServer()
        self._lambda = LambdaApi(SETTINGS | {"PROVIDER_PROFILES": IN_ZIP})

    def __enter__(self) -> Self:
        """Start the servers, import the customers, and let the fleet run."""
        with contextlib.ExitStack() as starting:
            for server in (self.store, self.real, self.imitation, self._moto, self._lambda):
                starting.enter_context(server)
            self.folder = Path(starting.enter_context(tempfile.TemporaryDirectory(prefix="token-refresh-")))
            profiles = self.folder / "profiles"
            profiles.mkdir()
            pages = self.real.token_endpoint, self.real.authorization_endpoint
            (profiles / f"{REAL}.toml").write_text(profile_at(REAL, *pages))
            (profiles / f"{IMITATED}.toml").write_text(profile_at(IMITATED, self.imitation.url))
            self._make_table()
            self._import()
            starting.callback(self._run_fleet().terminate)
            self._started = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """End everything that was started."""
        self._started.close()

    @property
    def exports(self) -> dict[str, str]:
        """What an operator's shell has."""
        return self.store.environment | {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # no command reaches an account of yours
            "AWS_ENDPOINT_URL_DYNAMODB": self._moto.url,
            "AWS_ENDPOINT_URL_LAMBDA": f"http://{self._lambda.address}",
            "PROVIDER_PROFILES": str(self.folder / "profiles"),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def _make_table(self) -> None:
        """Make the fleet's table as its stack does, with the tag that says where copies are."""
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": self.store.region}
        tables: Any = boto3.client("dynamodb", endpoint_url=self._moto.url, **keys)  # type: ignore[call-overload]  # keys by name
        tags = {PUBLISHED_UNDER_TAG: UNDER, STACK_TAG: _STACK, LOGICAL_ID_TAG: StackResource.FLEET_TABLE}
        create_fleet_table(tables, FLEET, Tags=[{"Key": key, "Value": tags[key]} for key in tags])

    def _import(self) -> None:
        """Store a token set that is due for each customer, and the client of each provider."""
        clients = {REAL: self.real.client(), IMITATED: (self.imitation.client_id, self.imitation.client_secret)}
        for provider, (client_id, client_secret) in clients.items():
            self._store(f"clients/{provider}", {"clientId": client_id, "clientSecret": client_secret})
        names = [f"customers/{number}/{REAL if number % 2 else IMITATED}" for number in range(1, SIZE + 1)]
        for name in names:
            provider = name.rpartition("/")[2]
            tokens = (self.real if provider == REAL else self.imitation).authorize()
            if name == LEFT:
                self.real.revoke(tokens["refresh_token"])
            document = {
                "provider": provider,
                "accessToken": tokens["access_token"],
                "refreshToken": tokens["refresh_token"],
                "expiresAt": round((time.time() + 300) * 1000),
                **({"realmId": f"10{name.split('/')[1]}"} if provider == REAL else {}),
            }
            self._store(name, document)
        self.real.choose("107")
        (self.folder / "customers.txt").write_text("\n".join(names) + "\n")

    def _store(self, name: str, document: dict[str, Any]) -> None:
        what = {"Name": name, "ClientRequestToken": str(uuid.uuid4()), "SecretString": json.dumps(document)}
        self.store.call("CreateSecret", what)

    def _run_fleet(self) -> subprocess.Popen[bytes]:
        """Start dispatcher, worker and resync in a process of their own; its log is in the folder."""
        settings = SETTINGS | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with (self.folder / "worker.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "demos.customers_fleet"],
                env=dict(os.environ) | self.exports | settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _refused(call: Call) -> str | None:
    """Let the service of one customer do what its policy allows; an operator may do everything."""
    if call.access_key_id != SERVICE:
        return None
    asked = Ask(action=f"secretsmanager:{call.operation}", resource=call.arn or "")
    return None if IamPolicy(statements=RIGHTS).allows(asked) else "no policy of the service allows it"


def profile_at(name: str, token_endpoint: str, page: str | None = None) -> str:
    """Return a provider's own profile with the addresses of a server here."""
    text = (PROFILES / f"{name}.toml").read_text()
    text = re.sub(r'^token_endpoint = ".*"$', f'token_endpoint = "{token_endpoint}"', text, flags=re.MULTILINE)
    return text if page is None else re.sub(r'^endpoint = ".*"$', f'endpoint = "{page}"', text, flags=re.MULTILINE)


def main(arguments: Sequence[str]) -> int:
    """Serve until interrupted."""
    argparse.ArgumentParser(
        prog="scripts/demo customers", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(arguments)
    with Scene() as scene:
        lines = [
            "# Paste this into another shell, and follow docs/customers.md there; what it needs is in this folder.",
            f"# The fleet's log: {scene.folder / 'worker.log'}",
            "unset AWS_PROFILE $(env | sed -n 's/^\\(AWS_[A-Za-z0-9_]*\\)=.*/\\1/p')",
            f". {shlex.quote(str(_ROOT / '.venv' / 'bin' / 'activate'))}",
            *(f"export {name}={shlex.quote(value)}" for name, value in sorted(scene.exports.items())),
            f"cp -r {shlex.quote(str(_ROOT / 'examples'))} {shlex.quote(str(scene.folder))}",
            f"cd {shlex.quote(str(scene.folder))}",
            "",
        ]
        print("\n".join(lines), flush=True)
        threading.Event().wait()
    return 0

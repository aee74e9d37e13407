"""Where the demo plays: a Secrets Manager, an authorization server, and the worker's function between them."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import boto3

from testbed.aws_lambda.function import HANDLER, Function
from testbed.gate import Gate
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.moto_server import MotoServer

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_SECRET_ID = "upwork-oauth-tokens"  # noqa: S105 - a name
CLIENT_SECRET_ID = "upwork-client"  # noqa: S105 - a name
_AWS = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_REGION": "us-east-1"}
_DRAFT = "DRAFT"
_KINDS = {"refreshToken": "token set", "nonce": "claim", "outcome": "record"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the token secret, without its value."""

    version_id: str
    kind: str
    """`token set`, `claim` or `record`."""
    labels: frozenset[str]

    @property
    def short_id(self) -> str:
        """As much of the ID as tells it apart."""
        return self.version_id[:8]


class World:
    """Everything that the demo starts, for as long as the `with` block lasts."""

    def __init__(self, handler: str = HANDLER) -> None:
        self._handler = handler
        self._started = contextlib.ExitStack()
        self._versions: dict[str, str] = {}
        self.provider = AuthorizationServer()
        self.secrets: set[str] = set()
        """Every token and client secret that there ever was: what must show nowhere."""

    def __enter__(self) -> Self:
        """Start the servers, both at once, and register the client's credentials."""
        with contextlib.ExitStack() as starting:
            moto = MotoServer()
            for child in (moto, self.provider):
                child.start()
                starting.callback(child.close)
            moto.wait_until_ready()
            self.gate = starting.enter_context(Gate(moto.url))
            self.store = boto3.client(
                "secretsmanager",
                endpoint_url=moto.url,
                region_name=_AWS["AWS_REGION"],
                aws_access_key_id=_AWS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=_AWS["AWS_SECRET_ACCESS_KEY"],
            )
            self.provider.wait_until_ready()
            client_id, client_secret = self.provider.client()
            self.secrets.add(client_secret)
            client = {"clientId": client_id, "clientSecret": client_secret}
            self.store.create_secret(Name=CLIENT_SECRET_ID, SecretString=json.dumps(client))
            self.store.create_secret(Name=TOKEN_SECRET_ID)
            self._started = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """End every process that was started."""
        self._started.close()

    def function(self) -> Function:
        """Describe a function process; the caller starts it."""
        environment = _AWS | {
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.gate.url,
            "PROVIDER": "upwork",
            "TOKEN_ENDPOINT": self.provider.token_endpoint,
            "TOKEN_SECRET_ID": TOKEN_SECRET_ID,
            "CLIENT_SECRET_ID": CLIENT_SECRET_ID,
        }
        return Function(environment, handler=self._handler)

    def authorize(self) -> None:
        """Do what a person does with a browser: authorize, and store the token set as a new version."""
        response = self.provider.authorize()
        now_ms = time.time_ns() // 1_000_000
        self._put(
            {
                "accessToken": response["access_token"],
                "refreshToken": response["refresh_token"],
                "issuedAt": now_ms,
                "expiresAt": now_ms + response["expires_in"] * 1000,
                "team": "billing",
            }
        )

    def let_hours_pass(self, hours: int) -> None:
        """Turn the stored times back, in a new version as an operator would write it."""
        document = self.current_document()
        self._put(document | {name: document[name] - hours * 3_600_000 for name in ("issuedAt", "expiresAt")})

    def current_document(self) -> dict[str, Any]:
        """Read what consumers read."""
        # moto needs the label to be named: without one it gives the version that was current before a promotion.
        value = self.store.get_secret_value(SecretId=TOKEN_SECRET_ID, VersionStage="AWSCURRENT")["SecretString"]
        document: dict[str, Any] = json.loads(value)
        return document

    def versions(self) -> Mapping[str, Version]:
        """Read all versions of the token secret, oldest first, and remember their tokens as secrets."""
        listed = self.store.list_secret_version_ids(SecretId=TOKEN_SECRET_ID, IncludeDeprecated=True)["Versions"]
        for version in sorted(listed, key=lambda version: version["CreatedDate"]):
            if version["VersionId"] not in self._versions:
                self._versions[version["VersionId"]] = self._learn(version["VersionId"])
        labels = {version["VersionId"]: frozenset(version.get("VersionStages", ())) for version in listed}
        return {
            version_id: Version(version_id=version_id, kind=kind, labels=labels.get(version_id, frozenset()))
            for version_id, kind in self._versions.items()
        }

    def refresh_requests(self) -> int:
        """Count the refresh requests that the authorization server has answered, well or badly."""
        return sum(request.grant_type == "refresh_token" for request in self.provider.requests())

    def grant_lives(self) -> bool:
        """Tell whether the refresh token that is stored is the one that the authorization server counts on."""
        return self.provider.accepts(self.current_document()["refreshToken"])

    def _put(self, document: dict[str, Any]) -> None:
        """Store a token set and make it current, by hand."""
        value = {"SecretId": TOKEN_SECRET_ID, "SecretString": json.dumps(document)}
        current = self._labelled("AWSCURRENT")
        if current is None:
            self.store.put_secret_value(**value)
            return
        # By a label of its own, since moto's plain put leaves AWSCURRENT on two versions once it was ever moved.
        stored = self.store.put_secret_value(**value, VersionStages=[_DRAFT])["VersionId"]
        for label, move in (
            ("AWSCURRENT", {"MoveToVersionId": stored, "RemoveFromVersionId": current}),
            (_DRAFT, {"RemoveFromVersionId": stored}),
        ):
            self.store.update_secret_version_stage(SecretId=TOKEN_SECRET_ID, VersionStage=label, **move)

    def _labelled(self, label: str) -> str | None:
        versions = self.versions().values()
        return next((version.version_id for version in versions if label in version.labels), None)

    def _learn(self, version_id: str) -> str:
        value = self.store.get_secret_value(SecretId=TOKEN_SECRET_ID, VersionId=version_id)["SecretString"]
        document = json.loads(value)
        self.secrets |= {document[name] for name in ("accessToken", "refreshToken") if name in document}
        return next((kind for name, kind in _KINDS.items() if name in document), "other")

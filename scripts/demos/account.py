"""What the demo runs on: a Secrets Manager, an authorization server, and the worker's function between them."""

import contextlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from testbed.aws_lambda.function import HANDLER, Function
from testbed.provider.authorization_server import AuthorizationServer
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh_worker.stored.tags import LOGICAL_ID_TAG, STACK_TAG, StackResource

TOKEN_SECRET_ID = "upwork-oauth-tokens"  # noqa: S105 - a name
PUBLISHED_SECRET_ID = "upwork-oauth-tokens-published"  # noqa: S105 - a name
CLIENT_SECRET_ID = "upwork-client"  # noqa: S105 - a name
FUNCTION_NAME = "token-refresh-prod"
STACK = f"arn:aws:cloudformation:eu-central-1:123456789012:stack/{FUNCTION_NAME}/made-up"
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


class Account:
    """An AWS account with the token secret, and its provider, for as long as the `with` block lasts."""

    def __init__(
        self, handler: str = HANDLER, *, as_deployed: bool = False, grace_seconds: int = 86_400, rotates: bool = True
    ) -> None:
        """Describe the account.

        Args:
            handler: The function's handler.
            as_deployed: Whether the secrets are those of the default deployment: the client credentials stand beside
                the tokens, and a copy is published. Otherwise the credentials have a secret of their own.
            grace_seconds: How long a used refresh token is still good; as at Upwork, if nothing is said. 0: not at all.
            rotates: Whether a refresh returns a new refresh token.
        """
        self._handler = handler
        self._client: dict[str, str] = {}
        self._as_deployed = as_deployed
        self._started = contextlib.ExitStack()
        self._versions: dict[str, str] = {}
        self._grace_seconds = grace_seconds
        self.provider = AuthorizationServer(grace_seconds=grace_seconds, rotates=rotates)
        self.store = SecretsManagerServer()
        self.secrets: set[str] = set()
        """Every token and client secret that there ever was: what must be printed nowhere."""

    def __enter__(self) -> Self:
        """Start the servers, and register the client's credentials."""
        with contextlib.ExitStack() as starting:
            starting.enter_context(self.provider)
            starting.enter_context(self.store)
            client_id, client_secret = self.provider.client()
            self.secrets.add(client_secret)
            self._client = {"clientId": client_id, "clientSecret": client_secret}
            if self._as_deployed:
                self._create(TOKEN_SECRET_ID, None, {"function": FUNCTION_NAME, "published": PUBLISHED_SECRET_ID})
                self._create(PUBLISHED_SECRET_ID, None, {"published-from": TOKEN_SECRET_ID})
            else:
                self._create(TOKEN_SECRET_ID, None)
                self._create(CLIENT_SECRET_ID, self._client)
            self._started = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """End everything that was started."""
        self._started.close()

    @property
    def environment(self) -> dict[str, str]:
        """What leads the function, and the command line, to these servers."""
        return self.store.environment | self.settings

    @property
    def settings(self) -> dict[str, str]:
        """What a deployment sets."""
        published, apart = {"PUBLISHED_SECRET_ID": PUBLISHED_SECRET_ID}, {"CLIENT_SECRET_ID": CLIENT_SECRET_ID}
        return (published if self._as_deployed else apart) | {
            "PROVIDER": "upwork",
            "TOKEN_ENDPOINT": self.provider.token_endpoint,
            "TOKEN_SECRET_ID": TOKEN_SECRET_ID,
            "REPLAY_GRACE_SECONDS": str(self._grace_seconds),
        }

    def function(self, handler: str | None = None) -> Function:
        """Describe a function process, with another handler if you name one; the caller starts it."""
        environment = self.environment | {"AWS_LAMBDA_FUNCTION_NAME": FUNCTION_NAME}
        return Function(environment, handler=handler or self._handler)

    def authorize(self) -> None:
        """Do what a person does with a browser: authorize, and store the token set as a new version."""
        response = self.provider.authorize()
        now_ms = int(self.store.now() * 1000)
        self.store_document(
            {
                "accessToken": response["access_token"],
                "refreshToken": response["refresh_token"],
                "issuedAt": now_ms,
                "expiresAt": now_ms + response["expires_in"] * 1000,
                "team": "billing",
            }
            | (self._client if self._as_deployed else {}),
        )

    def begin_anew(self) -> None:
        """Revoke every grant, make the token secret anew, and authorize."""
        self.provider.revoke()
        self.store.call("DeleteSecret", {"SecretId": TOKEN_SECRET_ID, "ForceDeleteWithoutRecovery": True})
        self._create(TOKEN_SECRET_ID, None)
        self.authorize()

    def let_hours_pass(self, hours: int) -> None:
        """Move the clocks of Secrets Manager, the one that the worker goes by, and of the provider."""
        self.store.clock_offset_seconds += hours * 3600
        self.provider.let_pass(hours * 3600)

    def current_document(self) -> dict[str, Any]:
        """Read what consumers read."""
        return self._document()

    def _document(self, version_id: str | None = None) -> dict[str, Any]:
        named = {"VersionId": version_id} if version_id else {}
        value = self.store.call("GetSecretValue", {"SecretId": TOKEN_SECRET_ID, **named})["SecretString"]
        document: dict[str, Any] = json.loads(value)
        return document

    def versions(self) -> Mapping[str, Version]:
        """Read all versions of the token secret, oldest first, and remember their tokens as secrets."""
        secret = self.store.secrets.find(TOKEN_SECRET_ID)
        if secret is None:
            return {}
        found = {}
        for version in secret.versions:
            version_id = version.version_id
            if version_id not in self._versions:
                self._versions[version_id] = self._learn(str(version.value))
            labels = frozenset(secret.labels_of(version_id))
            found[version_id] = Version(version_id=version_id, kind=self._versions[version_id], labels=labels)
        return found

    def refresh_requests(self) -> int:
        """Count the refresh requests that the authorization server has received."""
        return sum(request.grant_type == "refresh_token" for request in self.provider.requests())

    def rejected_requests(self) -> int:
        """Count those that the authorization server has rejected."""
        return sum(r.grant_type == "refresh_token" and r.error is not None for r in self.provider.requests())

    def api_status(self) -> int:
        """Return what the API says to a service that reads the token now."""
        return self.provider.api_status(self.current_document()["accessToken"])

    def grant_lives(self) -> bool:
        """Whether the authorization server accepts the refresh token that is stored."""
        return self.provider.accepts(self.current_document()["refreshToken"])

    def take_unread_tokens(self) -> bool:
        """Store live tokens that stand in an unread response, as a person does by hand; tell whether there were any."""
        for version_id in reversed([*self.versions()]):
            words = re.findall(r"[A-Za-z0-9]{30,}", str(self._document(version_id).get("unread")))
            for refresh_token in filter(self.provider.accepts, words):
                (access_token,) = {*words} - {refresh_token}
                tokens = {"accessToken": access_token, "refreshToken": refresh_token}
                self.store_document(self.current_document() | tokens)
                return True
        return False

    def live_version(self) -> str | None:
        """Find a version of the token secret with a refresh token that the authorization server accepts."""
        for version_id, version in reversed([*self.versions().items()]):
            if version.kind == "token set" and self.provider.accepts(self._document(version_id)["refreshToken"]):
                return version_id
        return None

    def make_current(self, version_id: str) -> None:
        """Move AWSCURRENT, as `aws secretsmanager update-secret-version-stage` does."""
        (current,) = [v.version_id for v in self.versions().values() if "AWSCURRENT" in v.labels]
        move = {"MoveToVersionId": version_id, "RemoveFromVersionId": current}
        self.store.call("UpdateSecretVersionStage", {"SecretId": TOKEN_SECRET_ID, "VersionStage": "AWSCURRENT", **move})

    def _create(self, name: str, value: dict[str, str] | None, named: Mapping[str, str] | None = None) -> None:
        text = {} if value is None else {"SecretString": json.dumps(value)}
        ours = {f"token-refresh:{key}": other for key, other in (named or {}).items()}
        made = {STACK_TAG: STACK, LOGICAL_ID_TAG: StackResource.TOKENS} if "function" in (named or {}) else {}
        tags = ours | made
        tagged = [{"Key": key, "Value": other} for key, other in tags.items()]
        self.store.call("CreateSecret", {"Name": name, "ClientRequestToken": str(uuid.uuid4()), "Tags": tagged, **text})

    def store_document(self, document: Mapping[str, Any]) -> None:
        """Store a document as a new version of the token secret, as a person or another job does."""
        value = {"ClientRequestToken": str(uuid.uuid4()), "SecretString": json.dumps(document)}
        self.store.call("PutSecretValue", {"SecretId": TOKEN_SECRET_ID, **value})

    def _learn(self, value: str) -> str:
        document = json.loads(value)
        self.secrets |= {document[name] for name in ("accessToken", "refreshToken") if name in document}
        return next((kind for name, kind in _KINDS.items() if name in document), "other")

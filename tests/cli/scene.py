"""What the command line's tests share: how a command ended, and the token secret by its owner's hand."""

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from testbed.aws.faults import Call
from testbed.provider.token_endpoint import TokenEndpoint
from testbed.secrets_manager.server import SecretsManagerServer
from token_refresh.secret_value import SecretValue
from token_refresh_worker.core.attempts import fingerprint_of
from token_refresh_worker.core.claims import Claim, write_claim
from token_refresh_worker.core.versions import claim_version_id

SECRET_ID = "upwork-oauth-tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a command came to, as its caller sees it."""

    code: int
    out: str
    err: str

    @property
    def screen(self) -> str:
        """All output, as running text: where lines break is not what a test is about."""
        return " ".join(f"{self.out} {self.err}".split())

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ended]


def grades(ended: Ended) -> dict[str, str]:
    return {check["name"]: check["grade"] for check in ended.json["checks"]}


class Tokens:
    """The token secret, by its owner's hand."""

    def __init__(self, store: SecretsManagerServer, endpoint: TokenEndpoint) -> None:
        self._client = store.client()
        self._endpoint = endpoint

    def store(self, *, expires_in: timedelta = timedelta(hours=1), **changes: Any) -> str:
        """Store a new token set, as its secret's first version or its next; give the version ID."""
        issued = self._endpoint.grant.authorize()
        document = {
            "accessToken": issued["access_token"],
            "refreshToken": issued["refresh_token"],
            "expiresAt": int((datetime.now(UTC) + expires_in).timestamp() * 1000),
            "clientId": self._endpoint.client_id,
            "clientSecret": self._endpoint.client_secret,
        } | changes
        return self.put({name: value for name, value in document.items() if value is not None})

    def put(self, document: object, **members: Any) -> str:
        """Store any value."""
        text = document if isinstance(document, str) else json.dumps(document)
        try:
            return str(self._client.put_secret_value(SecretId=SECRET_ID, SecretString=text, **members)["VersionId"])
        except self._client.exceptions.ResourceNotFoundException:
            return str(self._client.create_secret(Name=SECRET_ID, SecretString=text, **members)["VersionId"])

    def current(self) -> dict[str, Any]:
        """Return the current token document."""
        value: dict[str, Any] = json.loads(
            self._client.get_secret_value(SecretId=SECRET_ID, VersionStage="AWSCURRENT")["SecretString"]
        )
        return value


def secret_values(store: SecretsManagerServer) -> set[str]:
    """Return every token and client secret in any version that is long enough to be one."""
    found: set[str] = set()
    for version in (version for secret in store.secrets.snapshot() for version in secret.versions):
        with contextlib.suppress(ValueError, AttributeError):  # No JSON object.
            fields = json.loads(str(version.value)).items()
            found |= {str(value) for name, value in fields if re.search("token$|secret$", name, re.IGNORECASE)}
    return {value for value in found if len(value) > 16}


def claim(store: SecretsManagerServer, version_id: str) -> None:
    """Leave a claim as a run does that is under way, or died."""
    current = json.loads(store.client().get_secret_value(SecretId=SECRET_ID, VersionId=version_id)["SecretString"])
    claimed = Claim(
        claim_id=claim_version_id(None),
        version_id=version_id,
        attempt_number=1,
        fingerprint=fingerprint_of(SecretValue(current["refreshToken"])),
        nonce="nonce",
        claimed_at=datetime.now(UTC),
        time_to_live=timedelta(seconds=120),
        earlier=(),
        number=1,
    )
    store.client().put_secret_value(
        SecretId=SECRET_ID,
        ClientRequestToken=claimed.claim_id,
        SecretString=write_claim(claimed).reveal(),
        VersionStages=["REFRESH_CLAIM"],
    )


def meanwhile(store: SecretsManagerServer, act: Callable[[], object]) -> None:
    """Act once, just before a command stores its first version."""
    acted = False

    def hook(when: str, call: Call) -> None:
        nonlocal acted
        if (when, call.operation, acted) == ("before", "PutSecretValue", False):
            acted = True
            act()

    store.on_call = hook

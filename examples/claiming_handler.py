"""A refresh handler with a claim: the idea of token-refresh-worker on one page. `scripts/demo` plays it.

1. Claim: before a run sends the refresh token, it stores a version of the secret whose ID derives from the token set.
   Secrets Manager refuses a second version of that ID. So one run sends the token, and later runs know that it did.
2. Stage: the new tokens become a version whose ID derives likewise. A run that finds it goes on from there.
3. Swap: AWSCURRENT moves to it from the version that the run has read, or not at all.

It does not survive a response that dies with its process or a gateway: where a token works once, nothing does. It has
no commands, no alarms, no copy for readers. Deploy it hourly, with a limit of two minutes and an alarm on its errors.
"""

import json
import os
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import httpx
import structlog
from tenacity import retry, stop_after_delay, wait_random_exponential

SECRET = os.environ["TOKEN_SECRET_ID"]
GRACE = timedelta(seconds=int(os.environ["REPLAY_GRACE_SECONDS"]))  # how long the provider accepts a used refresh token
DUE = timedelta(hours=8)  # before the access token expires
OPEN = timedelta(minutes=10)  # a run of two minutes, and reads that may be minutes old
PAUSE = timedelta(minutes=50)  # between attempts: each takes two of the 100 versions that a day has room for
ROOM = 97  # versions of a day: a claim, the new tokens and an edited copy of them come on top
secrets = boto3.client("secretsmanager", region_name=os.environ["AWS_REGION"])
http = httpx.Client(timeout=30, transport=httpx.HTTPTransport(retries=2))  # connects again, and never sends again
structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()])


@dataclass(frozen=True, slots=True, repr=False)
class Version:
    """A version of the secret: a token set, a claim, or what became of one."""

    version_id: str
    value: dict[str, Any]
    read_at: datetime
    age: timedelta

    def id_of(self, role: str, attempt: int = 1) -> str:
        """Derive an ID from this token set; a copy has the same."""
        tokens = self.value["accessToken"], self.value["refreshToken"]
        return str(uuid.uuid5(uuid.NAMESPACE_OID, repr((role, attempt, tokens))))


def handler(event: dict[str, object], _context: object) -> dict[str, str]:
    """Refresh the tokens if they are due, or at once with `force`."""
    outcome = refresh(forced=bool(event.get("force")))
    structlog.get_logger().info("token_refresh_finished", outcome=outcome)
    return {"outcome": outcome}


def refresh(*, forced: bool) -> str:
    """Make newer tokens current where they are stored; else claim, redeem, stage and swap."""
    if not (current := find(VersionStage="AWSCURRENT")):
        raise RuntimeError("the secret has no value: authorize first")
    lifetime_left = datetime.fromtimestamp((expires_at := current.value["expiresAt"]) / 1000, UTC) - current.read_at
    if not forced and lifetime_left > DUE:
        return "fresh"
    newest, attempts = current, attempts_on(current)
    while staged := [r for _, r in attempts if r and "expiresAt" in r.value and r.id_of("") != newest.id_of("")]:
        newest, attempts = staged[-1], attempts_on(staged[-1])
    if newest is not current:
        return swap(current, newest, "recovered")
    stored = find(VersionStage="NEWEST_TOKENS") or current  # AWS removes old claims, some 50 refreshes later
    if stored.value["refreshToken"] != current.value["refreshToken"] and stored.value["expiresAt"] > expires_at:
        raise RuntimeError(f"newer tokens are stored: make version {stored.version_id} current, or authorize again")
    unread = [r.version_id for _, r in attempts if r and "unread" in r.value]  # a person takes the tokens out of it
    unknown = [claim.age for claim, result in attempts if result is None or "unread" in result.value]
    if any(age < OPEN for age in unknown) or (attempts and attempts[-1][0].age < PAUSE and not forced):
        return "yielded"
    if unknown and unknown[0] > GRACE and (unread or lifetime_left > DUE / 4):
        raise RuntimeError(f"the refresh token may be used: wait for a last attempt, or authorize again ({unread=})")
    return redeem(current, len(attempts) + 1)


def attempts_on(tokens: Version) -> list[tuple[Version, Version | None]]:
    """Read the claims on a token set, each with its result."""
    attempts: list[tuple[Version, Version | None]] = []
    while claim := find(VersionId=tokens.id_of("claim", len(attempts) + 1)):
        attempts.append((claim, find(VersionId=tokens.id_of("result", len(attempts) + 1))))
    return attempts


def redeem(current: Version, attempt: int) -> str:
    """Claim, send the refresh token, and store what comes back before anything else."""
    client = json.loads(secrets.get_secret_value(SecretId=os.environ["CLIENT_SECRET_ID"])["SecretString"])
    form = {"client_id": client["clientId"], "client_secret": client["clientSecret"]}
    form |= {"grant_type": "refresh_token", "refresh_token": current.value["refreshToken"]}
    listed = secrets.list_secret_version_ids(SecretId=SECRET, IncludeDeprecated=True, MaxResults=100)["Versions"]
    if sum(current.read_at - version["CreatedDate"] < timedelta(days=1) for version in listed) > ROOM:
        raise RuntimeError("the secret has no room for a claim and new tokens: see who writes so many")
    if not put(current.id_of("claim", attempt), {"claim": str(uuid.uuid4())}):
        return "yielded"  # another run was faster
    result = current.id_of("result", attempt)
    try:
        response = http.post(os.environ["TOKEN_ENDPOINT"], data=form)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        put(result, {"error": "no connection"})
        raise
    if response.is_client_error and response.status_code != httpx.codes.REQUEST_TIMEOUT:
        put(result, {"error": f"HTTP {response.status_code}"})
    try:
        received = response.raise_for_status().json()
        expires_at = current.read_at + timedelta(seconds=float(received.get("expires_in") or 3600))
        tokens = {"accessToken": received["access_token"], "expiresAt": int(expires_at.timestamp() * 1000)}
        tokens["refreshToken"] = received.get("refresh_token") or form["refresh_token"]
    except (AttributeError, KeyError, TypeError, ValueError):
        put(result, {"unread": response.text})
        raise RuntimeError(f"the response can't be read: take the tokens out of version {result}") from None
    refreshed = replace(current, version_id=result, value=current.value | tokens)
    put(result, refreshed.value, "NEWEST_TOKENS")
    return swap(current, refreshed, "refreshed")


def swap(current: Version, newest: Version, outcome: str) -> str:
    """Make stored tokens current, with what was edited beside the old ones."""
    value = current.value | {name: newest.value[name] for name in ("accessToken", "refreshToken", "expiresAt")}
    version_id = newest.version_id
    if value != newest.value:
        put(version_id := newest.id_of(current.version_id), value, "NEWEST_TOKENS")
    move = {"MoveToVersionId": version_id, "RemoveFromVersionId": current.version_id}
    secrets.update_secret_version_stage(SecretId=SECRET, VersionStage="AWSCURRENT", **move)
    return outcome


def find(**which: str) -> Version | None:
    """Read a version, if it is there."""
    try:
        found = secrets.get_secret_value(SecretId=SECRET, **which)
    except secrets.exceptions.ResourceNotFoundException:
        return None
    read_at = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])  # AWS's clock, as CreatedDate
    return Version(found["VersionId"], json.loads(found["SecretString"]), read_at, read_at - found["CreatedDate"])


@retry(stop=stop_after_delay(40), wait=wait_random_exponential(0.2, max=5), reraise=True)
def put(version_id: str, value: dict[str, Any], label: str = "CLAIM") -> bool:
    """Store a version beside the current one, unless its ID is taken."""
    version = {"ClientRequestToken": version_id, "SecretString": json.dumps(value)}
    try:
        secrets.put_secret_value(SecretId=SECRET, VersionStages=[label], **version)
    except secrets.exceptions.ResourceExistsException:
        return False
    return True

"""Checks of the way to the secret, of what is in it, and of what the caller may do with it."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from token_refresh.aws.secrets_manager import code_of, refused
from token_refresh.bootstrap import environment, find_credentials
from token_refresh.cli.aws import client
from token_refresh.cli.checks import Check, Grade, Unasked, ask, asks_all_of_aws
from token_refresh.cli.clock import skew
from token_refresh.cli.health import Health, examine
from token_refresh.cli.screen import relative, span, when
from token_refresh.cli.state import State, open_store
from token_refresh.config import Settings
from token_refresh.core.versions import CURRENT
from token_refresh.errors import TokenRefreshError

_ONE_TRY: Final = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1, "mode": "standard"})
_SIGNATURE_TOLERANCE: Final = timedelta(minutes=5)
_NOTICEABLE: Final = timedelta(seconds=30)
_PROBE_LABEL: Final = "REFRESH_PROBE"


def check_region(region: str) -> Check:
    """Say which region is asked, and who says so."""
    given = environment()
    source = (
        "the environment or --region" if given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") else "the profile"
    )
    return Check(name="region", grade=Grade.OK, text=f"{region}, from {source}")


def check_caller() -> Check:
    """Say as whom AWS knows the caller."""
    name = "credentials"
    if not asks_all_of_aws():
        text = "not asked: Secrets Manager stands alone at AWS_ENDPOINT_URL_SECRETS_MANAGER"
        return Check(name=name, grade=Grade.SKIPPED, text=text)
    try:
        caller = ask(client("sts").get_caller_identity)
    except Unasked as why:
        return Check(
            name=name,
            grade=Grade.FAILED,
            text=f"AWS does not know the caller ({why})",
            remedy="set up credentials (aws configure, aws sso login) or give --profile",
        )
    return Check(name=name, grade=Grade.OK, text=str(caller["Arn"]))


def check_clock(secret_id: str) -> Check:
    """Compare this machine's clock with the service's."""
    ahead = skew(secret_id)
    if abs(ahead) > _SIGNATURE_TOLERANCE:
        grade, remedy = Grade.FAILED, "set this machine's clock (NTP): AWS refuses requests that are off by 5 minutes"
    elif abs(ahead) > _NOTICEABLE:
        grade, remedy = Grade.LOOK, "set this machine's clock (NTP)"
    else:
        return Check(name="clock", grade=Grade.OK, text="agrees with Secrets Manager's")
    return Check(
        name="clock", grade=grade, text=f"Secrets Manager's is {span(ahead)} off this machine's", remedy=remedy
    )


def explain_unreadable(secret_id: str, region: str, failure: TokenRefreshError) -> Check:
    """Say why the secret can't be read; where it is not found, whether it is in another region."""
    text = f"{type(failure).__name__}: {failure}"
    remedy = None
    if type(failure).__name__ == "SecretNotFound" and not secret_id.startswith("arn:"):
        elsewhere = find_elsewhere(secret_id, region)
        if elsewhere:
            text = f"wrong region: {secret_id} is not in {region}, and is in {', '.join(elsewhere)}"
            remedy = f"give --region {elsewhere[0]}, and set AWS_REGION to it where the consumers run"
        else:
            remedy = (
                "check its name; it is in no other region that could be asked. Create it with token-refresh authorize"
            )
    return Check(name="secret", grade=Grade.FAILED, text=text, remedy=remedy)


def find_elsewhere(secret_id: str, region: str) -> list[str]:
    """Look for a secret of that name in the other regions."""
    session = botocore.session.get_session()
    regions = [name for name in session.get_available_regions("secretsmanager") if name != region]
    clients = [session.create_client("secretsmanager", region_name=name, config=_ONE_TRY) for name in regions]
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = list(pool.map(lambda service: _has(service, secret_id), clients))
    return [name for name, there in zip(regions, found, strict=True) if there]


def _has(service: Any, secret_id: str) -> bool:
    try:
        service.describe_secret(SecretId=secret_id)
    except (ClientError, BotoCoreError):
        return False
    return True


def check_document(state: State) -> Check:
    """Say that the secret is there, readable and a token document."""
    text = f"{state.secret_id}: a token document, version {state.snapshot.current.version_id}"
    return Check(name="secret", grade=Grade.OK, text=text)


def check_state(state: State) -> list[Check]:
    """Say what `status` says."""
    findings = examine(state)
    if not findings:
        left = "" if state.left is None else f", the access token lives for another {span(state.left)}"
        return [Check(name="tokens", grade=Grade.OK, text=f"healthy{left}")]
    grades = {Health.ATTENTION: Grade.LOOK, Health.BROKEN: Grade.FAILED}
    return [Check(name="tokens", grade=grades[f.health], text=f.text, remedy=f.remedy) for f in findings]


def check_last_run(state: State) -> Check:
    """Say when a run last acted; a run that finds nothing due leaves no version behind."""
    if not state.attempts:
        text = "no run has refreshed this secret yet (one that finds nothing due leaves no trace in the secret)"
        return Check(
            name="last refresh", grade=Grade.LOOK, text=text, remedy="try one: token-refresh refresh --dry-run"
        )
    last = state.attempts[0]
    text = f"{relative(last.claimed_at - state.snapshot.now)}: {last.result.value.replace('_', ' ')}"
    return Check(name="last refresh", grade=Grade.OK, text=text)


def check_credentials(state: State, settings: Settings) -> Check:
    """Say whether there are client credentials where the function looks for them."""
    try:
        found = find_credentials(state.document, settings=settings, secret=open_store)
    except TokenRefreshError as failure:
        return Check(
            name="client credentials",
            grade=Grade.FAILED,
            text=str(failure),
            remedy="store them: token-refresh authorize --client-id ID",
        )
    return Check(name="client credentials", grade=Grade.OK, text=f"found, for client {found.client_id}")


def check_permissions(state: State) -> Check:
    """Try, without harm, what a run does: each request is one that Secrets Manager refuses for another reason.

    A version can't be overwritten, and a label is not moved from where it is not: so what comes back is either that
    refusal, or that the caller may not.
    """
    service, current = client("secretsmanager"), state.snapshot.current.version_id
    probes = {
        "PutSecretValue": lambda: service.put_secret_value(
            SecretId=state.secret_id, ClientRequestToken=current, SecretString="{}", VersionStages=[_PROBE_LABEL]
        ),
        "UpdateSecretVersionStage": lambda: service.update_secret_version_stage(
            SecretId=state.secret_id,
            VersionStage=CURRENT,
            MoveToVersionId=current,
            RemoveFromVersionId=str(uuid.uuid4()),
        ),
    }
    denied = [f"{action} ({why})" for action, probe in probes.items() if (why := _denied(probe))]
    if denied:
        return Check(
            name="your permissions",
            grade=Grade.LOOK,
            text=f"access denied, by trying: {', '.join(denied)}",
            remedy="the function has a role of its own (--function NAME checks it); you need these for refresh, "
            "authorize and restore: secretsmanager:PutSecretValue and UpdateSecretVersionStage on the secret's ARN",
        )
    return Check(name="your permissions", grade=Grade.OK, text="read, put and move labels, by trying without harm")


def _denied(probe: Any) -> str | None:
    try:
        probe()
    except ClientError as error:
        harmless = code_of(error) == "ResourceExistsException" or refused(error)
        return None if harmless else code_of(error)
    except BotoCoreError as error:
        return code_of(error)
    return None


def check_consumer(state: State, seen: str | None) -> Check:
    """Say whether a consumer that reports a version ID has the current tokens."""
    name, current = "consumers", state.snapshot.current.version_id
    since = f"version {current} is current since {when(state.stored_at)}"
    if seen is None:
        text = f"{since}; a consumer that still sees another one has a cache that does not update"
        return Check(name=name, grade=Grade.OK, text=f"{text} (--consumer-version ID checks one)")
    if seen == current:
        return Check(name=name, grade=Grade.OK, text="that consumer has the current version")
    older = open_store(state.secret_id).read(version_id=seen)
    if older is None:
        return Check(
            name=name,
            grade=Grade.FAILED,
            text=f"version {seen} is none of this secret's: the consumer reads another secret, or in another region",
            remedy="compare its secret name and AWS_REGION with those above",
        )
    return Check(
        name=name,
        grade=Grade.FAILED,
        text=f"a cache that does not update: {since}, and the consumer has one of {when(older.created_at)}",
        remedy="have it read with token_refresh.reader, which knows the expiry; or lower its cache's time to live "
        f"below the refresh window ({span(state.policy.refresh_window)}), and read again after a 401",
    )

"""Try what a run does with the secret, with writes that can't touch a token set.

The probe is a version with a fixed ID, its own label and no token. To store it again changes nothing, and to move its
label from a version that does not exist is refused. Even a store that follows no rule of Secrets Manager would write
to the probe alone. The current version is read afterwards all the same.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from token_refresh.aws.calls import CallFailed, anything
from token_refresh.aws.causes import FailedCall
from token_refresh.errors import TokenRefreshError
from token_refresh_worker.adapters.secrets_manager import swap_refused
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.cli.secret.state import SecretState
from token_refresh_worker.cli.secret.storing import PROBE_VERSION_ID
from token_refresh_worker.core.versions import CURRENT

PROBE_LABEL: Final = "REFRESH_PROBE"


def check_permissions(state: SecretState) -> Finding:
    """Try to read, to write and to move a label."""
    context = state.context
    if not context.at_aws:
        return Finding.unknown("writing not tried: Secrets Manager is not at AWS's own endpoint")
    probes: dict[str, dict[str, Any]] = {
        "PutSecretValue": {
            "ClientRequestToken": PROBE_VERSION_ID,
            "SecretString": '{"probe":"token-refresh doctor"}',
            "VersionStages": [PROBE_LABEL],
        },
        "UpdateSecretVersionStage": {
            "VersionStage": PROBE_LABEL,
            "MoveToVersionId": PROBE_VERSION_ID,
            "RemoveFromVersionId": str(uuid.uuid4()),  # No such version: allowed callers are refused for this alone.
        },
    }
    denied: list[str] = []
    failed: list[str] = []
    for action, members in probes.items():
        failure = _try(context, action, members)
        if failure is not None:
            (denied if failure.cause.is_denial else failed).append(f"{action} ({failure.code})")
        if not _unchanged(state):
            restore = context.command("restore", "--version", state.snapshot.current.version_id)
            changed = f"the current version changed during the probe of {action}"
            return Finding.broken(changed, "if no run made another version current: ", restore)
    if denied:
        return Finding.attention(
            f"access denied: {', '.join(denied)}",
            "the function has its own role (--function NAME checks it); for refresh, authorize and restore you need "
            "secretsmanager:PutSecretValue and secretsmanager:UpdateSecretVersionStage on the secret's ARN",
        )
    if failed:
        return Finding.unknown(f"not known: {', '.join(failed)}", "try again later")
    return Finding.healthy("read, write and move labels (tried with a version without a token)")


def _try(context: Context, action: str, members: Mapping[str, Any]) -> FailedCall | None:
    """Say how a probe failed; a refusal that only the store's rules can cause means that the caller may write."""
    try:
        context.call(action, context.secret_id, expected=anything, **members)
    except CallFailed as failed:
        return None if swap_refused(failed.failure) else failed.failure
    return None


def _unchanged(state: SecretState) -> bool:
    """Whether the current version is as it was before the probes."""
    try:
        now = state.context.store().read(label=CURRENT)
    except TokenRefreshError:
        return True  # Nothing suggests a change, and the next read will tell.
    return now is not None and now.version_id == state.snapshot.current.version_id

"""Checks of what is in the secret, and of whether a consumer has it."""

from token_refresh.errors import SecretStoreError, TokenRefreshError
from token_refresh.stored.spelling import CAMEL, SNAKE
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.cli.console.screen import ago, relative, span, when
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.check import failed
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.cli.secret.health import examine, explain_attempt
from token_refresh_worker.cli.secret.lookups import each_version
from token_refresh_worker.cli.secret.state import SecretState
from token_refresh_worker.cli.secret.storing import fields_of
from token_refresh_worker.run.credentials import find_credentials

_SHORTEST = 8
"""Characters of a version ID that identify it; `status` prints as many."""


def check_tokens(state: SecretState) -> list[Finding]:
    """Say what `status` says."""
    left = "" if state.left is None else f"; the access token expires in {span(state.left)}"
    ends_at = state.grant_ends_at
    ends = "" if ends_at is None else f"; the grant ends {relative(ends_at - state.snapshot.now)}"
    return examine(state) or [Finding.healthy(f"healthy{left}{ends}")]


def check_last_refresh(state: SecretState) -> Finding:
    """Say how the last attempt to refresh ended."""
    if not state.attempts:
        text = "no run has refreshed this secret yet (a run that finds nothing due stores nothing)"
        if state.due_at is not None and state.snapshot.now < state.due_at:
            return Finding.healthy(text)
        return Finding.attention(text, "try one: ", state.context.command("refresh", "--dry-run"))
    last = state.attempts[0]
    text = f"{ago(last.attempt.claimed_at, state.snapshot.now)}: {explain_attempt(last)}"
    if last.result.is_fine:
        return Finding.healthy(text)
    return Finding.attention(text, "what it means: ", state.context.command("status"))


def check_credentials(state: SecretState) -> Finding:
    """Say whether client credentials are where the function looks for them."""
    context = state.context
    try:
        found = find_credentials(state.document, settings=state.settings, secret=context.client_secret)
    except SecretStoreError as failure:
        return failed(failure)
    except TokenRefreshError as failure:
        return Finding.broken(failure.facts, "store them, which takes no consent: ", context.command("client"))
    return Finding.healthy(f"found, for client {found.client_id}")


def check_consumer(state: SecretState, reported: str | None) -> Finding:
    """Compare the version ID that a consumer reports, or its first characters, with the current one.

    Raises:
        TokenRefreshError: The versions can't be listed.
    """
    current = state.snapshot.current
    since = f"version {current.version_id} is current since {when(current.stored_at)}"
    if reported is None:
        return Finding.healthy(f"{since}; to check a consumer's cache, pass --consumer-version ID")
    if len(reported) < _SHORTEST:
        return Finding.unknown(f"--consumer-version needs at least {_SHORTEST} characters of a version ID")
    if current.version_id.startswith(reported):
        return Finding.healthy("the consumer has the current version")
    versions = each_version(state.context)
    stored_at = next((when(v["CreatedDate"]) for v in versions if v["VersionId"].startswith(reported)), None)
    if stored_at is None:
        return Finding.broken(
            f"this secret has no version {reported}: the consumer reads another secret, or in another region",
            "compare its secret name and AWS_REGION with those above",
        )
    return Finding.broken(
        f"the consumer's cache is stale: {since}, and the consumer has a version that was stored at {stored_at}",
        "read with token_refresh.reader, which knows the expiry; or lower the cache's time to live below the refresh "
        f"window ({span(state.settings.policy.refresh_window)}), and read again after a 401",
    )


def check_published(context: Context, secret_id: str) -> Finding:
    """Look for a refresh token in every version of the published secret: consumers may read them all.

    Raises:
        TokenRefreshError: The versions can't be listed or read.
    """
    store = context.store(secret_id, setting="PUBLISHED_SECRET_ID")
    entries = list(each_version(context, secret_id))
    leaks = [entry for entry in entries if _has_refresh_token(store, entry["VersionId"])]
    if not leaks:
        return Finding.healthy(f"{secret_id}: no refresh token in its {len(entries)} versions")
    named = ", ".join(" ".join([entry["VersionId"], *entry.get("VersionStages", ())]) for entry in leaks)
    return Finding.broken(
        f"{secret_id} shows consumers a refresh token, in version {named}",
        *("authorize again, so that another grant is in use: ", context.command("authorize")),
        ", and end the old grant at the provider. AWS deletes a version some time after it has lost its labels",
    )


def _has_refresh_token(store: SecretsManagerSecret, version_id: str) -> bool:
    fields = fields_of(store.read(version_id=version_id))
    return any(fields.get(spelling.refresh_token) for spelling in (CAMEL, SNAKE))

"""Checks of what is in the secret."""

from typing import Final

from token_refresh.errors import SecretStoreError, TokenRefreshError
from token_refresh_worker.bootstrap import find_credentials
from token_refresh_worker.cli.console.screen import ago, relative, span
from token_refresh_worker.cli.doctor.check import Check, Grade
from token_refresh_worker.cli.secret.health import Health, examine, explain_attempt
from token_refresh_worker.cli.secret.state import Result, SecretState

_FINE: Final = {Result.REFRESHED, Result.IN_PROGRESS}


def check_document(state: SecretState) -> Check:
    """Say that the secret exists, can be read and is a token document."""
    text = f"{state.context.secret_id}: a token document, version {state.snapshot.current.version_id}"
    return Check.ok("secret", text)


def check_tokens(state: SecretState) -> list[Check]:
    """Say what `status` says."""
    findings = examine(state)
    if not findings:
        left = "" if state.left is None else f"; the access token expires in {span(state.left)}"
        ends_at = state.grant_ends_at
        ends = "" if ends_at is None else f"; the grant ends {relative(ends_at - state.snapshot.now)}"
        return [Check.ok("tokens", f"healthy{left}{ends}")]
    grades = {Health.ATTENTION: Grade.LOOK, Health.BROKEN: Grade.FAILED}
    return [Check(name="tokens", grade=grades[f.health], text=f.text, remedy=f.remedy) for f in findings]


def check_last_refresh(state: SecretState) -> Check:
    """Say how the last attempt to refresh ended."""
    name = "last refresh"
    if not state.attempts:
        text = "no run has refreshed this secret yet (a run that finds nothing due stores nothing)"
        return Check.look(name, text, "try one: ", state.context.command("refresh", "--dry-run"))
    last = state.attempts[0]
    text = f"{ago(last.claimed_at, state.snapshot.now)}: {explain_attempt(last)}"
    if last.result in _FINE:
        return Check.ok(name, text)
    return Check.look(name, text, "what it means: ", state.context.command("status"))


def check_credentials(state: SecretState) -> Check:
    """Say whether client credentials are where the function looks for them."""
    name, context = "client credentials", state.context
    try:
        found = find_credentials(state.document, settings=state.settings, secret=context.client_secret)
    except SecretStoreError as failure:
        return Check.error(name, failure)
    except TokenRefreshError as failure:
        if state.settings.client_secret_id is not None:  # `authorize` stores credentials beside the tokens alone.
            return Check.failed(name, failure.facts, "correct that secret")
        return Check.failed(name, failure.facts, "store them: ", context.command("authorize", "--client-id", "ID"))
    return Check.ok(name, f"found, for client {found.client_id}")

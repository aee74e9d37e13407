"""Checks of the way to AWS, of what is in the secret, of whether a consumer has it, and of the token endpoint."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from token_refresh.advice import Command
from token_refresh.aws.calls import CallFailed
from token_refresh.errors import SecretAccessDenied, SecretStoreError, TokenRefreshError
from token_refresh.stored.spelling import CAMEL, SNAKE
from token_refresh_admin.changes.change import fields_of
from token_refresh_admin.cli.client_probe import try_client
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.finding import Finding, failed
from token_refresh_admin.cli.health import explain_attempt
from token_refresh_admin.cli.lookups import read_clock
from token_refresh_admin.cli.replicas import examine_replicas, words_for
from token_refresh_admin.cli.screen import ago
from token_refresh_admin.cli.state import SecretState
from token_refresh_worker.core.steps import SettingsMismatch
from token_refresh_worker.core.versions import published_version_id
from token_refresh_worker.oauth.client_auth import authenticate
from token_refresh_worker.run.failures import span, utc
from token_refresh_worker.stored.credentials import ClientCredentials

# Signature Version 4 rejects a request whose time is 5 minutes off (IAM User Guide, "AWS API request signing").
_SIGNATURE_TOLERANCE: Final = timedelta(minutes=5)
_NOTICEABLE: Final = timedelta(seconds=30)


def check_region(context: Context) -> Finding:
    """Say which region is used, and where it is set."""
    given = context.environment
    named = given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION")
    return Finding.healthy(f"{context.region}, from {'--region or the environment' if named else 'the profile'}")


def check_caller(context: Context) -> Finding:
    """Say who calls AWS."""
    if not context.has_all_of_aws:
        return Finding.unknown("not checked: only Secrets Manager is at this endpoint")
    try:
        return Finding.healthy(str(context.ask("sts:GetCallerIdentity", "")["Arn"]))
    except SecretAccessDenied as failure:
        return failed(failure)


def check_identity_tokens(context: Context) -> Finding:
    """Say whether the account issues the tokens that `aws_iam_jwt` needs, and under which issuer's name.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetOutboundWebIdentityFederationInfo.html
    """
    try:
        info = context.ask(
            "iam:GetOutboundWebIdentityFederationInfo", "", expected=lambda failure: failure.code == "FeatureDisabled"
        )
    except CallFailed:
        info = {}
    if info.get("JwtVendingEnabled") is True:
        return Finding.healthy(f"issued by {info.get('IssuerIdentifier')}; the provider has to trust this issuer")
    enable = Command.of("aws iam enable-outbound-web-identity-federation")
    return Finding.broken("this AWS account issues none", "let an administrator enable them: ", enable)


def check_clock(context: Context) -> Finding:
    """Compare this machine's clock with Secrets Manager's."""
    ahead = read_clock(context) - datetime.now(UTC)
    text = f"Secrets Manager's clock is {span(ahead)} {'ahead of' if ahead > timedelta(0) else 'behind'} this machine's"
    if abs(ahead) > _NOTICEABLE and not context.at_aws:
        return Finding.unknown(f"{text}; not judged: it is not at AWS's own endpoint")
    if abs(ahead) > _SIGNATURE_TOLERANCE:
        return Finding.broken(text, "set this machine's clock (NTP): AWS rejects requests that are 5 minutes off")
    if abs(ahead) > _NOTICEABLE:
        return Finding.attention(text, "set this machine's clock (NTP)")
    return Finding.healthy("agrees with Secrets Manager's")


_SHORTEST = 8
"""Characters of a version ID that identify it; `status` prints as many."""


def check_last_refresh(state: SecretState) -> Finding:
    """Say how the last attempt to refresh ended."""
    if not state.attempts:
        text = "no run has refreshed this secret yet (a run that finds nothing due stores nothing)"
        if state.due_at is not None and state.snapshot.now < state.due_at:
            return Finding.healthy(text)
        return Finding.attention(text, "try one: ", state.context.command("refresh", "--dry-run"))
    last = state.attempts[0]
    text = f"{ago(last.attempt.claimed_at, state.snapshot.now)}: {explain_attempt(last)}"
    if last.is_fine:
        return Finding.healthy(text)
    return Finding.attention(text, "what it means: ", state.context.command("status"))


def check_credentials(state: SecretState) -> Finding:
    """Say whether client credentials are where the function looks for them."""
    context = state.context
    try:
        found = _usable_credentials(state)
    except SecretStoreError as failure:
        return failed(failure)
    except TokenRefreshError as failure:
        if state.client_failure is None:  # The function's settings may name a secret that has them.
            return Finding.unknown("not looked at: the function's settings may name a secret that has them")
        return Finding.broken(failure.facts, "store them, which takes no consent: ", context.command("client"))
    return Finding.healthy(f"found, for client {found.client_id}")


def check_consumer(state: SecretState, reported: str | None) -> Finding:
    """Compare the version ID that a consumer reports, or its first characters, with those of secret and copy."""
    current, copy_id = state.snapshot.current, state.settings.published_secret_id
    since = f"version {current.version_id} is current since {utc(current.stored_at)}"
    if reported is None:
        return Finding.healthy(f"{since}; to check a consumer's cache, pass --consumer-version ID")
    if len(reported) < _SHORTEST:
        return Finding.unknown(f"--consumer-version needs at least {_SHORTEST} characters of a version ID")
    copied_from = published_version_id(current.version_id)  # what a reader of the copy reports
    if current.version_id.startswith(reported) or (copy_id and copied_from.startswith(reported)):
        return Finding.healthy("the consumer has the current version")
    versions = state.context.store().versions()
    if copy_id:
        versions += state.context.store(copy_id, setting="PUBLISHED_SECRET_ID").versions()
    stored_at = next((utc(v.created_at) for v in versions if v.version_id.startswith(reported)), None)
    if stored_at is None:
        return Finding.broken(
            f"neither this secret nor a copy of it has version {reported}: the consumer reads another secret, or in "
            "another region",
            "compare its secret name and AWS_REGION with those above",
        )
    return Finding.broken(
        f"the consumer's cache is stale: {since}, and the consumer has a version that was stored at {stored_at}",
        "read with token_refresh.reader, which knows the expiry; or lower the cache's time to live below the refresh "
        f"window ({span(state.settings.policy.refresh_window)}), and read again after a 401",
    )


def check_published(context: Context, secret_id: str) -> Finding:
    """Look for a refresh token in every version of the published secret: consumers may read them all."""
    store = context.store(secret_id, setting="PUBLISHED_SECRET_ID")
    entries = store.versions()
    leaks = []
    for entry in entries:
        fields = fields_of(store.read(version_id=entry.version_id))
        if any(fields.get(spelling.refresh_token) for spelling in (CAMEL, SNAKE)):
            leaks.append(entry)
    if not leaks:
        return Finding.healthy(f"{secret_id}: no refresh token in its {len(entries)} versions")
    named = ", ".join(" ".join([entry.version_id, *sorted(entry.labels)]) for entry in leaks)
    return Finding.broken(
        f"{secret_id} shows consumers a refresh token, in version {named}",
        *("authorize again, so that another grant is in use: ", context.command("authorize")),
        ", and end the old grant at the provider. AWS deletes a version some time after it has lost its labels",
    )


def check_replicas(state: SecretState) -> Finding | None:
    """Say how the published secret's replicas are, where there are some; `tokens` says what is wrong with one."""
    published, replicas = state.settings.published_secret_id, state.replicas
    if replicas is None or published is None:
        takes = f"takes secretsmanager:DescribeSecret on {published}"
        return Finding.unknown(f"not looked at, which {takes}") if published else None
    wrong = [*examine_replicas(state.context, published, replicas, state.snapshot.now)]
    return None if wrong or not replicas else Finding.healthy(words_for(replicas))


def check_token_endpoint(context: Context, state: SecretState | None) -> Finding:
    """Try the token endpoint, with the client credentials if they are known."""
    settings = context.settings() if state is None else state.settings
    fields = state.document.fields if state else {}
    if context.source.unproven or not context.names_provider(fields) or (context.source.fleet and state is None):
        return Finding.unknown("not asked: nothing names the provider")
    if state is not None and isinstance(state.step, SettingsMismatch) and state.step.setting == "TOKEN_ENDPOINT":
        text = f"not asked: the tokens belong to {state.step.stored}, and the settings name {state.step.configured}"
        return Finding.unknown(text)
    if state is not None and state.snapshot.is_foreign:
        return Finding.unknown("not asked: something else stored these tokens, perhaps with a client of their own")
    client = None
    if state is not None:
        with suppress(TokenRefreshError):  # Another check reports it.
            client = _usable_credentials(state)
    return try_client(context, settings, client)


def _usable_credentials(state: SecretState) -> ClientCredentials:
    found = state.context.run(state.settings).parts.credentials(state.document)
    authenticate(found, state.settings.provider.request.auth_method)
    return found

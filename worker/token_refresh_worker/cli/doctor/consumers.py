"""Check whether a consumer has the current tokens."""

from token_refresh.errors import TokenRefreshError
from token_refresh_worker.cli.console.screen import span, when
from token_refresh_worker.cli.doctor.check import Check
from token_refresh_worker.cli.secret.listing import each_version
from token_refresh_worker.cli.secret.state import SecretState

_NAME = "consumers"
_SHORTEST = 8
"""Characters of a version ID that identify it; `status` prints as many."""


def check_consumer(state: SecretState, reported: str | None) -> Check:
    """Compare the version ID that a consumer reports, or its first characters, with the current one."""
    current = state.snapshot.current.version_id
    since = f"version {current} is current since {when(state.stored_at)}"
    if reported is None:
        return Check.ok(_NAME, f"{since}; to check a consumer's cache, pass --consumer-version ID")
    if len(reported) < _SHORTEST:
        return Check.skipped(_NAME, f"--consumer-version needs at least {_SHORTEST} characters of a version ID")
    if current.startswith(reported):
        return Check.ok(_NAME, "the consumer has the current version")
    try:
        stored_at = _stored_at(state, reported)
    except TokenRefreshError as failure:
        return Check.unknown(_NAME, failure)
    if stored_at is None:
        return Check.failed(
            _NAME,
            f"this secret has no version {reported}: the consumer reads another secret, or in another region",
            "compare its secret name and AWS_REGION with those above",
        )
    return Check.failed(
        _NAME,
        f"the consumer's cache is stale: {since}, and the consumer has a version that was stored at {stored_at}",
        "read with token_refresh.reader, which knows the expiry; or lower the cache's time to live below the refresh "
        f"window ({span(state.settings.policy.refresh_window)}), and read again after a 401",
    )


def _stored_at(state: SecretState, reported: str) -> str | None:
    versions = each_version(state.context)
    return next((when(v["CreatedDate"]) for v in versions if v["VersionId"].startswith(reported)), None)

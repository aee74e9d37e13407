"""Check whether a consumer has the current tokens."""

from token_refresh_worker.cli.console.screen import span, when
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.cli.secret.listing import each_version
from token_refresh_worker.cli.secret.state import SecretState

_SHORTEST = 8
"""Characters of a version ID that identify it; `status` prints as many."""


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

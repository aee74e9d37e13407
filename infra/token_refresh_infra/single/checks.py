"""What a deployment's parameters must be together, so that no run, claim or copy does harm."""

from datetime import timedelta

from token_refresh.aws.arn import name_same_secret
from token_refresh_infra.common import CREATE, NONE, check_claim_in_grace
from token_refresh_infra.context import ParameterError
from token_refresh_infra.single.parameters import SingleParameters
from token_refresh_worker.core.schedule import (
    LARGEST_PART_OF_WINDOW,
    LEAST_MARGIN,
    RUNS_IN_WINDOW,
    SETTLED,
    STALENESS,
    claim_time_to_live,
)
from token_refresh_worker.stored.origin import ClaimStoreKind

# With claims in the secret, a claim has to outlive its run until reads show what the run stored, with a reserve.
CLAIM_OUTLIVES_RUN = STALENESS + LEAST_MARGIN
RUNS_IN_GRACE = 2


def check_published(of: SingleParameters) -> None:
    """Refuse a copy for consumers that would replace the refresh token or the client credentials."""
    for name, other in (("token_secret", of.token_secret_id), ("client_secret", of.client_secret_id)):
        if other and of.published_secret_id and name_same_secret(other, of.published_secret_id):
            raise ParameterError(f"published_secret: {of.published_secret_id} is {name}, which it would replace")


def check_replicas(of: SingleParameters) -> None:
    """Refuse replicas of a secret that the stack does not make, and one in its own region."""
    if of.replica_regions and of.published_secret != CREATE:
        raise ParameterError(
            "replica_regions: needs a published secret that the stack creates; replicate one that exists yourself (aws "
            "secretsmanager replicate-secret-to-regions)"
        )
    if len(of.replicas) < len(of.replica_regions):
        raise ParameterError("replica_regions: names a region twice")
    for key in filter(None, of.replicas.values()):
        if of.account is not None and key.split(":")[4] != of.account:
            raise ParameterError(f"replica_regions: {key} is in another account than this deployment, {of.account}")
    if of.region in of.replicas:
        raise ParameterError(f"replica_regions: {of.region} is where the published secret itself is")


def check_messages(of: SingleParameters) -> None:
    """Refuse to encrypt messages without a key."""
    if of.encrypt_messages and not of.kms_key:
        raise ParameterError(
            "encrypt_messages: needs kms_key, the ARN of a key that CloudWatch and EventBridge may use, or create"
        )


def check_allow_list(of: SingleParameters) -> None:
    """Refuse an allow list that would protect nothing, lock everybody out, or name who is refused all the same.

    The policy of an adopted secret is not changed, and a secret's policy refuses other accounts.
    """
    for name in ("operators", "consumers"):
        for arn in getattr(of, name):
            of.check_account(name, arn)
    if of.consumers and not of.operators:
        raise ParameterError("consumers: needs operators; with an allow list, somebody has to be able to authorize")
    for name in ("token_secret", "published_secret"):
        if of.operators and (secret_id := getattr(of, name)) not in (CREATE, NONE):
            raise ParameterError(
                f"operators: does not protect {name}, {secret_id}: it exists, and its policy is not changed. Leave "
                "operators out, and write the list into that policy yourself (docs/deploy.md#an-allow-list)"
            )


def check_claims(of: SingleParameters) -> None:
    """Refuse runs that outlive their claims."""
    if of.settings.policy.claim_store.kind is ClaimStoreKind.TABLE:
        return
    limit = timedelta(seconds=of.timeout_seconds)
    lives = claim_time_to_live(limit, timedelta(seconds=of.due_window_seconds))
    if lives < limit + CLAIM_OUTLIVES_RUN:
        raise ParameterError(
            f"timeout_seconds: a claim must outlive its run by {CLAIM_OUTLIVES_RUN.seconds} s, and lives "
            f"{lives.total_seconds():.0f} s, {LARGEST_PART_OF_WINDOW:.0%} of the {of.due_window_seconds} s in which a "
            f"refresh is due; is {of.timeout_seconds}. Lower it, raise refresh_window_seconds, or keep claims in a "
            f'table (claim_table = "create")'
        )


def check_schedule(of: SingleParameters) -> None:
    """Refuse a schedule that leaves too few runs while a refresh is due."""
    if of.start_within_minutes >= of.run_every_minutes:
        raise ParameterError(
            f"flexible_minutes: must be below schedule_minutes ({of.run_every_minutes}), is {of.start_within_minutes}"
        )
    if RUNS_IN_WINDOW * of.longest_gap_seconds > of.due_window_seconds:
        raise ParameterError(
            f"schedule_minutes: {of.run_every_minutes} with flexible_minutes {of.start_within_minutes} does "
            f"not fit {RUNS_IN_WINDOW} times into the {of.due_window_seconds} s in which a refresh is due (the "
            "refresh window, or less where tokens live shorter)"
        )


def check_grace(of: SingleParameters) -> None:
    """Refuse a schedule with which a lost response can't be asked for again while the provider allows it."""
    provider, gap = of.settings.provider, timedelta(seconds=of.longest_gap_seconds)
    grace = provider.grace.duration
    if SETTLED < grace < RUNS_IN_GRACE * gap:
        raise ParameterError(
            f"schedule_minutes: {of.run_every_minutes} with flexible_minutes {of.start_within_minutes} does not fit "
            f"twice into the {grace.total_seconds():.0f} s in which {provider.name} accepts a refresh token again, so "
            "a lost response could cost the grant. Leave both out: the schedule then follows the grace"
        )
    check_claim_in_grace(provider, of.timeout_seconds, window=timedelta(seconds=of.due_window_seconds), gap=gap)


CHECKS = (
    check_claims,
    check_schedule,
    check_grace,
    check_allow_list,
    check_published,
    check_messages,
    check_replicas,
)
"""In the order in which a problem is named."""


class CheckedParameters(SingleParameters):
    """Parameters of one secret that fit together."""

    def check(self) -> None:
        """Refuse what does harm together."""
        super().check()
        for check in CHECKS:
            check(self)

"""What a run says when it fails: what failed, why, and the command that fixes it."""

from datetime import datetime, timedelta
from typing import Final

from token_refresh.advice import Advice, Command
from token_refresh.errors import (
    ClientRejected,
    ConfigurationError,
    DeadlineExceeded,
    InvalidSecretDocument,
    InvalidTokenResponse,
    ReauthorizationRequired,
    RefreshOutcomeUnknown,
    SecretEmpty,
    SecretStoreUnavailable,
    TokenEndpointUnavailable,
    TokenRefreshError,
    TokenRequestRejected,
    TokensNotStored,
)
from token_refresh.records import record
from token_refresh_worker.core.steps import Hold, Mismatch, Rejected, TokenUsed
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES
from token_refresh_worker.stored.origin import ClaimStoreKind, StoreName


@record
class SecretName:
    """A secret, as messages name it."""

    secret_id: str
    region: str

    def __str__(self) -> str:
        """Name the secret and where it is."""
        return f"secret {self.secret_id} in {self.region}"

    def command(self, name: str, *options: str) -> Command:
        """Give a command on this secret, ready to paste."""
        return Command(("token-refresh", *name.split(), self.secret_id, "--region", self.region, *options))

    def move_claims(self, to: StoreName) -> Command:
        """Give the command that moves the claims."""
        return self.command("claims move", *move_options(to))

    @property
    def authorize(self) -> Command:
        """Give the command that gets a new grant."""
        return self.command("authorize")

    @property
    def force(self) -> Command:
        """Give the command that refreshes now."""
        return self.command("refresh", "--force")


CLOCK_TOLERANCE: Final = timedelta(seconds=10)
"""How far clocks may be apart before one counts as off: Secrets Manager tells whole seconds, and a call takes some."""


def move_options(to: StoreName) -> tuple[str, ...]:
    """Give the options of `claims move`; NAME stands for a table that nothing names."""
    table = ("--table", to.table or "NAME") if to.kind is ClaimStoreKind.TABLE else ()
    return "--to", to.kind.value, *table


def no_value(secret: SecretName) -> SecretEmpty:
    """Say that nothing is stored yet."""
    return SecretEmpty(f"{secret} has no value yet", fix=("store the first token set with ", secret.authorize))


def grant_revoked(secret: SecretName, revoked_at: datetime) -> SecretEmpty:
    """Say that somebody ended the grant for good: nothing is broken, and no token is left."""
    return SecretEmpty(
        f"the grant in {secret} was revoked on purpose at {revoked_at:%Y-%m-%d %H:%M:%S} UTC; nothing was sent",
        fix=("To get a new one: ", secret.authorize),
    )


def unreadable_document(secret: SecretName, version_id: str, why: str) -> InvalidSecretDocument:
    """Say what is wrong with the current version."""
    return InvalidSecretDocument(
        f"the current version {version_id} of {secret} is not a token document",
        why=why,
        fix=("Bring the last good one back: ", secret.command("restore"), ". If there is none: ", secret.authorize),
    )


def published_itself(secret: SecretName) -> ConfigurationError:
    """Say that the token secret is named as its own published copy."""
    return ConfigurationError.of(
        "PUBLISHED_SECRET_ID",
        f"names {secret} itself",
        why="the published copy would replace the refresh token; nothing was sent or stored",
        fix="Name another secret, or none",
    )


def no_room(secret: SecretName, version_id: str, size_bytes: int, room_bytes: int) -> InvalidSecretDocument:
    """Say that new tokens may not fit."""
    return InvalidSecretDocument(
        f"version {version_id} of {secret} has {size_bytes} bytes, which leaves no room for new tokens: "
        f"Secrets Manager takes {SIZE_LIMIT_BYTES}, and {room_bytes} must be free. Nothing was sent",
        fix=("Move keys that are not about the tokens to another secret, then run ", secret.force),
    )


def too_large(secret: SecretName, size_bytes: int) -> InvalidTokenResponse:
    """Say that the new tokens don't fit."""
    return InvalidTokenResponse(
        f"the token response for {secret} can't be stored: "
        f"the token document would have {size_bytes} bytes, and Secrets Manager takes {SIZE_LIMIT_BYTES}",
        fix=("Check that the token endpoint is the provider's, then run ", secret.authorize),
    )


def too_late(
    secret: SecretName, left_seconds: float, needed_seconds: float, ahead: timedelta = timedelta(0)
) -> DeadlineExceeded:
    """Say that too little time is left.

    Args:
        secret: The token secret.
        left_seconds: How much is left; a machine may have been suspended beyond the deadline.
        needed_seconds: How much a refresh needs.
        ahead: By how much this machine's clock is ahead of Secrets Manager's.
    """
    what = f"{max(0.0, left_seconds):.0f} s are left to refresh {secret}, and {needed_seconds:.0f} s are needed"
    safe = "nothing was redeemed, and a later run goes on"
    if abs(ahead) > CLOCK_TOLERANCE:
        # Lambda's runtime counts the time left by that clock.
        off = f"{abs(ahead).total_seconds():.0f} s {'ahead of' if ahead > timedelta(0) else 'behind'}"
        return DeadlineExceeded(
            f"the clock of this machine is {off} Secrets Manager's, so its deadline is wrong: {what}; {safe}",
            fix=(
                "A function's clock is AWS's, and another run may get another machine. To refresh now: ",
                secret.force,
            ),
        )
    return DeadlineExceeded(
        f"{what}; {safe}",
        fix=("Raise the function's timeout (timeout_seconds in the deployment's file), or run ", secret.force),
    )


def mismatch(secret: SecretName, step: Mismatch) -> ConfigurationError:
    """Say that the settings don't fit the stored token set."""
    if not isinstance(step.configured, StoreName) or not isinstance(step.stored, StoreName):
        return ConfigurationError(
            f"the refresh token in {secret} belongs to {step.stored}, and TOKEN_ENDPOINT is at {step.configured}; "
            "nothing was sent",
            fix=("Correct TOKEN_ENDPOINT. If the provider moved, authorize again: ", secret.authorize),
        )
    if step.moving:
        return ConfigurationError(
            f"a move of the claims on {secret} to {step.stored} is not complete; nothing was sent",
            fix=("Complete it: ", secret.move_claims(step.stored), ", and deploy with that claim store"),
        )
    return ConfigurationError(
        f"the claims on {secret} are in {step.stored}, and the settings keep them in {step.configured}; "
        "nothing was sent",
        fix=(
            "Correct claim_table in the deployment (on the command line, --function NAME takes the function's ",
            *("settings). Or move the claims: ", secret.move_claims(step.configured)),
            *((". If the old table is lost, add --lost",) if step.stored.kind is step.configured.kind else ()),
        ),
    )


def dead_grant(secret: SecretName, step: Rejected | TokenUsed, seen: str | None = None) -> ReauthorizationRequired:
    """Say that a person must authorize again; `seen` says how the provider rejected the token, if this run saw it."""
    if isinstance(step, TokenUsed):
        return ReauthorizationRequired(
            f"the current refresh token of {secret} was redeemed at {utc(step.since)}, "
            "and the tokens that it brought are gone",
            fix=("Get a new grant with ", secret.authorize),
        )
    # A record has the code too, but anyone who may write to the secret can write a record.
    how = f" ({seen})" if seen else ""
    return ReauthorizationRequired(
        f"the provider rejected the refresh token of {secret}{how} at {utc(step.since)}; "
        f"the next scheduled attempt is after {utc(step.retry_at)}",
        fix=(
            *("Get a new grant with ", secret.authorize),
            *(". If the client credentials were wrong, correct them and run ", secret.force),
        ),
    )


def unknown_outcome(secret: SecretName, step: Hold) -> RefreshOutcomeUnknown:
    """Say that a refresh token may have been used."""
    return RefreshOutcomeUnknown(
        f"a refresh of {secret} began at {utc(step.since)}, and nobody knows whether its refresh token was redeemed; "
        "sent again, it could make the provider revoke the grant. "
        f"The next scheduled attempt is after {utc(step.until)}",
        fix=("Safest: ", *_unresolved(secret, step.claim_id)),
    )


def _unresolved(secret: SecretName, claim_id: str) -> Advice:
    """Say what to do about an attempt whose outcome is unknown: the first that risks nothing comes first."""
    resend = secret.command("refresh", "--resend", claim_id)
    risk = ". To send the same token again now, which may make the provider revoke the grant, run "
    return "wait, or get a new grant with ", secret.authorize, risk, resend


def not_stored(secret: SecretName, why: str, *, fix: Advice = ()) -> TokensNotStored:
    """Say that received tokens may be lost; `fix` is what lets the store take the next ones."""
    grace = "A provider with a grace period sends them again to the next run. Otherwise get a new grant with "
    return TokensNotStored(
        f"new tokens for {secret} arrived but could not be saved before the deadline ({why})",
        fix=(*((*fix, ". ") if fix else ()), grace, secret.authorize),
    )


def too_many_steps(secret: SecretName, steps: int) -> SecretStoreUnavailable:
    """Say that something keeps changing the secret."""
    return SecretStoreUnavailable(
        f"{secret} did not come to rest within {steps} steps; something else keeps changing its versions or labels",
        fix=("Find out what with ", secret.command("history")),
    )


def failed_request(
    secret: SecretName, failed: FailedRequest, claim_id: str, *, unsure: bool, sent: int
) -> TokenRefreshError:
    """Say why the token endpoint gave no tokens, in words of ours alone.

    `failed` is the last of the requests; `unsure` if any of them may have redeemed the refresh token.
    """
    # `seen` has the status and known codes, never a text of the provider: that may quote the token.
    seen = f"{failed.seen}, after {sent} request{'s' if sent > 1 else ''}"
    redeemed = "the refresh token may have been redeemed" if unsure else "this run redeemed nothing"
    again: Advice = _unresolved(secret, claim_id) if unsure else ("run ", secret.force)
    # What is certain comes first: a kind that proves nothing is UNKNOWN if any request may have been received.
    match failed.kind:
        case FailureKind.NOT_SIGNED if not unsure:
            return ConfigurationError(
                f"the token request for {secret} could not be signed ({failed.seen}); nothing was sent",
                fix=("Correct that, then run ", secret.force),
            )
        case FailureKind.CLIENT_REJECTED:
            return ClientRejected(
                f"the token endpoint rejected the client credentials of {secret} ({seen}); the grant may be fine",
                fix=(
                    *("Replace them, which takes no consent: ", secret.command("client")),
                    ". If they are right, or in the function's environment, correct TOKEN_ENDPOINT_AUTH_METHOD, or ",
                    "UPWORK_CLIENT_ID and UPWORK_CLIENT_SECRET. Then ",
                    *again,
                ),
            )
        case FailureKind.REQUEST_REJECTED:
            return TokenRequestRejected(
                f"the token endpoint rejected the request for {secret} ({seen}); {redeemed}",
                fix=("Check TOKEN_ENDPOINT, and that the client may use this grant type, then ", *again),
            )
        case FailureKind.UNREADABLE | FailureKind.UNEXPECTED:
            return InvalidTokenResponse(
                f"the response for {secret} was not a token response ({seen}); {redeemed}",
                fix=(
                    "Wait first: a challenge or maintenance page passes, and a later run tries again if it may. ",
                    "If it lasts, check TOKEN_ENDPOINT and the proxy, then ",
                    *again,
                ),
            )
        case _ if unsure:
            return RefreshOutcomeUnknown(
                f"a token request for {secret} may have been received, and no usable response arrived ({seen}). "
                "The next run repeats it if the provider's grace period (REPLAY_GRACE_SECONDS) allows that; "
                "otherwise runs wait until shortly before the access token expires",
                fix=("Safest: ", *again),
            )
        case _:
            return TokenEndpointUnavailable(
                f"the provider of {secret} was unreachable or asked us to retry later ({seen}); "
                "this run redeemed nothing, and a later run tries again",
                fix=("Check TOKEN_ENDPOINT and the function's network, then run ", secret.force),
            )


def utc(moment: datetime) -> str:
    """Write a moment for people."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"

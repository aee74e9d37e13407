"""What a run says when a request for tokens failed, or the grant is dead or in doubt."""

from itertools import takewhile
from typing import Final, assert_never

from token_refresh import errors
from token_refresh.advice import Advice, Command
from token_refresh_worker.core.attempts import LONG_AGO, Fate
from token_refresh_worker.core.locked import VersionEntry
from token_refresh_worker.core.snapshot import LivingSet, Snapshot
from token_refresh_worker.core.steps import AwaitOutcome, LivingSetReplaced, Rejected, TokenUsed
from token_refresh_worker.core.versions import CLAIM
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.run.failures import SecretName, utc, version_locked

ATTEMPTS_IN_VAIN: Final = 3
"""After so many, a grant that was refreshed before has perhaps ended."""
REFUSALS: Final = {FailureKind.REQUEST_REJECTED, FailureKind.UNEXPECTED}
"""How a server refuses a dead grant that does not say so as RFC 6749 section 5.2 has it (`invalid_grant`)."""


def dead_grant(
    secret: SecretName,
    step: Rejected | TokenUsed | LivingSetReplaced,
    seen: str | None = None,
    *,
    locked: VersionEntry | None = None,
) -> errors.TokenRefreshError:
    """Say that a person must restore a set or authorize again; `seen` says how this run saw the token rejected.

    `locked` is the newest version that may hold a living set, if KMS refuses its key: no consent is asked for before.
    """
    if isinstance(step, LivingSetReplaced):
        return _living_set_replaced(secret, step.living, seen, locked)
    if locked is not None:
        refused = _set_locked(secret, locked)
        how = f" ({seen})" if seen else ""
        refused.why = f"the current tokens were rejected, revoked or used{how}"
        refused.retry_at = step.retry_at if isinstance(step, Rejected) else None
        return refused
    if isinstance(step, TokenUsed) and step.since == LONG_AGO:
        return errors.ReauthorizationRequired(
            f"the current tokens of {secret} are older than each refresh that is still recorded, so their refresh "
            "token counts as used; nothing was sent",
            fix=("Look for newer tokens: ", secret.command("history"), ". If there are none: ", secret.authorize),
        )
    if isinstance(step, TokenUsed):
        return errors.ReauthorizationRequired(
            f"the current refresh token of {secret} was redeemed at {utc(step.since)}, "
            "and the tokens that it brought are gone",
            fix=("Get a new grant with ", secret.authorize),
        )
    # A record has the code too, but anyone who may write to the secret can write a record.
    how = f" ({seen})" if seen else ""
    error = errors.ReauthorizationRequired(
        f"the provider rejected the refresh token of {secret}{how} at {utc(step.since)}; "
        f"the next scheduled attempt is after {utc(step.retry_at)}",
        fix=(
            *("Get a new grant with ", secret.authorize),
            *(". If the client credentials were wrong, correct them and run ", secret.force),
        ),
    )
    error.retry_at = step.retry_at
    return error


def attempts_in_vain(snapshot: Snapshot) -> int:
    """Count the last attempts in a row that redeemed nothing of the current token; 0 unless a refresh brought it.

    What was refreshed before had the right settings. So has a set that `authorize` stored, perhaps: nobody knows yet.
    """
    document = snapshot.current.document
    origin = document.origin
    if not document.refresh_token or origin is None or origin.claim_id is None or origin.authorized:
        return 0
    attempts = [a for a in snapshot.ledger.on_token(snapshot.fingerprint) if a.fate.is_attempt]
    return len([*takewhile(lambda attempt: attempt.fate is Fate.NOT_REDEEMED, reversed(attempts))])


def perhaps_ended(secret: SecretName, attempts: int, seen: str) -> errors.ReauthorizationRequired:
    """Say that a grant which was refreshed before has perhaps ended, after so many attempts; `seen` is the refusal."""
    return errors.ReauthorizationRequired(
        f"the last {attempts} attempts to refresh {secret} brought no tokens, and the token endpoint refused the "
        f"latest ({seen}); nothing was redeemed. A refresh brought the current tokens, so the grant has perhaps ended, "
        "and this provider says so in its own words",
        fix=(
            "If TOKEN_ENDPOINT, the client or the profile changed since, correct that and run ",
            *(secret.force, ". Otherwise get a new grant with ", secret.authorize),
            ". If that helps, write a profile whose `dead` names this refusal: docs/providers.md",
        ),
    )


def unknown_outcome(
    secret: SecretName, step: AwaitOutcome, locked: VersionEntry | None
) -> errors.RefreshOutcomeUnknown:
    """Say that a refresh token may have been used; `locked` is the claim that says more, if KMS refuses its key."""
    error = errors.RefreshOutcomeUnknown(
        f"a refresh of {secret} began at {utc(step.since)}, and nobody knows whether its refresh token was redeemed. "
        "To send it again could make the provider revoke the grant. "
        f"The next scheduled attempt is after {utc(step.until)}",
        fix=("Safest: ", *_unresolved(secret, step.claim_id)),
    )
    if locked is not None:
        refused = version_locked(secret, locked.version_id, CLAIM, locked.keys, what="its result may be recorded")
        error.why, error.fix = refused.what, (*refused.fix, *_resend(secret, step.claim_id))
    error.retry_at = step.until
    return error


def _set_locked(secret: SecretName, locked: VersionEntry, otherwise: Advice = ()) -> errors.SecretAccessDenied:
    """Say that KMS refuses the key of a version that may hold a living set."""
    what, label = f"tokens of {secret} that may be alive are", ", ".join(sorted(locked.labels)) or "none"
    return version_locked(secret, locked.version_id, label, locked.keys, what=what, otherwise=otherwise)


def _living_set_replaced(
    secret: SecretName, living: LivingSet, seen: str | None, locked: VersionEntry | None
) -> errors.InvalidSecretDocument:
    """Say that dead tokens are in the place of a set that may be alive. No new grant is needed to bring it back."""
    how = f" ({seen})" if seen else ""
    error = errors.InvalidSecretDocument(
        f"the current tokens of {secret} are dead: they, or the tokens that followed them, were rejected, revoked or "
        f"used{how}; nothing was published. Version {living.version_id}, stored at {utc(living.stored_at)}, holds a "
        "set that may be alive",
        fix=(
            *("Bring it back: ", secret.command("restore", "--version", living.version_id)),
            *(". If the provider rejects that, too: ", secret.authorize),
        ),
    )
    if locked is not None and locked.created_at > living.stored_at:
        refused = _set_locked(secret, locked, ("bring the older one back: ", *error.fix[1:]))
        error.why, error.fix = refused.what, refused.fix
    return error


def _unresolved(secret: SecretName, claim_id: str) -> Advice:
    """Say what to do about an attempt whose outcome is unknown: the first that risks nothing comes first."""
    return "wait, or get a new grant with ", secret.authorize, *_resend(secret, claim_id)


def _resend(secret: SecretName, claim_id: str) -> Advice:
    risk = ". To send the same token again now, which may make the provider revoke the grant, run "
    return risk, secret.command("refresh", "--resend", claim_id)


def no_such_attempt(secret: SecretName) -> errors.InvalidEvent:
    """Say that the attempt to send again is not known: nothing else was asked for."""
    return errors.InvalidEvent(
        f"{secret} has no attempt of that ID; nothing was sent", fix=("See what to do: ", secret.command("status"))
    )


def not_signed(secret: SecretName, failed: FailedRequest, then: Command) -> errors.TokenRefreshError:
    """Say why the token request can't be signed; a passing failure of AWS is not a wrong setting."""
    passes = failed.kind is FailureKind.NOT_SENT
    return (errors.TokenEndpointUnavailable if passes else errors.ConfigurationError)(
        f"the token request for {secret} could not be signed ({failed.seen}); nothing was sent",
        fix=("A later run tries again. Now: ", then) if passes else ("Correct that, then run ", then),
    )


def unread_response(secret: SecretName, claim_id: str, seen: str = "") -> errors.ResponseKept:
    """Say that a response that can't be read is stored, and may hold the only tokens that are alive."""
    how = f" ({seen})" if seen else ""
    return errors.ResponseKept(
        f"the provider's response to the refresh of {secret} can't be read{how}. It may hold the new tokens, and is "
        "stored in the secret; nothing is sent until a person decides",
        fix=(
            *("Look at its fields, without their values: ", secret.command("recover")),
            *(". If it holds no tokens, get a new grant with ", secret.authorize),
            ". To send the same token again, which may revoke the grant: ",
            secret.command("refresh", "--resend", claim_id),
        ),
    )


def failed_request(
    secret: SecretName, failed: FailedRequest, claim_id: str, *, unsure: bool, sent: int
) -> errors.TokenRefreshError:
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
            return not_signed(secret, failed, secret.force)
        case FailureKind.CLIENT_REJECTED:
            return errors.ClientRejected(
                f"the token endpoint rejected the client credentials of {secret} ({seen}); the grant may be fine",
                fix=(
                    *("Replace them, which takes no consent: ", secret.command("client")),
                    ". If they are in the function's environment, correct them there; if they are right, correct ",
                    "TOKEN_ENDPOINT_AUTH_METHOD. Then ",
                    *again,
                ),
            )
        case FailureKind.REQUEST_REJECTED:
            return errors.TokenRequestRejected(
                f"the token endpoint rejected the request for {secret} ({seen}); {redeemed}",
                fix=("Check TOKEN_ENDPOINT, and that the client may use this grant type, then ", *again),
            )
        case FailureKind.UNREADABLE | FailureKind.UNEXPECTED:
            return errors.InvalidTokenResponse(
                f"the response for {secret} was not a token response ({seen}); {redeemed}",
                fix=(
                    "Wait first: a challenge or maintenance page passes, and a later run tries again if that is safe. ",
                    "If it lasts, check TOKEN_ENDPOINT and the proxy, then ",
                    *again,
                ),
            )
        case FailureKind.NOT_SENT | FailureKind.UNTRUSTED | FailureKind.BUSY if not unsure:
            what, check = "was unreachable or asked us to retry later", "the function's network"
            if failed.kind is FailureKind.UNTRUSTED:
                what, check = "did not prove who it is", "that a profile of yours has a private authority's certificate"
            error = errors.TokenEndpointUnavailable(
                f"the provider of {secret} {what} ({seen}); this run redeemed nothing, and a later run tries again",
                fix=(f"Check TOKEN_ENDPOINT and {check}, then run ", secret.force),
            )
            error.busy = failed.kind is FailureKind.BUSY
            return error
        # A rejected grant never comes here: its run ends with `dead_grant`, or with what an earlier request left.
        case (
            FailureKind.NOT_SENT
            | FailureKind.UNTRUSTED
            | FailureKind.NOT_SIGNED
            | FailureKind.BUSY
            | FailureKind.NO_RESPONSE
            | FailureKind.GRANT_REJECTED
        ):
            return errors.RefreshOutcomeUnknown(
                f"a token request for {secret} may have been received, and no usable response arrived ({seen}). "
                "The next run repeats it if the provider's grace period (REPLAY_GRACE_SECONDS) allows that; "
                "otherwise runs wait until shortly before the access token expires",
                fix=("Safest: ", *again),
            )
        case _:
            assert_never(failed.kind)

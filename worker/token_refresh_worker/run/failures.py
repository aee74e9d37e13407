"""What a run says when it fails: what failed, why, and the command that fixes it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from token_refresh import errors
from token_refresh.advice import Advice, Command
from token_refresh_worker.core.attempts import LONG_AGO
from token_refresh_worker.core.claims import Claim
from token_refresh_worker.core.schedule import RUNS_IN_WINDOW
from token_refresh_worker.core.steps import SettingsMismatch
from token_refresh_worker.core.versions import CLAIM
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES
from token_refresh_worker.stored.origin import ClaimStoreKind, StoreName


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SecretName:
    """A secret, as messages name it."""

    secret_id: str
    region: str

    def __str__(self) -> str:
        """Name the secret and where it is."""
        return f"secret {self.secret_id} in {self.region}"

    def command(self, name: str, *options: str) -> Command:
        """Return a command on this secret, ready to paste."""
        return Command(("token-refresh", *name.split(), self.secret_id, "--region", self.region, *options))

    def move_claims(self, to: StoreName) -> Command:
        """Return the command that moves the claims."""
        return self.command("claims move", *move_options(to))

    def join(self, fleet: str) -> Command:
        """Return the command that lets it join a fleet, or repairs what a member needs."""
        return Command.of("token-refresh fleet add {} --fleet {} --region {}", self.secret_id, fleet, self.region)

    @property
    def authorize(self) -> Command:
        """Return the command that gets a new grant."""
        return self.command("authorize")

    @property
    def put_value(self) -> Command:
        """Return the command that stores what it reads: no token is in a command line, or left in a file."""
        line = "aws secretsmanager put-secret-value --secret-id {} --region {} --secret-string file:///dev/stdin"
        return Command.of(line, self.secret_id, self.region)

    def correct(self, wrong: errors.InvalidSecretDocument) -> Advice:
        """Say how to go on without an older token set: one wrong key can be corrected beside good tokens."""
        corrected = ("pipe the corrected value into: ", self.put_value, ". Or ") if wrong.fix else ()
        return *corrected, "get a new token set: ", self.authorize

    @property
    def force(self) -> Command:
        """Return the command that refreshes now."""
        return self.command("refresh", "--force")


_UNITS: Final = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def move_options(to: StoreName) -> tuple[str, ...]:
    """Return the options of `claims move`; NAME stands for a table that nothing names."""
    table = ("--table", to.table or "NAME") if to.kind is ClaimStoreKind.TABLE else ()
    return "--to", to.kind.value, *table


def no_value(secret: SecretName) -> errors.SecretEmpty:
    """Say that nothing is stored yet."""
    return errors.SecretEmpty(f"{secret} has no value yet", fix=("store the first token set with ", secret.authorize))


def grant_revoked(secret: SecretName, revoked_at: datetime) -> errors.SecretEmpty:
    """Say that somebody ended the grant: nothing is broken, and no token is left."""
    return errors.SecretEmpty(
        f"the grant in {secret} was revoked on purpose at {utc(revoked_at)}; nothing was sent",
        fix=("To get a new one: ", secret.authorize),
    )


def unreadable_document(
    secret: SecretName, version_id: str, wrong: errors.InvalidSecretDocument
) -> errors.InvalidSecretDocument:
    """Say what is wrong with the current version; where it is one key, the tokens beside it may be good."""
    restore = ("Bring the last good one back: ", secret.command("restore"), ". If there is none, ")
    return errors.InvalidSecretDocument(
        f"the current version {version_id} of {secret} is not a token document",
        why=wrong.what,
        fix=(*restore, *secret.correct(wrong)),
    )


def published_itself(secret: SecretName) -> errors.ConfigurationError:
    """Say that the token secret is named as its own published copy."""
    return errors.ConfigurationError.of(
        "PUBLISHED_SECRET_ID",
        f"names {secret} itself",
        why="the published copy would replace the refresh token; nothing was sent or stored",
        fix="Name another secret, or none",
    )


def too_large(secret: SecretName, size_bytes: int) -> errors.InvalidTokenResponse:
    """Say that the new tokens don't fit."""
    error = errors.InvalidTokenResponse(
        f"the token response for {secret} can't be stored: "
        f"the token document would have {size_bytes} bytes, and Secrets Manager takes {SIZE_LIMIT_BYTES}",
        fix=("Check that the token endpoint is the provider's, then run ", secret.authorize),
    )
    error.needs_person = True  # The refresh token may be used up.
    return error


def is_of_another_secret(step: SettingsMismatch, newest: Claim | None) -> bool:
    """Whether a document names another claim store by mistake: ours, whose newest claim this is, has the claims."""
    return step.setting == "CLAIM_TABLE" and newest is not None and newest.moved_to in {None, step.configured}


def mismatch(secret: SecretName, step: SettingsMismatch, newest: Claim | None = None) -> errors.ConfigurationError:
    """Say that the settings don't fit the stored token set; `newest` is the newest claim where the settings say."""
    by = f", as claim {step.claim_id} says (label {CLAIM}, or the claim table's item)" if step.claim_id else ""
    if not isinstance(step.configured, StoreName) or not isinstance(step.stored, StoreName):
        return errors.ConfigurationError(
            f"the refresh token in {secret} belongs to {step.stored}{by}, and TOKEN_ENDPOINT is at {step.configured}; "
            "nothing was sent",
            fix=(
                "Correct TOKEN_ENDPOINT. If another provider's tokens or name were saved by mistake, bring the last ",
                *("good ones back: ", secret.command("restore")),
                *(". If the provider moved, authorize again: ", secret.authorize),
            ),
        )
    if step.moving:
        return errors.ConfigurationError(
            f"a move of the claims on {secret} to {step.stored} is not complete; nothing was sent",
            fix=("Complete it: ", secret.move_claims(step.stored), ", and deploy with that claim store"),
        )
    if is_of_another_secret(step, newest):
        return errors.ConfigurationError(
            f"the token set in {secret} is of another secret: its claims are in {step.stored}, and those on this one "
            f"are in {step.configured}; nothing was sent",
            fix=(
                *("Bring the last good one back: ", secret.command("restore")),
                *(". If there is none: ", secret.authorize),
            ),
        )
    return errors.ConfigurationError(
        f"the claims on {secret} are in {step.stored}, and the settings keep them in {step.configured}; "
        "nothing was sent",
        fix=(
            "Correct claim_table in the deployment (on the command line, --function NAME takes the function's ",
            *("settings). Or move the claims: ", secret.move_claims(step.configured)),
            *((". If the old table is lost, add --lost",) if step.stored.kind is step.configured.kind else ()),
        ),
    )


def not_stored(secret: SecretName, why: str, *, fix: Advice = ()) -> errors.TokensNotStored:
    """Say that received tokens may be lost; `fix` is what lets the store take the next ones."""
    grace = "A provider with a grace period sends them again to the next run. Otherwise get a new grant with "
    return errors.TokensNotStored(
        f"new tokens for {secret} arrived but could not be saved before the deadline ({why})",
        fix=(*((*fix, ". ") if fix else ()), grace, secret.authorize),
    )


def version_locked(  # noqa: PLR0913 - each is a part of the sentence
    secret: SecretName,
    version_id: str | None,
    label: str,
    keys: tuple[str, ...],
    *,
    what: str,
    otherwise: Advice = (),
) -> errors.SecretAccessDenied:
    """Say that KMS refuses the key of a version, how the key is made usable again, and what to do `otherwise`.

    Without the permission to list versions, neither the version of a label nor any key is known.
    """
    where = f"in version {version_id} (label {label})" if version_id else f"under label {label}"
    key = f" with key {' or '.join(keys)}" if keys else ""
    versions = "aws secretsmanager list-secret-version-ids --include-deprecated --secret-id {} --region {}"
    enable = [Command.of("aws kms enable-key --key-id {} --region {}", one, secret.region) for one in keys]
    error = errors.SecretAccessDenied(
        f"{what} {where}, but KMS refuses to decrypt it{key}",
        fix=(
            "Allow kms:Decrypt on that key for the caller's role (the worker's: previous_kms_keys in the deployment's ",
            "file), cancel its deletion, or enable it: the next run then goes on",
            *(part for one in enable for part in (": ", one)),
            *(() if keys else (". Which key it is: ", Command.of(versions, secret.secret_id, secret.region))),
            *(". If it is deleted, ", *(otherwise or ("get a new grant with ", secret.authorize))),
        ),
    )
    error.by_key = True
    return error


def slow_schedule(window: timedelta) -> Advice:
    """Say what to do where a schedule's period is longer than the window in which a refresh is due."""
    minutes = max(1, int(window.total_seconds() // 60 // RUNS_IN_WINDOW))
    return (f"set schedule_minutes to {minutes} or less in the deployment's file, and deploy",)


def utc(moment: datetime) -> str:
    """Write a moment for people."""
    return "an unknown time" if moment == LONG_AGO else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(duration: timedelta) -> str:
    """Write a duration by its two largest units."""
    parts: list[str] = []
    rest = abs(duration)
    for unit, name in _UNITS:
        count, rest = divmod(rest, unit)
        parts += [f"{count} {name}"] if count else []
    return " ".join(parts[:2]) if parts else f"{int(rest.total_seconds())} s"

"""`token-refresh claims move`: move the claims of one secret between the secret's versions and a DynamoDB table."""

import uuid
from dataclasses import replace
from typing import Annotated

import typer

from token_refresh.advice import Advice
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.cli.console.command import command
from token_refresh_worker.cli.console.failures import CommandFailed
from token_refresh_worker.cli.console.prompts import confirm
from token_refresh_worker.cli.console.screen import message, output, show, span, text, when
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.state import SecretState, read_state
from token_refresh_worker.cli.secret.storing import value_of
from token_refresh_worker.core.attempts import Attempt, Fate
from token_refresh_worker.core.claims import Claim, Record
from token_refresh_worker.core.steps import Carry, Promote
from token_refresh_worker.core.versions import CURRENT, OUTCOME
from token_refresh_worker.run.ports import ClaimStore
from token_refresh_worker.stored.origin import ORIGIN_KEY, ClaimStoreKind, Origin

_STAY = "The claims stay where they are; "
_RECORDED = {Fate.NOT_REDEEMED, Fate.REJECTED, Fate.UNKNOWN}


@command("claims move", "--to table --table my-claims", "--to versions")
def move(
    context: Context,
    *,
    to: Annotated[ClaimStoreKind, typer.Option(help="Where the claims go.")],
    table: Annotated[str | None, typer.Option(help="The DynamoDB table; default $CLAIM_TABLE.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="The schedule is paused: do not ask.")] = False,
) -> int:
    """Move the claims on one secret to the other claim store.

    Pause the schedule, wait until the last claim has ended, move the claims, deploy with the new claim store, and
    resume. A run with the old claim store then sends nothing.
    """
    name = table or context.environment.get("CLAIM_TABLE")
    if name is None:
        raise CommandFailed(
            "name the claim table, which is the stack's output ClaimTableName",
            fix=(context.command("claims move", "--to", to.value, "--table", "NAME"),),
        )
    source = ClaimStoreKind.VERSIONS if to is ClaimStoreKind.TABLE else ClaimStoreKind.TABLE
    state = read_state(_with_claims(context, source, name))
    if state.document.origin is not None and state.document.origin.claim_store is to:
        output().print(text(f"The claims on secret {context.secret_id} are in the {to.value} already."))
        return 0
    again = ("pause the schedule, then: ", context.command("claims move", "--to", to.value, "--table", name))
    _check(state, again)
    if not yes:
        confirm(
            f"While claims move, no run may be under way. Is the schedule paused, and has no run begun in the last "
            f"{span(state.policy.claim_time_to_live)}?"
        )
    target = _with_claims(context, to, name)
    # The claim first, then the document that names its store: a run between the two finds the old store, as before.
    version_id = str(uuid.uuid4())
    claim = _copy(state, target.claims(target.settings(), _read_store(target)), version_id, again)
    _store_document(state, to, claim, version_id, again)
    output().print(text(f"Moved: the claims on secret {context.secret_id} are in the {to.value}.", "bold green"))
    deploy = "with claim_table" if to is ClaimStoreKind.TABLE else "without claim_table"
    show(output(), *message(f"Next: deploy {deploy} and resume the schedule, then ", context.command("status")))
    return 0


def _with_claims(context: Context, kind: ClaimStoreKind, table: str) -> Context:
    """Give the context with the claim store that is meant, whatever CLAIM_TABLE says."""
    environment = {name: value for name, value in context.environment.items() if name != "CLAIM_TABLE"}
    if kind is ClaimStoreKind.TABLE:
        environment["CLAIM_TABLE"] = table
    return replace(context, environment=environment, any_lifetime=kind is ClaimStoreKind.VERSIONS)


def _check(state: SecretState, again: Advice) -> None:
    """Refuse to move while a run may still use the old store.

    Raises:
        CommandFailed: A claim is open, or received tokens are not current yet.
    """
    newest = state.snapshot.newest
    last = state.snapshot.ledger.attempts[-1:]
    if newest is not None and last[0].fate is Fate.SILENT and state.snapshot.now < newest.ends_at:
        raise CommandFailed(
            f"a run holds the claim {newest.claim_id} on secret {state.context.secret_id} until {when(newest.ends_at)}",
            fix=("Wait until then; ", *again),
        )
    if isinstance(state.step, Promote | Carry):
        raise CommandFailed(
            "tokens of an interrupted run are not current yet", fix=("First: ", state.context.command("refresh"))
        )


def _copy(state: SecretState, target: ClaimStore, moved_to: str, again: Advice) -> Claim | None:
    """Copy the newest claim with the ledger and its record; None if there was never a claim.

    Args:
        state: What is stored.
        target: The new claim store.
        moved_to: The version ID of the document that will name the new store.
        again: What to do where that fails.

    Raises:
        CommandFailed: The target has a claim that this one does not follow.
    """
    newest, ledger = state.snapshot.newest, state.snapshot.ledger.attempts
    if newest is None:
        return None
    *earlier, last = [_moved(attempt, state, moved_to) for attempt in ledger]
    claim = replace(newest, earlier=tuple(earlier), version_id=last.version_id)
    before = target.newest().claim  # Left by an earlier move.
    if not target.append(claim, after=before.claim_id if before else None):
        found = target.find(claim.claim_id)
        if found is None or found.claim_id != claim.claim_id:  # A repeated move finds its own claim.
            raise CommandFailed(
                f"another run stored a claim on secret {state.context.secret_id} meanwhile",
                fix=(_STAY, *again),
            )
    fate = last.fate
    if fate in _RECORDED:
        target.record(claim, Record(fate=fate, error=None, recorded_at=state.snapshot.now))
    return claim


def _moved(attempt: Attempt, state: SecretState, moved_to: str) -> Attempt:
    """Let an attempt on the current version count for the version that replaces it, which has the same tokens.

    Under an attempt without a result tokens may still be found, at the version that it was on.
    """
    if attempt.version_id != state.snapshot.current.version_id:
        return attempt
    ended = attempt.fate in {Fate.REJECTED, Fate.NOT_REDEEMED}
    return replace(attempt, version_id=moved_to) if ended else attempt


def _store_document(
    state: SecretState, to: ClaimStoreKind, claim: Claim | None, version_id: str, again: Advice
) -> None:
    """Store the current document with the new claim store, if it is still current.

    Raises:
        CommandFailed: Another version became current meanwhile.
    """
    document, current = state.document, state.snapshot.current
    origin = document.origin or Origin(
        host=state.host, grace=state.snapshot.counted_grace(state.policy), claim_store=to, claim_id=None
    )
    moved = replace(origin, claim_store=to)
    if claim is not None and claim.number >= origin.number:
        # So that a table that is lost before the next refresh is noticed.
        moved = replace(moved, claim_id=claim.claim_id, number=claim.number)
    store = state.context.store()
    # Not under AWSCURRENT: that label moves below, and only if no other version became current.
    store.put(version_id, value_of({**document.fields, ORIGIN_KEY: moved.as_fields()}), label=OUTCOME)
    if not store.move_label(CURRENT, to=version_id, remove_from=current.version_id):
        raise CommandFailed(
            f"another version of secret {state.context.secret_id} than {current.version_id} became current meanwhile",
            fix=(_STAY, *again),
        )


def _read_store(context: Context) -> SecretsManagerSecret:
    """Open the secret and read it: a table's key is the ARN that the read gives."""
    store = context.store()
    store.read(label=CURRENT)
    return store

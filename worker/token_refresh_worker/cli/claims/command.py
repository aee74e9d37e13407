"""`token-refresh claims move`: move the claims of one secret between the secret's versions and a DynamoDB table."""

import uuid
from dataclasses import replace
from typing import Annotated

import typer

from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.cli.claims.moving import Move
from token_refresh_worker.cli.console.command import command
from token_refresh_worker.cli.console.failures import CommandFailed, finishing
from token_refresh_worker.cli.console.prompts import confirm
from token_refresh_worker.cli.console.screen import message, output, show, span, text
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.secret.state import read_state
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.core.steps import Carry, Promote
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.stored.origin import ClaimStoreKind


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
    if isinstance(state.step, Promote | Carry):
        raise CommandFailed(
            "tokens of an interrupted run are not current yet", fix=("First: ", context.command("refresh"))
        )
    if not yes:
        confirm(
            "While claims move, no run may be under way. Is the schedule paused, and has no run begun in the last "
            f"{span(SETTLED)}?"
        )
    target = _with_claims(context, to, name)
    moving = Move(
        secret=SecretName(secret_id=context.secret_id, region=context.region),
        store=context.store(),
        target=target.claims(target.settings(), _read_store(target)),
        to=to,
        policy=state.policy,
        version_id=str(uuid.uuid4()),
        again=again,
    )
    with finishing("The move ends first."):
        moving.carry_out(state.snapshot)
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


def _read_store(context: Context) -> SecretsManagerSecret:
    """Open the secret and read it: a table's key is the ARN that the read gives."""
    store = context.store()
    store.read(label=CURRENT)
    return store

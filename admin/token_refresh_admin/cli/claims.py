"""`token-refresh claims move`: move the claims of one secret between the secret's versions and DynamoDB tables."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import typer

from token_refresh_admin.changes.move import Move
from token_refresh_admin.cli.command import command
from token_refresh_admin.cli.context import TIME_LIMIT_SECONDS, Context
from token_refresh_admin.cli.failures import CommandFailed, finishing
from token_refresh_admin.cli.screen import say, say_done
from token_refresh_worker.bootstrap import open_claims
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.stored.origin import IN_VERSIONS, ClaimStoreKind, StoreName, in_table


@command(
    "claims move",
    "--to table --table my-claims",
    "--to versions",
    "--to table --table restored-claims --lost",
    writes=True,
)
def move(
    context: Context,
    *,
    to: Annotated[ClaimStoreKind, typer.Option(help="Where the claims go.")],
    table: Annotated[str | None, typer.Option(help="The DynamoDB table; default $CLAIM_TABLE.")] = None,
    lost: Annotated[
        bool, typer.Option("--lost", help="The old table is lost; --table names its successor, such as a restored one.")
    ] = False,
) -> int:
    """Move the claims on one secret to another claim store.

    The schedule goes on. After the move, runs send nothing if their deployment still names the old claim store. If the
    command is interrupted, run it again.
    """
    if fleet := context.source.fleet:
        leave = context.command("fleet remove", "--fleet", fleet)
        raise CommandFailed(
            f"the claims on secret {context.secret_id} are in the table of fleet {fleet}, where its runs look for them",
            # The fleet's worker has no settings for it then.
            fix=(
                "Take it out of the fleet: ",
                leave,
                ". Then move the claims: ",
                context.without("--function").again(),
            ),
        )
    target = _target(context, to, table)
    mover = _mover(context, _fallback(context, target, table))
    with finishing("The move ends first."):
        moved = mover.rename(target) if lost else mover.carry_out(target)
    if not moved:
        say(f"The claims on secret {context.secret_id} are in {target} already.")
        return 0
    deploy = "with claim_table" if to is ClaimStoreKind.TABLE else "without claim_table"
    say_done(
        f"Moved: the claims on secret {context.secret_id} are in {target}.",
        then=(f"Next: deploy {deploy}, then ", context.command("status")),
    )
    return 0


def _target(context: Context, to: ClaimStoreKind, table: str | None) -> StoreName:
    name = table or context.environment.get("CLAIM_TABLE")
    if to is ClaimStoreKind.VERSIONS:
        return IN_VERSIONS
    if name is None:
        raise CommandFailed(
            "name the claim table, which is the stack's output ClaimTableName",
            fix=(context.again("--table", "NAME"),),
        )
    return in_table(name)


def _fallback(context: Context, target: StoreName, table: str | None) -> StoreName:
    """Say where the claims are if the document does not: in the settings' store, but for the target itself."""
    name = context.environment.get("CLAIM_TABLE") if target.table else table or context.environment.get("CLAIM_TABLE")
    return IN_VERSIONS if name in {None, "", target.table} else in_table(str(name))


def _mover(context: Context, fallback: StoreName) -> Move:
    # Tokens that live too short for their claim store are a reason to move.
    context = replace(context, any_lifetime=True)
    fields = context.stored()
    settings = context.settings_for(fields)
    store, parts = context.store(), context.run(settings).parts
    return Move(
        parts=replace(parts, store=store, policy=replace(parts.policy, claim_store=fallback)),
        claims=lambda name: open_claims(
            replace(settings, claim_table=name.table), store, parts.deadline, context.run_client
        ),
        memory=Memory(clock=parts.deadline.clock, limit=timedelta(seconds=TIME_LIMIT_SECONDS)),
        knows_host=context.names_provider(fields),
    )

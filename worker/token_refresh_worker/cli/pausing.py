"""What begins and ends the pause of one secret: its claim, and in a fleet its row."""

import getpass

from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.changes.pause import Pausing
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.lookups import arn_of
from token_refresh_worker.cli.membership import find_index
from token_refresh_worker.cli.screen import errors
from token_refresh_worker.cli.settings import settings_for
from token_refresh_worker.core.schedule import Policy
from token_refresh_worker.fleet.aws.index import TableIndex
from token_refresh_worker.run.failures import utc


def end_pause(context: Context) -> bool:
    """End the pause of one secret, and let its fleet look at it; False if there is none."""
    (pauses, _), index = open_pausing(context), index_of(context)
    ended = pauses.paused()
    if ended is not None:
        pauses.resume(ended)
    if index is None:
        return ended is not None
    secret_arn = arn_of(context, context.secret_id)
    entry = index.entry(secret_arn)
    index.look_at(secret_arn, index.read_clock())  # First: from then on, no run that met the pause shows it.
    index.pause(None, secret_arn=secret_arn)
    return ended is not None or (entry is not None and entry.row.pause is not None)


def user() -> str:
    """Give the name on this machine; asking AWS for the caller would need a permission more."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may run as a user without a name
        return "somebody"


def index_of(context: Context) -> TableIndex | None:
    """Open the index of the secret's fleet, before anything is stored."""
    return find_index(context, context.source.fleet) if context.source.fleet else None


def open_pausing(context: Context) -> tuple[Pausing, Policy]:
    """Give what begins and ends a pause, and the policy that it is judged by."""
    settings = settings_for(context, context.stored())
    pauses = Pausing(
        open=lambda: context.run(settings).parts,
        clock=SystemClock(),
        run_period=settings.run_period,
        waiting=lambda until: errors().print(f"A run is under way; its claim ends at {utc(until)} at the latest."),
    )
    return pauses, settings.policy

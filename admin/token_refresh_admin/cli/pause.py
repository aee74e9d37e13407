"""`token-refresh pause` and `token-refresh resume`: stop the token requests for one secret, without a deployment.

Its claim is paused, and in a fleet its row shows that.
"""

import getpass
from datetime import timedelta
from typing import Annotated

import typer

from token_refresh.stored.refresh_window import overdue_below
from token_refresh_admin.changes.pause import Pausing
from token_refresh_admin.cli.command import command, read_duration
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.membership import own_index
from token_refresh_admin.cli.screen import errors, printable, say, say_done
from token_refresh_worker.core.claims import LONGEST_PAUSE, LONGEST_REASON, ClaimPause
from token_refresh_worker.core.schedule import Policy, due_at, window_of
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.fleet.core.row import Pause
from token_refresh_worker.run.failures import utc


@command("pause", '--for 2h --why "their maintenance"', writes=True)
def pause(
    context: Context,
    *,
    duration: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 7d.")] = "2h",
    why: Annotated[str, typer.Option(help="The reason, for the next reader.")] = "no reason given",
) -> int:
    """Stop token requests for a while, also those on demand. A pause always ends by itself."""
    lasts, reason = read_duration("--for", duration, LONGEST_PAUSE), printable(why)
    if len(reason) > LONGEST_REASON:
        raise typer.BadParameter(f"--why must have {LONGEST_REASON} characters at most")
    index = own_index(context)
    pauses, policy = _open(context)
    snapshot, made = pauses.pause(lasts, reason)
    if index is not None:  # Where the fleet's dispatcher and its status see it.
        row_pause = Pause(at=snapshot.now, until=made.until, by=user(), why=reason)
        index.pause(row_pause, secret_arn=context.arn_of(context.secret_id))
    say(f"Paused until {utc(made.until)}: {reason}", style="bold yellow")
    _warn(snapshot, policy, pauses.run_period, made)
    say("To go on before that: ", context.command("resume"))
    return 0


@command("resume", "", writes=True)
def resume(context: Context) -> int:
    """End the pause of one secret: runs may refresh it again."""
    if not end_pause(context):
        say(f"Secret {context.secret_id} is not paused.")
        return 0
    resumed = f"Resumed: runs may refresh secret {context.secret_id} again."
    say_done(resumed, then=("Next: ", context.command("status")))
    return 0


def _warn(snapshot: Snapshot, policy: Policy, period: timedelta | None, made: ClaimPause) -> None:
    document = snapshot.current.document
    expires_at, due = document.expires_at, due_at(document, policy)
    if expires_at is None or due is None or made.until <= due:
        return
    if made.until >= expires_at:
        expires = "expires" if expires_at > snapshot.now else "expired"
        say(f"The access token {expires} at {utc(expires_at)}: services fail from then on.", style="red")
    alarm_at = expires_at - overdue_below(window_of(document, policy), period)
    if made.until > alarm_at:
        late = f"is raised at {utc(alarm_at)}, when the refresh is overdue."
        if alarm_at <= snapshot.now:
            late = f"is not ended by a pause: the refresh was overdue at {utc(alarm_at)}."
        say(f"The alarm renewal-overdue {late}", style="yellow")


def end_pause(context: Context) -> bool:
    """End the pause of one secret, and let its fleet look at it; False if there is none."""
    (pauses, _), index = _open(context), own_index(context)
    ended = pauses.paused()
    if ended is not None:
        pauses.resume(ended)
    if index is None:
        return ended is not None
    secret_arn = context.arn_of(context.secret_id)
    entry = index.entry(secret_arn)
    index.look_at(secret_arn, index.read_clock())  # First: from then on, no run that met the pause shows it.
    index.pause(None, secret_arn=secret_arn)
    return ended is not None or (entry is not None and entry.row.pause is not None)


def user() -> str:
    """Return the name on this machine; asking AWS for the caller would need a permission more."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may run as a user without a name
        return "somebody"


def _open(context: Context) -> tuple[Pausing, Policy]:
    """Return what begins and ends a pause, and the policy that it is judged by."""
    settings = context.settings_for(context.stored())
    pauses = Pausing(
        open=lambda: context.run(settings).parts,
        run_period=settings.run_period,
        waiting=lambda until: errors().print(f"A run is under way; its claim ends at {utc(until)} at the latest."),
    )
    return pauses, settings.policy

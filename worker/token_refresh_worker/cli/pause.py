"""`token-refresh pause` and `token-refresh resume`: stop the token requests for one secret, without a deployment."""

from typing import Annotated

import typer

from token_refresh_worker.cli.command import command, read_duration
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.lookups import arn_of
from token_refresh_worker.cli.pausing import end_pause, index_of, open_pausing, user
from token_refresh_worker.cli.screen import message, output, printable, say_done, show, text
from token_refresh_worker.core.claims import LONGEST_PAUSE, LONGEST_REASON, ClaimPause
from token_refresh_worker.core.schedule import Policy, due_at
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
    lasts, reason = read_duration(duration, LONGEST_PAUSE), printable(why)
    if len(reason) > LONGEST_REASON:
        raise typer.BadParameter(f"--why must have {LONGEST_REASON} characters at most")
    index = index_of(context)
    pauses, policy = open_pausing(context)
    snapshot, made = pauses.pause(lasts, reason)
    if index is not None:  # Where the fleet's dispatcher and its status see it.
        row_pause = Pause(at=snapshot.now, until=made.until, by=user(), why=reason)
        index.pause(row_pause, secret_arn=arn_of(context, context.secret_id))
    output().print(text(f"Paused until {utc(made.until)}: {reason}", "bold yellow"))
    _warn(snapshot, policy, made)
    show(output(), *message("To go on before that: ", context.command("resume")))
    return 0


@command("resume", "", writes=True)
def resume(context: Context) -> int:
    """End the pause of one secret: runs may refresh it again."""
    if not end_pause(context):
        output().print(text(f"Secret {context.secret_id} is not paused."))
        return 0
    resumed = f"Resumed: runs may refresh secret {context.secret_id} again."
    say_done(resumed, then=("Next: ", context.command("status")))
    return 0


def _warn(snapshot: Snapshot, policy: Policy, made: ClaimPause) -> None:
    document = snapshot.current.document
    expires_at, due = document.expires_at, due_at(document, policy)
    if expires_at is None or due is None or made.until <= due:
        return
    if made.until >= expires_at:
        expires = "expires" if expires_at > snapshot.now else "expired"
        output().print(text(f"The access token {expires} at {utc(expires_at)}: services fail from then on.", "red"))
    alarm_at = expires_at - (expires_at - due) / 2
    if made.until > alarm_at:
        late = f"is raised at {utc(alarm_at)}, when half of the refresh window is over."
        if alarm_at <= snapshot.now:
            late = f"is not ended by a pause: half of the refresh window was over at {utc(alarm_at)}."
        output().print(text(f"The alarm renewal-overdue {late}", "yellow"))

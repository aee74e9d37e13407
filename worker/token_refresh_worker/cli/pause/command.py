"""`token-refresh pause` and `token-refresh resume`: stop the token requests for one secret, without a deployment."""

from typing import Annotated

import typer

from token_refresh.advice import Command
from token_refresh_worker.cli.command import command, read_duration
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.failures import CommandFailed
from token_refresh_worker.cli.lookups import arn_of
from token_refresh_worker.cli.membership import find_index
from token_refresh_worker.cli.pause.appending import append_pause, read_newest
from token_refresh_worker.cli.screen import message, output, printable, show, text, when
from token_refresh_worker.cli.state import SecretState
from token_refresh_worker.core.claims import LONGEST_PAUSE, LONGEST_REASON, ClaimPause
from token_refresh_worker.core.pauses import pause_of, repeat_allowed_until
from token_refresh_worker.core.steps import Rejected, TokenUsed


@command("pause", '--for 2h --why "their maintenance"')
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
    _refuse_in_fleet(context, "pause", "--for", duration, "--why", why)

    def pause_at(state: SecretState) -> ClaimPause:
        made = ClaimPause(until=state.snapshot.now + lasts, why=reason)
        _refuse_losses(context, state, made)
        return made

    state, made = append_pause(context, pause_at)
    output().print(text(f"Paused until {when(made.until)}: {reason}", "bold yellow"))
    _warn(state, made)
    show(output(), *message("To go on before that: ", context.command("resume")))
    return 0


@command("resume", "")
def resume(context: Context) -> int:
    """End the pause of one secret: runs may refresh it again."""
    ended, fleet = pause_of(read_newest(context).snapshot), context.deployment.fleet
    if ended is None:
        _refuse_in_fleet(context, "resume")
        output().print(text(f"Secret {context.secret_id} is not paused."))
        return 0
    index = find_index(context, fleet) if fleet else None

    def end_at(state: SecretState) -> ClaimPause:
        newer = pause_of(state.snapshot)
        if newer not in {None, ended}:
            raise CommandFailed(
                f"somebody paused secret {context.secret_id} anew meanwhile; that pause stays",
                fix=("Look at it: ", context.command("status")),
            )
        return ClaimPause(until=state.snapshot.now, why="resumed")

    append_pause(context, end_at)
    if index is not None:  # Its row is due when the pause would have ended.
        index.look_at(arn_of(context, context.secret_id), index.read_clock())
    output().print(text(f"Resumed: runs may refresh secret {context.secret_id} again.", "bold green"))
    show(output(), *message("Next: ", context.command("status")))
    return 0


def _refuse_losses(context: Context, state: SecretState, made: ClaimPause) -> None:
    """Refuse a pause that a grant would not survive.

    Raises:
        CommandFailed: It would not.
    """
    if isinstance(state.step, Rejected | TokenUsed):
        return  # The grant is lost already.
    repeated_until, ends_at = repeat_allowed_until(state.snapshot, state.policy), state.grant_ends_at
    if repeated_until is not None and made.until + state.period >= repeated_until:
        raise CommandFailed(
            f"nobody knows what became of the last token request for secret {context.secret_id}, and the provider lets"
            f" a run repeat it until {when(repeated_until)}: a pause until {when(made.until)} could lose the grant",
            fix=("Let a run repeat it first: ", context.command("refresh", "--force")),
        )
    if ends_at is not None and state.snapshot.now < ends_at < made.until:
        raise CommandFailed(
            f"the grant of secret {context.secret_id} ends at {when(ends_at)}, before a pause until {when(made.until)}",
            fix="Choose a shorter --for, and let a run refresh the tokens before the grant ends",
        )


def _warn(state: SecretState, made: ClaimPause) -> None:
    """Say what the pause costs, if it is over too late."""
    expires_at, due = state.document.expires_at, state.due_at
    if expires_at is None or due is None or made.until <= due:
        return
    if made.until >= expires_at:
        output().print(text(f"The access token expires at {when(expires_at)}: services fail from then on.", "red"))
    alarm_at = expires_at - (expires_at - due) / 2
    if made.until > alarm_at:
        late = f"The alarm renewal-overdue is raised at {when(alarm_at)}, when half of the refresh window is over."
        output().print(text(late, "yellow"))


def _refuse_in_fleet(context: Context, name: str, *options: str) -> None:
    """Refuse a member of a fleet, whose dispatcher has to know of the pause.

    Raises:
        CommandFailed: It is one.
    """
    fleet = context.deployment.fleet
    if fleet is None:
        return
    words = ("token-refresh", "fleet", name, "--fleet", fleet, "--secret", context.secret_id, *options)
    raise CommandFailed(
        f"secret {context.secret_id} is in fleet {fleet}, whose dispatcher keeps the pauses",
        fix=("Tell the fleet: ", Command((*words, "--region", context.region))),
    )

"""`token-refresh recover`: turn a response that no run could read into tokens, by pointers to its fields."""

from typing import Annotated

import typer

from token_refresh_admin.changes.recover import UnreadResponse, shape_of
from token_refresh_admin.cli.command import Json, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import CommandFailed, finishing
from token_refresh_admin.cli.prompts import confirm
from token_refresh_admin.cli.screen import fields_table, output, print_json, say, say_done, say_published
from token_refresh_worker.run.failures import utc

_POINTER = "POINTER"


@command("recover", "", "--access-token /data/accessToken --refresh-token /data/refreshToken", writes=True)
def recover(  # noqa: PLR0913 - its options
    context: Context,
    *,
    access_token: Annotated[
        str | None, typer.Option(metavar=_POINTER, help="The field with the access token, as it is listed.")
    ] = None,
    refresh_token: Annotated[
        str | None, typer.Option(metavar=_POINTER, help="The field with the new refresh token.")
    ] = None,
    same_refresh_token: Annotated[
        bool, typer.Option("--same-refresh-token", help="The response has none, and the one that was sent stays valid.")
    ] = False,
    expires_in: Annotated[
        str | None, typer.Option(metavar=_POINTER, help="The field with the access token's lifetime or its end.")
    ] = None,
    claim_id: Annotated[
        str | None, typer.Option("--claim", metavar="CLAIM", help="The refresh that brought it; default the last one.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Store without asking.")] = False,
    as_json: Json = False,
) -> int:
    """Recover the tokens of a response that no run could read.

    Without options it lists the fields of the response, and no value. Report that list: once a profile has it, runs
    read such a response. The tokens that you point to become current at once. To point to other fields, add --claim.
    """
    settings = context.settings_for(context.stored())
    unread = UnreadResponse.read(context.run(settings).parts, claim_id)
    if access_token is None:
        _list(context, unread, as_json=as_json)
        return 0
    if refresh_token is None and not same_refresh_token and settings.provider.needs_refresh_token:
        raise CommandFailed(
            "the new refresh token has to be named: the one that was sent may be used up",
            fix=(
                *("Name it: ", context.again("--refresh-token", "POINTER")),
                *(". If the response has none: ", context.again("--same-refresh-token")),
            ),
        )
    found = unread.tokens(access_token, refresh_token, expires_in)
    if not yes:
        confirm(f"Make the tokens at {' and '.join(filter(None, (access_token, refresh_token)))} current?")
    with finishing("The tokens are stored first."):
        stored = unread.store(found)
    if as_json:
        print_json({"secret_id": context.secret_id, "version_id": stored.version_id, "published": stored.publish()})
        return 0
    again = context.command("recover", "--claim", unread.attempt.claim_id)
    say_done("Recovered.", ("current version", stored.version_id), then=("If these were the wrong fields: ", again))
    say_published(settings, stored)
    return 0


def _list(context: Context, unread: UnreadResponse, *, as_json: bool) -> None:
    fields, at = shape_of(unread.fields), unread.attempt.claimed_at
    if as_json:
        shapes = [{"pointer": pointer, "shape": shape} for pointer, shape in fields.items()]
        attempt = {"claim_id": unread.attempt.claim_id, "claimed_at": at}
        about = {"secret_id": context.secret_id, **attempt, "length_bytes": unread.length_bytes}
        print_json({**about, "fields": shapes})
        return
    say(f"Response of {utc(at)}, {unread.length_bytes} bytes; no value is shown:")
    output().print(fields_table(fields.items()))
    if not fields:
        say("It has no fields that can be pointed to.")
        say("Get a new grant: ", context.command("authorize"))
        return
    options = ("--access-token", "POINTER", "--refresh-token", "POINTER")
    claim = ("--claim", unread.attempt.claim_id)
    say("Make its tokens current: ", context.command("recover", *claim, *options))

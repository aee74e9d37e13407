"""`token-refresh restore`: bring an older token set back, also if something else was saved over it."""

from typing import Annotated

import typer

from token_refresh_admin.changes.restore import check_claims, choose, prepare
from token_refresh_admin.cli.command import Json, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import finishing
from token_refresh_admin.cli.lookups import read_past, settings_of
from token_refresh_admin.cli.prompts import confirm
from token_refresh_admin.cli.screen import errors, fields_table, print_json, say, say_done, say_published
from token_refresh_worker.core.versions import PREVIOUS
from token_refresh_worker.run.failures import utc


@command("restore", "", "--version 1b2c3d4e-...", "--yes --json", writes=True)
def restore(
    context: Context,
    *,
    version_id: Annotated[
        str | None, typer.Option("--version", metavar="VERSION_ID", help="Which one; default the last good one.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Restore without asking.")] = False,
    as_json: Json = False,
) -> int:
    """Bring an older token set back, as a new version.

    A token set is refused if no run could refresh it, or only at a risk: authorize again instead.
    """
    past = read_past(context)
    check_claims(past)
    chosen = choose(past, version_id)
    older = prepare(past, chosen, lambda fields: settings_of(context, fields).policy)
    expires_at = older.document.expires_at
    expires = None if expires_at is None else utc(expires_at)
    about = [("version", chosen.version_id), ("stored", utc(chosen.created_at)), ("expires", expires)]
    errors().print(fields_table([*about, ("note", older.note)]))
    if not yes:
        confirm("Make it current, as a new version?")
    settings = settings_of(context, older.document.fields)
    with finishing("The token set is stored first."):
        stored = older.store(context.run(settings).parts)
    if as_json:
        done = {"secret_id": context.secret_id, "version_id": stored.version_id, "restored": chosen.version_id}
        print_json({**done, "replaced": older.replaces, "note": older.note, "published": stored.publish()})
        return 0
    old = None if older.replaces is None else f"{older.replaces}, now {PREVIOUS}"
    say_done("Restored.", ("current version", stored.version_id), ("replaced", old))
    say_published(settings, stored)
    say("Next: ", context.command("status"))
    return 0

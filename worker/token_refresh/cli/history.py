"""`token-refresh history` and `restore`: which versions there are, and how to go back to an older one."""

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from token_refresh.bootstrap import environment
from token_refresh.cli.failures import CommandFailed
from token_refresh.cli.options import command
from token_refresh.cli.redemption import Fate, History, trace
from token_refresh.cli.screen import errors, fields_table, iso, output, print_json, span, when
from token_refresh.cli.state import State, open_store, read_state
from token_refresh.cli.storing import store_version
from token_refresh.cli.versions import Listed, list_versions
from token_refresh.config import token_secret_id
from token_refresh.core.schedule import may_be_sent_again
from token_refresh.secret_value import SecretValue
from token_refresh.stored.document import TokenDocument, read_document

PREVIOUS = "AWSPREVIOUS"


@command("token-refresh history", "token-refresh history --all", "token-refresh history --json")
def history(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Claims and records, too, not only what holds or held tokens.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> int:
    """List the versions of the secret that are still there, the newest first."""
    secret_id = token_secret_id(environment())
    versions = [v for v in list_versions(secret_id) if everything or v.is_token_set or v.labels]
    if as_json:
        print_json({"secret_id": secret_id, "versions": [_as_fields(version) for version in versions]})
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("version", no_wrap=True)
    table.add_column("stored (UTC)", no_wrap=True)
    table.add_column("what it is")
    for version in versions:
        what = Text.assemble(version.kind.value, *(("\n" + label, "bold") for label in sorted(version.labels)))
        table.add_row(version.version_id, f"{version.created_at:%m-%d %H:%M:%S}", what)
    output().print(table)
    return 0


def _as_fields(version: Listed) -> dict[str, object]:
    return {
        "version_id": version.version_id,
        "stored_at": iso(version.created_at),
        "labels": sorted(version.labels),
        "kind": version.kind.name.lower(),
    }


@command("token-refresh restore", "token-refresh restore --version 1b2c3d4e-...", "token-refresh restore --yes")
def restore(
    *,
    version_id: Annotated[
        str | None,
        typer.Option("--version", metavar="VERSION_ID", help="Which; else the previous one.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Restore without asking.")] = False,
) -> int:
    """Bring an older token set back, as a new version.

    It is refused where the provider would no longer take the set's refresh token: authorize again instead.
    """
    state = read_state()
    store = open_store(state.secret_id)
    versions = list_versions(state.secret_id)
    chosen = next(
        (v for v in versions if v.version_id == version_id or (not version_id and PREVIOUS in v.labels)), None
    )
    version = store.read(version_id=chosen.version_id) if chosen else None
    if version is None or version.value is None:
        what = f"version {version_id}" if version_id else "previous version"
        raise CommandFailed(f"secret {state.secret_id} has no {what}; token-refresh history lists what is there")
    if version.version_id == state.snapshot.current.version_id:
        raise CommandFailed(f"version {version.version_id} is the current one; there is nothing to restore")
    document = read_document(version.value)
    told = _weigh(state, trace(store, versions, document))
    _show(version.version_id, version.created_at, document, told)
    if not yes:
        typer.confirm("Make it current, as a new version?", abort=True, err=True)
    return _store(state, version.value)


def _weigh(state: State, past: History) -> str:
    """Say what will happen to a restored set; refuse where its refresh token is of no more use.

    Raises:
        CommandFailed: Played again, it would be refused, or cost the grant.
    """
    now = state.snapshot.now
    if past.at is None:
        return (
            "No run that is still recorded redeemed its refresh token. If something else did, authorize again instead."
        )
    if past.fate is Fate.REJECTED:
        raise CommandFailed(
            f"the provider rejected that set's refresh token at {when(past.at)}; get a new one with "
            "token-refresh authorize"
        )
    redeemed = "was redeemed" if past.fate is Fate.REDEEMED else "may have been redeemed (no answer is known)"
    if not may_be_sent_again(past.at, now, state.policy.replay_grace):
        raise CommandFailed(
            f"that set's refresh token {redeemed} at {when(past.at)}, and the provider's grace "
            f"({span(state.policy.replay_grace)}) is over: played again, it would be refused or cost the grant. Get a "
            "new token set with token-refresh authorize"
        )
    if past.fate is Fate.REDEEMED:
        return (
            f"Its refresh token {redeemed} at {when(past.at)} and does not come back into use: the run that finds the "
            "set due puts the tokens received then on top of it. Its access token and its other keys come back."
        )
    until = when(past.at + state.policy.replay_grace)
    return f"Its refresh token {redeemed} at {when(past.at)}; the provider takes it again until {until}."


def _show(version_id: str, created_at: datetime, document: TokenDocument, told: str) -> None:
    expires = None if document.expires_at is None else when(document.expires_at)
    rows = [("version", version_id), ("stored", when(created_at)), ("expires", expires), ("note", told)]
    errors().print(fields_table(rows))


def _store(state: State, value: SecretValue) -> int:
    new = store_version(open_store(state.secret_id), value)
    replaced = state.snapshot.current.version_id
    rows = [("current version", new), ("replaced", f"{replaced}, now {PREVIOUS}"), ("next", "token-refresh status")]
    output().print("Restored.", style="bold green")
    output().print(fields_table(rows))
    return 0

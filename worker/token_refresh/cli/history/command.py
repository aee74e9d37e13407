"""`token-refresh history`: which versions of the secret there are."""

from typing import Annotated

import typer
from rich.table import Table

from token_refresh.cli.console.options import command
from token_refresh.cli.console.screen import assemble, iso, output, print_json
from token_refresh.cli.context import Context
from token_refresh.cli.history.versions import Listed, list_versions


@command("token-refresh history", "token-refresh history --all", "token-refresh history --json")
def history(
    context: Context,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also claims and records without a label, not only token sets.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> int:
    """List the versions of the secret that still exist, the newest first."""
    versions = [v for v in list_versions(context) if everything or v.kind.is_value or v.labels]
    if as_json:
        print_json({"secret_id": context.secret_id, "versions": [_as_fields(version) for version in versions]})
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("version", no_wrap=True)
    table.add_column("stored (UTC)", no_wrap=True)
    table.add_column("what it is")
    for version in versions:
        what = assemble(version.kind.value, *(("\n" + label, "bold") for label in sorted(version.labels)))
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

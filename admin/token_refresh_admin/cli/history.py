"""`token-refresh history`: the versions of the secret, and what became of each."""

from typing import Annotated

import typer
from rich.table import Table

from token_refresh_admin.changes.past import ListedVersion, VersionHistory
from token_refresh_admin.cli.command import Json, command
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.lookups import read_past
from token_refresh_admin.cli.screen import assemble, one_line, output, print_json, say, text


@command("history", "", "--all", "--json")
def history(
    context: Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="List claims and records without a label, too.")] = False,
    as_json: Json = False,
) -> int:
    """List the versions of the secret that still exist, the newest first.

    `fate` says whether the refresh token of a token set was used, and how the attempt of a claim ended.
    """
    past = read_past(context)
    versions = [v for v in past.listed if everything or v.labels or not v.kind.is_note]
    if as_json:
        fields: dict[str, object] = {"versions": [_as_fields(past, version) for version in versions]}
        if past.kept_tokens_since is not None:
            fields["kept_since"] = past.kept_tokens_since
        print_json({"secret_id": context.secret_id, **fields})
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("stored (UTC)", "version"):
        table.add_column(column, no_wrap=True)
    for column in ("what it is", "fate"):
        table.add_column(column, overflow="fold")  # On a narrow terminal, a label is of use only as a whole.
    for version in versions:
        what = assemble(version.kind.value, *(("\n" + one_line(label), "bold") for label in sorted(version.labels)))
        when = f"{version.created_at:%m-%d %H:%M:%S}"
        table.add_row(when, version.version_id[:8], what, text((_fate(past, version) or "").replace("_", " ")))
    output().print(table)
    if (since := past.kept_tokens_since) is not None:
        arrived = f"Tokens that arrived after {since:%m-%d %H:%M:%S} are not in this list: Secrets Manager "
        why = f"{arrived}refused them, and the claim table keeps them. To store them: "
        say(why, context.command("refresh"))
    return 0


def _fate(past: VersionHistory, version: ListedVersion) -> str | None:
    if version.document is not None:
        snapshot = past.snapshots.get(version.version_id)
        return past.use_of_token(snapshot)[0].value if snapshot else None
    if version.record is not None:
        return version.record.fate.value + (f" ({version.record.error})" if version.record.error else "")
    attempt = past.attempts.get(version.version_id)
    return attempt.fate.value if attempt else None


def _as_fields(past: VersionHistory, version: ListedVersion) -> dict[str, object]:
    return {
        "version_id": version.version_id,
        "stored_at": version.created_at,
        "labels": sorted(version.labels),
        "kind": version.kind.name.lower(),
        "fate": _fate(past, version),
    }

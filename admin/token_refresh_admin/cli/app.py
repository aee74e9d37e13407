"""The command line as a whole: which commands there are, and how it starts."""

import logging
import os
import sys
from collections.abc import Sequence

import typer

from token_refresh import __version__
from token_refresh_admin.cli.authorize import authorize
from token_refresh_admin.cli.claims import move
from token_refresh_admin.cli.client import client
from token_refresh_admin.cli.doctor.command import doctor
from token_refresh_admin.cli.failures import usage_fields
from token_refresh_admin.cli.fleet import members
from token_refresh_admin.cli.fleet import pause as pauses
from token_refresh_admin.cli.fleet import status as fleet
from token_refresh_admin.cli.history import history
from token_refresh_admin.cli.pause import pause, resume
from token_refresh_admin.cli.providers import providers
from token_refresh_admin.cli.recover import recover
from token_refresh_admin.cli.refresh import refresh
from token_refresh_admin.cli.restore import restore
from token_refresh_admin.cli.revoke import revoke
from token_refresh_admin.cli.screen import discard, keep_streams_from_failing, print_json
from token_refresh_admin.cli.status import status
from token_refresh_admin.cli.verify import verify

EX_USAGE = 64
"""The exit status of sysexits.h for a wrong option: monitoring reads 0 to 3 as the health of the secret."""

app = typer.Typer(
    name="token-refresh",
    epilog="Start with token-refresh authorize, then token-refresh status. For completion in bash, zsh and fish: "
    "token-refresh --install-completion. A command that changes something ends with 0 if it has done so, 1 if it failed"
    " and a later try may succeed, 2 if a person is needed, 64 for a wrong option, and 130 after Ctrl-C. With --json, "
    "standard output has one object. After a failure it has error_type, error, needs_person and retry_at: before that "
    "time no scheduled run tries again (null if nobody knows).",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,  # They show local variables, and with them secrets.
)
_GROUPS = {
    "": app,
    "fleet": typer.Typer(help="Show and control a fleet of token secrets.", no_args_is_help=True),
    "claims": typer.Typer(help="Move the claims on a secret to another store.", no_args_is_help=True),
}
_PANELS = {
    "Look": (status, doctor, history, verify),
    "Set up": (authorize, client, providers, revoke),
    "Run and repair": (refresh, pause, resume, restore, recover, move),
    "Many secrets": (
        fleet.status,
        pauses.pause,
        pauses.resume,
        members.add,
        members.remove,
        members.retry,
        members.resync,
    ),
}
"""The commands in the order in which an operator needs them; `--help` lists them so."""
for panel, commands in _PANELS.items():
    for declared in commands:
        group, _, last = declared.name.rpartition(" ")
        _GROUPS[group].command(last, epilog=declared.examples, rich_help_panel=None if group else panel)(declared.run)
app.add_typer(_GROUPS["claims"], name="claims", rich_help_panel="Run and repair")
app.add_typer(_GROUPS["fleet"], name="fleet", rich_help_panel="Many secrets")


def _version(wanted: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if wanted:
        typer.echo(f"token-refresh {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *, version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version.")
) -> None:
    """Set up, watch and repair OAuth 2.0 tokens in AWS Secrets Manager."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit."""
    # Libraries quote requests and responses in what they log, at any level.
    logging.getLogger().addHandler(logging.NullHandler())
    keep_streams_from_failing()
    # Click's UsageError, whose 2 would read as "broken" in monitoring.
    usage_error = typer.BadParameter.__bases__[0]
    usage_error.exit_code = EX_USAGE  # type: ignore[attr-defined]  # Typer exits with it; it has no name in Typer's API
    try:
        app(arguments, prog_name="token-refresh")
    except SystemExit as ended:
        if ended.code == EX_USAGE and "--json" in (sys.argv if arguments is None else arguments):
            print_json(usage_fields())
        raise
    except OSError as full:  # Typer's own output, such as help, on a full disk.
        discard(sys.stdout)
        sys.stderr.write(f"token-refresh: the output can't be written ({os.strerror(full.errno or 0)})\n")
        raise SystemExit(1) from None

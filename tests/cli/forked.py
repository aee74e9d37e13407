"""Runs `token-refresh`, each command in a fork of one process."""

import contextlib
import functools
import io
import sys

import botocore.session
import typer.main

import token_refresh_worker.adapters.token_endpoint  # noqa: F401 - what a refresh imports
from testbed.forks import serve
from token_refresh_admin.cli import main


def prepare() -> None:
    """Do once what each command would do: read its options, and AWS's description of its service."""
    typer.main.get_command = functools.cache(typer.main.get_command)
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    botocore.session.get_session().create_client("secretsmanager", region_name="eu-central-1")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(["providers"])


if __name__ == "__main__":
    prepare()
    serve(sys.argv[1], main)

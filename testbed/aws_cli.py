"""Runs the AWS CLI, each command in a fork of one process; the emulator's environment has it."""

import contextlib
import functools
import io
import os
import sys

import awscli.botocore.session  # type: ignore[import-not-found]  # it is in an environment of its own
import awscli.clidriver  # type: ignore[import-not-found]  # likewise

from testbed.forks import serve

_DESCRIPTIONS = os.environ["AWS_DATA_PATH"]
"""What the CLI sets when it is imported; a fork has another environment."""


def main(arguments: list[str]) -> None:
    """Run one command."""
    os.environ["AWS_DATA_PATH"] = _DESCRIPTIONS
    sys.argv[1:] = arguments
    sys.exit(awscli.clidriver.main())


def prepare() -> None:
    """Read once what each command would read: the descriptions of options, and of a service."""
    awscli.botocore.session.create_loader = functools.cache(awscli.botocore.session.create_loader)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main(["configure", "list"])


if __name__ == "__main__":
    address = sys.argv[1]  # which a command replaces
    prepare()
    serve(address, main)

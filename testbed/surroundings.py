"""The variables that tests, demos and pictures run with: the shell's, without what would change their course."""

import os
from typing import Final

from token_refresh_worker.run.settings import Variable

_KEPT: Final = "_OF_THE_SHELL"
"""What the name of a variable ends in that only an installation gets, also in the processes that pytest starts."""


def forget_settings() -> None:
    """Leave out what this machine is configured with: no AWS account is to be reached, by mistake or by a proxy."""
    for name in [*os.environ]:
        if name.lower().endswith("_proxy"):
            os.environ[f"{name}{_KEPT}"] = os.environ.pop(name)
        elif name.startswith(("AWS_", "CDK_")) or name in {*Variable}:
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def proxies() -> dict[str, str]:
    """Return the shell's proxies, which an index of packages may need."""
    return {name.removesuffix(_KEPT): value for name, value in os.environ.items() if name.endswith(_KEPT)}


def for_installing() -> dict[str, str]:
    """Return the variables for what installs packages."""
    return os.environ | proxies()

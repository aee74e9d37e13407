"""What the demos do with the machine that they run on."""

import os


def forget_settings() -> None:
    """Leave out what this machine is configured with: no AWS account is to be reached, by mistake or by a proxy."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

"""What both demos do with the machine that they run on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


def forget_settings() -> None:
    """Leave out what this machine is configured with: no AWS account is to be reached, by mistake or by a proxy."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, whatever the signal."""
    raise KeyboardInterrupt

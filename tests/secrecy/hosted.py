"""What both hosts of the handler do: an environment of its own for each invocation, and a clock that need not wait."""

import os
from typing import Any
from unittest import mock

from token_refresh_worker.bootstrap import SystemClock
from token_refresh_worker.handlers import refresh

_STARTED_WITH = dict(os.environ)
_slept = [0.0]
_monotonic = SystemClock.monotonic


def hosted(event: dict[str, Any], context: Any) -> object:
    """Run the real handler on `event["event"]`, in the environment of `event["environment"]`."""
    os.environ.clear()
    os.environ.update(_STARTED_WITH | event["environment"])
    with (
        mock.patch.object(SystemClock, "monotonic", lambda clock: _monotonic(clock) + sum(_slept)),
        mock.patch.object(SystemClock, "sleep", lambda _, seconds: _slept.append(seconds)),
    ):
        return refresh(event["event"], context)

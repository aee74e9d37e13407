"""Durations as people write them: `90s`, `30m`, `2h`, `7d`."""

import re
from datetime import timedelta
from typing import Final

import typer

from token_refresh_worker.fleet.core.row import LONGEST_PAUSE

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_duration(text: str) -> timedelta:
    """Read a duration.

    Raises:
        BadParameter: It is none, or longer than a month.
    """
    # Six digits at most: more days overflow a timedelta before they can be compared.
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text.strip())
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if duration is None or duration > LONGEST_PAUSE:
        raise typer.BadParameter("must be a number with s, m, h or d, such as 2h, and at most 31d")
    return duration

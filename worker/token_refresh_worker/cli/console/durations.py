"""Durations as people write them."""

import re
from datetime import timedelta
from typing import Final

import typer

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_duration(text: str, longest: timedelta) -> timedelta:
    """Read a duration: `90s`, `30m`, `2h`, `7d`.

    Raises:
        BadParameter: It is none, or too long.
    """
    # Six digits at most: more days overflow a timedelta before they can be compared.
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text.strip())
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if duration is None or duration > longest:
        raise typer.BadParameter(f"must be a number with s, m, h or d, such as 2h, and at most {longest.days}d")
    return duration

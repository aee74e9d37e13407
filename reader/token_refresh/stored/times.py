"""Times as they are stored and printed: ISO 8601 in UTC, within the range that a token's time can have."""

from datetime import UTC, datetime, timedelta
from typing import Final

EARLIEST_SECONDS: Final = 10**8
"""1973. A smaller number of seconds is not a time that tokens have."""

LATEST_SECONDS: Final = 10**11
"""5138. Milliseconds begin here, so a time in the wrong unit is refused."""

LONGEST_LIFETIME: Final = timedelta(days=3650)
"""A longer lifetime counts as this one, so that no expiry leaves the range of a stored time."""


def iso(moment: datetime) -> str:
    """Write a time as ISO 8601 in UTC, with a `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_iso(text: str) -> datetime:
    """Read ISO 8601; a time without a zone is UTC.

    Raises:
        ValueError: The text is not ISO 8601, or the time is out of range.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # The timestamp comes first: astimezone overflows near the years 1 and 9999.
    if not EARLIEST_SECONDS <= moment.timestamp() < LATEST_SECONDS:
        raise ValueError
    return moment.astimezone(UTC)


def read_unix(number: float, units_per_second: int = 1) -> datetime:
    """Read a Unix time in seconds or parts of a second.

    Raises:
        ValueError: The time is out of range; it may be in another unit.
    """
    # `//` keeps an integer an integer: one of 400 digits overflows a float.
    if not EARLIEST_SECONDS <= number // units_per_second < LATEST_SECONDS:
        raise ValueError
    return datetime.fromtimestamp(number / units_per_second, UTC)

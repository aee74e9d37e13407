"""Times as they are stored and printed: one grammar, which the reader for TypeScript has too (`times.ts`).

    time      date, or date ("T" or " ") clock [zone]
    date      YYYY-MM-DD, a day of the calendar
    clock     hh:mm [":" ss ["." 1 to 9 digits]], from 00:00 to 23:59:59
    zone      "Z", or ("+" or "-") hh [[":"] mm]; without a zone the time is UTC

It is that of RFC 3339 section 5.6, with what Python, JavaScript and PostgreSQL write besides. A number is Unix time, as
a JSON number or as text: its size says whether in seconds or milliseconds, and what is behind its point is dropped.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

EARLIEST_SECONDS: Final = 10**8
"""1973. A smaller number of seconds is not a time that tokens have."""

LATEST_SECONDS: Final = 10**11
"""5138. From here on a number is milliseconds, beginning with 1973."""

LONGEST_LIFETIME: Final = timedelta(days=3650)
"""A longer lifetime counts as this one, so that no expiry leaves the range of a stored time."""


_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?"
)
_NUMBER: Final = re.compile(r"[0-9]{9,14}(?:\.[0-9]{1,9})?")


def is_possible(moment: datetime, *, latest: datetime) -> bool:
    """Say whether a time can be true: nobody stores, receives or reads one that is later than `latest`.

    A clock was wrong, or something else wrote it. Each place that believes a time asks this, and says what the latest
    one is there. `tests/stored/test_impossible_times.py` lists these places.
    """
    return moment <= latest


def iso(moment: datetime) -> str:
    """Write a time as ISO 8601 in UTC, with a `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_iso(text: str) -> datetime:
    """Read a time in the grammar above; all else, such as a day that does not exist, is a `ValueError`."""
    if _ISO.fullmatch(text) is None:
        raise ValueError
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # The timestamp comes first: astimezone overflows near the years 1 and 9999.
    if not EARLIEST_SECONDS <= moment.timestamp() < LATEST_SECONDS:
        raise ValueError
    return moment.astimezone(UTC)


def read_unix(number: float) -> datetime:
    """Read a Unix time in seconds or milliseconds; one out of range is a `ValueError`."""
    units = _units_per_second(number)
    # `//` keeps an integer an integer: one of 400 digits overflows a float.
    if not EARLIEST_SECONDS <= number // units < LATEST_SECONDS:
        raise ValueError
    return datetime.fromtimestamp(number / units, UTC)


def read_time(value: object) -> datetime:
    """Read a stored time, in any of its forms; all else is a `ValueError`."""
    number = _as_number(value)
    if number is not None:
        return read_unix(int(number))
    if isinstance(value, str):
        return read_iso(value)
    raise ValueError


def write_time(moment: datetime, *, like: object) -> int | str:
    """Write a time in the form of another one."""
    number = _as_number(like)
    if number is None:
        return iso(moment)
    written = int(moment.timestamp()) * _units_per_second(number)
    return str(written) if isinstance(like, str) else written


def _as_number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _units_per_second(number: float) -> int:
    return 1000 if number >= LATEST_SECONDS else 1

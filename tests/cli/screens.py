"""What commands print, whole: compared with what somebody has read and recorded in `screens.txt`."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from testbed.secrets_manager.server import SecretsManagerServer

RECORDED: Final = Path(__file__).with_name("screens.txt")
"""Delete a screen, or the file: the test then records it anew, and fails once, so that somebody reads it."""
_HEAD: Final = "===== "
_ROUNDED_SECONDS: Final = 1800
_UNITS: Final = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
_SPAN: Final = re.compile(r"\b\d+ (?:d|h|min|s)\b(?: \d+ (?:h|min|s)\b)*")
_TIME: Final = re.compile(r"\b(20\d\d-)?(\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?(?: UTC|Z|\+00:00)?")
"""A year stands before it, but in the list of versions."""
_SECONDS: Final = re.compile(r'("seconds_to_expiry": )(-?\d+)')


def plain(screen: str, store: SecretsManagerServer, addresses: Mapping[str, str]) -> str:
    """Write versions by their order, times by how far away they are, to half an hour, and addresses by their names."""
    versions = [version.version_id for secret in store.secrets.snapshot() for version in secret.versions]
    for number, version_id in enumerate(versions):
        screen = screen.replace(version_id, f"<version {number}>").replace(version_id[:8], f"<v{number}>")
    for address, name in addresses.items():
        screen = screen.replace(address, name)
    return in_words(screen, store.now())


def in_words(screen: str, now: float) -> str:
    """Write times by how far away they are, to half an hour."""
    screen = _SPAN.sub(lambda found: f"<{_minutes(_seconds(found[0]))} min>", screen)
    screen = _TIME.sub(lambda found: f"<now{_minutes(_seconds_from(now, found)):+d} min>", screen)
    screen = _SECONDS.sub(lambda found: f"{found[1]}{_minutes(float(found[2])) * 60}", screen)
    return "\n".join(line.rstrip() for line in screen.splitlines()).strip()


def _seconds_from(now: float, found: re.Match[str]) -> float:
    year = found[1] or f"{datetime.fromtimestamp(now, UTC).year}-"
    return datetime.fromisoformat(f"{year}{found[2]}T{found[3]}Z").timestamp() - now


def _seconds(span: str) -> int:
    words = span.split()
    return sum(int(count) * _UNITS[unit] for count, unit in zip(words[::2], words[1::2], strict=True))


def _minutes(seconds: float) -> int:
    return round(seconds / _ROUNDED_SECONDS) * _ROUNDED_SECONDS // 60


def recorded(name: str, screen: list[str]) -> list[str]:
    """Return what is recorded under a name; a screen that nobody has recorded is written there."""
    if name not in _read():
        with RECORDED.open("a") as file:
            file.writelines(f"{line}\n" for line in [f"{_HEAD}{name}", *screen])
        return [f"{RECORDED.name} had no screen {name!r} until now: read it"]
    return _read()[name]


@cache
def _read() -> dict[str, list[str]]:
    text = RECORDED.read_text() if RECORDED.exists() else ""
    parts = [part.partition("\n") for part in text.split(_HEAD)[1:]]
    return {name: screen.splitlines() for name, _, screen in parts}

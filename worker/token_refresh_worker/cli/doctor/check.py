"""One check of `doctor`, and what it found."""

from collections.abc import Callable
from typing import NamedTuple

from token_refresh.errors import TokenRefreshError
from token_refresh_worker.cli.secret.finding import Finding


class Check(NamedTuple):
    """What was checked, and what was found."""

    name: str
    finding: Finding


def tried(name: str, find: Callable[[], Finding]) -> Check:
    """Carry out a check; an error keeps it from its result, and says nothing about what it checks."""
    try:
        return Check(name, find())
    except TokenRefreshError as failure:
        return Check(name, not_known(failure))


def not_known(failure: TokenRefreshError) -> Finding:
    """Report an error that kept a check from its result."""
    return Finding.unknown(f"not known: {failure.facts}", *failure.fix)


def failed(failure: TokenRefreshError) -> Finding:
    """Report an error that is itself what is wrong."""
    return Finding.broken(failure.facts, *failure.fix)

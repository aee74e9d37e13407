"""The providers that the worker knows: what their profiles say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pages.changes import changes
from pages.docstrings import table
from token_refresh_worker.cli.providers import ROTATES, grace_text, grant_text, life, request_text
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.providers.provider import Rotation

if TYPE_CHECKING:
    from token_refresh_worker.providers.provider import Provider

_HEAD = ("name", "request", "access token lives", "new refresh token", "old one accepted", "grant lives")

LISTED: Final = [name for name in profile_names() if name != "generic" and load_provider(name).ends_on is None]
"""Those that can still be chosen by name."""

_KINDS: Final = (
    (
        "never changes: Google, Dropbox, HubSpot",
        "Keeps all 8.",
        "Keeps all 8.",
    ),
    (
        "changes, and the old one works for a while: Upwork, Xero, Microsoft",
        "Keeps 7 at Upwork (works for a day), 4 at Xero (30 minutes).",
        "Keeps all 8 at Upwork, 7 at Xero.",
    ),
    (
        "works once: GitHub Apps, Slack, Zoom",
        "Keeps 2, loses 6: the provider revokes them.",
        "Keeps 6, loses 2: an alarm tells you while the access token works.",
    ),
)
"""What `scripts/demo --provider NAME` shows of google, upwork, xero and github: how many grants of eight are kept."""


def providers() -> str:
    """Return a row for each profile."""
    return table(_HEAD, *(_row(load_provider(name)) for name in profile_names()))


def kinds() -> str:
    """Return a row for each kind of refresh token: what a careful handler keeps there, and what the worker keeps."""
    counts = Counter(map(_kind, map(load_provider, LISTED)))
    return table(
        ("refresh token", "providers", "a careful handler", "this worker"),
        *((name, str(counts[name]), careful, worker) for name, careful, worker in _KINDS),
    )


def _kind(provider: Provider) -> str:
    if provider.rotation is Rotation.NEVER:
        return _KINDS[0][0]
    return _KINDS[1 if provider.grace.duration else 2][0]


def calendar() -> str:
    """Return a row for each change that a provider has announced, soonest first."""
    return table(
        ("from", "provider", "what changes", "looked up on"),
        *(
            (str(change.on), f"`{change.provider}`", f"[{change.says}]({change.source})", str(change.seen_on))
            for change in changes()
        ),
    )


def _row(provider: Provider) -> tuple[str, ...]:
    return (
        f"`{provider.name}`",
        request_text(provider),
        life(provider.access_token_lifetime),
        ROTATES[provider.rotation],
        grace_text(provider),
        grant_text(provider) or "",
    )

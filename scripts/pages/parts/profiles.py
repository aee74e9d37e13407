"""The providers that the worker knows: what their profiles say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.changes import changes
from pages.docstrings import table
from token_refresh_worker.cli.providers.command import ROTATES, grace_text, grant_text, life, request_text
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.providers.provider import Basis

if TYPE_CHECKING:
    from token_refresh_worker.providers.provider import Provider

_HEAD = (
    *("name", "provider", "request", "access token lives", "new refresh token", "old one accepted", "grant lives"),
    "not documented",
)


def providers() -> str:
    """Return a row for each profile."""
    return table(_HEAD, *(_row(load_provider(name)) for name in profile_names()))


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
        provider.title,
        request_text(provider),
        life(provider.access_token_lifetime),
        ROTATES[provider.rotation],
        grace_text(provider),
        grant_text(provider) or "",
        _undocumented(provider),
    )


def _undocumented(provider: Provider) -> str:
    bases = [fact.basis for fact in provider.evidence]
    counts = [(bases.count(basis), basis) for basis in (Basis.REPORTED, Basis.ASSUMED)]
    return ", ".join(f"{count} {basis}" for count, basis in counts if count)

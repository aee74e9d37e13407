"""The providers that the worker knows: what their profiles say."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from typing import Final

from pages.changes import changes
from pages.docstrings import table
from token_refresh_admin.cli.providers import grace_text, life
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.providers.provider import Provider, Rotation
from token_refresh_worker.run.failures import span

LISTED: Final = [name for name in profile_names() if name != "generic" and load_provider(name).ends_on is None]
"""Those that can still be chosen by name."""

KEPT: Final = {"google": (13, 13, 13), "upwork": (13, 13, 13), "xero": (8, 11, 12), "github": (3, 11, 11)}
"""In how many events of `scripts/demo --provider NAME` a grant survives: careful, with a claim, this worker."""

EVENTS: Final = 13

_KINDS: Final = (
    (
        "never changes, or there is none (Google, PayPal)",
        *(f"{kept} of {EVENTS}" for kept in KEPT["google"]),
    ),
    (
        "the old one works for a while (Upwork a day, Xero 30 minutes)",
        *(f"Upwork {upwork}, Xero {xero}" for upwork, xero in zip(KEPT["upwork"], KEPT["xero"], strict=True)),
    ),
    ("works once, or may (GitHub Apps, Slack)", *(f"{kept} of {EVENTS}" for kept in KEPT["github"])),
)


def providers() -> str:
    """Return a row for each kind of refresh token and each life of an access token, with the profiles' names."""
    found = sorted(map(load_provider, profile_names()), key=_by_grace)
    return table(
        ("used refresh token", "access token lives", "profiles"),
        *(
            (*row, _names(same))
            for row, same in groupby(found, lambda p: (grace_text(p), life(p.access_token_lifetime)))
        ),
    )


def grants() -> str:
    """Return a row for each time after which a grant ends, with the profiles' names."""
    found = [load_provider(name) for name in profile_names()]
    ends: dict[timedelta, tuple[list[Provider], list[Provider]]] = defaultdict(lambda: ([], []))
    for provider in found:
        lives = provider.refresh_token
        if lives.lifetime is not None:
            ends[lives.lifetime][lives.is_fixed].append(provider)
        if lives.idle is not None:
            ends[lives.idle][False].append(provider)
    return table(
        ("a grant ends after", "from the last refresh", "from the consent"),
        *((span(after), *map(_names, named)) for after, named in sorted(ends.items())),
    )


def kinds() -> str:
    """Return how many providers there are, and for each kind of refresh token what three handlers keep there."""
    counts = Counter(map(_kind, map(load_provider, LISTED)))
    played = f"`scripts/demo` plays {EVENTS} failures. How many of them does a grant survive?"
    return f"The worker knows [{counts.total()} providers](docs/providers.md). {played}\n\n" + table(
        ("providers: their refresh token", "careful handler", "handler that claims", "this worker"),
        *((f"{counts[name]}: {name}", *kept) for name, *kept in _KINDS),
    )


def _kind(provider: Provider) -> str:
    if provider.rotation is Rotation.NEVER or not provider.needs_refresh_token:
        return _KINDS[0][0]
    return _KINDS[1 if provider.grace.duration else 2][0]


def revocations() -> str:
    """Say where `revoke` ends a grant itself, and where it says how somebody does."""
    found = [load_provider(name) for name in LISTED]
    ours = [provider for provider in found if provider.revocation_endpoint]
    noted = [provider for provider in found if provider.revocation.note and not provider.revocation_endpoint]
    return (
        f"`revoke` ends the grant itself at {len(ours)} providers: {_names(ours)}.\n\n"
        f"Where the provider's way is another, it says which: {_names(noted)}. "
        "At all others the user disconnects the client in the settings of the account."
    )


def sources() -> str:
    """Say from when to when the sources of all profiles were read."""
    days = [fact.on for name in profile_names() for fact in load_provider(name).evidence]
    return f"The sources of all profiles were read from {min(days)} to {max(days)}."


def calendar() -> str:
    """Return a row for each change that a provider has announced, soonest first."""
    return table(
        ("from", "provider", "what changes"),
        *((str(change.on), f"`{change.provider}`", f"[{change.says}]({change.source})") for change in changes()),
    )


def _by_grace(provider: Provider) -> tuple[timedelta, str, timedelta, str]:
    """The longest grace first, then the shortest life."""
    lifetime = provider.access_token_lifetime or timedelta.max
    return -provider.grace.duration, grace_text(provider), lifetime, provider.name


def _names(found: Iterable[Provider]) -> str:
    return ", ".join(f"`{provider.name}`" for provider in found)

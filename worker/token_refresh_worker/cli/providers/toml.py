"""Write a profile as TOML. What comes from metadata was checked: no value has a quote, a backslash or a line end."""

import json
from collections.abc import Sequence
from datetime import date

from token_refresh_worker.cli.providers.metadata import Issuer, Resource


def profile_text(issuer: Issuer, resource: Resource | None, *, title: str, source: str, today: date) -> str:
    """Write the profile of an issuer, for the API if there is one; what nobody knows is assumed to be strict."""
    method, *others = issuer.methods
    scopes = list(dict.fromkeys([*(resource.scopes if resource else ()), *issuer.scopes]))
    basis = "documented" if source.startswith("https://") else "reported"
    lines = [
        f'title = "{title}"',
        f'token_endpoint = "{issuer.token_endpoint}"',
        f'revocation_endpoint = "{issuer.revocation_endpoint}"' if issuer.revocation_endpoint else "",
        f'resource = "{resource.resource}"' if resource else "",
        'rotation = "optional"   # always, if each refresh returns a new refresh token',
        "grace = 0               # seconds for which the old one works; until you know it, it is single use",
        "\n# [access_token]",
        "# lifetime_seconds = 3600   # what status shows right after a refresh; without it, a day is assumed",
        "\n[request]",
        f'auth = "{method}"{_or(others)}',
        "\n[authorization]",
        f'endpoint = "{issuer.authorization_endpoint}"',
        f"scopes = {json.dumps(scopes)}" if scopes else "",
        f'issuer = "{issuer.issuer}"' if issuer.sends_issuer else "",
        "pkce = false" if issuer.pkce is False else "",
        "\n[[evidence]]",
        'says = "The endpoints, how a client authenticates, the scopes, and what the page takes"',
        f'source = "{source}"',
        f"on = {today}",
        f'basis = "{basis}"',
        "\n[[evidence]]",
        'says = "A refresh token works once, and a dead one is invalid_grant"',
        'source = "No metadata says it"',
        f"on = {today}",
        'basis = "assumed"',
    ]
    head = "# From the issuer's metadata. What each key means, and which others there are: docs/providers.md\n"
    return head + "".join(f"{line}\n" for line in lines if line)


def _or(methods: Sequence[str]) -> str:
    return f"   # or {', '.join(methods)}, if the client is registered so" if methods else ""

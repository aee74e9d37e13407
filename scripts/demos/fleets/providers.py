"""Five providers with many customers each: their real profiles, in which servers on this machine replace the hosts."""

import contextlib
import re
import zipfile
from pathlib import Path
from typing import Any, Self

from testbed.provider.authorization_server import AuthorizationServer
from testbed.provider.customers import Customers
from token_refresh_worker.providers.loader import PROFILES

REAL, HANGING = "upwork", "quickbooks"
"""The provider that is a real authorization server, and the one that hangs."""
_IN_ZIP = "token_refresh_worker/providers/profiles/"


class Providers:
    """The five, for as long as the `with` block lasts."""

    def __init__(self) -> None:
        self._started = contextlib.ExitStack()
        self.real = AuthorizationServer(access_token_seconds=86_400, grace_seconds=86_400)
        self.imitations = {
            HANGING: Customers(reuse="grace", access_token_seconds=3600),
            "airtable": Customers(reuse="revokes", access_token_seconds=3600),
            "google": Customers(reuse="static", access_token_seconds=3600),
            "xero": Customers(reuse="grace", access_token_seconds=1800),
        }

    def __enter__(self) -> Self:
        """Start them."""
        with contextlib.ExitStack() as starting:
            starting.enter_context(self.real)
            for imitation in self.imitations.values():
                starting.enter_context(imitation)
            self._started = starting.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """End them."""
        self._started.close()

    @property
    def names(self) -> list[str]:
        """Give the names of all, as their profiles have them."""
        return [REAL, *self.imitations]

    @property
    def hanging(self) -> Customers:
        """Give the one that hangs."""
        return self.imitations[HANGING]

    def client(self, name: str) -> tuple[str, str]:
        """Return identifier and secret of the client at a provider."""
        if name == REAL:
            return self.real.client()
        server = self.imitations[name]
        return server.client_id, server.client_secret

    def authorize(self, name: str) -> dict[str, Any]:
        """Let one more customer authorize, and return the token response."""
        return self.real.authorize() if name == REAL else self.imitations[name].authorize()

    def accepts(self, name: str, refresh_token: str) -> bool:
        """Tell whether a provider would accept a refresh token."""
        return self.real.accepts(refresh_token) if name == REAL else self.imitations[name].grant.accepts(refresh_token)

    def refreshes(self, name: str) -> int:
        """Count the refresh requests that got tokens."""
        if name == REAL:
            return sum((r.grant_type, r.status) == ("refresh_token", 200) for r in self.real.requests())
        return self.imitations[name].grant.redemptions

    def write_profiles(self, folder: Path) -> None:
        """Write each provider's own profile with the addresses of its server here."""
        for name in self.names:
            endpoint = self.real.token_endpoint if name == REAL else self.imitations[name].url
            page = self.real.authorization_endpoint if name == REAL else None
            (folder / f"{name}.toml").write_text(profile_at(name, endpoint, page))


def profile_at(name: str, token_endpoint: str, page: str | None = None) -> str:
    """Return a provider's own profile with the addresses of a server here."""
    text = (PROFILES / f"{name}.toml").read_text()
    text = re.sub(r'^token_endpoint = ".*"$', f'token_endpoint = "{token_endpoint}"', text, flags=re.MULTILINE)
    return text if page is None else re.sub(r'^endpoint = ".*"$', f'endpoint = "{page}"', text, flags=re.MULTILINE)


def with_profiles(code: Path, profiles: Path, target: Path) -> None:
    """Copy the function's zip, with these profiles in the place of those of the same names."""
    own = {f"{_IN_ZIP}{path.name}": path.read_bytes() for path in profiles.glob("*.toml")}
    with zipfile.ZipFile(code) as before, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as after:
        for entry in before.infolist():
            after.writestr(entry, own.get(entry.filename) or before.read(entry))

"""`providers --from-issuer URL`: write a profile from what an issuer, or an API such as an MCP server, publishes."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from token_refresh.advice import Command
from token_refresh.errors import ConfigurationError
from token_refresh_worker.adapters import json_document
from token_refresh_worker.cli.failures import CommandFailed
from token_refresh_worker.cli.providers import metadata
from token_refresh_worker.providers.endpoint import host_of, read_endpoint
from token_refresh_worker.providers.loader import own_profiles
from token_refresh_worker.providers.schema import NAME, read_provider
from token_refresh_worker.providers.table import TomlTable

_NOTHING: Final = "nothing was written"


def write_profile(url: str, folder: Path | None, name: str | None, trusted: Sequence[str]) -> Path:
    """Write `NAME.toml` into the folder, from the metadata of the issuer or the API at `url`.

    The folder holds the operator's own profiles. `name` is by default made of the host. `trusted` are hosts beside that
    of the URL which a person named.

    Raises:
        CommandFailed: There is no metadata, it is refused, or there is a file of that name; nothing was written.
        ConfigurationError: The URL, the name or the folder is wrong.
    """
    url = read_endpoint("--from-issuer", url)
    if "?" in url:
        raise ConfigurationError.of("--from-issuer", "must be the URL of an issuer or an API, without a query")
    own = own_profiles({"PROVIDER_PROFILES": str(folder)} if folder else {})
    if own is None:
        raise CommandFailed("no folder is named for the profile", fix="Name one that exists: --profiles FOLDER")
    named = (name,) if name else ()
    name = name or re.sub(r"[^a-z0-9-]", "-", host_of(url)).strip("-")[:41]
    if not NAME.fullmatch(name):
        raise ConfigurationError(f"the name of a profile must match {NAME.pattern}")
    path = own / f"{name}.toml"
    if path.exists():
        raise CommandFailed(
            f"{path} exists, and {_NOTHING}", fix="remove it, or give another name: NAME after providers"
        )
    command = "token-refresh", "providers", *named, "--from-issuer", url, "--profiles", str(folder)
    search = _Search(url=url, trusted=trusted, command=command)
    try:
        text = search.profile()
    except json_document.DocumentRefused as refused:
        raise CommandFailed(f"{url} gives no profile, and {_NOTHING}", why=str(refused)) from None
    try:
        read_provider(name, TomlTable(tomllib.loads(text), path.name))
        with path.open("x", encoding="utf-8") as file:  # x: never through a link, and never over another file.
            file.write(text)
    except (ConfigurationError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandFailed(f"{path} can't be written ({why})") from None
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """The search for metadata, from the URL that a person named.

    No document adds a host: that of an endpoint receives refresh tokens.
    """

    url: str
    trusted: Sequence[str]
    command: tuple[str, ...]
    """What the person ran, without the trusted hosts."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why there is no document, by its place."""

    def profile(self) -> str:
        """Find the metadata, and give the profile's text."""
        resource = self._resource()
        issuer_url = (resource and resource.issuer) or self.url
        self._check({"authorization server": issuer_url})
        for place, document in self._documents(metadata.issuer_places(issuer_url)):
            issuer = metadata.read_issuer(document, issuer_url)
            if resource is not None and issuer.pkce is not True:
                raise json_document.DocumentRefused(
                    "code_challenge_methods_supported lacks S256, which MCP wants of an issuer"
                )
            self._check(issuer.endpoints)
            return profile_text(issuer, resource, title=host_of(self.url), source=place, today=datetime.now(UTC).date())
        raise json_document.DocumentRefused("; ".join(f"{place}: {why}" for place, why in self.missing.items()))

    def _resource(self) -> metadata.Resource | None:
        specific, *_ = places = metadata.resource_places(self.url)
        for place, document in self._documents(places):
            try:
                return metadata.read_resource(document, self.url, place)
            except metadata.AnotherResource as refused:
                if place == specific:
                    raise
                self.missing[place] = str(refused)  # A host's root may be another API's.
        # The other way of RFC 9728, which MCP's specification allows for, too.
        named = json_document.fetch(self.url, json_document.read_challenge, named=True)
        if named is None:
            return None
        url = metadata.checked_url({"resource_metadata": named}, "resource_metadata")
        self._check({"resource_metadata": url})
        for place, document in self._documents([url]):
            return metadata.read_resource(document, self.url, place)
        return None

    def _documents(self, places: Iterable[str]) -> Iterator[tuple[str, Mapping[str, object]]]:
        for place in places:
            found = json_document.fetch(place, json_document.read_json, named=self._names(place))
            if isinstance(found, str):
                self.missing[place] = found
            else:
                yield place, found

    def _names(self, url: str) -> bool:
        return host_of(url) in {host_of(self.url), *map(str.lower, self.trusted)}

    def _check(self, urls: Mapping[str, str]) -> None:
        """Refuse hosts that nobody named."""
        others: dict[str, str] = {}
        for key, url in urls.items():
            host = host_of(url)
            json_document.check_host(host, named=self._names(url), addresses=json_document.addresses_of(host))
            if not self._names(url):
                others.setdefault(host, key)
        if not others:
            return
        trust = [word for host in (*self.trusted, *others) for word in ("--trust", host)]
        raise CommandFailed(
            f"the metadata names other hosts than {host_of(self.url)}: "
            f"{', '.join(f'{host} ({key})' for host, key in others.items())}; {_NOTHING}",
            fix=(
                "If the provider's documentation names them too, trust them: ",
                Command((*self.command, *trust), is_complete=True),
            ),
        )


def profile_text(
    issuer: metadata.Issuer, resource: metadata.Resource | None, *, title: str, source: str, today: date
) -> str:
    """Write the profile of an issuer, for the API if there is one; what nobody knows is assumed to be strict."""
    (method, *others), revocation = issuer.methods, issuer.endpoints.get("revocation_endpoint")
    scopes = list(dict.fromkeys([*(resource.scopes if resource else ()), *issuer.scopes]))
    alternatives = f"   # or {', '.join(others)}, if the client is registered so" if others else ""
    basis = "documented" if source.startswith("https://") else "reported"
    lines = [
        f'title = "{title}"',
        f'token_endpoint = "{issuer.endpoints["token_endpoint"]}"',
        f'revocation_endpoint = "{revocation}"' if revocation else "",
        f'resource = "{resource.resource}"' if resource else "",
        'rotation = "optional"   # always, if each refresh returns a new refresh token',
        "grace = 0               # seconds for which the old one works; until you know it, it is single use",
        "\n# [access_token]",
        "# lifetime_seconds = 3600   # what status shows right after a refresh; without it, a day is assumed",
        "\n[request]",
        f'auth = "{method}"{alternatives}',
        "\n[authorization]",
        f'endpoint = "{issuer.endpoints["authorization_endpoint"]}"',
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

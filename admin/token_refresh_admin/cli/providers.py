"""`token-refresh providers`: which providers the worker knows, and what each fact rests on."""

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

import typer
from rich.table import Table

from token_refresh.errors import ConfigurationError
from token_refresh.stored.refresh_window import refresh_window
from token_refresh_admin.cli.command import command, names_beginning
from token_refresh_admin.cli.context import Context
from token_refresh_admin.cli.failures import CommandFailed
from token_refresh_admin.cli.screen import fields_table, output, say, text
from token_refresh_worker.core.schedule import SETTLED
from token_refresh_worker.oauth.formats import AuthMethod, Encoding, Expiry, Grant
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, read_response
from token_refresh_worker.providers.lifetime import lifetime_problem
from token_refresh_worker.providers.loader import load_provider, own_profiles, profile_names, read_profile
from token_refresh_worker.providers.provider import EvidenceKind, GraceEnd, OldAccessToken, Provider, Rotation
from token_refresh_worker.providers.redirect import Loopback
from token_refresh_worker.run.failures import span
from token_refresh_worker.stored.origin import ClaimStoreKind

_BASES: Final = {
    EvidenceKind.DOCUMENTED: "",
    EvidenceKind.REPORTED: " (reported, not documented)",
    EvidenceKind.ASSUMED: " (assumed, not verified)",
}
_REDIRECTS: Final = {
    None: None,
    Loopback.NONE: "https only, none to this machine",
    Loopback.LOCALHOST: "https, or http://localhost",
    Loopback.IP: "https, or http://127.0.0.1",
    Loopback.NAME: "a name that the provider gives the registered URL",
}
_OLD: Final = {
    None: "not stated; it counts as ended",
    OldAccessToken.DIES: "dies with the refresh",
    OldAccessToken.LIVES: "works until it expires",
}
_NO_REPEAT: Final = "not sent again: the grace may end before the claim of the run that died"
_USUAL: Final = (Encoding.FORM, AuthMethod.POST, Grant.REFRESH_TOKEN)
ROTATES: Final = {Rotation.ALWAYS: "always", Rotation.OPTIONAL: "may", Rotation.NEVER: "never"}


@command(
    "providers",
    "",
    "hubspot",
    "--check my-crm.toml",
    shares=["debug"],
)
def providers(
    context: Context,
    *,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Show this profile.", autocompletion=names_beginning),
    ] = None,
    profiles: Annotated[
        Path | None, typer.Option(envvar="PROVIDER_PROFILES", help="Folder with profiles of your own.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Check a profile of your own, NAME.toml, against NAME.success.json and NAME.dead.json next to it.",
        ),
    ] = None,
) -> int:
    """List the providers that the worker knows, show one with its evidence, or check a profile of your own."""
    del context
    # Typer has read the variable, too; the folder is checked in one place, whichever way it was named.
    own = own_profiles({"PROVIDER_PROFILES": str(profiles)} if profiles else {})
    if check is not None:
        if problems := check_profile(check):
            raise CommandFailed(f"{check.name} doesn't fit its responses:\n" + "\n".join(problems))
        say(f"{check.name} is valid and fits both responses.")
    elif name is not None:
        _show(load_provider(name, own))
    else:
        _list(load_provider(known, own) for known in profile_names(own))
    return 0


def _list(found: Iterable[Provider]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("name", "provider", "access token", "new refresh token", "grace"):
        table.add_column(heading, no_wrap=heading == "name")
    for provider in found:
        table.add_row(
            text(provider.name),
            text(provider.title),
            life(provider.access_token_lifetime),
            ROTATES[provider.rotation],
            grace_text(provider),
        )
    output().print(table)


def _show(provider: Provider) -> None:
    rate, page = provider.rate, provider.authorization
    say(f"{provider.title} ({provider.name})", style="bold")
    output().print(
        fields_table(
            (
                ("token endpoint", provider.token_endpoint or "set TOKEN_ENDPOINT"),
                ("variables", ", ".join(f"{v.name}: {v.must_be}" for v in provider.variables.values()) or None),
                ("request", request_text(provider)),
                ("access token lives", life(provider.access_token_lifetime)),
                ("due before expiry", span(refresh_window(provider.refresh_window, provider.access_token_lifetime))),
                ("new refresh token", ROTATES[provider.rotation]),
                ("old one accepted", grace_text(provider)),
                ("after a crash", _NO_REPEAT if timedelta(0) < provider.grace.duration <= SETTLED else None),
                ("old access token", _OLD.get(provider.old_access_token)),
                ("grant lives", grant_text(provider)),
                ("limit", f"{rate.requests} in {span(rate.per)} for each {rate.scope}" if rate else None),
                ("authorization page", page.endpoint if page else None),
                ("scopes", ", ".join(page.scopes) or None if page else None),
                ("redirect URI", _REDIRECTS[page.redirect.loopback] if page else None),
                ("kept for services", ", ".join(provider.extra_names) or None),
                ("account", ", ".join(page.identity) or "nothing names it" if page else None),
                ("resource", provider.request.params.get("resource")),
                ("revocation", provider.revocation_endpoint or None),
                ("to end a grant", provider.revocation.note or None),
                (
                    "ends on",
                    f"{provider.ends_on}, successor: {provider.successor or 'none'}" if provider.ends_on else None,
                ),
            )
        )
    )
    say("\nEvidence", style="bold")
    # Sources are URLs: broken over two lines they could not be opened.
    for fact in provider.evidence:
        source = f"  {fact.source}, {fact.on}{_BASES[fact.basis]}"
        since = f"From {fact.changes_on}: " if fact.changes_on else ""
        output().print(text(f"- {since}{fact.says}"), text(source, "dim"), sep="\n", soft_wrap=True)


def request_text(provider: Provider) -> str:
    """Describe the refresh request in a few words."""
    request = provider.request
    parts = (request.encoding, request.auth_method, request.grant)
    return ", ".join(part for part in parts if part not in _USUAL) or "RFC 6749"


def grace_text(provider: Provider) -> str:
    """Say how long the old refresh token is accepted."""
    if not provider.needs_refresh_token:
        return "no refresh token"
    if provider.grace.ends_by is GraceEnd.NEVER:
        return "stays valid"
    if provider.grace.ends_by is GraceEnd.USE:
        return "until the new one is used"
    if provider.grace.duration:
        return span(provider.grace.duration)
    # The token stays the same, but nothing says that a repeat is safe, so a run won't try one.
    return "not known; treated as single use" if provider.rotation is Rotation.NEVER else "single use"


def grant_text(provider: Provider) -> str | None:
    """Say how long a grant lives; None where nothing is known."""
    life = provider.refresh_token
    parts = []
    if life.lifetime is not None:
        parts.append(f"{span(life.lifetime)} from {'the consent' if life.is_fixed else 'the last refresh'}")
    if life.idle is not None:
        parts.append(f"{span(life.idle)} without a refresh")
    return ", ".join(parts) or None


def life(lifetime: timedelta | None) -> str:
    """Say how long an access token lives."""
    return "set by the server" if lifetime is None else span(lifetime)


SUCCESS: Final = "success"
DEAD: Final = "dead"


def check_profile(profile: Path, folder: Path | None = None) -> list[str]:
    """Return what is wrong with a profile, measured by its two fixtures; empty if nothing is.

    They are `NAME.success.json` and `NAME.dead.json`, next to the profile unless `folder` is given.
    """
    provider, beside = read_profile(profile), folder or profile.parent
    success, dead = (_read_fixture(beside / f"{profile.stem}.{kind}.json", provider) for kind in (SUCCESS, DEAD))
    problems = [*_check_success(provider, success), *_check_dead(provider, dead)]
    if provider.access_token_lifetime is not None:
        # A table allows the shortest lifetimes. Whether there is one, the deployment decides and synthesis checks.
        unfit = lifetime_problem(provider.access_token_lifetime, ClaimStoreKind.TABLE)
        problems += [] if unfit is None else [f"lifetime: {unfit}"]
    return problems


def _read_fixture(path: Path, provider: Provider) -> EndpointResponse:
    """Read a response as the provider documents it, with made-up tokens, through the worker's own reader."""
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
        # What the response to a code alone has is kept as well.
        status, fields = int(parsed["status"]), {**parsed["body"], **parsed.get("code_body", {})}
    except FileNotFoundError:
        needed = "is missing: write"
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        needed = "must be"
    else:
        is_form = provider.response.encoding is Encoding.FORM
        # JSON can hold half of a surrogate pair, which a form can't.
        body = urlencode(fields, errors="replace") if is_form else json.dumps(fields)
        return read_response(status, body.encode(), None, provider.response)
    raise ConfigurationError(
        f'{path.name} {needed} a JSON object with the status and the body of a response: {{"status": 200, '
        '"body": {"access_token": "made-up"}}'
    )


def _check_success(provider: Provider, response: EndpointResponse) -> list[str]:
    if isinstance(response, FailedRequest):
        return [f"{SUCCESS}: is read as {response.kind.value} ({response.seen}); it must be read as tokens"]
    problems, form = [], provider.response.expiry
    silent = response.lifetime is None and response.expires_at is None
    if silent and provider.access_token_lifetime is None:
        problems.append(f"{SUCCESS}: doesn't say when the token expires; set lifetime_seconds under access_token")
    if silent and form is not Expiry.NONE:
        problems.append(f"{SUCCESS}: has no expiry in the form {form}; correct expiry under response")
    # A run would keep the old refresh token, which the provider has just revoked.
    redeems = provider.request.grant is Grant.REFRESH_TOKEN
    if redeems and provider.rotation is Rotation.ALWAYS and response.refresh_token is None:
        problems.append(f"{SUCCESS}: has no refresh token, and rotation is always")
    problems += [f"{SUCCESS}: has no {name} to keep" for name in provider.response.extra if name not in response.extra]
    return problems


def _check_dead(provider: Provider, response: EndpointResponse) -> list[str]:
    # Client credentials have no grant that could end: what ends is the client.
    wanted = (
        FailureKind.CLIENT_REJECTED
        if provider.request.grant is Grant.CLIENT_CREDENTIALS
        else FailureKind.GRANT_REJECTED
    )
    if isinstance(response, FailedRequest) and response.kind is wanted:
        return []
    read_as = f"{response.kind.value} ({response.seen})" if isinstance(response, FailedRequest) else "tokens"
    return [f"{DEAD}: is read as {read_as}; it must be read as {wanted.value}. Add a matcher under response: dead"]

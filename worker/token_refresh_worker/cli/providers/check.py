"""Check a profile against two responses of its provider: tokens, and a dead grant."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from token_refresh.errors import ConfigurationError
from token_refresh_worker.oauth.formats import Encoding, Expiry, Grant
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, read_response
from token_refresh_worker.providers.lifetime import lifetime_problem
from token_refresh_worker.providers.loader import read_profile
from token_refresh_worker.providers.provider import Provider, Rotation
from token_refresh_worker.stored.origin import ClaimStoreKind

SUCCESS: Final = "success"
DEAD: Final = "dead"


class Fixture(NamedTuple):
    """A response as the provider documents it, with made-up tokens."""

    status: int
    body: Mapping[str, Any]


def read_fixture(profile: Path, kind: str, folder: Path | None = None) -> Fixture:
    """Read `NAME.success.json` or `NAME.dead.json`, which are next to the profile unless `folder` is given.

    Raises:
        ConfigurationError: It is missing, or not valid.
    """
    path = (folder or profile.parent) / f"{profile.stem}.{kind}.json"
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
        return Fixture(status=int(parsed["status"]), body=dict(parsed["body"]))
    except FileNotFoundError:
        needed = "is missing: write"
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        needed = "must be"
    raise ConfigurationError(
        f'{path.name} {needed} a JSON object with the status and the body of a response: {{"status": 200, '
        '"body": {"access_token": "made-up"}}'
    )


def check_profile(profile: Path, folder: Path | None = None) -> list[str]:
    """Return what is wrong with a profile, measured by its two fixtures; empty if nothing is.

    Raises:
        ConfigurationError: The profile or a fixture is not valid.
    """
    provider = read_profile(profile)
    success, dead = (read_fixture(profile, kind, folder) for kind in (SUCCESS, DEAD))
    problems = [
        *_check_success(provider, _read(success, provider)),
        *_check_dead(provider, _read(dead, provider)),
    ]
    if provider.access_token_lifetime is not None:
        # A table allows the shortest lifetimes. Whether there is one, the deployment decides and synthesis checks.
        unfit = lifetime_problem(provider.access_token_lifetime, ClaimStoreKind.TABLE)
        problems += [] if unfit is None else [f"lifetime: {unfit}"]
    return problems


# Through the worker's own reader: a check with rules of its own would prove nothing about a run.
def _read(fixture: Fixture, provider: Provider) -> EndpointResponse:
    is_form = provider.response.encoding is Encoding.FORM
    # JSON can hold half of a surrogate pair, which a form can't.
    body = urlencode(fixture.body, errors="replace") if is_form else json.dumps(fixture.body)
    return read_response(fixture.status, body.encode(), None, provider.response)


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
    problems += [f"{SUCCESS}: has no {name} to keep" for name in provider.response.keep if name not in response.kept]
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

import gc
import json
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

from secrecy.canaries import canary, leaks, random_part
from testbed.testbed import Testbed
from token_refresh.secret_value import SecretValue
from token_refresh_worker.adapters.telemetry import open_log
from token_refresh_worker.bootstrap import SystemClock, build_run
from token_refresh_worker.oauth.formats import AuthMethod, RequestFormat
from token_refresh_worker.oauth.request import refresh_request
from token_refresh_worker.oauth.response import read_response
from token_refresh_worker.run.events import read_event
from token_refresh_worker.run.settings import read_settings
from token_refresh_worker.stored.credentials import ClientCredentials

FORMS: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "percent": lambda value: "%s %r" % (value, value),  # noqa: UP031 - the form that the logging module uses
    "json": lambda value: json.dumps(value, default=str, skipkeys=True),
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Testbed]:
    with Testbed() as world:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        yield world


@pytest.fixture
def planted(world: Testbed) -> dict[str, str]:
    planted = {name: canary() for name in ("access token", "refresh token", "another key", "environment")}
    world.save(
        {
            **world.document,
            "accessToken": planted["access token"],
            "note": planted["another key"],
            "nested": [planted["another key"]],
        }
    )
    return planted | {
        "client secret": random_part(world.endpoint.client_secret),
        "first refresh token": random_part(world.document["refreshToken"]),
    }


def _held_by(thing: object) -> Iterable[object]:
    """What a thing holds. A function holds what it closes over; its globals are its module's, and lead everywhere."""
    if isinstance(thing, FunctionType):
        return thing.__closure__ or ()
    return gc.get_referents(thing)


def of_the_product(*roots: object) -> list[Any]:
    """Find every object of the product's classes that can be reached, through whatever holds it."""
    found: dict[int, object] = {}
    seen: set[int] = set()
    pending = list(roots)
    while pending:
        thing = pending.pop()
        if id(thing) in seen or isinstance(thing, ModuleType | type):
            continue
        seen.add(id(thing))
        if type(thing).__module__.startswith("token_refresh"):
            found[id(thing)] = thing
        pending += [held for held in _held_by(thing) if not isinstance(held, ModuleType | type)]
    return list(found.values())


def test_objects(world: Testbed, planted: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """No object of the worker shows a secret, however it is turned into text, in the middle of a run or after it."""
    environment = world.environment | {"UPWORK_CLIENT_ID": "id", "UPWORK_CLIENT_SECRET": planted["environment"]}
    settings = read_settings(environment)
    log = open_log("DEBUG", request_id="the-request")
    run = build_run(settings, read_event({}), clock=SystemClock(), log=log, time_left_seconds=100)
    response = {"access_token": planted["access token"], "refresh_token": planted["refresh token"]}
    objects = of_the_product(
        settings,
        run.execute(),
        run,
        run.parts.store.read(label="AWSCURRENT"),
        read_response(200, json.dumps(response).encode()),
        refresh_request(
            SecretValue(planted["refresh token"]),
            ClientCredentials(client_id="id", client_secret=SecretValue(planted["environment"])),
            RequestFormat(auth_method=AuthMethod.BASIC),
        ),
    )
    issued = {f"token {n}": random_part(token) for n, token in enumerate(world.endpoint.grant.secrets)}

    kinds = {type(thing).__name__ for thing in objects}
    expected = {"ClientCredentials", "SecretValue", "SecretVersion", "TokenDocument", "TokenRequest", "TokenResponse"}
    assert expected == kinds & expected
    assert [] == [
        (type(thing).__name__, form, found)
        for thing in objects
        for form, show in FORMS.items()
        if (found := leaks(show(thing), planted | issued))
    ]
    for thing in objects:
        log.warning("an object", it=thing, held=[thing], named={"password": thing})
    log.warning("a library's object", it=ValueError(planted["access token"]))
    assert [] == leaks("".join(capsys.readouterr()), planted | issued)

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.conftest import FLEET
from testbed.synthesis import synthesise
from token_refresh.stored.refresh_window import LATE_START
from token_refresh_infra.context import ParameterError
from token_refresh_infra.modes import parameters_of
from token_refresh_infra.single.checks import CheckedParameters
from token_refresh_worker.core.schedule import claim_time_to_live
from token_refresh_worker.providers.loader import load_provider, profile_names
from token_refresh_worker.providers.schema import SHORTEST_WINDOW_SECONDS

TODAY = datetime.now(UTC).date()
DEPLOYABLE = [
    name for name in profile_names() if load_provider(name).token_endpoint and not load_provider(name).has_ended(TODAY)
]


def read(name: str, **context: object) -> CheckedParameters:
    parameters = parameters_of({"environment": "prod", "provider": name} | context)
    assert isinstance(parameters, CheckedParameters)
    return parameters


@pytest.mark.parametrize("name", DEPLOYABLE)
def test_schedule_follows_the_profile(name: str) -> None:
    """Each profile's schedule runs three times while tokens are due, and in its grace, after a dead run's claim."""
    parameters, provider = read(name, claim_table="create"), load_provider(name)
    window, limit = (
        timedelta(seconds=seconds) for seconds in (parameters.due_window_seconds, parameters.timeout_seconds)
    )
    grace, gap = provider.grace.duration, timedelta(seconds=parameters.longest_gap_seconds)

    assert 3 * gap <= window <= provider.refresh_window
    assert name == parameters.settings.provider.name
    if grace:
        assert 3 * gap <= grace
        assert claim_time_to_live(limit, window, grace) + gap + LATE_START < grace


def test_a_schedule_may_just_fit_a_grace() -> None:
    """Two runs of a schedule that somebody chose suffice, and a grace that helps no run after a crash asks for none."""
    assert 5 == read("atlassian", schedule_minutes=5).run_every_minutes
    long = {"token_lifetime_seconds": 7200}
    periods = [read("atlassian", replay_grace_seconds=s, **long).run_every_minutes for s in (541, 540)]
    assert periods == [3, 7]


def test_a_provider_that_has_ended_is_refused() -> None:
    """Nothing is deployed for endpoints that are gone: the successor is named, and how to remove what is deployed."""
    says = (
        r"^provider: Fitbit ended on 2026-11-02; its successor is the provider google .*"
        r"aws cloudformation delete-stack --stack-name \S+$"
    )

    with pytest.raises(ParameterError, match=says):
        read("fitbit")
    with pytest.raises(ParameterError, match=says):
        parameters_of(FLEET | {"provider": "fitbit"})


def test_the_shortest_window_of_a_profile() -> None:
    """A schedule fits into the shortest window that a profile may have, and into no shorter one."""
    shortest = SHORTEST_WINDOW_SECONDS

    assert 1 == read("xero", claim_table="create", refresh_window_seconds=shortest).run_every_minutes
    with pytest.raises(ParameterError, match="schedule_minutes: 1 with flexible_minutes 0 does not fit 3 times"):
        read("xero", claim_table="create", refresh_window_seconds=shortest - 1)


def test_what_is_deployed(code: Path) -> None:
    """A profile's name is all that the function is given: no other variable of the provider is set."""
    deployment = synthesise({"environment": "prod", "provider": "xero", "claim_table": "create"}, code)
    variables = deployment.one("Lambda::Function")["Environment"]["Variables"]

    assert "xero" == variables["PROVIDER"]
    assert not variables.keys() & {"TOKEN_ENDPOINT", "REFRESH_WINDOW_SECONDS", "REPLAY_GRACE_SECONDS"}
    assert "rate(1 minute)" == deployment.one("Scheduler::Schedule")["ScheduleExpression"]


def test_generic_needs_an_endpoint() -> None:
    """A profile without an endpoint is refused by the name of the missing parameter."""
    with pytest.raises(ParameterError, match=r"^token_endpoint: must be set, because the profile generic has no"):
        read("generic")
    assert "https://a.example/token" == read("generic", token_endpoint="https://a.example/token").token_endpoint


def test_signing_key(code: Path) -> None:
    """A client that signs its assertions gets its key: as a variable, and as the permission to sign with it alone."""
    key = "arn:aws:kms:eu-central-1:123456789012:key/signs"
    deployment = synthesise(
        {"environment": "prod", "token_endpoint_auth_method": "private_key_jwt", "client_key": key}
        | {"account": "123456789012", "region": "eu-central-1"},
        code,
    )

    assert key == deployment.one("Lambda::Function")["Environment"]["Variables"]["CLIENT_KEY_ID"]
    assert ("kms:Sign", key) in deployment.permissions("lambda.amazonaws.com")

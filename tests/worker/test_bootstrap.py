import time

import pytest

from token_refresh.errors import ConfigurationError
from token_refresh_worker.bootstrap import SystemClock, aws_client, secrets_manager_client


def test_the_clock_goes_forward() -> None:
    """The stopwatch moves by at least what was slept."""
    clock = SystemClock()
    before = clock.monotonic()

    clock.sleep(0.002)

    assert clock.monotonic() - before >= 0.002


def test_the_clock_counts_the_time_in_which_the_machine_was_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that slept past a run's time limit must send nothing when it wakes up."""
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 3600.0, time.CLOCK_MONOTONIC: 1.0}.get)

    assert 3600.0 == SystemClock().monotonic()


def test_an_unusable_aws_configuration_names_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Region, profile and the endpoint of the service that was called are the variables to check."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(ConfigurationError, match=r"ProfileNotFound.*AWS_PROFILE.*AWS_ENDPOINT_URL_SECRETS_MANAGER"):
        secrets_manager_client()
    with pytest.raises(ConfigurationError, match=r"ProfileNotFound.*AWS_PROFILE.*AWS_ENDPOINT_URL_DYNAMODB"):
        aws_client("dynamodb")

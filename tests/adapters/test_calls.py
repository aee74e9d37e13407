"""How a run repeats its calls: after which failures, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.fakes import FakeClock
from token_refresh.aws.calls import CallFailed
from token_refresh.aws.causes import Cause, FailedCall
from token_refresh_worker.adapters.calls import PATIENCE_SECONDS, until
from token_refresh_worker.run.ports import Deadline


def attempts(cause: Cause, *, after_write: bool = False) -> int:
    """Count the attempts of a call that always fails."""
    made, clock = 0, FakeClock()

    def attempt() -> None:
        nonlocal made
        made += 1
        raise CallFailed(FailedCall(cause=cause, code="Code"))

    with pytest.raises(CallFailed) as raised:
        until(Deadline(clock=clock, at=60.0), after_write=after_write)(attempt)
    assert FailedCall(cause=cause, code="Code") == raised.value.failure
    assert clock.seconds <= PATIENCE_SECONDS
    return made


@given(cause=st.sampled_from(Cause))
def test_only_a_failure_that_may_pass_is_repeated(cause: Cause) -> None:
    """Throttling, server errors and a lost connection may pass; anything else would fail again."""
    assert (attempts(cause) > 1) is (cause in {Cause.THROTTLED, Cause.SERVER_ERROR, Cause.UNREACHABLE})


@pytest.mark.parametrize("cause", [Cause.NOT_FOUND, Cause.NO_VALUE])
def test_a_version_that_was_just_written_may_be_unknown_for_a_moment(cause: Cause) -> None:
    """After a write, a version that is not found is tried again."""
    assert attempts(cause) == 1
    assert attempts(cause, after_write=True) > 1

"""Rule 4: the current token was used, and the tokens that it brought can't be read."""

from dataclasses import replace

from testbed.builders import FORCED, HOUR, MINUTE, NOW, claim, policy, snapshot
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.steps import Reason, TokenUsed, Wait


def test_a_used_token_whose_tokens_are_gone_is_never_sent() -> None:
    """Sent again, it could revoke the grant; force changes nothing."""
    gone = snapshot(claim(brought="refresh-1", claimed_at=NOW - HOUR))

    assert TokenUsed(NOW - HOUR) == plan(gone, FORCED, policy())


def test_tokens_that_an_old_read_may_not_show_are_waited_for() -> None:
    """Nobody has to authorize again because a read is minutes old."""
    used = claim(brought="refresh-1", claimed_at=NOW - 9 * MINUTE)
    run = replace(FORCED, limit=MINUTE)

    assert Wait(NOW + MINUTE, Reason.STALE) == plan(snapshot(used), run, policy())
    assert TokenUsed(used.claimed_at) == plan(snapshot(used, now=NOW + MINUTE), run, policy())

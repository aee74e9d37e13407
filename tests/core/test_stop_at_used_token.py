"""Rule 4: the current token was used, and the tokens that it brought can't be read."""

from builders import FORCED, HOUR, NOW, claim, policy, snapshot
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.steps import TokenUsed


def test_a_used_token_whose_tokens_are_gone_is_never_sent() -> None:
    """Sent again, it could revoke the grant; force changes nothing."""
    gone = snapshot(claim(brought="refresh-1", claimed_at=NOW - HOUR))

    assert TokenUsed(NOW - HOUR) == plan(gone, FORCED, policy())

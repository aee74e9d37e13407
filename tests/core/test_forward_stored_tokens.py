"""Rule 1: the current token was used, and the tokens that it brought are readable."""

from testbed.builders import FORCED, RUN, claim, policy, snapshot, token_set
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.steps import Carry, Promote

NEW = token_set("new", refreshToken="refresh-1")


def test_stored_tokens_become_current() -> None:
    """A claim on this very version stored tokens, and its run died before it promoted them."""
    assert Promote(NEW) == plan(snapshot(claim(brought="refresh-1"), successor=NEW), RUN, policy())


def test_stored_tokens_are_carried_onto_an_edited_copy() -> None:
    """The current version holds the same refresh token under another ID: someone saved a copy."""
    stored = claim(brought="refresh-1", version_id="original")

    assert Carry(NEW, "c1") == plan(snapshot(stored, successor=NEW), RUN, policy())


def test_stored_tokens_come_before_all_else() -> None:
    """Even with the settings of another deployment stored tokens are not lost."""
    stored = claim(brought="refresh-1", host="other.example")

    assert Promote(NEW) == plan(snapshot(stored, successor=NEW), FORCED, policy(host="else.example"))

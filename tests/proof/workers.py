"""The real `Run`, one port call at a time.

A run is a function of the replies that its ports gave. So where a run stands is a history of replies, and its next call
is found by running it again from its start with that history: it stops at the first call without a reply.
Histories form a tree; a node's next call is worked out once, however many worlds it occurs in.
"""

from collections.abc import Iterator
from typing import Final

from proof.ports import Call, Ended, Poll, Ports, build_run, settle
from proof.store import Append, Put
from proof.world import Scenario
from token_refresh.errors import SecretStoreUnavailable, TokenRefreshError, without_traceback
from token_refresh_worker.oauth.response import FailedRequest, TokenResponse

WAKES: Final = 1
"""How often a forced run that polls looks again before its deadline; at whichever moments."""

REFUSED: Final = SecretStoreUnavailable("every write is refused")

_KINDS: Final = "sfnSFmbpracxvow"


class _Pending(BaseException):
    """The run makes a call that has no reply yet; no `except` of the worker's catches it."""

    def __init__(self, call: Call) -> None:
        self.call = call


class Workers:
    """The tree of histories of one scenario's runs."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._histories: list[tuple[int, object, int]] = [(-1, None, 0)] * len(_KINDS)
        self._children: dict[tuple[int, object, int], int] = {}
        self._calls: dict[int, Call | Ended] = {}
        self._wakes: list[int] = [0] * len(_KINDS)
        self._claims: list[int] = [0] * len(_KINDS)
        self._refusals: list[int] = [0] * len(_KINDS)

    def __len__(self) -> int:
        return len(self._histories)

    def start(self, kind: str) -> int:
        """Return the node of a run that has made no call yet."""
        return _KINDS.index(kind)

    def started(self, node: int) -> bool:
        """Whether a run made a call."""
        return node >= len(_KINDS)

    def reply(self, node: int, reply: object, now: int) -> int:
        """Return the node where a run stands after it got `reply` to its call."""
        key = (node, _told_apart(reply), now)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = len(self._histories)
            self._histories.append((node, reply, now))
            call = self.call(node)
            done = reply is True
            self._refusals.append(self._refusals[node] + (reply is REFUSED))
            self._wakes.append(self._wakes[node] + (done and isinstance(call, Poll)))
            self._claims.append(self._claims[node] + (done and isinstance(call, Append | Put) and call.is_claim))
        return child

    def delayed(self, node: int, now: int) -> int:
        """Return the node where a run stands if its last reply came at `now`: the run was frozen meanwhile."""
        parent, reply, _ = self._histories[node]
        return self.reply(parent, reply, now)

    def may_wake(self, node: int) -> bool:
        """Whether a run that polls may look again."""
        return self._wakes[node] < WAKES

    def refused(self, node: int) -> bool:
        """Whether a write of a run was refused."""
        return self._refusals[node] > 0

    def claims(self, node: int) -> int:
        """How many claims a run appended."""
        return self._claims[node]

    def call(self, node: int) -> Call | Ended:
        """Return the call that a run makes next, or how it ended."""
        if node not in self._calls:
            self._calls[node] = self._replay(node)
        return self._calls[node]

    def _replay(self, node: int) -> Call | Ended:
        replies: list[tuple[object, int]] = []
        while node >= len(_KINDS):
            node, reply, now = self._histories[node]
            replies.append((reply, now))
        run = build_run(self._scenario, _Replayed(replies[::-1]), _KINDS[node])
        try:
            return settle(run)
        except _Pending as pending:
            return pending.call


def _told_apart(reply: object) -> object:
    """Return what tells replies apart: those with tokens, read or unread, differ by them."""
    if isinstance(reply, TokenResponse):
        return reply.access_token, reply.refresh_token
    return (reply, reply.unread) if isinstance(reply, FailedRequest) else reply


class _Replayed(Ports):
    """Returns the replies that are there, and stops the run at the first that is not."""

    def __init__(self, replies: list[tuple[object, int]]) -> None:
        super().__init__(replies[0][1] if replies else 0)
        self._replies: Iterator[tuple[object, int]] = iter(replies)

    def ask(self, call: Call) -> object:
        """Return the next reply."""
        found = next(self._replies, None)
        if found is None:
            raise _Pending(call)
        reply, self.now = found
        if isinstance(reply, TokenRefreshError):
            raise without_traceback(reply)
        return reply

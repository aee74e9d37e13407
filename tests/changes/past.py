"""A token secret with a past, at a provider whose refresh tokens are single use, and what an operator sees of it."""

import contextlib
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from run.grant import LOST, REJECTED
from run.world import Killed, World
from testbed.builders import origin, policy
from testbed.fakes import tokens
from token_refresh.errors import TokenRefreshError
from token_refresh_admin.changes.change import ChangeFailed
from token_refresh_admin.changes.past import TokenUse, VersionHistory
from token_refresh_admin.changes.restore import judge
from token_refresh_worker.oauth.request import TokenRequest
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind
from token_refresh_worker.stored.origin import ClaimStoreKind

BOTH = pytest.mark.parametrize("store", list(ClaimStoreKind))
VERSIONS, TABLE = ClaimStoreKind
FIRST = f"{3:032}"
"""The first token set of a world; its claims and what they brought have derived IDs."""

CLIENT_REJECTED = FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401", error="invalid_client")


@dataclass(slots=True)
class SingleUse:
    """A provider that takes each refresh token once, unless it is told what to respond."""

    plays: list[EndpointResponse] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    """The used tokens that were sent again."""

    def sign(self, request: TokenRequest) -> FailedRequest | None:
        del request
        return None

    def send(self, request: TokenRequest, *, timeout_seconds: float) -> EndpointResponse:
        del timeout_seconds
        token = request.fields["refresh_token"]
        response = self.plays.pop() if self.plays else None
        if response is not None and response is not LOST:
            return response
        if token in self.used:
            self.again.add(token)
            return REJECTED
        self.used.add(token)
        return response or tokens(len(self.used))


class Secret(World):
    """A token secret of such a provider, and what an operator sees of its past."""

    def __init__(self, store: ClaimStoreKind, *, grace: timedelta = timedelta(0)) -> None:
        super().__init__(policy=policy(claim_store=store, grace=grace), **origin(claim_store=store, grace=grace))
        self.single_use = SingleUse()
        self.endpoint = self.single_use  # type: ignore[assignment]

    def refresh(self, *plays: EndpointResponse) -> None:
        """Force a run, whatever comes of it, when the claim of the last one has ended."""
        self.pass_claim()
        self.single_use.plays[:] = plays
        with contextlib.suppress(TokenRefreshError, Killed):
            self.execute(force=True)

    def past(self) -> VersionHistory:
        return VersionHistory(parts=self.run().parts)

    def fate(self, version_id: str = FIRST) -> TokenUse:
        past = self.past()
        return past.use_of_token(past.snapshots[version_id])[0]

    def refusal(self, version_id: str = FIRST) -> str:
        past = self.past()
        snapshot = past.snapshot(past.versions[version_id])
        try:
            judge(past, snapshot, self.policy)
        except ChangeFailed as refused:
            return refused.what
        return ""

    def refused(self, version_id: str = FIRST) -> bool:
        return self.refusal(version_id) != ""

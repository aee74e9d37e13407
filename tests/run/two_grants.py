"""A secret whose grant was rejected, with a second one in its place; and people who put documents of the first back."""

import json
from datetime import timedelta
from typing import Any

import pytest

from run.grant import REJECTED
from run.world import World
from testbed.builders import DAY, MINUTE, mark, origin, policy
from testbed.fakes import PUBLISHED_ID, tokens
from token_refresh.errors import ReauthorizationRequired
from token_refresh_worker.core.snapshot import LivingSet
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.stored.origin import ClaimStoreKind


class TwoGrants(World):
    """Grant A, of `a0` and `a1`, was rejected; then somebody stored grant B in its place."""

    def __init__(self, store: ClaimStoreKind, *, dies: bool = True) -> None:
        super().__init__(policy=policy(grace=timedelta(0), claim_store=store), published=True, refreshToken="a0")
        self.a0 = self.labels()[CURRENT]
        self.a1 = self.refresh("a1")
        if dies:
            with pytest.raises(ReauthorizationRequired):
                self.send(REJECTED)

    def send(self, *responses: Any, force: bool = False) -> str:
        """Run a day later: the tokens are due."""
        self.pass_time(DAY)
        self.endpoint.responses = [*responses]
        return self.outcome(force=force)

    def refresh(self, token: str) -> str:
        assert "refreshed" == self.send(tokens(refresh_token=token))
        return self.labels()[CURRENT]

    def authorize_b(self, **of_command: Any) -> str:
        """Store grant B, by hand or as the command does."""
        self.pass_time(MINUTE)
        now = self.clock.service_now
        self.save(refreshToken="b0", issued_at=now, expires_at=now + DAY, **of_command)
        return self.labels()[CURRENT]

    def by_command(self, **more: Any) -> str:
        place = origin(claim_store=self.policy.claim_store, grace=timedelta(0), authorized=True, token=mark("b0"))
        return self.authorize_b(**place, **more)

    def document(self, version_id: str) -> dict[str, Any]:
        found = self.store.read(version_id=version_id)
        assert found is not None
        assert found.value is not None
        document: dict[str, Any] = json.loads(found.value.reveal())
        return document

    def put_back(self, version_id: str) -> None:
        self.save_text(json.dumps(self.document(version_id)))

    def put_back_bare(self, version_id: str) -> None:
        document = self.document(version_id)
        self.save_text(json.dumps({name: document[name] for name in ("accessToken", "refreshToken", "expiresAt")}))

    def move_back(self, version_id: str) -> None:
        self.store.move_label(CURRENT, to=version_id, remove_from=self.labels()[CURRENT])

    def copied(self) -> str:
        """The access token that services read."""
        return str(self.current(PUBLISHED_ID)["accessToken"])

    def newest_claim(self) -> str:
        newest = self.run().reader.read().newest
        assert newest is not None
        return newest.claim_id

    def found(self) -> LivingSet | None:
        """The living set that a run finds."""
        return self.run().reader.read().living

"""What must hold, checked in every world and at every step. Each check raises `Violation`, in the protocol's words."""

import json

from proof.ports import Ended, Send
from proof.providers import Provider, parse
from proof.store import PUBLISHED, TOKENS, Store, StoreCall, refresh_token_of
from proof.world import WINDOW_SECONDS, Violation, Worker, World
from token_refresh.core.versions import CURRENT, record_version_id, staged_version_id

# Bound before any bug is planted: what is right is not decided by what is checked.
_STAGED, _RECORD = staged_version_id, record_version_id


class Invariants:
    """Checks on one search's store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._derived: set[tuple[str, str]] = set()
        self._refresh_tokens: dict[int, str] = {}

    def check_write(self, before: int, after: int, call: StoreCall) -> None:
        """A worker moves AWSCURRENT to a complete version that is derived from it, and never otherwise."""
        if before == after:
            return
        if call.secret == PUBLISHED:
            self._check_published(before, after)
            return
        old, new = (self._store.labels(state, TOKENS)[CURRENT] for state in (before, after))
        if old == new or (old, new) in self._derived:
            return
        versions = self._store.secret(after, TOKENS)
        claims = [version_id for version_id, text in versions.items() if '"nonce"' in text]
        if new not in {_STAGED(claim, old) for claim in claims}:
            raise Violation("AWSCURRENT moved to a version that is not derived from it")
        document = json.loads(versions[new])
        if not document.get("accessToken") or not document.get("refreshToken"):
            raise Violation("AWSCURRENT moved to a version that is no complete token set")
        self._derived.add((old, new))

    def _check_published(self, before: int, after: int) -> None:
        """The published copy never goes back: versions are stored in the order in which they become current."""
        shown = [self._published_source(state) for state in (before, after)]
        order = list(self._store.secret(after, TOKENS))
        old, new = ((-1 if source is None else order.index(source)) for source in shown)
        if new < old:
            raise Violation("the published copy went back to an older token set")

    def _published_source(self, state: int) -> str | None:
        version_id = self._store.labels(state, PUBLISHED).get(CURRENT)
        if version_id is None:
            return None
        source = json.loads(self._store.secret(state, PUBLISHED)[version_id])["sourceVersionId"]
        return str(source)

    def check_published(self, state: int) -> None:
        """At rest the published copy shows the current version."""
        if self._published_source(state) != self._store.labels(state, TOKENS)[CURRENT]:
            raise Violation("at rest, the published copy does not show the current version")

    @staticmethod
    def check_send(sending: int, *, paused: bool) -> None:
        """At most one redemption is in flight while a claim is live."""
        if sending > 1 and not paused:
            raise Violation("two redemptions are in flight")

    def check_reuse(self, world: World, provider: Provider, call: Send, kind: str) -> None:
        """A spent single-use token is sent again only where its answer was lost, and by a scheduled run only late."""
        if provider.kind != "single-use" or not provider.spent(call.refresh_token):
            return
        family, _ = parse(call.refresh_token)
        if provider.families[family].revoked:
            return
        if not world.lost >> family & 1:
            raise Violation("a spent refresh token was sent again: the provider revokes a grant that was alive")
        expires_at = self.expires_at(world.store)
        if kind == "s" and world.now < expires_at - WINDOW_SECONDS // 4:
            raise Violation("a refresh token of unknown outcome was sent again before the last quarter of the window")

    def expires_at(self, state: int) -> int:
        """Give the expiry of the current token set."""
        text = self._store.secret(state, TOKENS)[self._store.labels(state, TOKENS)[CURRENT]]
        return int(json.loads(text)["expiresAt"]) // 1000

    def current_refresh_token(self, state: int) -> str:
        """Give the refresh token of the current token set."""
        known = self._refresh_tokens.get(state)
        if known is None:
            text = self._store.secret(state, TOKENS)[self._store.labels(state, TOKENS)[CURRENT]]
            known = self._refresh_tokens[state] = str(refresh_token_of(text))
        return known

    def check_end(self, world: World, worker: Worker, provider: Provider, ended: Ended) -> None:
        """A run ends in a named way, holds no tokens that are not stored, and gives nothing up without cause."""
        token = self.current_refresh_token(world.store)
        if not ended.named:
            raise Violation(f"a run ended with {ended.outcome}")
        if worker.unstored >= 0:
            raise Violation(f"a run ended ({ended.outcome}) with tokens that it received and did not store")
        if ended.outcome == "ReauthorizationRequired" and worker.superseded and provider.alive(token, world.now):
            raise Violation("a run gave the grant up although another token set was current when it was rejected")
        if ended.outcome == "RefreshOutcomeUnknown" and not world.unknown:
            raise Violation("a run took an outcome for unknown although nothing died and no reply was lost")
        if ended.outcome in {"SecretStoreUnavailable", "InvalidSecretDocument", "TokenRequestRejected"} and not (
            world.faulted
        ):
            raise Violation(f"a run ended with {ended.outcome} although nothing was out of reach")

    def reachable(self, state: int, provider: Provider, now: int) -> bool:
        """Whether a stored token set of the current one's family is alive at the provider."""
        current = self.current_refresh_token(state)
        family = current.partition(".")[0]
        tokens = [refresh_token_of(text) for text in self._store.secret(state, TOKENS).values()]
        return any(token.partition(".")[0] == family and provider.alive(token, now) for token in tokens if token)

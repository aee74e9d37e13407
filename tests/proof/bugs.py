"""Bugs to plant: each gives what to patch, and leaves out or breaks one rule of the protocol."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import token_refresh.core.plan as plan_module
import token_refresh.refresh.redeem as redeem_module
import token_refresh.refresh.steps as steps_module
from token_refresh.core.claims import Redemption, write_claim
from token_refresh.core.schedule import Policy
from token_refresh.core.snapshot import TokenSet
from token_refresh.core.versions import CURRENT, PENDING, claim_version_id, record_version_id, staged_version_id
from token_refresh.refresh.reading import Reader
from token_refresh.refresh.requests import prepare_refresh
from token_refresh.refresh.run import Run
from token_refresh.refresh.session import Session
from token_refresh.stored.document import read_document

Patches = list[tuple[object, str, object]]


def without(*checks: str) -> Callable[[], Patches]:
    """Leave out checks of the plan."""

    def patches() -> Patches:
        kept = tuple(check for check in plan_module._CHECKS if check.__name__ not in checks)  # noqa: SLF001 - to break it
        return [(plan_module, "_CHECKS", kept)]

    return patches


def no_claim() -> Patches:
    """Redeem as if a claim were stored."""

    def append(claim: Any, session: Any, snapshot: Any) -> Any:
        document = snapshot.current.document
        session.prepared = prepare_refresh(document, session.parts.provider, session.parts.credentials)
        session.hold(claim)
        return replace(snapshot, newest=claim, newest_ended=False)

    return [(steps_module, "_append", append)]


def equal_claims() -> Patches:
    """Give every claim the same nonce."""
    return [(steps_module, "write_claim", lambda claim, _: write_claim(claim, "equal"))]


def second_claim() -> Patches:
    """Claim again under another ID where the first was refused."""
    original = steps_module._append  # noqa: SLF001 - to break it

    def append(claim: Any, session: Any, snapshot: Any) -> Any:
        after = original(claim, session, snapshot)
        if session.claim is None and after.newest is not None and after.newest.claim_id == claim.claim_id:
            return original(replace(claim, claim_id=record_version_id(claim.claim_id)), session, snapshot)
        return after

    return [(steps_module, "_append", append)]


def claim_of_the_version() -> Patches:
    """Derive a claim's ID from the version that it redeems."""
    original = plan_module._next_claim  # noqa: SLF001 - to break it

    def next_claim(snapshot: Any, policy: Any) -> Any:
        claim = original(snapshot, policy)
        return replace(claim, claim_id=claim_version_id(f"{claim.version_id}/{claim.attempt}"))

    return [(plan_module, "_next_claim", next_claim)]


def live(ignored: Callable[[Any, Any], bool]) -> Callable[[], Patches]:
    """Ignore a live claim under a condition."""

    def patches() -> Patches:
        original = plan_module._live  # noqa: SLF001 - to break it

        def live(snapshot: Any, standing: Any, policy: Any) -> Any:
            return None if ignored(snapshot, standing) else original(snapshot, standing, policy)

        checks = tuple(live if c is original else c for c in plan_module._CHECKS)  # noqa: SLF001 - to break it
        return [(plan_module, "_CHECKS", checks)]

    return patches


def anywhere(snapshot: Any, standing: Any) -> bool:
    """Say whether the newest claim is on another version."""
    newest = snapshot.newest
    return newest is not None and newest.version_id != snapshot.current.version_id and standing.claim_id is None


def forced_past(snapshot: Any, standing: Any) -> bool:
    """Say whether a forced run would redeem past the claim."""
    return bool(snapshot.current.version_id == standing.forced_version and standing.claim_id is None)


def no_remove_from() -> Patches:
    """Promote without naming the version that loses AWSCURRENT."""
    return [(steps_module, "_promote", _promotion(lambda _store, _current: None))]


def from_wherever() -> Patches:
    """Promote from whichever version is current by now."""
    return [(steps_module, "_promote", _promotion(lambda store, _current: store.read(label=CURRENT).version_id))]


def _promotion(remove_from: Callable[[Any, Any], str | None]) -> Callable[[Any, Any, Any], Any]:
    def promote(staged: Any, session: Any, snapshot: Any) -> Any:
        store = session.parts.store
        store.move_label(CURRENT, to=staged.version_id, remove_from=remove_from(store, snapshot.current))
        return session.read()

    return promote


def promote_first() -> Patches:
    """Store received tokens as AWSCURRENT at once."""
    return [(redeem_module, "PENDING", CURRENT)]


def by_label() -> Patches:
    """Take for staged tokens whatever AWSPENDING is on."""

    def staged(self: Any, _entry: Any, _base: str) -> TokenSet | None:
        found = self._store.read(label=PENDING)
        document = read_document(found.value) if found else None
        return TokenSet(version_id=found.version_id, labels=found.labels, document=document) if document else None

    return [(Reader, "_staged", staged)]


def any_version() -> Patches:
    """Count a record against whichever version is current."""
    original = Reader.snapshot

    def snapshot(self: Any, *, acting: bool, own: Any) -> Any:
        seen = original(self, acting=acting, own=own)
        if seen.attempts or seen.newest is None:
            return seen
        attempt = replace(self._attempt(seen.newest, skip=own), staged=None)
        return replace(seen, attempts=(attempt,)) if attempt.record else seen

    return [(Reader, "snapshot", snapshot)]


def fresh_id() -> Patches:
    """Stage under an ID that nobody derives."""
    return [(redeem_module, "staged_version_id", lambda claim, base: staged_version_id(claim_version_id(claim), base))]


def records(redemption: Redemption) -> Callable[[], Patches]:
    """Record one outcome as `not_redeemed`."""

    def patches() -> Patches:
        original = Session.record

        def record(self: Session, claim: Any, found: Redemption, error: str | None = None) -> None:
            original(self, claim, Redemption.NOT_REDEEMED if found is redemption else found, error)

        return [(Session, "record", record)]

    return patches


def never_released() -> Patches:
    """Keep an unused claim when the run fails."""
    return [(Run, "_release_unused_claim", lambda _: None)]


def no_second_look() -> Patches:
    """Give a rejected grant up at once."""
    return [(redeem_module, "_superseded", lambda _claim, _session: False)]


def grace_of_zero() -> Patches:
    """Take no grace period for one that is over at once."""

    def may_be_sent_again(since: datetime, now: datetime, policy: Policy) -> bool:
        return now < since + policy.replay_grace

    return [(module, "may_be_sent_again", may_be_sent_again) for module in (plan_module, redeem_module)]


def always_repeats() -> Patches:
    """Repeat a request that may have been received, whatever the provider."""
    exchange = redeem_module._Exchange  # noqa: SLF001 - to break it
    original = exchange._may_repeat  # noqa: SLF001 - likewise

    def may_repeat(self: Any, answer: Any) -> bool:
        kind = getattr(answer, "kind", None)
        return bool(original(self, answer) or (kind is not None and kind.may_have_redeemed))

    return [(exchange, "_may_repeat", may_repeat)]


def published_unseen() -> Patches:
    """Replace the published copy that is shown by now, not the one that was read."""
    original = steps_module._publish  # noqa: SLF001 - to break it

    def publish(session: Any, snapshot: Any) -> Any:
        shown = session.parts.published.read(label=CURRENT)
        return original(session, replace(snapshot, published=shown.version_id))

    return [(steps_module, "_publish", publish)]


def no_list() -> Patches:
    """Forget the claims before the newest."""
    return [(plan_module, "_still_matters", lambda _known, _snapshot: ())]


def no_elsewhere() -> Patches:
    """Forget attempts on other versions with the same refresh token."""
    return [(Reader, "_elsewhere", lambda _self, _newest, _current: ())]


def label_left() -> Patches:
    """Leave the claim label where someone put it."""
    return [(steps_module, "_outrun", lambda _claim, session, _before: session.read())]

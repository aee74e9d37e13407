"""Bugs planted into the protocol, one at a time: each rule is there for a reason, and a search without it shows which.

A mutant that survives shows an invariant that is missing.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from unittest.mock import patch

import token_refresh.core.plan as plan_module
import token_refresh.refresh.redeem as redeem_module
import token_refresh.refresh.steps as steps_module
from proof import scenarios
from proof.world import Scenario
from token_refresh.core.claims import Redemption, write_claim
from token_refresh.core.document import read_document
from token_refresh.core.oauth import AuthMethod, refresh_request
from token_refresh.core.snapshot import TokenSet
from token_refresh.core.versions import CURRENT, PENDING, claim_version_id, record_version_id, staged_version_id
from token_refresh.refresh.reading import Reader
from token_refresh.refresh.run import Run
from token_refresh.refresh.session import Session

Patches = list[tuple[object, str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One bug, and the search that has to find it."""

    name: str
    patches: Callable[[], Patches]
    scenario: Scenario

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the bug while the context lasts."""
        with ExitStack() as stack:
            for target, name, value in self.patches():
                stack.enter_context(patch.object(target, name, value))
            yield


def _without(*checks: str) -> Callable[[], Patches]:
    def patches() -> Patches:
        kept = tuple(check for check in plan_module._CHECKS if check.__name__ not in checks)  # noqa: SLF001 - to break it
        return [(plan_module, "_CHECKS", kept)]

    return patches


def _no_claim() -> Patches:
    def append(claim: Any, session: Any, snapshot: Any) -> Any:
        document = snapshot.current.document
        session.request = refresh_request(document.refresh_token, session.parts.credentials(document), AuthMethod.NONE)
        session.hold(claim)
        return replace(snapshot, newest=claim, newest_ended=False)

    return [(steps_module, "_append", append)]


def _equal_claims() -> Patches:
    return [(steps_module, "write_claim", lambda claim, _: write_claim(claim, "equal"))]


def _second_claim() -> Patches:
    original = steps_module._append  # noqa: SLF001 - to break it

    def append(claim: Any, session: Any, snapshot: Any) -> Any:
        after = original(claim, session, snapshot)
        if session.claim is None and after.newest is not None and after.newest.claim_id == claim.claim_id:
            return original(replace(claim, claim_id=record_version_id(claim.claim_id)), session, snapshot)
        return after

    return [(steps_module, "_append", append)]


def _claim_of_the_version() -> Patches:
    original = plan_module._next_claim  # noqa: SLF001 - to break it

    def next_claim(snapshot: Any, policy: Any) -> Any:
        claim = original(snapshot, policy)
        return replace(claim, claim_id=claim_version_id(f"{claim.version_id}/{claim.attempt}"))

    return [(plan_module, "_next_claim", next_claim)]


def _live(ignored: Callable[[Any, Any], bool]) -> Callable[[], Patches]:
    def patches() -> Patches:
        original = plan_module._live  # noqa: SLF001 - to break it

        def live(snapshot: Any, standing: Any, policy: Any) -> Any:
            return None if ignored(snapshot, standing) else original(snapshot, standing, policy)

        checks = tuple(live if c is original else c for c in plan_module._CHECKS)  # noqa: SLF001 - to break it
        return [(plan_module, "_CHECKS", checks)]

    return patches


def _anywhere(snapshot: Any, standing: Any) -> bool:
    newest = snapshot.newest
    return newest is not None and newest.version_id != snapshot.current.version_id and standing.claim_id is None


def _forced_past(snapshot: Any, standing: Any) -> bool:
    return bool(snapshot.current.version_id == standing.forced_version and standing.claim_id is None)


def _no_remove_from() -> Patches:
    return [(steps_module, "_promote", _promotion(lambda _store, _current: None))]


def _from_wherever() -> Patches:
    return [(steps_module, "_promote", _promotion(lambda store, _current: store.read(label=CURRENT).version_id))]


def _promotion(remove_from: Callable[[Any, Any], str | None]) -> Callable[[Any, Any, Any], Any]:
    def promote(staged: Any, session: Any, snapshot: Any) -> Any:
        store = session.parts.store
        store.move_label(CURRENT, to=staged.version_id, remove_from=remove_from(store, snapshot.current))
        return session.read()

    return promote


def _promote_first() -> Patches:
    return [(redeem_module, "PENDING", CURRENT)]


def _by_label() -> Patches:
    def staged(self: Any, _entry: Any, _base: str) -> TokenSet | None:
        found = self._store.read(label=PENDING)
        document = read_document(found.value) if found else None
        return TokenSet(version_id=found.version_id, labels=found.labels, document=document) if document else None

    return [(Reader, "_staged", staged)]


def _any_version() -> Patches:
    original = Reader.snapshot

    def snapshot(self: Any, *, acting: bool, own: Any) -> Any:
        seen = original(self, acting=acting, own=own)
        if seen.attempts or seen.newest is None:
            return seen
        attempt = replace(self._attempt(seen.newest, skip=own), staged=None)
        return replace(seen, attempts=(attempt,)) if attempt.record else seen

    return [(Reader, "snapshot", snapshot)]


def _fresh_id() -> Patches:
    return [(redeem_module, "staged_version_id", lambda claim, base: staged_version_id(claim_version_id(claim), base))]


def _records(redemption: Redemption) -> Callable[[], Patches]:
    def patches() -> Patches:
        original = Session.record

        def record(self: Session, claim: Any, found: Redemption, error: str | None = None) -> None:
            original(self, claim, Redemption.NOT_REDEEMED if found is redemption else found, error)

        return [(Session, "record", record)]

    return patches


def _never_released() -> Patches:
    return [(Run, "_release_unused_claim", lambda _: None)]


def _no_second_look() -> Patches:
    return [(redeem_module, "_superseded", lambda _claim, _session: False)]


def _always_repeats() -> Patches:
    exchange = redeem_module._Exchange  # noqa: SLF001 - to break it
    original = exchange._may_repeat  # noqa: SLF001 - likewise

    def may_repeat(self: Any, answer: Any) -> bool:
        kind = getattr(answer, "kind", None)
        return bool(original(self, answer) or (kind is not None and kind.may_have_redeemed))

    return [(exchange, "_may_repeat", may_repeat)]


def _current_first() -> Patches:
    current, newest = Reader._current, Reader._newest_claim  # noqa: SLF001 - to break it

    def newest_claim(self: Any) -> Any:
        first = current(self)
        self._current = lambda: first
        return newest(self)

    return [(Reader, "_newest_claim", newest_claim)]


def _published_unseen() -> Patches:
    original = steps_module._publish  # noqa: SLF001 - to break it

    def publish(session: Any, snapshot: Any) -> Any:
        shown = session.parts.published.read(label=CURRENT)
        return original(session, replace(snapshot, published=shown.version_id))

    return [(steps_module, "_publish", publish)]


def _no_list() -> Patches:
    return [(plan_module, "_still_matters", lambda _known, _snapshot: ())]


def _no_elsewhere() -> Patches:
    return [(Reader, "_elsewhere", lambda _self, _newest, _current: ())]


def _label_left() -> Patches:
    return [(steps_module, "_outrun", lambda _claim, session, _before: session.read())]


MUTANTS: Final = (
    Mutant(name="redeem without a claim", patches=_no_claim, scenario=scenarios.TWO),
    Mutant(name="claims without a nonce, so that two are equal", patches=_equal_claims, scenario=scenarios.TWO),
    Mutant(name="claim again under another ID when refused", patches=_second_claim, scenario=scenarios.TWO),
    Mutant(name="claim ID derived from the version, not from the chain", patches=_claim_of_the_version, scenario=scenarios.EDITED),
    Mutant(name="a live claim on another version is ignored", patches=_live(_anywhere), scenario=scenarios.EDITED),
    Mutant(name="a forced run ignores a live claim", patches=_live(_forced_past), scenario=scenarios.TWO),
    Mutant(name="claims end before their run does", patches=list, scenario=scenarios.SHORT_CLAIMS),
    Mutant(name="promote without RemoveFrom", patches=_no_remove_from, scenario=scenarios.TWO),
    Mutant(name="promote from whichever version is current", patches=_from_wherever, scenario=scenarios.REPLACED),
    Mutant(name="make tokens current before they are staged", patches=_promote_first, scenario=scenarios.REPLACED),
    Mutant(name="recover what AWSPENDING is on, not what is derived", patches=_by_label, scenario=scenarios.STAGED),
    Mutant(name="staged tokens are not recovered", patches=_without("_promote"), scenario=scenarios.DYING),
    Mutant(name="stage under a fresh ID", patches=_fresh_id, scenario=scenarios.DYING),
    Mutant(name="a record counts against whichever version is current", patches=_any_version, scenario=scenarios.REPLACED),
    Mutant(name="no hold", patches=_without("_held"), scenario=scenarios.DYING),
    Mutant(name="no hold for an edited copy", patches=_no_elsewhere, scenario=scenarios.EDITED_DYING),
    Mutant(name="an unknown outcome is recorded as not redeemed", patches=_records(Redemption.UNKNOWN), scenario=scenarios.DYING),
    Mutant(name="a request without an answer is repeated at a single-use provider", patches=_always_repeats, scenario=scenarios.DYING),
    Mutant(name="tokens of an edited copy are not carried", patches=_without("_carry"), scenario=scenarios.EDITED),
    Mutant(name="a claim on a version that is no longer current is kept", patches=_without("_release"), scenario=scenarios.EDITED),
    Mutant(name="a run that fails does not release its claim", patches=_never_released, scenario=scenarios.FAILING),
    Mutant(name="invalid_grant without a second look", patches=_no_second_look, scenario=scenarios.REPLACED),
    Mutant(name="read the current version before the claim", patches=_current_first, scenario=scenarios.TWO),
    Mutant(name="publish from whichever copy is shown", patches=_published_unseen, scenario=scenarios.PUBLISHED),
    Mutant(name="claims do not list those before them", patches=_no_list, scenario=scenarios.EDITED_DYING),
    Mutant(name="a claim label that was taken off is not put back", patches=_label_left, scenario=scenarios.UNLABELLED),
)

"""Bugs to plant: each gives what to patch, and leaves out or breaks one rule of the protocol."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from unittest.mock import Mock

from proof import ports as ports_module
from proof.store import Keep, Store
from token_refresh_admin.changes import change
from token_refresh_admin.changes import client as client_module
from token_refresh_admin.changes import pause as pause_module
from token_refresh_admin.changes import recover as recover_module
from token_refresh_admin.changes import restore as restore_module
from token_refresh_admin.changes import revoke as revoke_module
from token_refresh_admin.changes import store as store_module
from token_refresh_admin.changes.move import Move as ClaimMove
from token_refresh_admin.changes.past import TokenUse
from token_refresh_admin.changes.publish import PublishedCopyBeforeChange, StoredGrant
from token_refresh_admin.changes.store import NewGrant
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.core import claims as claims_module
from token_refresh_worker.core import living as living_module
from token_refresh_worker.core import pauses
from token_refresh_worker.core import plan as plan_module
from token_refresh_worker.core import schedule as schedule_module
from token_refresh_worker.core.attempts import DAY, LONG_AGO, Attempt, Fate, Ledger, fingerprint_of
from token_refresh_worker.core.claims import unreadable_claim, write_claim
from token_refresh_worker.core.locked import _Rebuilt
from token_refresh_worker.core.plan import RULES, Rule, plan, wait_for_open_claim
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.steps import AwaitOutcome, Reason, Redeem, Rejected, TokenUsed, Wait
from token_refresh_worker.core.versions import (
    CLAIM,
    CURRENT,
    claim_version_id,
    published_version_id,
    record_version_id,
    staged_version_id,
)
from token_refresh_worker.oauth import response as response_module
from token_refresh_worker.oauth.response import FailedRequest, FailureKind
from token_refresh_worker.run import locked_versions as locked_module
from token_refresh_worker.run import ports as parts_module
from token_refresh_worker.run import redemption as redemption_module
from token_refresh_worker.run import run as run_module
from token_refresh_worker.run import snapshot_reader as reader_module
from token_refresh_worker.run import version_capacity
from token_refresh_worker.run.actions import Actions
from token_refresh_worker.run.grant_failures import dead_grant
from token_refresh_worker.run.keeping import Keeping
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.redemption import Redemption
from token_refresh_worker.run.renewal import Renewal
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.origin import ClaimStoreKind, Origin

Patches = list[tuple[object, str, object]]
Bug = Callable[[], Patches]


def nothing() -> Patches:
    """Plant nothing: the bug is in the scenario's settings."""
    return []


def puts(target: object, name: str, value: object) -> Bug:
    """Put a value in the place of one of the product's."""
    return lambda: [(target, name, value)]


no_mark: Final = puts(redemption_module, "SETTLED", timedelta(0))
promote_first: Final = puts(redemption_module, "OUTCOME", CURRENT)
fresh_id: Final = puts(
    redemption_module, "staged_version_id", lambda claim, base: staged_version_id(claim_version_id(claim), base)
)
retry_after_is_busy: Final = puts(response_module, "_has_error", lambda _: True)
response_dropped: Final = puts(redemption_module.Redemption, "_keep_response", lambda *_, **__: None)
response_unseen: Final = puts(reader_module, "response_version_id", lambda claim: f"{claim}-elsewhere")
misnamed_is_none: Final = puts(response_module, "is_like_refresh_token", lambda *_: False)
failures_are_refusals: Final = puts(response_module, "_UNSURE_CODES", ())
timeouts_are_refusals: Final = puts(response_module, "_GATEWAY_GAVE_UP", frozenset())
force_overrides_a_hold: Final = puts(
    RunState, "names", lambda self, snapshot: snapshot.current.version_id == self.forced_version
)
first_named: Final = puts(
    RunState, "names", lambda self, snapshot: self.resend in {a.claim_id for a in snapshot.unresolved[:1]}
)
always_repeats: Final = puts(redemption_module, "may_be_sent_again", lambda *_: True)
own_grace: Final = puts(Snapshot, "counted_grace", lambda _, policy: policy.replay_grace)
authorized_where_the_claims_were: Final = puts(store_module, "_where_claims_went", lambda parts, *_: parts)
held_by_any_attempt: Final = puts(
    Ledger, "unresolved", lambda self, _: tuple(a for a in self.attempts if a.fate.unresolved)
)
no_anchor: Final = puts(Snapshot, "missing_claim_id", property(lambda _: None))
one_lost_claim: Final = puts(plan_module, "LOST_CLAIMS", 1)
lost_table_from_an_old_view: Final = puts(Actions, "_is_current", lambda *_: True)
no_clock: Final = puts(parts_module, "LEAST_REQUEST_SECONDS", -1e9)
rejected_for_ever: Final = puts(
    plan_module, "rejection_retried_at", lambda attempts, *_: attempts[-1].claimed_at + timedelta(days=999)
)
store_not_compared: Final = puts(Snapshot, "claim_store", property(lambda _: None))
arrives_again: Final = puts(ClaimMove, "_arrived", lambda *_: False)
carry_goes_back: Final = puts(Origin, "placed_like", lambda self, _: self)
nothing_kept_in_the_table: Final = puts(Keeping, "keep", lambda *_: "")
never_repeated: Final = puts(plan_module, "_may_repeat", lambda *_: False)
places_not_looked_at: Final = puts(redemption_module, "check_places", lambda *_: None)
no_spare_place: Final = puts(version_capacity, "SPARE", 0)
old_list_alone: Final = puts(version_capacity, "_stored_by", lambda *_, **__: ())
places_free_after_a_day: Final = puts(version_capacity, "_HELD", DAY)
labels_not_counted: Final = puts(version_capacity, "LABELS", 999)
nothing_forgotten: Final = puts(Ledger, "has_forgotten", lambda *_: False)
future_awaited: Final = puts(reader_module, "dated", lambda attempt, _now: attempt)
locked_silence_is_nothing: Final = puts(_Rebuilt, "_may_be_on_current", lambda *_: False)
old_list_trusted: Final = puts(locked_module, "SETTLED", timedelta(0))
no_attempts_listed: Final = puts(Ledger, "for_next_claim", lambda *_: ())
attempts_of_a_day_listed: Final = puts(
    Ledger, "for_next_claim", lambda self, now, *_: tuple(a for a in self.attempts if a.claimed_at > now - DAY)
)
one_attempt_listed: Final = puts(Ledger, "for_next_claim", lambda self, *_: self.attempts[-1:])
never_needed: Final = puts(plan_module, "_needs_kept_tokens", lambda *_: False)
always_needed: Final = puts(plan_module, "_needs_kept_tokens", lambda *_: True)


expiry_believed: Final = puts(reader_module, "believed", lambda document, *_: document)
unknown_expiry_holds_nothing: Final = puts(
    plan_module, "held_until", lambda document, _, policy: schedule_module.last_quarter_at(document, policy)
)
asked_at_each_run: Final = puts(schedule_module._End, "due_at", property(lambda end: end.at - end.window))  # noqa: SLF001 - to break it
only_the_access_token_ends: Final = puts(
    plan_module, "due_at", lambda document, policy: schedule_module.due_at(document, replace(policy, idle=None))
)


nothing_living: Final = puts(SnapshotReader, "_living", lambda *_: ())
living_in_the_ledger_alone: Final = puts(reader_module, "may_live", lambda *_: False)
living_in_the_list_alone: Final = puts(reader_module, "unused_of", lambda *_: [])
rejected_may_live: Final = puts(living_module, "_rejected", lambda *_: None)
used_may_live: Final = puts(reader_module, "may_live", lambda *_: True)


def without(name: str) -> Bug:
    """Leave out a rule of the plan."""

    def patches() -> Patches:
        kept = tuple(rule for rule in RULES if rule.check.__name__ != name)
        assert len(kept) == len(RULES) - 1
        return [(run_module, "plan", partial(plan, rules=kept))]

    return patches


def _instead(name: str, check: Any) -> Patches:
    rules = tuple(Rule(check, rule.reason) if rule.check.__name__ == name else rule for rule in RULES)
    return [(run_module, "plan", partial(plan, rules=rules))]


def breaks(target: Any, name: str) -> Callable[[Callable[..., Any]], Bug]:
    """Put a function in the place of another one, which it gets first."""

    def planted(broken: Callable[..., Any]) -> Bug:
        original = getattr(target, name)
        return lambda: [(target, name, lambda *args, **named: broken(original, *args, **named))]

    return planted


def breaks_rule(name: str) -> Callable[[Callable[..., Any]], Bug]:
    """Put a function in the place of a rule of the plan, likewise."""

    def planted(broken: Callable[..., Any]) -> Bug:
        return lambda: _instead(name, partial(broken, getattr(plan_module, name)))

    return planted


@breaks_rule("publish_newer_tokens")
def published_beside_a_living_set(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    return original(replace(snapshot, living=None), run, policy)


@breaks(reader_module, "is_dead")
def rejection_dated_by_the_copy(original: Any, snapshot: Snapshot, *how: Any) -> Any:
    return original(snapshot, *how) and (snapshot.stored_attempt is not None or snapshot.rejection is not None)


@breaks(restore_module, "judge")
def restored_by_its_own_judgement(original: Any, past: Any, snapshot: Snapshot, *how: Any) -> Any:
    if past.use_of_token(snapshot)[0] is TokenUse.PERHAPS:
        raise change.ChangeFailed("a request may have redeemed it")
    return original(past, snapshot, *how)


def _redeem(after_refusal: Callable[[Actions, Any, Any], Any]) -> Patches:
    def redeem(self: Actions, step: Any, snapshot: Any) -> Any:
        request = self.redemption.prepare(snapshot)
        if not self.parts.claims.append(step.claim, after=step.after, kept_tokens=step.kept_tokens):
            return after_refusal(self, step, snapshot)
        self.memory.note_claimed(step.claim)
        staged = self.redemption.redeem(step.claim, request, snapshot)
        return self.reader.read() if staged is None else self._promote(staged, snapshot)

    return [(Actions, "_redeem", redeem)]


@breaks(Actions, "_redeem")
def no_claim(_original: Any, self: Actions, step: Any, snapshot: Any) -> Any:
    self.memory.note_claimed(step.claim)
    staged = self.redemption.redeem(step.claim, self.redemption.prepare(snapshot), snapshot)
    return self.reader.read() if staged is None else self._promote(staged, snapshot)


def equal_nonces() -> Patches:
    """Give every claim the same nonce."""

    def write(claim: Any) -> Any:
        return write_claim(replace(claim, nonce="equal"))

    return [(claims_module, "write_claim", write), (ports_module, "write_claim", write)]


@breaks(VersionClaims, "append")
def second_claim(original: Any, self: Any, claim: Any, *, after: str | None, kept_tokens: Any = None) -> bool:
    if original(self, claim, after=after, kept_tokens=kept_tokens):
        return True
    other = replace(claim, claim_id=record_version_id(claim.claim_id))
    return bool(self._secret.put(other.claim_id, write_claim(other), label=CLAIM))


@breaks(plan_module, "_next_claim")
def claim_of_the_version(original: Any, snapshot: Any, run: Any, policy: Any) -> Any:
    claim = original(snapshot, run, policy)
    return replace(claim, claim_id=claim_version_id(f"{claim.version_id}/{claim.attempt_number}"))


def claim_lacks(**fields: Any) -> Bug:
    """Leave fields out of the claim."""

    def patches() -> Patches:
        original = plan_module._next_claim  # noqa: SLF001 - to break it
        return [(plan_module, "_next_claim", lambda *args: replace(original(*args), **fields))]

    return patches


def claims_of(seconds: int) -> Bug:
    """Let a claim live so long, whatever its run may take."""
    return lambda: [(plan_module, "claim_time_to_live", lambda *_: timedelta(seconds=seconds))]


@breaks_rule("hold_unresolved_token")
def held_until_the_end_that_is_due_first(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    ends = schedule_module._ends_of(snapshot.current.document, policy)  # noqa: SLF001 - to break it
    if not snapshot.unresolved or snapshot.counted_grace(policy) or not ends:
        return original(snapshot, run, policy)
    since, first = snapshot.unresolved[0].claimed_at, min(ends, key=lambda end: end.due_at)
    until = first.at - first.window / 4
    return AwaitOutcome(since, until, snapshot.unresolved[-1].claim_id) if snapshot.now < until else None


@breaks_rule("stop_at_used_token")
def used_at_once(_original: Any, snapshot: Snapshot, _run: RunState, _policy: Any) -> Any:
    stored = snapshot.stored_attempt
    return None if stored is None else TokenUsed(stored.claimed_at)


def open_claim_ignored(ignored: Callable[[Snapshot, RunState], bool]) -> Bug:
    """Ignore an open claim under a condition."""

    def patches() -> Patches:
        def check(snapshot: Snapshot, run: RunState, policy: Any) -> Any:
            return None if ignored(snapshot, run) else wait_for_open_claim(snapshot, run, policy)

        return _instead("wait_for_open_claim", check)

    return patches


def on_another_version(snapshot: Snapshot, _run: RunState) -> bool:
    """Say whether the newest claim is on another version."""
    return snapshot.newest is not None and snapshot.newest.version_id != snapshot.current.version_id


def forced(snapshot: Snapshot, run: RunState) -> bool:
    """Say whether a forced run would redeem past the claim."""
    return snapshot.current.version_id == run.forced_version


@breaks(Actions, "_promote")
def from_wherever(_original: Any, self: Actions, successor: Any, _snapshot: Any) -> Any:
    store = self.parts.store
    current = store.read(label=CURRENT)
    assert current is not None
    store.move_label(CURRENT, to=successor.version_id, remove_from=current.version_id)
    return self.reader.read()


def recorded(fate: Fate, as_: Fate) -> Bug:
    """Record one fate as another."""

    def patches() -> Patches:
        original = Redemption.end_attempt

        def end_attempt(self: Any, claim: Any, found: Fate, response: Any = None) -> None:
            original(self, claim, as_ if found is fate else found, response)

        return [(Redemption, "end_attempt", end_attempt)]

    return patches


@breaks(Actions, "_redeem")
def no_second_look(original: Any, self: Actions, step: Any, snapshot: Any) -> Any:
    after = original(self, step, snapshot)
    if self.memory.rejected:
        raise dead_grant(self.parts.secret, Rejected(snapshot.now, snapshot.now))
    return after


@breaks(response_module, "read_response")
def every_503_is_busy(original: Any, status: int, *args: Any) -> Any:
    return FailedRequest(kind=FailureKind.BUSY, seen="HTTP 503") if status == 503 else original(status, *args)


def grace_of_zero() -> Patches:
    """Take no grace period for one that is over at once."""

    def may_be_sent_again(since: datetime, now: datetime, grace: timedelta) -> bool:
        return now < since + grace

    return [(module, "may_be_sent_again", may_be_sent_again) for module in (plan_module, redemption_module)]


def named_when_it_began() -> Patches:
    """Override an unknown outcome if it was the named one when the run began."""
    plans, names = Run._plan, RunState.names  # noqa: SLF001 - to break it

    def began(self: Run, snapshot: Snapshot) -> Any:
        if names(self.memory, snapshot):
            self.memory.resend = "any"
        return plans(self, snapshot)

    return [(Run, "_plan", began), (RunState, "names", lambda self, s: self.resend == "any" and bool(s.unresolved))]


@breaks(Actions, "_publish")
def published_unseen(original: Any, self: Actions, snapshot: Any) -> Any:
    assert self.parts.published is not None
    copy = self.parts.published.read(label=CURRENT)
    assert copy is not None
    return original(self, replace(snapshot, published=replace(snapshot.published, version_id=copy.version_id)))


@breaks(PublishedCopyBeforeChange, "replace")
def command_publishes_unseen(original: Any, self: PublishedCopyBeforeChange, *what: Any) -> Any:
    return original(PublishedCopyBeforeChange.read(self.store), *what)


@breaks(client_module, "swap")
def client_over_newer_tokens(_original: Any, store: Any, _replaced: Any, version_id: str, value: Any) -> bool:
    return bool(store.put(version_id, value, label=CURRENT))


class _Late(Renewal):
    """Issued two hours after the claim."""

    def of(self, response: Any, sent_at: datetime, origin: Origin) -> Any:
        return Renewal.of(self, response, sent_at + timedelta(hours=2), origin)


recovered_late: Final = puts(recover_module, "Renewal", _Late)
recovered_not_current: Final = puts(recover_module, "swap_shown", lambda *_: "")
recovered_used: Final = puts(recover_module.UnreadResponse, "_refuse_used", lambda *_: None)


@breaks(SnapshotReader, "_resolved")
def first_recovery_counts(original: Any, self: Any, ledger: Any, newest: Any, current: Any, **how: Any) -> Any:
    origin = current.document.origin and replace(current.document.origin, recovered=None)
    return original(self, ledger, newest, replace(current, document=replace(current.document, origin=origin)), **how)


@breaks(recover_module.UnreadResponse, "tokens")
def sent_token_recovered(original: Any, self: Any, *pointers: Any) -> Any:
    return replace(original(self, *pointers), refresh_token=None)


@breaks(change, "swap")
def restored_over_anything(_original: Any, store: Any, _replaced: Any, version_id: str, value: Any) -> bool:
    return bool(store.put(version_id, value, label=CURRENT))


@breaks(NewGrant, "store")
def authorized_over_an_edit(_original: Any, self: NewGrant, parts: Any, known: Any, change_: Any) -> StoredGrant:
    copy, document = PublishedCopyBeforeChange.read(parts.published), self.document(parts, change_(known))
    version_id = change.new_version_id(parts)
    parts.store.put(version_id, document.serialize(), label=CURRENT)
    return StoredGrant(version_id=version_id, document=document, copy=copy)


def revoked_past_an_open_claim() -> Patches:
    """Revoke while another run may be redeeming."""
    kept = tuple(rule for rule in revoke_module._RULES if rule.check is not wait_for_open_claim)  # noqa: SLF001 - likewise
    return [(revoke_module, "_RULES", kept)]


@breaks_rule("publish_newer_tokens")
def publish_over_young(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    published = snapshot.published
    old = None if published is None else replace(published, stored_at=datetime.fromtimestamp(0, UTC))
    return original(replace(snapshot, published=old), run, policy)


@breaks(Actions, "_publish")
def publish_again(original: Any, self: Actions, snapshot: Any) -> Any:
    after = original(self, snapshot)
    assert self.parts.published is not None
    copy = self.parts.published.read(label=CURRENT)
    assert copy is not None
    if copy.version_id == published_version_id(snapshot.current.version_id):
        return after
    return original(self, replace(snapshot, published=replace(snapshot.published, version_id=copy.version_id)))


def by_version() -> Patches:
    """Know attempts by their version, not by their token."""

    def on_version(*fates: Fate) -> property:
        return property(lambda snapshot: next((a for a in reversed(snapshot.on_version) if a.fate in fates), None))

    unresolved = property(lambda snapshot: tuple(a for a in snapshot.on_version if a.fate.unresolved))
    return [(Snapshot, "stored_attempt", on_version(Fate.STORED)), (Snapshot, "unresolved", unresolved)]


def refusal_not_looked_up() -> Patches:
    """Only read again where a claim was refused."""
    return _redeem(lambda actions, _step, _snapshot: actions.reader.read())


def refusal_not_remembered() -> Patches:
    """Look the newer claim up where one was refused, and forget it."""

    def after_refusal(actions: Actions, step: Any, snapshot: Any) -> Any:
        actions.reader.claim_named(step.claim.claim_id, step.claim.number, snapshot.newest, snapshot.current)
        return actions.reader.read()

    return _redeem(after_refusal)


@breaks_rule("wait_for_open_claim")
def unreadable_passed(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    step = original(snapshot, run, policy)
    return None if isinstance(step, Wait) and step.reason is Reason.UNREADABLE else step


@breaks(SnapshotReader, "claim_named")
def unreadable_claim_is_none(original: Any, self: Any, *where: Any) -> Any:
    found, (_, _, previous, _) = original(self, *where), where
    return previous if found is not None and not found.nonce else found


@breaks_rule("wait_for_open_claim")
def lost_table_claimed(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    if policy.claim_store.kind is ClaimStoreKind.TABLE and snapshot.missing_claim_id is not None:
        claim = plan_module._next_claim(snapshot, run, policy)  # noqa: SLF001 - to break it
        return Redeem(claim, snapshot.newest.claim_id if snapshot.newest else None)
    return original(snapshot, run, policy)


@breaks(Memory, "note_claimed")
def redeems_twice(_original: Any, self: Memory, claim: Any) -> None:
    self.newest_claim = claim


@breaks(ClaimMove, "_fenced")
def no_fence(original: Any, self: ClaimMove, snapshot: Any, _claims: Any, *args: Any, **how: Any) -> Any:
    return original(self, snapshot, Mock(), *args, **how)


@breaks_rule("refuse_other_settings")
def fence_ignored(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    newest = snapshot.newest and replace(snapshot.newest, moved_to=None)
    return original(replace(snapshot, newest=newest), run, policy)


@breaks(ClaimMove, "_fenced")
def open_claims_moved(original: Any, self: ClaimMove, snapshot: Any, *args: Any, **how: Any) -> Any:
    ended = snapshot.newest and replace(snapshot.newest, time_to_live=timedelta(0))
    return original(self, replace(snapshot, newest=ended), *args, **how)


@breaks(Store, "_append")
def kept_unchecked(original: Any, self: Store, state: int, call: Any, *, repeated: bool) -> Any:
    item = self.table(state).item
    return original(self, state, call._replace(kept_tokens=item.kept_tokens if item else None), repeated=repeated)


@breaks(Store, "_carry_out")
def kept_under_any_claim(original: Any, self: Store, state: int, call: Any, now: int) -> Any:
    item = self.table(state).item
    return original(
        self, state, call._replace(claim_id=item.claim_id) if item and isinstance(call, Keep) else call, now
    )


@breaks(Keeping, "_store")
def kept_stored_on_the_current_version(original: Any, self: Keeping, kept: Any) -> None:
    assert self.memory.snapshot is not None
    claim = replace(kept.claim, version_id=self.memory.snapshot.current.version_id)
    original(self, replace(kept, claim=claim))


@breaks(Keeping, "_store")
def kept_forgotten_first(original: Any, self: Keeping, kept: Any) -> None:
    assert self.parts.keeper is not None
    self.parts.keeper.drop(kept)
    original(self, kept)


@breaks(Keeping, "forget")
def kept_forgotten_without_a_record(_original: Any, self: Keeping, kept: Any, _document: Any) -> None:
    assert self.parts.keeper is not None
    self.parts.keeper.drop(kept)


@breaks(plan_module, "_needs_kept_tokens")
def needed_unless_authorized(_original: Any, snapshot: Snapshot, _kept: Any) -> bool:
    origin = snapshot.current.document.origin
    return origin is None or not origin.authorized


@breaks(plan_module, "_kept_tokens_locked")
def kept_tokens_stop_every_run(original: Any, snapshot: Snapshot, run: RunState, _policy: Any) -> Any:
    return original(replace(snapshot, ledger=Ledger((snapshot.newest,))), run, Mock(replay_grace=timedelta(0)))  # type: ignore[arg-type]  # there is one


@breaks(reader_module, "dated")
def future_left_out(_original: Any, attempt: Attempt, now: datetime) -> Attempt:
    return attempt if attempt.claimed_at <= now else replace(attempt, fate=Fate.NOT_REDEEMED, claimed_at=LONG_AGO)


@breaks(locked_module, "rebuilt_claim")
def locked_claim_by_its_date(_original: Any, listed: Any, chain: Any, current: Any, _readable: Any) -> Any:
    created_at = next(v.created_at for v in listed if v.version_id == chain[-1])
    claim = unreadable_claim(chain[-1], created_at)
    return replace(
        claim,
        version_id=current.version_id,
        fingerprint=fingerprint_of(current.document.redeemed_token),
        nonce="locked",
    )


def locked_tokens(as_: Callable[[Snapshot], Any]) -> Bug:
    """Break the rule about stored tokens that can't be decrypted."""
    original = plan_module.stop_at_used_token

    def check(snapshot: Snapshot, run: RunState, policy: Any) -> Any:
        return as_(snapshot) if snapshot.locked else original(snapshot, run, policy)

    return lambda: _instead("stop_at_used_token", check)


locked_tokens_gone: Final = locked_tokens(lambda snapshot: TokenUsed(snapshot.now))
locked_tokens_ignored: Final = locked_tokens(lambda _: None)


@breaks(pause_module, "pause_claim")
def pause_forgets(_original: Any, *arguments: Any, **named: Any) -> Any:
    return replace(pauses.pause_claim(*arguments, **named), earlier=())

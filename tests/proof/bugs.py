"""Bugs to plant: each gives what to patch, and leaves out or breaks one rule of the protocol."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import Mock

from proof import ports as ports_module
from proof.store import Keep, Store
from token_refresh_worker.adapters import version_claims
from token_refresh_worker.adapters.version_claims import VersionClaims
from token_refresh_worker.changes import change
from token_refresh_worker.changes import client as client_module
from token_refresh_worker.changes import pause as pause_module
from token_refresh_worker.changes import revoke as revoke_module
from token_refresh_worker.changes import store as store_module
from token_refresh_worker.changes.move import Move as ClaimMove
from token_refresh_worker.changes.publish import CopyBefore
from token_refresh_worker.changes.store import NewGrant, StoredGrant
from token_refresh_worker.core import pauses
from token_refresh_worker.core import plan as plan_module
from token_refresh_worker.core.attempts import DAY, LONG_AGO, Attempt, Fate, Ledger, fingerprint_of
from token_refresh_worker.core.claims import unreadable_claim, write_claim
from token_refresh_worker.core.locked import _Rebuilt
from token_refresh_worker.core.plan import RULES, Rule, plan, wait_for_open_claim
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.steps import Reason, Redeem, Rejected, TokenUsed, Wait
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
from token_refresh_worker.run.actions import Actions
from token_refresh_worker.run.grant_failures import dead_grant
from token_refresh_worker.run.keeping import Keeping
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.redemption import Redemption
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.origin import ClaimStoreKind, Origin

Patches = list[tuple[object, str, object]]
Bug = Callable[[], Patches]


def nothing() -> Patches:
    """Plant nothing: the bug is in the scenario's settings."""
    return []


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


def _redeem(after_refusal: Callable[[Actions, Any, Any], Any]) -> Patches:
    def redeem(self: Actions, step: Any, snapshot: Any) -> Any:
        request = self.redemption.prepare(snapshot)
        if not self.parts.claims.append(step.claim, after=step.after, kept=step.kept):
            return after_refusal(self, step, snapshot)
        self.memory.note_claimed(step.claim)
        staged = self.redemption.redeem(step.claim, request, snapshot)
        return self.reader.read() if staged is None else self._promote(staged, snapshot)

    return [(Actions, "_redeem", redeem)]


@breaks(Actions, "_redeem")
def no_claim(_original: Any, self: Actions, step: Any, snapshot: Any) -> Any:
    """Redeem without appending a claim."""
    self.memory.note_claimed(step.claim)
    staged = self.redemption.redeem(step.claim, self.redemption.prepare(snapshot), snapshot)
    return self.reader.read() if staged is None else self._promote(staged, snapshot)


def equal_nonces() -> Patches:
    """Give every claim the same nonce."""

    def write(claim: Any) -> Any:
        return write_claim(replace(claim, nonce="equal"))

    return [(version_claims, "write_claim", write), (ports_module, "write_claim", write)]


@breaks(VersionClaims, "append")
def second_claim(original: Any, self: Any, claim: Any, *, after: str | None, kept: Any = None) -> bool:
    """Claim again under another ID where the first was refused."""
    if original(self, claim, after=after, kept=kept):
        return True
    other = replace(claim, claim_id=record_version_id(claim.claim_id))
    return bool(self._secret.put(other.claim_id, write_claim(other), label=CLAIM))


@breaks(plan_module, "_next_claim")
def claim_of_the_version(original: Any, snapshot: Any, run: Any, policy: Any) -> Any:
    """Derive a claim's ID from the version that it redeems."""
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


def no_mark() -> Patches:
    """Leave it to reads of the secret to show that tokens are stored."""
    return [(redemption_module, "SETTLED", timedelta(0))]


def used_at_once() -> Patches:
    """Ask for a new authorization as soon as a read does not show the tokens that followed."""
    return _instead("stop_at_used_token", _used_at_once)


def _used_at_once(snapshot: Snapshot, _run: RunState, _policy: Any) -> Any:
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
    """Promote from whichever version is current by now."""
    store = self.parts.store
    current = store.read(label=CURRENT)
    assert current is not None
    store.move_label(CURRENT, to=successor.version_id, remove_from=current.version_id)
    return self.reader.read()


def promote_first() -> Patches:
    """Store received tokens as AWSCURRENT at once."""
    return [(redemption_module, "OUTCOME", CURRENT)]


def fresh_id() -> Patches:
    """Stage under an ID that nobody derives."""
    return [
        (redemption_module, "staged_version_id", lambda claim, base: staged_version_id(claim_version_id(claim), base))
    ]


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
    """Give a rejected grant up at once."""
    after = original(self, step, snapshot)
    if self.memory.rejected_version is not None:
        raise dead_grant(self.parts.secret, Rejected(snapshot.now, snapshot.now))
    return after


@breaks(response_module, "read_response")
def every_503_is_busy(original: Any, status: int, *args: Any) -> Any:
    """Take any 503 for the provider's own."""
    return FailedRequest(kind=FailureKind.BUSY, seen="HTTP 503") if status == 503 else original(status, *args)


def retry_after_is_busy() -> Patches:
    """Take a 503 for the provider's own because of `Retry-After` alone."""
    return [(response_module, "_has_error", lambda _: True)]


def response_dropped() -> Patches:
    """Keep no response that can't be read."""
    return [(redemption_module.Redemption, "_keep_response", lambda *_, **__: None)]


def response_unseen() -> Patches:
    """Look under another ID for the response of a run that died before its record."""
    return [(reader_module, "response_version_id", lambda claim: f"{claim}-elsewhere")]


def timeouts_are_refusals() -> Patches:
    """Take a gateway's 408 and 499 for refusals, as every other 4xx is."""
    return [(response_module, "_GATEWAY_GAVE_UP", frozenset())]


def grace_of_zero() -> Patches:
    """Take no grace period for one that is over at once."""

    def may_be_sent_again(since: datetime, now: datetime, grace: timedelta) -> bool:
        return now < since + grace

    return [(module, "may_be_sent_again", may_be_sent_again) for module in (plan_module, redemption_module)]


def force_overrides_a_hold() -> Patches:
    """Let a forced run send a token of unknown outcome."""
    return [(RunState, "names", lambda self, snapshot: snapshot.current.version_id == self.forced_version)]


def first_named() -> Patches:
    """Override an unknown outcome by the name of the first attempt, whatever was sent since."""
    return [(RunState, "names", lambda self, snapshot: self.resend in {a.claim_id for a in snapshot.unresolved[:1]})]


def named_when_it_began() -> Patches:
    """Override an unknown outcome if it was the named one when the run began."""
    plans, names = Run._plan, RunState.names  # noqa: SLF001 - to break it

    def began(self: Run, snapshot: Snapshot) -> Any:
        if names(self.memory, snapshot):
            self.memory.resend = "any"
        return plans(self, snapshot)

    return [(Run, "_plan", began), (RunState, "names", lambda self, s: self.resend == "any" and bool(s.unresolved))]


def always_repeats() -> Patches:
    """Repeat a request that may have been received, whatever the provider."""
    return [(redemption_module, "may_be_sent_again", lambda *_: True)]


def own_grace() -> Patches:
    """Count the worker's own grace, whatever is stored."""
    return [(Snapshot, "counted_grace", lambda _, policy: policy.replay_grace)]


@breaks(Actions, "_publish")
def published_unseen(original: Any, self: Actions, snapshot: Any) -> Any:
    """Replace the published copy that is there by now, not the one that was read."""
    assert self.parts.published is not None
    copy = self.parts.published.read(label=CURRENT)
    assert copy is not None
    return original(self, replace(snapshot, published=replace(snapshot.published, version_id=copy.version_id)))


@breaks(CopyBefore, "replace")
def command_publishes_unseen(original: Any, self: CopyBefore, *what: Any) -> Any:
    """Let a command replace the published copy that is there by now, not the one from before its change."""
    return original(CopyBefore.read(self.store), *what)


@breaks(client_module, "swap")
def client_over_newer_tokens(_original: Any, store: Any, _replaced: Any, version_id: str, value: Any) -> bool:
    """Store new client credentials whatever is current by now."""
    return bool(store.put(version_id, value, label=CURRENT))


@breaks(NewGrant, "store")
def authorized_over_an_edit(_original: Any, self: NewGrant, parts: Any, known: Any, change_: Any) -> StoredGrant:
    """Put the tokens of an authorization on what was read before it."""
    copy, document = CopyBefore.read(parts.published), self.document(parts, change_(known))
    version_id = change.store_version(parts.store, change.new_version_id(parts), document.serialize())
    return StoredGrant(version_id=version_id, document=document, copy=copy)


def authorized_where_the_claims_were() -> Patches:
    """Let an authorization name the claim store of its settings, though the claims were moved meanwhile."""
    return [(store_module, "_where_claims_went", lambda parts, *_: parts)]


def revoked_past_an_open_claim() -> Patches:
    """Revoke while another run may be redeeming."""
    kept = tuple(rule for rule in revoke_module._RULES if rule.check is not wait_for_open_claim)  # noqa: SLF001 - likewise
    return [(revoke_module, "_RULES", kept)]


@breaks_rule("publish_newer_tokens")
def publish_over_young(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    """Publish over a copy that was made moments ago."""
    published = snapshot.published
    old = None if published is None else replace(published, stored_at=datetime.fromtimestamp(0, UTC))
    return original(replace(snapshot, published=old), run, policy)


@breaks(Actions, "_publish")
def publish_again(original: Any, self: Actions, snapshot: Any) -> Any:
    """Publish again after a refusal, from the copy that is there by then."""
    after = original(self, snapshot)
    assert self.parts.published is not None
    copy = self.parts.published.read(label=CURRENT)
    assert copy is not None
    if copy.version_id == published_version_id(snapshot.current.version_id):
        return after
    return original(self, replace(snapshot, published=replace(snapshot.published, version_id=copy.version_id)))


def kept(keep: Callable[[Ledger, datetime], tuple[Attempt, ...]]) -> Bug:
    """Carry on less of the ledger."""
    return lambda: [(Ledger, "kept", lambda self, now, *_: keep(self, now))]


def nothing_kept(_ledger: Ledger, _now: datetime) -> tuple[Attempt, ...]:
    """Forget the claims before the newest."""
    return ()


def day_kept(ledger: Ledger, now: datetime) -> tuple[Attempt, ...]:
    """Forget used tokens after a day."""
    return tuple(a for a in ledger.attempts if a.claimed_at > now - DAY)


def one_kept(ledger: Ledger, _now: datetime) -> tuple[Attempt, ...]:
    """Keep the last attempt alone."""
    return ledger.attempts[-1:]


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


def no_anchor() -> Patches:
    """Ignore the claim that the current document names."""
    return [(Snapshot, "missing_claim_id", property(lambda _: None))]


@breaks_rule("wait_for_open_claim")
def unreadable_passed(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    """Go on at once where the named claim can't be read."""
    step = original(snapshot, run, policy)
    return None if isinstance(step, Wait) and step.reason is Reason.UNREADABLE else step


@breaks(SnapshotReader, "claim_named")
def unreadable_claim_is_none(original: Any, self: Any, *where: Any) -> Any:
    """Take something unreadable where a claim should be for no claim."""
    found, (_, _, previous, _) = original(self, *where), where
    return previous if found is not None and not found.nonce else found


@breaks_rule("wait_for_open_claim")
def lost_table_claimed(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    """Claim at once where the table lost its claim."""
    if policy.claim_store.kind is ClaimStoreKind.TABLE and snapshot.missing_claim_id is not None:
        claim = plan_module._next_claim(snapshot, run, policy)  # noqa: SLF001 - to break it
        return Redeem(claim, snapshot.newest.claim_id if snapshot.newest else None)
    return original(snapshot, run, policy)


def one_lost_claim() -> Patches:
    """Expect one claim in a lost table, not eight."""
    return [(plan_module, "LOST_CLAIMS", 1)]


def lost_table_from_an_old_view() -> Patches:
    """Replace a lost table by the current version that was read before the table was lost."""
    return [(Actions, "_is_current", lambda *_: True)]


@breaks(Memory, "note_claimed")
def redeems_twice(_original: Any, self: Memory, claim: Any) -> None:
    """Let one run redeem again after its first redemption."""
    self.newest_claim = claim


def no_clock() -> Patches:
    """Send without a look at the clock."""
    return [(parts_module, "LEAST_REQUEST_SECONDS", -1e9)]


def rejected_for_ever() -> Patches:
    """Never try a rejected grant again."""
    return [(plan_module, "rejection_retried_at", lambda attempts, *_: attempts[-1].claimed_at + timedelta(days=999))]


def store_not_compared() -> Patches:
    """Accept every claim store."""
    return [(Snapshot, "claim_store", property(lambda _: None))]


@breaks(ClaimMove, "_fenced")
def no_fence(original: Any, self: ClaimMove, snapshot: Any, _claims: Any, *args: Any, **how: Any) -> Any:
    """Move without a fence in the old store."""
    return original(self, snapshot, Mock(), *args, **how)


@breaks_rule("refuse_other_settings")
def fence_ignored(original: Any, snapshot: Snapshot, run: RunState, policy: Any) -> Any:
    """Take a fence for a claim that ended."""
    newest = snapshot.newest and replace(snapshot.newest, moved_to=None)
    return original(replace(snapshot, newest=newest), run, policy)


@breaks(ClaimMove, "_fenced")
def open_claims_moved(original: Any, self: ClaimMove, snapshot: Any, *args: Any, **how: Any) -> Any:
    """Move the claims, though a run may be redeeming under the newest one."""
    ended = snapshot.newest and replace(snapshot.newest, time_to_live=timedelta(0))
    return original(self, replace(snapshot, newest=ended), *args, **how)


def arrives_again() -> Patches:
    """Append the arrival again where it is there."""
    return [(ClaimMove, "_arrived", lambda *_: False)]


def carry_goes_back() -> Patches:
    """Let carried tokens name the claim store that they were received in."""
    return [(Origin, "placed_like", lambda self, _: self)]


def nothing_kept_in_the_table() -> Patches:
    """Leave received tokens to the secret alone."""
    return [(Keeping, "keep", lambda *_: "")]


@breaks(Store, "_append")
def kept_unchecked(original: Any, self: Store, state: int, call: Any, *, repeated: bool) -> Any:
    """Append a claim whatever the table keeps by then."""
    item = self.table(state).item
    return original(self, state, call._replace(kept=item.kept if item else None), repeated=repeated)


@breaks(Store, "_carry_out")
def kept_under_any_claim(original: Any, self: Store, state: int, call: Any, now: int) -> Any:
    """Keep tokens beside whichever claim the table has."""
    item = self.table(state).item
    return original(
        self, state, call._replace(claim_id=item.claim_id) if item and isinstance(call, Keep) else call, now
    )


@breaks(Keeping, "_store")
def kept_stored_on_the_current_version(original: Any, self: Keeping, kept: Any) -> None:
    """Store kept tokens under an ID that follows from the current version."""
    assert self.memory.snapshot is not None
    claim = replace(kept.claim, version_id=self.memory.snapshot.current.version_id)
    original(self, replace(kept, claim=claim))


@breaks(Keeping, "_store")
def kept_forgotten_first(original: Any, self: Keeping, kept: Any) -> None:
    """Remove kept tokens before they are stored."""
    assert self.parts.keeper is not None
    self.parts.keeper.drop(kept)
    original(self, kept)


@breaks(Keeping, "forget")
def kept_forgotten_without_a_record(_original: Any, self: Keeping, kept: Any, _document: Any) -> None:
    """Remove kept tokens without a record that they are stored."""
    assert self.parts.keeper is not None
    self.parts.keeper.drop(kept)


def kept_needed(needed: Callable[[Snapshot, Any], bool]) -> Bug:
    """Go on, or stop, where kept tokens can't be decrypted."""
    return lambda: [(plan_module, "_kept_needed", needed)]


def never_needed(_snapshot: Snapshot, _kept: Any) -> bool:
    """Go on."""
    return False


def needed_unless_authorized(snapshot: Snapshot, _kept: Any) -> bool:
    """Go on, if the grant is one that a person brought."""
    origin = snapshot.current.document.origin
    return origin is None or not origin.authorized


def always_needed(_snapshot: Snapshot, _kept: Any) -> bool:
    """Stop, though a person authorized again."""
    return True


def never_repeated() -> Patches:
    """Never ask again for a response that was lost, before the refresh is due."""
    return [(plan_module, "_may_repeat", lambda *_: False)]


@breaks(plan_module, "_kept_unreadable")
def kept_tokens_stop_every_run(original: Any, snapshot: Snapshot, run: RunState, _policy: Any) -> Any:
    """Wait for the key of kept tokens, though the provider brings others."""
    return original(replace(snapshot, ledger=Ledger((snapshot.newest,))), run, Mock(replay_grace=timedelta(0)))  # type: ignore[arg-type]  # there is one


def nothing_forgotten() -> Patches:
    """Take a token for unused that no attempt in the ledger names."""
    return [(Ledger, "has_forgotten", lambda *_: False)]


def future_awaited() -> Patches:
    """Wait for the date of an attempt from the future."""
    return [(reader_module, "dated", lambda attempt, _now: attempt)]


@breaks(reader_module, "dated")
def future_left_out(_original: Any, attempt: Attempt, now: datetime) -> Attempt:
    """Take an attempt from the future for one that never was."""
    return attempt if attempt.claimed_at <= now else replace(attempt, fate=Fate.NOT_REDEEMED, claimed_at=LONG_AGO)


@breaks(locked_module, "rebuilt_claim")
def locked_claim_by_its_date(_original: Any, listed: Any, chain: Any, current: Any, _readable: Any) -> Any:
    """Know nothing of a claim that can't be decrypted but its ID and date."""
    created_at = next(v.created_at for v in listed if v.version_id == chain[-1])
    claim = unreadable_claim(chain[-1], created_at)
    return replace(claim, version_id=current.version_id, fingerprint=fingerprint_of_set(current), nonce="locked")


def fingerprint_of_set(token_set: Any) -> str:
    """Give the fingerprint of a token set."""
    return fingerprint_of(token_set.document.redeemed_token)


def locked_tokens(as_: Callable[[Snapshot], Any]) -> Bug:
    """Break the rule about stored tokens that can't be decrypted."""
    original = plan_module.stop_at_used_token

    def check(snapshot: Snapshot, run: RunState, policy: Any) -> Any:
        return as_(snapshot) if snapshot.locked else original(snapshot, run, policy)

    return lambda: _instead("stop_at_used_token", check)


def gone(snapshot: Snapshot) -> Any:
    """Ask for a new authorization at once."""
    return TokenUsed(snapshot.now)


def no_locked_rule(_snapshot: Snapshot) -> Any:
    """Send the token again in the last quarter, as one whose response was lost."""
    return None


def locked_silence_is_nothing() -> Patches:
    """Take a claim without a result that can't be decrypted for one on another token."""
    return [(_Rebuilt, "_may_be_on_current", lambda *_: False)]


def old_list_trusted() -> Patches:
    """Rebuild the ledger from a list that is older than the document."""
    return [(locked_module, "SETTLED", timedelta(0))]


@breaks(pause_module, "pause_claim")
def pause_forgets(_original: Any, *arguments: Any, **named: Any) -> Any:
    """Let a pause say nothing of the attempts before it."""
    return replace(pauses.pause_claim(*arguments, **named), earlier=())

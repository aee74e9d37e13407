"""Bring an older token set back, as a new version: which one, and what runs make of it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from token_refresh.advice import Advice
from token_refresh.errors import InvalidSecretDocument, TokenRefreshError
from token_refresh.secret_value import SecretValue
from token_refresh.stored.json_object import write_object
from token_refresh_admin.changes.change import ChangeFailed, swap_shown
from token_refresh_admin.changes.past import ListedVersion, TokenUse, VersionHistory, VersionKind
from token_refresh_admin.changes.publish import PublishedCopyBeforeChange, StoredGrant
from token_refresh_worker.core.attempts import fingerprint_of
from token_refresh_worker.core.plan import plan
from token_refresh_worker.core.schedule import Policy, may_be_sent_again
from token_refresh_worker.core.snapshot import RunState, Snapshot
from token_refresh_worker.core.steps import Promote, RestageOnEdited, SettingsMismatch
from token_refresh_worker.core.versions import CURRENT, PREVIOUS
from token_refresh_worker.run.failures import is_of_another_secret, mismatch, span, utc, version_locked
from token_refresh_worker.run.ports import RunDependencies, SecretVersion
from token_refresh_worker.stored.document import TokenDocument, read_document
from token_refresh_worker.stored.origin import ORIGIN_KEY


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OlderSet:
    """An older token set, as it would be stored."""

    value: SecretValue
    document: TokenDocument
    note: str
    is_published: bool
    """Whether to publish it: the next run brings no newer tokens."""
    replaces: str | None
    """The version that was current."""

    def store(self, parts: RunDependencies) -> StoredGrant:
        """Make it current as a new version; something else that is current by now stays."""
        copy = PublishedCopyBeforeChange.read(parts.published if self.is_published else None)
        version_id = swap_shown(parts, parts.store, self.replaces, self.value)
        return StoredGrant(version_id=version_id, document=self.document, copy=copy)


def check_claims(past: VersionHistory) -> None:
    """Refuse to judge by other claims than the newest set's: claims say which refresh tokens were redeemed."""
    origins = (version.origin for version in past.listed if version.origin)
    newest = max(origins, key=lambda origin: origin.number, default=None)  # Two sets may be of the same second.
    ours = past.parts.policy.claim_store
    if newest is None or newest.claim_store == ours:
        return
    step, claim = SettingsMismatch("CLAIM_TABLE", newest.claim_store, ours), None
    with suppress(TokenRefreshError):  # Such as: there is no such table. Then nothing proves the settings.
        claim = past.parts.claims.newest().claim
    if not is_of_another_secret(step, claim):
        raise mismatch(past.parts.secret, step)


def choose(past: VersionHistory, wanted: str | None) -> ListedVersion:
    """Choose the version: the one asked for (its first characters suffice), else the last good one."""
    secret_id = past.parts.secret.secret_id
    candidates = [v for v in past.listed if v.document and CURRENT not in v.labels]
    candidates.sort(key=partial(_rank, past))  # Stable: the newest first among equals.
    if wanted is not None:
        candidates = [v for v in past.listed if v.version_id.startswith(wanted)]
        if len(candidates) != 1:
            how_many = f"{len(candidates)} versions that start with {wanted}" if candidates else f"no version {wanted}"
            raise ChangeFailed(f"secret {secret_id} has {how_many}", fix=_alternatives(past))
    if not candidates:
        raise _nothing_older(past)
    if CURRENT in candidates[0].labels:
        raise ChangeFailed(f"version {candidates[0].version_id} is the current one; there is nothing to restore")
    return candidates[0]


def _rank(past: VersionHistory, version: ListedVersion) -> tuple[bool, bool, bool, bool]:
    """Put first what a run would name; last what is dead or foreign; and of equals, what was current before."""
    version_id, snapshot = version.version_id, past.snapshots.get(version.version_id)
    current = next((past.snapshots.get(v.version_id) for v in past.listed if CURRENT in v.labels), None)
    # Where a run refreshed what something else stored, all that came of it is passed over.
    from_foreign = _leads_to_foreign(current) and _leads_to_foreign(snapshot)
    is_foreign = from_foreign or (snapshot is not None and snapshot.is_foreign)
    is_dead = snapshot is None or snapshot.is_dead
    return version_id != past.living_version, is_dead, is_foreign, PREVIOUS not in version.labels


def _leads_to_foreign(snapshot: Snapshot | None) -> bool:
    """Whether a token set, or what followed it, says that something else had stored a set before."""
    if snapshot is None:
        return False
    following = snapshot.successor.document.origin if snapshot.successor else None
    return snapshot.foreign is not None or (following is not None and following.foreign is not None)


def prepare(
    past: VersionHistory, chosen: ListedVersion, policy_of: Callable[[Mapping[str, object]], Policy]
) -> OlderSet:
    """Return a chosen version as it would be stored; `policy_of` knows the provider that a document names."""
    version, secret = chosen.value, past.parts.secret
    if chosen.kind is VersionKind.LOCKED:
        what, label = f"the tokens of {secret} that you want back are", ", ".join(sorted(chosen.labels)) or "none"
        raise version_locked(secret, chosen.version_id, label, chosen.keys, what=what)
    if chosen.document is None or version is None or version.value is None:
        raise ChangeFailed(f"version {chosen.version_id} holds no token set", fix=_alternatives(past))
    value = _marked(past, replace(version, created_at=past.first_stored(chosen.document)), policy_of)
    snapshot = past.snapshot(replace(version, value=value))
    policy = policy_of(snapshot.current.document.fields)
    step = plan(snapshot, RunState(), policy)
    if isinstance(step, SettingsMismatch):
        raise mismatch(secret, step)
    note = judge(past, snapshot, policy)
    return OlderSet(
        value=value,
        document=snapshot.current.document,
        note=note,
        is_published=not isinstance(step, Promote | RestageOnEdited),
        replaces=next((v.version_id for v in past.listed if CURRENT in v.labels), None),
    )


def _alternatives(past: VersionHistory) -> Advice:
    secret = past.parts.secret
    return "List the versions: ", secret.command("history"), "; or get a new token set: ", secret.authorize


def _nothing_older(past: VersionHistory) -> ChangeFailed:
    """Say what is left: where one key of the current value is wrong, its tokens may be the only ones."""
    secret, parts = past.parts.secret, past.parts
    failure = ChangeFailed(f"secret {secret.secret_id} has no older token set", fix=_alternatives(past))
    current = next((v.value.value for v in past.listed if CURRENT in v.labels and v.value), None)
    try:
        read_document(current or SecretValue(""), needs_refresh_token=parts.provider.needs_refresh_token)
    except InvalidSecretDocument as wrong:
        if wrong.fix:
            failure.why, failure.fix = f"of the current one {wrong.what}", secret.correct(wrong)
    return failure


def _marked(
    past: VersionHistory, version: SecretVersion, policy_of: Callable[[Mapping[str, object]], Policy]
) -> SecretValue:
    """Let an older token set say that it was restored, and name the claim store of today: claims may have moved."""
    snapshot = past.snapshot(version)
    document = snapshot.current.document  # As it is believed: what is doubted would look new.
    # Nothing is used up; or nobody knows the token's host, and that of a default must not be stored as its own.
    if (document.origin is None and not document.refresh_token) or snapshot.host is None:
        return write_object(document.fields)
    origin = replace(snapshot.marked(policy_of(document.fields)), claim_store=past.parts.policy.claim_store)
    # Also where something else stored that set: from here on it is the operator's choice.
    token = fingerprint_of(document.redeemed_token) if document.refresh_token else origin.token
    return write_object({**document.fields, ORIGIN_KEY: replace(origin, token=token).as_fields()})


def judge(past: VersionHistory, snapshot: Snapshot, policy: Policy) -> str:
    """Refuse a token set that runs could not refresh, or not without a risk; return what a person should know."""
    use, at = past.use_of_token(snapshot)
    token = "refresh token" if snapshot.current.document.refresh_token else "access token"
    refused = partial(ChangeFailed, fix=_instead(past))
    if at is None:
        return f"no recorded run redeemed its {token}; if something else did, authorize again instead"
    if snapshot.successor is not None:
        if snapshot.is_dead:
            raise refused(f"the provider rejected the {token} that replaced that set's")
        return (
            f"its {token} was redeemed at {utc(at)} and will not be used again: the next run brings the tokens that "
            "were received then back on top of it, with its other keys"
        )
    if use is TokenUse.REJECTED:
        raise refused(f"the provider rejected that set's {token} at {utc(at)}")
    if use is TokenUse.REDEEMED:
        raise refused(f"that set's {token} was redeemed at {utc(at)}, and the tokens that it brought are gone")
    if snapshot.current.version_id == past.living_version:
        return "what is current is dead, and this is the newest set that may be alive"
    grace = snapshot.counted_grace(policy)
    perhaps = f"{token} may have been redeemed (no response is recorded) at {utc(at)}"
    if may_be_sent_again(at, snapshot.now, grace):
        return f"its {perhaps}; the provider accepts it again until {utc(at + grace)}"
    raise refused(
        f"that set's {perhaps}, and the provider's grace period ({span(grace)}) is over: sent again, it would be "
        "rejected or cost the grant"
    )


def _instead(past: VersionHistory) -> Advice:
    secret = past.parts.secret
    if past.living_version is None:
        return "Get a new token set: ", secret.authorize
    restore = secret.command("restore", "--version", past.living_version)
    return "Restore the newest set that may be alive: ", restore, ". Or get a new one: ", secret.authorize

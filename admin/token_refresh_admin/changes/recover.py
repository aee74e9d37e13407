"""Turn an unread response into tokens: a person points to its fields, and sees no value of it.

The tokens are stored where the run would have stored them, and made current. The response stays in the secret: who
pointed to something else first can do it again, by its claim.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from token_refresh.advice import Advice, Command
from token_refresh.errors import SecretAccessDenied
from token_refresh.secret_value import SecretValue
from token_refresh_admin.changes.change import ChangeFailed, document_of, fields_of, swap_shown
from token_refresh_admin.changes.publish import PublishedCopyBeforeChange, StoredGrant
from token_refresh_worker.core.attempts import Attempt, fingerprint_of
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.core.versions import OUTCOME, response_version_id, staged_version_id
from token_refresh_worker.oauth.body import as_token, pointers
from token_refresh_worker.oauth.formats import Expiry
from token_refresh_worker.oauth.response import TokenResponse, read_expiry
from token_refresh_worker.oauth.unread import body_of, object_of, read_unread
from token_refresh_worker.run.failures import utc
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import RunDependencies
from token_refresh_worker.run.renewal import Renewal
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES, TokenDocument
from token_refresh_worker.stored.origin import Origin

_MOST_FIELDS: Final = 200
_LEAST_NUMBER: Final = 10**7


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnreadResponse:
    """A response that can't be read, as it is stored."""

    parts: RunDependencies
    snapshot: Snapshot
    attempt: Attempt
    fields: object
    length_bytes: int

    @classmethod
    def read(cls, parts: RunDependencies, claim_id: str | None = None) -> "UnreadResponse":
        """Read the response that runs wait for, or that of a claim which the ledger knows."""
        snapshot = SnapshotReader(parts=parts, memory=Memory(clock=parts.deadline.clock)).read()
        named = [attempt for attempt in snapshot.ledger.attempts if attempt.claim_id == claim_id]
        unread = named if claim_id else snapshot.unread_responses
        version = parts.store.read(version_id=response_version_id(unread[-1].claim_id)) if unread else None
        raw = read_unread(version.value) if version and version.value else None
        if raw is None and snapshot.kept_tokens is not None:
            raise ChangeFailed(
                f"Secrets Manager refused what arrived for {parts.secret}, and the claim table keeps it",
                fix=("Store it in the secret first: ", parts.secret.command("refresh")),
            )
        if not unread:
            raise _nothing_unread(parts, snapshot, claim_id)
        if raw is None:
            raise ChangeFailed(f"the unread response for {parts.secret} is gone", fix=_new_grant(parts))
        body = body_of(raw)
        return cls(parts=parts, snapshot=snapshot, attempt=unread[-1], fields=object_of(body), length_bytes=len(body))

    def tokens(self, access_token: str, refresh_token: str | None, expires_in: str | None) -> TokenResponse:
        """Return the tokens at these pointers."""
        lifetime, expires_at = read_expiry(expires_in and self._at(expires_in), Expiry.EXPIRES_IN)
        return TokenResponse(
            access_token=self._token(access_token),
            refresh_token=None if refresh_token is None else self._token(refresh_token),
            lifetime=lifetime,
            expires_at=expires_at,
        )

    def store(self, found: TokenResponse) -> StoredGrant:
        """Make the tokens current, on top of the version that was current when the response was read."""
        parts, snapshot, current = self.parts, self.snapshot, self.snapshot.current
        if until := snapshot.open_until:  # It may be about to store tokens of its own in the same place.
            under_way = f"a run on {parts.secret} may be under way until {utc(until)}"
            raise ChangeFailed.for_now(under_way, fix=("Then try again: ", self._again()), retry_at=until)
        if found.refresh_token is None and parts.provider.needs_refresh_token:
            found = replace(found, refresh_token=self._sent_token())
        newest, token = snapshot.newest or self.attempt, fingerprint_of(found.refresh_token or found.access_token)
        self._refuse_used(token)
        origin = Origin(
            host=snapshot.host or parts.policy.host,
            grace=snapshot.counted_grace(parts.policy),
            claim_store=parts.policy.claim_store,
            claim_id=newest.claim_id,
            number=snapshot.claim_number,
            token=token,
            recovered=self.attempt.claim_id,
            foreign=snapshot.foreign,
        )
        # Whatever access token is there, this one begins a new life.
        renewal = Renewal(provider=parts.provider, document=replace(current.document, access_token=None))
        # The request was sent after the claim: an expiry that is too early costs one refresh.
        document = renewal.of(found, self.attempt.claimed_at, origin)
        if len(document.serialize().reveal()) > SIZE_LIMIT_BYTES:
            raise ChangeFailed(f"the tokens for {parts.secret} are too long for a value", fix=_new_grant(parts))
        copy = PublishedCopyBeforeChange.read(parts.published)
        # A run that finds it there before AWSCURRENT has moved brings it.
        version_id = staged_version_id(self.attempt.claim_id, current.version_id)
        if not (parts.store.put(version_id, document.serialize(), label=OUTCOME) or self._is_in(version_id, document)):
            raise ChangeFailed(
                f"other tokens are stored for that refresh of {parts.secret}",
                fix=(
                    *("The next run makes them current: ", parts.secret.command("refresh")),
                    *(". After it, yours can be recovered: ", self._again()),
                ),
            )
        swap_shown(parts, parts.store, current.version_id, document.serialize(), version_id)
        return StoredGrant(version_id=version_id, document=document, copy=copy)

    def _is_in(self, version_id: str, document: TokenDocument) -> bool:
        """Whether a recovery that was interrupted has stored these tokens; since then there may be a newer claim."""
        there = self._read(version_id)
        return there is not None and (there.access_token, there.redeemed_token) == (
            document.access_token,
            document.redeemed_token,
        )

    def _read(self, version_id: str) -> TokenDocument | None:
        fields = fields_of(self.parts.store.read(version_id=version_id))
        return document_of(fields, needs_refresh_token=self.parts.provider.needs_refresh_token)

    def _sent_token(self) -> SecretValue:
        """Return the refresh token that was sent: that of the current set, or of the set that the attempt was on."""
        sent, document = self.attempt.fingerprint, self.snapshot.current.document
        if fingerprint_of(document.redeemed_token) == sent:
            return document.redeemed_token
        before = self._read(self.attempt.version_id)
        if before is None or fingerprint_of(before.redeemed_token) != sent:
            what = f"the refresh token that was sent for {self.parts.secret} is gone"
            raise ChangeFailed(what, fix=_new_grant(self.parts))
        return before.redeemed_token

    def _refuse_used(self, token: str) -> None:
        attempts = self.snapshot.ledger.attempts
        later = attempts[[a.claim_id for a in attempts].index(self.attempt.claim_id) + 1 :]
        used = next((a for a in later if a.fingerprint == token and a.fate.may_have_redeemed), None)
        if used is not None:
            raise ChangeFailed(
                f"that refresh token of {self.parts.secret} may have been redeemed at {utc(used.claimed_at)}",
                why="sent again, it could make the provider revoke the grant",
                fix=_new_grant(self.parts),
            )

    def _again(self) -> Command:
        return self.parts.secret.command("recover", "--claim", self.attempt.claim_id)

    def _token(self, pointer: str) -> SecretValue:
        value = self._at(pointer)
        # A long number may be one, if a person says so.
        is_number = type(value) is int and value >= _LEAST_NUMBER
        token = as_token(str(value).strip() if is_number or isinstance(value, str) else value)
        if token is None:
            raise ChangeFailed(f"there is no token at {pointer}", fix=("List the fields: ", self._again()))
        return token

    def _at(self, pointer: str) -> object:
        value = self.fields
        for step in pointer.removeprefix("/").split("/"):
            value = _step(value, step.replace("~1", "/").replace("~0", "~"))
        return value


def shape_of(fields: object) -> dict[str, str]:
    """Say what kind of value each field of a response has, by its pointer."""
    return {pointer or "/": _shape(value) for pointer, value in islice(pointers(fields), _MOST_FIELDS)}


def _nothing_unread(parts: RunDependencies, snapshot: Snapshot, claim_id: str | None) -> ChangeFailed:
    """Say that there is nothing to recover, and which claims of the ledger hold a response that was unread once."""
    there: set[str] = set()
    with suppress(SecretAccessDenied):
        there = {version.version_id for version in parts.store.versions()}
    holding = [a for a in snapshot.ledger.attempts if response_version_id(a.claim_id) in there]
    what = f"of claim {claim_id} for {parts.secret}" if claim_id else f"for the current refresh token of {parts.secret}"
    fix: Advice = ("Nothing has to be recovered. To see how it is: ", parts.secret.command("status"))
    for attempt in reversed(holding):
        again = parts.secret.command("recover", "--claim", attempt.claim_id)
        fix = (*fix, f". The response of {utc(attempt.claimed_at)} can be recovered again: ", again)
    return ChangeFailed.for_now(f"no response {what} is kept", fix=fix)


def _new_grant(parts: RunDependencies) -> Advice:
    return "Get a new grant: ", parts.secret.authorize


def _step(value: object, step: str) -> object:
    number = int(step.removeprefix("#")) if step.removeprefix("#").isdecimal() and len(step) < 5 else None  # noqa: PLR2004 - no huge int
    if isinstance(value, Mapping):
        members = list(value.values())
        by_place = step.startswith("#") and number is not None and 1 <= number <= len(members)
        return members[number - 1] if by_place and number else value.get(step)
    if isinstance(value, list) and number is not None and number < len(value):
        return value[number]
    return None


def _shape(value: object) -> str:
    """Say what kind of value it is; nothing of the value itself."""
    if not isinstance(value, str):
        names: dict[type, str] = {bool: "true or false", int: "number", float: "number", dict: "object", list: "list"}
        return names.get(type(value), "null")
    kinds = {
        "letters": any(character.isalpha() for character in value),
        "digits": any(character.isdigit() for character in value),
        "spaces": any(character.isspace() for character in value),
        "others": any(not character.isalnum() and not character.isspace() for character in value),
    }
    of = ", ".join(name for name, found in kinds.items() if found)
    return f"text of {len(value)} characters{f' ({of})' if of else ''}"

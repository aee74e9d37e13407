"""Turn an unread response into tokens: a person points to its fields, and sees no value of it.

The tokens are stored where the run would have stored them. The next run finds them, and makes them current.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from token_refresh.advice import Advice
from token_refresh.secret_value import SecretValue
from token_refresh_worker.changes.change import ChangeFailed
from token_refresh_worker.core.attempts import Attempt
from token_refresh_worker.core.snapshot import Snapshot
from token_refresh_worker.core.versions import OUTCOME, response_version_id, staged_version_id
from token_refresh_worker.oauth.body import as_token, pointers
from token_refresh_worker.oauth.formats import Expiry
from token_refresh_worker.oauth.response import TokenResponse, read_expiry
from token_refresh_worker.oauth.unread import body_of, object_of, read_unread
from token_refresh_worker.run.memory import Memory
from token_refresh_worker.run.ports import Parts
from token_refresh_worker.run.snapshot_reader import SnapshotReader
from token_refresh_worker.stored.document import SIZE_LIMIT_BYTES
from token_refresh_worker.stored.origin import Origin

_MOST_FIELDS: Final = 200
_LEAST_NUMBER: Final = 10**7


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnreadResponse:
    """A response that can't be read, as it is stored."""

    parts: Parts
    snapshot: Snapshot
    attempt: Attempt
    fields: object
    length_bytes: int

    @classmethod
    def read(cls, parts: Parts) -> "UnreadResponse":
        """Read the response that runs wait for.

        Raises:
            ChangeFailed: There is none, or it can't be read back.
        """
        snapshot = SnapshotReader(parts=parts, memory=Memory(clock=parts.deadline.clock)).read()
        unread = snapshot.unread_responses
        version = parts.store.read(version_id=response_version_id(unread[-1].claim_id)) if unread else None
        raw = read_unread(version.value) if version and version.value else None
        if raw is None and snapshot.kept_tokens is not None:
            raise ChangeFailed(
                f"Secrets Manager refused what arrived for {parts.secret}, and the claim table keeps it",
                fix=("Store it in the secret first: ", parts.secret.command("refresh")),
            )
        if not unread:
            raise ChangeFailed.for_now(
                f"no response for the current refresh token of {parts.secret} is kept",
                fix=("Nothing has to be recovered. To see how it is: ", parts.secret.command("status")),
            )
        if raw is None:
            raise ChangeFailed(f"the unread response for {parts.secret} is gone", fix=_new_grant(parts))
        body = body_of(raw)
        return cls(parts=parts, snapshot=snapshot, attempt=unread[-1], fields=object_of(body), length_bytes=len(body))

    def tokens(self, access_token: str, refresh_token: str | None, expires_in: str | None) -> TokenResponse:
        """Return what is at these pointers.

        Raises:
            ChangeFailed: There is no token, or the provider needs a refresh token.
        """
        lifetime, expires_at = read_expiry(expires_in and self._at(expires_in), Expiry.EXPIRES_IN)
        return TokenResponse(
            access_token=self._token(access_token),
            refresh_token=None if refresh_token is None else self._token(refresh_token),
            lifetime=lifetime,
            expires_at=expires_at,
        )

    def store(self, found: TokenResponse) -> str:
        """Store the tokens, and return their version: the next run makes it current.

        Raises:
            ChangeFailed: Other tokens were stored for this attempt, or these don't fit into a value.
        """
        parts, snapshot, newest = self.parts, self.snapshot, self.snapshot.newest
        origin = snapshot.current.document.origin
        document = snapshot.current.document.renewed(
            access_token=found.access_token,
            refresh_token=found.refresh_token,
            lifetime=parts.provider.lifetime_of(found, self.attempt.claimed_at, snapshot.current.document.lifetime),
            # The request was sent after the claim: an expiry that is too early costs one refresh.
            issued_at=self.attempt.claimed_at,
            origin=Origin(
                host=snapshot.host or parts.policy.host,
                grace=snapshot.counted_grace(parts.policy),
                claim_store=parts.policy.claim_store,
                claim_id=newest.claim_id if newest else self.attempt.claim_id,
                number=snapshot.claim_number,
                grant_ends_at=origin.grant_ends_at if origin else None,
                grant_began_at=origin.grant_began_at if origin else None,
                scopes=origin.scopes if origin else None,
                scopes_lost=origin.scopes_lost if origin else (),
                foreign=snapshot.foreign,
                extra_names=parts.provider.extra_names,
            ),
        ).serialize()
        if len(document.reveal()) > SIZE_LIMIT_BYTES:
            raise ChangeFailed(f"the tokens for {parts.secret} don't fit into a value", fix=_new_grant(parts))
        version_id = staged_version_id(self.attempt.claim_id, self.attempt.version_id)
        if not parts.store.put(version_id, document, label=OUTCOME):
            raise ChangeFailed(
                f"other tokens are stored for that refresh of {parts.secret}",
                fix=("The next run makes them current: ", parts.secret.command("refresh")),
            )
        return version_id

    def _token(self, pointer: str) -> SecretValue:
        value = self._at(pointer)
        # A long number may be one, if a person says so.
        is_number = type(value) is int and value >= _LEAST_NUMBER
        token = as_token(str(value).strip() if is_number or isinstance(value, str) else value)
        if token is None:
            again = self.parts.secret.command("recover")
            raise ChangeFailed(f"there is no token at {pointer}", fix=("List the fields: ", again))
        return token

    def _at(self, pointer: str) -> object:
        value = self.fields
        for step in pointer.removeprefix("/").split("/"):
            value = _step(value, step.replace("~1", "/").replace("~0", "~"))
        return value


def shape_of(fields: object) -> dict[str, str]:
    """Say what kind of value each field of a response has, by its pointer."""
    return {pointer or "/": _shape(value) for pointer, value in islice(pointers(fields), _MOST_FIELDS)}


def _new_grant(parts: Parts) -> Advice:
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

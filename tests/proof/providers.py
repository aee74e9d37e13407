"""Three providers, as frozen values and pure functions.

A family is the tokens of one authorization; `r0.2` is the third refresh token of the first family.

    kind        a refresh token that was redeemed           a redemption issues
    single-use  revokes its whole family when sent again     a new one
    grace       is good for the grace period                 a new one; all of them are good
    static      is good for ever                             no refresh token: the old one stays
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Final, NamedTuple

from proof.world import EPOCH_SECONDS, GRACE_SECONDS, LIFETIME_SECONDS
from token_refresh.secret_value import SecretValue
from token_refresh_worker.oauth import response as response_module
from token_refresh_worker.oauth.formats import ResponseFormat
from token_refresh_worker.oauth.response import EndpointResponse, FailedRequest, FailureKind, TokenResponse
from token_refresh_worker.oauth.unread import write_unread

REJECTED: Final = FailedRequest(
    kind=FailureKind.GRANT_REJECTED, seen="HTTP 400 with invalid_grant", error="invalid_grant"
)
NO_RESPONSE: Final = FailedRequest(kind=FailureKind.NO_RESPONSE, seen="no response")
CLIENT_REJECTED: Final = FailedRequest(kind=FailureKind.CLIENT_REJECTED, seen="HTTP 401", error="invalid_client")


class HttpResponse(NamedTuple):
    """A response without tokens."""

    status: int
    body: str = "<html></html>"
    retry_after: timedelta | None = None


_BUSY: Final = '{"error": "rate_limited"}'
_ERROR: Final = '{"error": "temporarily_unavailable"}'
_SOON: Final = timedelta(seconds=7)
GATEWAY: Final = (
    *(HttpResponse(status) for status in (408, 499, 500, 502, 503, 504, 520, 529)),
    HttpResponse(503, retry_after=_SOON),  # Varnish's stock error page
    HttpResponse(503, _ERROR),
    HttpResponse(503, '{"error": {"code": 503}}', _SOON),
    HttpResponse(400, '{"error": "server_error"}'),
    HttpResponse(503, '{"error": "server_error"}', _SOON),
    *(HttpResponse(status, _ERROR, _SOON) for status in (400, 429)),
)
"""What a gateway says in place of the provider, or one that failed, whether that redeemed the token or not."""
BUSY: Final = (
    HttpResponse(429),
    HttpResponse(429, _BUSY, _SOON),
    *(HttpResponse(503, error, _SOON) for error in (_BUSY, _ERROR)),
)
"""What a provider says itself, and redeems nothing."""


OTHERS: Final = "r9.0"
"""What looks like a refresh token, and no provider has issued."""
STRANGERS: Final = "r8.0"
"""A refresh token of somebody else's client."""


def misnamed(response: TokenResponse) -> EndpointResponse:
    """Read new tokens as the worker does where the refresh token has a name that it doesn't know.

    At a provider that sends none, nothing of the response can be read. A person can read what is kept of it.
    """
    refresh_token = response.refresh_token and response.refresh_token.reveal()
    fields = {"access": response.access_token.reveal(), "refresh": refresh_token, "other": OTHERS}
    unread = FailedRequest(kind=FailureKind.UNREADABLE, seen="odd", unread=write_unread(json.dumps(fields).encode()))
    if refresh_token is None:
        return unread
    body = json.dumps({"access_token": "a", "refresh_handle": f"{refresh_token:.<24}"})
    read = response_module.read_response(200, body.encode(), None, ResponseFormat(rotates=True))
    return unread if isinstance(read, FailedRequest) else replace(response, refresh_token=None)


class Family(NamedTuple):
    """The tokens of one authorization."""

    revoked: bool = False
    replaced: bool = False
    """Whether a later authorization ended it."""
    redeemed_at: tuple[int | None, ...] = (None,)
    """When each refresh token was redeemed first, in the order of issue."""
    parents: tuple[int, ...] = (-1,)
    """Which refresh token was redeemed for each."""
    issued: int = 1
    """How many access tokens were issued."""


class Provider(NamedTuple):
    """What the authorization server knows."""

    kind: str
    families: tuple[Family, ...] = (Family(),)
    lifetime_seconds: int = LIFETIME_SECONDS
    ends_at: int | None = None
    """Where it returns the same access token with what is left of it: when that ends."""

    def redeem(self, refresh_token: str, now: int) -> tuple["Provider", EndpointResponse, bool]:
        """Respond to a refresh request; the last value says whether it was a reuse that revoked the family."""
        number, index = parse(refresh_token)
        if number >= len(self.families) or self.families[number].revoked:
            return self, REJECTED, False
        family = self.families[number]
        spent_at = family.redeemed_at[index]
        if self.kind == "static":
            return *self._issue(number, family, None, now), False
        if spent_at is not None and self.kind == "single-use":
            return self._with(number, family._replace(revoked=True)), REJECTED, True
        if spent_at is not None and now >= spent_at + GRACE_SECONDS:
            return self, REJECTED, False
        marks = list(family.redeemed_at)
        marks[index] = now if spent_at is None else spent_at
        successor = len(marks)
        redeemed = family._replace(redeemed_at=(*marks, None), parents=(*family.parents, index))
        return *self._issue(number, redeemed, successor, now), False

    def authorize(self) -> tuple["Provider", str]:
        """Return a new family, and its first refresh token; a single-use provider ends the old one with it."""
        old = (
            [f._replace(revoked=True, replaced=True) for f in self.families]
            if self.kind == "single-use"
            else self.families
        )
        return self._replace(families=(*old, Family())), f"r{len(self.families)}.0"

    def revoke(self, refresh_token: str) -> "Provider":
        """End a family, as its person wants it."""
        number, _ = parse(refresh_token)
        return self._with(number, self.families[number]._replace(revoked=True, replaced=True))

    def alive(self, refresh_token: str, now: float) -> bool:
        """Whether a refresh token would be redeemed."""
        number, index = parse(refresh_token)
        if number >= len(self.families) or self.families[number].revoked:
            return False
        spent_at = self.families[number].redeemed_at[index]
        return spent_at is None or (self.kind == "grace" and now < spent_at + GRACE_SECONDS)

    def follows(self, refresh_token: str, older: str) -> bool:
        """Whether a refresh token came of another, directly or not; a static one follows itself."""
        (number, index), (other, wanted) = parse(refresh_token), parse(older)
        if number != other:
            return False
        while index > wanted:
            index = self.families[number].parents[index]
        return index == wanted

    def ended_by_operator(self, family: int) -> bool:
        """Whether a person ended the family, by authorizing again."""
        return family >= len(self.families) or self.families[family].replaced

    def used(self, refresh_token: str) -> bool:
        """Whether a refresh token was redeemed."""
        number, index = parse(refresh_token)
        return number < len(self.families) and self.families[number].redeemed_at[index] is not None

    def lives_until(self, refresh_token: str) -> int | None:
        """Return when the access token ends that came with a refresh token; None for a first one."""
        number, index = parse(refresh_token)
        parent = self.families[number].parents[index]
        redeemed_at = self.families[number].redeemed_at[parent] if parent >= 0 else None
        return None if redeemed_at is None else redeemed_at + self.lifetime_seconds

    def _issue(self, number: int, family: Family, successor: int | None, now: int) -> tuple["Provider", TokenResponse]:
        left = 0 if self.ends_at is None else self.ends_at - now
        if left <= 0:
            family = family._replace(issued=family.issued + 1)
        lives = left if left > 0 else self.lifetime_seconds
        response = TokenResponse(
            access_token=SecretValue(f"a{number}.{family.issued - 1}"),
            refresh_token=None if successor is None else SecretValue(f"r{number}.{successor}"),
            lifetime=timedelta(seconds=lives),
        )
        after = self._with(number, family)
        return after if self.ends_at is None else after._replace(ends_at=now + lives), response

    def _with(self, number: int, family: Family) -> "Provider":
        return self._replace(families=(*self.families[:number], family, *self.families[number + 1 :]))


def family_of(refresh_token: str) -> str:
    """Return what the tokens of one authorization have in common."""
    return refresh_token.partition(".")[0]


def parse(refresh_token: str) -> tuple[int, int]:
    """Read a refresh token's family and place."""
    family, index = refresh_token.removeprefix("r").split(".")
    return int(family), int(index)


def first_response(refresh_token: str, lifetime_seconds: int = LIFETIME_SECONDS) -> TokenResponse:
    """Return what a person's authorization brings."""
    return TokenResponse(
        access_token=SecretValue(refresh_token.replace("r", "a")),
        refresh_token=SecretValue(refresh_token),
        lifetime=timedelta(seconds=lifetime_seconds),
    )


def first_document(
    access_token: str, refresh_token: str, expires_at: int, lifetime_seconds: int = LIFETIME_SECONDS
) -> dict[str, object]:
    """Return a token document as an operator stores it."""
    assert expires_at > EPOCH_SECONDS
    return {
        "accessToken": access_token,
        "refreshToken": refresh_token,
        "expiresAt": expires_at * 1000,
        "issuedAt": (expires_at - lifetime_seconds) * 1000,
    }

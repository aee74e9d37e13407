"""A header that only one's own CloudFront distribution adds, so that nobody comes in beside it and its firewall."""

import hmac
from collections.abc import Sequence
from typing import Final

from token_refresh.reader import Secret
from token_refresh.webhooks.headers import Headers
from token_refresh.webhooks.verifier import SigningSecret

ORIGIN_HEADER: Final = "x-origin-verify"


def why_not_from_origin(headers: Headers, secret: SigningSecret) -> str | None:
    """Say why a request did not come through the distribution; None if it did.

    Without the header the secret is not looked up. With a wrong one it is read again, as seldom as for a wrong
    signature: it may have been changed.

    Raises:
        WebhookMalformed: The header came more than once.
        TokenRefreshError: The secret can't be read.
    """
    given = headers.get(ORIGIN_HEADER)
    if not given:
        return f"the header {ORIGIN_HEADER} is missing"
    accepted = secret.accepted()
    if _fits(given, accepted):
        return None
    secret.reject(accepted[0])
    if (newest := secret.accepted()) != accepted and _fits(given, newest):
        return None
    return f"the header {ORIGIN_HEADER} fits no accepted secret"


def _fits(given: str, accepted: Sequence[Secret]) -> bool:
    """Compare with each one, and in constant time: how long it takes must not tell what fits."""
    value = given.encode(errors="surrogatepass")
    return sum(hmac.compare_digest(value, one.text().encode(errors="surrogatepass")) for one in accepted) > 0

"""Client assertions, signed by AWS: with the client's own key in KMS, or by STS for the function's role.

No key ever leaves its service, and no assertion is kept: each request gets a new one.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from token_refresh.aws.arn import arn_region
from token_refresh.aws.calls import call
from token_refresh.aws.clients import MakeClient
from token_refresh.aws.request import AwsRequest
from token_refresh.aws.responses import member
from token_refresh.errors import ConfigurationError
from token_refresh_worker.oauth.client_auth import ASSERTION_LIFETIME, Assertion, encode_signature

_ALGORITHMS: Final = {
    "RS256": "RSASSA_PKCS1_V1_5_SHA_256",
    "PS256": "RSASSA_PSS_SHA_256",
    "ES256": "ECDSA_SHA_256",
}  # the names of JWS (RFC 7518 section 3.1) and of KMS

MakeAssertion = Callable[[Assertion], str]
"""Makes a signed client assertion; raises `TokenRefreshError` if there is no signature."""


def sign_with_key(key_id: str, client: MakeClient, assertion: Assertion) -> str:
    """Sign with an asymmetric KMS key, by its ARN or alias (`private_key_jwt`), in the region of the ARN.

    See https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html.
    """
    to_sign = assertion.to_sign(now=datetime.now(UTC), nonce=secrets.token_urlsafe(24))
    kms = client("kms", region=arn_region(key_id))

    def sign() -> bytes:
        response = kms.sign(
            KeyId=key_id, Message=to_sign.encode(), MessageType="RAW", SigningAlgorithm=_ALGORITHMS[assertion.algorithm]
        )
        return member(response, "Signature", bytes)

    region, purpose = kms.meta.region_name, assertion.algorithm
    request = AwsRequest("kms:Sign", key_id, region, kind="key", setting="CLIENT_KEY_ID", purpose=purpose)
    signature = call(sign, lambda: request)
    return f"{to_sign}.{encode_signature(signature, assertion.algorithm)}"


def state_role(client: MakeClient, assertion: Assertion) -> str:
    """Ask STS for a token that names the caller's IAM role (`aws_iam_jwt`), for one audience and five minutes.

    See https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html: `sub` is the role's ARN,
    and `iss` the account's own issuer.
    """
    sts = client("sts")
    request = AwsRequest(
        action="sts:GetWebIdentityToken",
        name=assertion.audience,
        region=sts.meta.region_name,
        kind="audience",
        setting="CLIENT_ASSERTION_AUDIENCE",
        purpose=assertion.algorithm,
    )
    if not hasattr(sts, "get_web_identity_token"):
        raise ConfigurationError(
            f"the AWS SDK of this process does not know {request.action}, which AWS released in November 2025",
            fix="Add a layer with a newer boto3 to the function",
        )

    def ask() -> str:
        response = sts.get_web_identity_token(
            Audience=[assertion.audience],
            DurationSeconds=int(ASSERTION_LIFETIME.total_seconds()),
            SigningAlgorithm=assertion.algorithm,
        )
        return member(response, "WebIdentityToken", str)

    return call(ask, lambda: request)

"""Gives each failure of Secrets Manager a name, and says where it happened and what to do about it.

Messages hold the error's code or class and what the reader itself knows, nothing that was sent or received.
"""

import os

from token_refresh.errors import TokenRefreshError
from token_refresh.reader.errors import (
    SecretAccessDenied,
    SecretEmpty,
    SecretNotFound,
    SecretStoreUnavailable,
)

_NO_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"}
)
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def arn_region(secret_id: str) -> str | None:
    """Give the region that is written in an ARN; None for a name."""
    parts = secret_id.split(":")
    return parts[3] if len(parts) > 3 and parts[0] == "arn" else None  # noqa: PLR2004 - the region is an ARN's fourth part


def likely_region(secret_id: str) -> str:
    """Say in which region a secret will be looked up, as far as that can be told without a client."""
    configured = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return arn_region(secret_id) or configured or "the configured region"


def name(error: Exception, secret_id: str, region: str, action: str) -> TokenRefreshError:
    """Name what a boto3 client raised."""
    kind = type(error).__name__
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        detail = response.get("Error", {})
        return translate(str(detail.get("Code", kind)), str(detail.get("Message", "")), secret_id, region, action)
    where = f"{secret_id} in {region}: secretsmanager:{action}"
    if kind == "NoRegionError":
        return SecretStoreUnavailable(
            f"{secret_id}: secretsmanager:{action} needs a region: set AWS_REGION, or give a client"
        )
    if kind in _NO_CREDENTIALS:
        return SecretAccessDenied(
            f"{where} found no usable AWS credentials ({kind}): give this process a role, or a profile"
        )
    return SecretStoreUnavailable(
        f"{where} got no answer ({kind}): check the network path to Secrets Manager, its endpoint and the region"
    )


def translate(code: str, message: str, secret_id: str, region: str, action: str) -> TokenRefreshError:  # noqa: PLR0911 - a table, one row a return
    """Name a refusal by its code; the service's message is only looked at where one code means two things."""
    where = f"{secret_id} in {region}: secretsmanager:{action}"
    if code == "ResourceNotFoundException" and "staging label" in message:
        return SecretEmpty(f"{where} found no value yet: run `token-refresh authorize`, or store one")
    if code == "ResourceNotFoundException":
        return not_found(secret_id, region, action)
    if code == "InvalidRequestException" and "deletion" in message:
        return SecretNotFound(f"{where} was refused since the secret is marked for deletion: restore it")
    if code in {"AccessDeniedException", "AccessDenied"} and "kms" not in message.lower():
        return SecretAccessDenied(
            f"{where} was denied: allow it on this secret for the role that reads it{_other(secret_id, region)}"
        )
    if code in {"AccessDeniedException", "AccessDenied", "DecryptionFailure"}:
        return SecretAccessDenied(
            f"{where} may not use the secret's key: allow kms:Decrypt on it for the role that reads"
        )
    if code in _BAD_CREDENTIALS:
        return SecretAccessDenied(
            f"{where} was refused for the caller's AWS credentials ({code}): renew or correct them"
        )
    return SecretStoreUnavailable(
        f"{where} failed ({code}): Secrets Manager refuses for now; the read is repeated by itself"
    )


def not_found(secret_id: str, region: str, action: str) -> SecretNotFound:
    """Say that a secret isn't there, and what else may be meant by that."""
    hint = _other(secret_id, region) or "; check the name, the account and the region (AWS_REGION, or the client's)"
    return SecretNotFound(f"{secret_id} in {region}: secretsmanager:{action} found no such secret{hint}")


def _other(secret_id: str, region: str) -> str:
    """Point to the likeliest mistake: an ARN of one region, asked for in another."""
    other = arn_region(secret_id)
    return f"; its ARN is of {other}: give a client of that region" if other and other != region else ""

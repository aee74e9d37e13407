"""Checks of the way to AWS: the region, the caller and the clock."""

from datetime import UTC, datetime, timedelta
from typing import Final

from token_refresh.advice import Command
from token_refresh.aws.calls import CallFailed
from token_refresh.errors import SecretAccessDenied
from token_refresh_worker.cli.console.screen import span
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.check import failed
from token_refresh_worker.cli.secret.finding import Finding
from token_refresh_worker.cli.secret.lookups import read_clock

# Signature Version 4 rejects a request whose time is 5 minutes off (IAM User Guide, "AWS API request signing").
_SIGNATURE_TOLERANCE: Final = timedelta(minutes=5)
_NOTICEABLE: Final = timedelta(seconds=30)


def check_region(context: Context) -> Finding:
    """Say which region is used, and where it is set.

    Raises:
        ConfigurationError: None is set, or the AWS configuration can't be used.
    """
    given = context.environment
    named = given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION")
    return Finding.healthy(f"{context.region}, from {'--region or the environment' if named else 'the profile'}")


def check_caller(context: Context) -> Finding:
    """Say who calls AWS.

    Raises:
        TokenRefreshError: The caller is not known.
    """
    if not context.has_all_of_aws:
        return Finding.unknown("not checked: only Secrets Manager is at this endpoint")
    try:
        return Finding.healthy(str(context.ask("sts:GetCallerIdentity", "")["Arn"]))
    except SecretAccessDenied as failure:
        return failed(failure)


def check_identity_tokens(context: Context) -> Finding:
    """Say whether the account issues the tokens that `aws_iam_jwt` needs, and under which issuer's name.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetOutboundWebIdentityFederationInfo.html

    Raises:
        TokenRefreshError: Nobody says so.
    """
    try:
        info = context.ask(
            "iam:GetOutboundWebIdentityFederationInfo", "", expected=lambda failure: failure.code == "FeatureDisabled"
        )
    except CallFailed:
        info = {}
    if info.get("JwtVendingEnabled") is True:
        return Finding.healthy(f"issued by {info.get('IssuerIdentifier')}; the provider has to trust this issuer")
    enable = Command.of("aws iam enable-outbound-web-identity-federation")
    return Finding.broken("this AWS account issues none", "let an administrator enable them: ", enable)


def check_clock(context: Context) -> Finding:
    """Compare this machine's clock with Secrets Manager's.

    Raises:
        TokenRefreshError: Nobody knows Secrets Manager's time.
    """
    ahead = read_clock(context) - datetime.now(UTC)
    text = f"Secrets Manager's clock is {span(ahead)} {'ahead of' if ahead > timedelta(0) else 'behind'} this machine's"
    if abs(ahead) > _SIGNATURE_TOLERANCE:
        return Finding.broken(text, "set this machine's clock (NTP): AWS rejects requests that are 5 minutes off")
    if abs(ahead) > _NOTICEABLE:
        return Finding.attention(text, "set this machine's clock (NTP)")
    return Finding.healthy("agrees with Secrets Manager's")

"""Checks of the way to AWS: the region, the caller and the clock."""

from datetime import UTC, datetime, timedelta
from typing import Final

from token_refresh.errors import SecretAccessDenied, TokenRefreshError
from token_refresh_worker.cli.console.screen import span
from token_refresh_worker.cli.context import Context
from token_refresh_worker.cli.doctor.check import Check
from token_refresh_worker.cli.secret.clock import read_clock

# Signature Version 4 rejects a request whose time is 5 minutes off (IAM User Guide, "AWS API request signing").
_SIGNATURE_TOLERANCE: Final = timedelta(minutes=5)
_NOTICEABLE: Final = timedelta(seconds=30)


def check_region(context: Context) -> Check:
    """Say which region is used, and where it is set.

    Raises:
        ConfigurationError: None is set, or the AWS configuration can't be used.
    """
    given = context.environment
    named = given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION")
    return Check.ok("region", f"{context.region}, from {'--region or the environment' if named else 'the profile'}")


def check_caller(context: Context) -> Check:
    """Say who calls AWS."""
    name = "credentials"
    if not context.has_all_of_aws:
        return Check.skipped(name, "not checked: only Secrets Manager is at this endpoint")
    try:
        return Check.ok(name, str(context.ask("sts:GetCallerIdentity", "")["Arn"]))
    except SecretAccessDenied as failure:
        return Check.error(name, failure)
    except TokenRefreshError as failure:
        return Check.unknown(name, failure)


def check_clock(context: Context) -> Check:
    """Compare this machine's clock with Secrets Manager's."""
    name = "clock"
    try:
        ahead = read_clock(context) - datetime.now(UTC)
    except TokenRefreshError as failure:
        return Check.unknown(name, failure)
    text = f"Secrets Manager's clock is {span(ahead)} {'ahead of' if ahead > timedelta(0) else 'behind'} this machine's"
    if abs(ahead) > _SIGNATURE_TOLERANCE:
        return Check.failed(name, text, "set this machine's clock (NTP): AWS rejects requests that are 5 minutes off")
    if abs(ahead) > _NOTICEABLE:
        return Check.look(name, text, "set this machine's clock (NTP)")
    return Check.ok(name, "agrees with Secrets Manager's")

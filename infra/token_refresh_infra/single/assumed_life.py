"""The warning of a deployment that nobody told how long access tokens live."""

from aws_cdk import Annotations
from constructs import IConstruct

from token_refresh_infra.single.parameters import SingleParameters


def warn_of_assumed_life(scope: IConstruct, parameters: SingleParameters) -> None:
    """Warn where neither the deployment nor the profile states a life, and schedule and alarms assume a day."""
    provider = parameters.settings.provider
    if provider.access_token_lifetime is None:
        Annotations.of(scope).add_warning_v2(
            "token-refresh:assumed-life",
            f"token_lifetime_seconds: neither this deployment nor the profile {provider.name} says how long access "
            f"tokens live. Schedule and alarms assume {parameters.lifetime_seconds} s, so tokens that live shorter "
            "expire between two runs. Set it to what token-refresh status shows right after a refresh",
        )

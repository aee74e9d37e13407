"""What a receiver's deployment may choose."""

from dataclasses import dataclass
from typing import Annotated

from token_refresh_infra.common import CREATE, CommonParameters, part
from token_refresh_infra.context import ParameterError, Reader, text, whole

PARAMETER = "ssm:"
DEFAULT_SERVICE = "webhooks"
_NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"
_REFERENCE = (
    rf"{_NAME}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{{12}}:secret:{_NAME}-[A-Za-z0-9]{{6}}|ssm:/[A-Za-z0-9_./-]+"
)


def reference() -> Reader:
    """Read where a signing secret is."""
    return text(_REFERENCE, "the name or complete ARN of a secret, or ssm:/path")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookParameters(CommonParameters):
    """One receiver. Each secret that is set opens an endpoint, as in `/webhooks/stripe`."""

    service: Annotated[str, part(default=DEFAULT_SERVICE)]
    memory_mb: Annotated[int, whole(512, low=256, high=10240)]
    reserved_concurrency: Annotated[int, whole(10, low=0, high=1000)]
    # Shorter than a read that hangs, the timeout would end the function with its cached secrets.
    timeout_seconds: Annotated[int, whole(10, low=8, high=60)]
    overlap_seconds: Annotated[int, whole(3600, low=0, high=7 * 24 * 3600)]
    stripe_secret: Annotated[str | None, reference()]
    slack_secret: Annotated[str | None, reference()]
    github_secret: Annotated[str | None, reference()]
    standard_secret: Annotated[str | None, reference()]

    def check(self) -> None:
        """Refuse a receiver without an endpoint, and secrets of other places."""
        if not self.references:
            raise ParameterError(
                "stripe_secret: set one at least of stripe_secret, slack_secret, github_secret and standard_secret: "
                'write stripe_secret = "stripe-webhook-secret" into the deployment\'s file '
                "(cdk: -c stripe_secret=stripe-webhook-secret)"
            )
        if self.kms_key == CREATE:
            raise ParameterError(
                "kms_key: the signing secrets are there already; give the ARN of the key that they have"
            )
        if self.log_level != "INFO":
            raise ParameterError(
                "log_level: must be INFO: the alarms count lines of this level, and at DEBUG botocore logs secrets, "
                f"is {self.log_level}"
            )
        for name in ("stripe_secret", "slack_secret", "github_secret", "standard_secret"):
            self.check_place(name, getattr(self, name))

    @property
    def name_suffix(self) -> str | None:
        """What tells this stack apart from a worker's."""
        return self.service

    @property
    def references(self) -> dict[str, str]:
        """Return the variables that say where the secrets are."""
        variables = {
            "STRIPE_WEBHOOK_SECRET_ID": self.stripe_secret,
            "SLACK_SIGNING_SECRET_ID": self.slack_secret,
            "GITHUB_WEBHOOK_SECRET_ID": self.github_secret,
            "STANDARD_WEBHOOK_SECRET_ID": self.standard_secret,
        }
        return {name: value for name, value in variables.items() if value is not None}

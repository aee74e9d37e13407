"""What a receiver's deployment may choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from token_refresh.reference import ReferenceScheme
from token_refresh.webhooks import SENDERS
from token_refresh_infra.common import CREATE, CommonParameters, part, reference_to
from token_refresh_infra.context import ParameterError, ParameterGroup, Reader, whole

DEFAULT_SERVICE = "webhooks"


def reference() -> Reader:
    """Read where a signing secret is."""
    return reference_to(ReferenceScheme.SECRET, ReferenceScheme.PARAMETER)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookParameters(CommonParameters):
    """One receiver. Each secret that is set opens an endpoint, as in `/webhooks/stripe`."""

    service: Annotated[str, part(default=DEFAULT_SERVICE)]
    """Last part of the stack's name."""
    memory_mb: Annotated[int, whole(512, low=256, high=10240)]
    """Memory of the function in MB. With less, a cold start takes longer than the 3 s that Slack waits."""
    reserved_concurrency: Annotated[int, whole(10, low=0, high=1000)]
    """How many requests are served at once. **0 switches the endpoint off**; senders then retry, but GitHub doesn't."""
    timeout_seconds: Annotated[int, whole(10, low=8, high=60)]
    """Time limit of one request; GitHub waits 10 s. With less than 8, slow reads would end the function, and its cached
    secrets would be lost."""
    overlap_seconds: Annotated[int, whole(3600, low=0, high=7 * 24 * 3600)]
    """How long a previous secret is accepted; 0 after a leak."""
    origin_secret: Annotated[str | None, reference()]
    """Where the value is that CloudFront sends in the header `x-origin-verify`. Requests without it get 403."""
    secrets: Annotated[Mapping[str, str], ParameterGroup({f"{name}_secret": name for name in SENDERS}, reference())]
    """The sender's signing secret: a name or ARN in Secrets Manager, or `ssm:/path`, with `#field` if it is in a JSON
    object, as in `slack_secret = "my-app/prod/slack#signingSecret"`. Each opens an endpoint, such as
    `/webhooks/slack`."""

    def check(self) -> None:
        """Refuse a receiver without an endpoint, and secrets of other places."""
        if not self.secrets:
            *others, last = (f"{name}_secret" for name in SENDERS)
            raise ParameterError(
                f"stripe_secret: set one at least of {', '.join(others)} and {last}: "
                'write stripe_secret = "stripe-webhook-secret" into the deployment\'s file '
                "(cdk: -c stripe_secret=stripe-webhook-secret)"
            )
        if self.kms_key == CREATE:
            raise ParameterError(
                "kms_key: the signing secrets are there already; give the ARN of the key that they have"
            )
        if self.provider_profiles:
            raise ParameterError("provider_profiles: a receiver of webhooks has no providers; leave it out")
        if self.log_level != "INFO":
            raise ParameterError(f"log_level: must be INFO: the alarms count lines of this level, is {self.log_level}")
        for name, secret in self.secrets.items():
            self.check_place(f"{name}_secret", secret)
        self.check_place("origin_secret", self.origin_secret)

    @property
    def name_suffix(self) -> str | None:
        """What tells this stack apart from a worker's."""
        return self.service

    @property
    def references(self) -> dict[str, str]:
        """Return the variables that say where the secrets are."""
        signing = {SENDERS[name].variable: secret for name, secret in self.secrets.items()}
        return signing | ({"ORIGIN_SECRET_ID": self.origin_secret} if self.origin_secret else {})

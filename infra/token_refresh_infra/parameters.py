"""What a deployment of one worker for one token secret may choose; docs/deploy.md lists each parameter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from token_refresh_infra.common import CREATE, CommonParameters, part, secret
from token_refresh_infra.context import ParameterError, choice, read_parameters, switch, text, whole

AUTH_METHODS = ("client_secret_post", "client_secret_basic", "none")
MONTH_SECONDS = 30 * 24 * 3600
DEFAULT_SERVICE = "upwork-oauth-tokens"

# A schedule has to run this often while a refresh is due, so that one missed or failed run costs nothing.
RUNS_IN_WINDOW = 3

_ENDPOINT = r"https://[^\s/?#@]+(/[^\s#]*)?"
_SUFFIX_OF_AN_ARN = r"^arn:.*:secret:(.+)-[A-Za-z0-9]{6}$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters(CommonParameters):
    """One worker. A field is named as its parameter."""

    service: Annotated[str, part(default=DEFAULT_SERVICE)]
    token_secret: Annotated[str, secret(default=CREATE)]
    client_secret: Annotated[str | None, secret()]
    published_secret: Annotated[str | None, secret()]
    token_endpoint: Annotated[str | None, text(_ENDPOINT, "an https URL")]
    token_endpoint_auth_method: Annotated[str, choice(*AUTH_METHODS, default="client_secret_post")]
    token_lifetime_seconds: Annotated[int, whole(86400, low=60, high=12 * MONTH_SECONDS)]
    refresh_window_seconds: Annotated[int, whole(28800, low=60, high=MONTH_SECONDS)]
    replay_grace_seconds: Annotated[int, whole(86400, low=0, high=MONTH_SECONDS)]
    claim_ttl_seconds: Annotated[int, whole(120, low=1, high=3600)]
    request_timeout_seconds: Annotated[int, whole(20, low=1, high=300)]
    timeout_seconds: Annotated[int, whole(90, low=30, high=900)]
    schedule_minutes: Annotated[int, whole(30, low=1, high=720)]
    flexible_minutes: Annotated[int, whole(10, low=0, high=719)]
    schedule_enabled: Annotated[bool, switch(default=True)]

    def check(self) -> None:
        """Refuse times that don't fit together, and secrets of other places."""
        if self.timeout_seconds >= self.claim_ttl_seconds:
            raise ParameterError(
                f"timeout_seconds: must be below claim_ttl_seconds ({self.claim_ttl_seconds}), so that no run outlives "
                f"its claim, is {self.timeout_seconds}"
            )
        if RUNS_IN_WINDOW * self.longest_gap_seconds > self.due_window_seconds:
            raise ParameterError(
                f"schedule_minutes: {self.schedule_minutes} with flexible_minutes {self.flexible_minutes} does not fit "
                f"{RUNS_IN_WINDOW} times into the {self.due_window_seconds} s in which a refresh is due (the smaller "
                "of refresh_window_seconds and a third of token_lifetime_seconds)"
            )
        if self.flexible_minutes >= self.schedule_minutes:
            raise ParameterError(
                f"flexible_minutes: must be below schedule_minutes ({self.schedule_minutes}), "
                f"is {self.flexible_minutes}"
            )
        for name in ("token_secret", "client_secret", "published_secret"):
            self.check_place(name, getattr(self, name))

    @property
    def name_suffix(self) -> str | None:
        """The service, unless it is the default one, whose stacks were named without it."""
        return None if self.service == DEFAULT_SERVICE else self.service

    @property
    def due_window_seconds(self) -> int:
        """For how long before its expiry a token set is due."""
        return min(self.refresh_window_seconds, self.token_lifetime_seconds // 3)

    @property
    def longest_gap_seconds(self) -> int:
        """The longest time between two scheduled runs."""
        return 60 * (self.schedule_minutes + self.flexible_minutes)

    @property
    def overdue_below_seconds(self) -> int:
        """When to alarm: later than any normal refresh, and with half of the time in which it is due still left."""
        return self.due_window_seconds // 2

    @property
    def token_secret_id(self) -> str:
        """Return the token secret's ID as the worker is given it: a name for a created one, else what was adopted."""
        if self.token_secret != CREATE:
            return self.token_secret
        return f"{self.app}/{self.environment}/{self.service}" if self.app else self.service

    @property
    def published_secret_id(self) -> str | None:
        """Return the ID of the secret that is published to consumers."""
        if self.published_secret != CREATE:
            return self.published_secret
        return re.sub(_SUFFIX_OF_AN_ARN, r"\1", self.token_secret_id) + "-published"

    @classmethod
    def from_context(cls, values: Mapping[str, Any]) -> "Parameters":
        """Read and check them.

        Raises:
            ParameterError: One is missing or wrong.
        """
        return read_parameters(cls, values)

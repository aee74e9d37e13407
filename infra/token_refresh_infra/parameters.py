"""What a deployment may choose, checked at synth; docs/deploy.md lists each key of the context."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from token_refresh_infra.context import Context, ParameterError

CREATE = "create"
ENVIRONMENTS = ("dev", "staging", "prod")
AUTH_METHODS = ("client_secret_post", "client_secret_basic", "none")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MONTH_SECONDS = 30 * 24 * 3600
RETENTION_DAYS = ("1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545", "731", "1827")

# A schedule has to come round this often within the time in which a refresh is due, so that one missed run, or a
# failed one, costs nothing.
RUNS_IN_WINDOW = 3

_NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"
_SECRET = rf"{_NAME}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{{12}}:secret:{_NAME}-[A-Za-z0-9]{{6}}"
_KEY = r"create|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+"
_TOPIC = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+"
_ENDPOINT = r"https://[^\s/?#@]+(/[^\s#]*)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """One deployment; a field is named as its key of the context."""

    environment: str
    account: str | None
    region: str | None
    app: str | None
    service: str
    token_secret: str
    client_secret: str | None
    published_secret: str | None
    kms_key: str | None
    token_endpoint: str | None
    token_endpoint_auth_method: str
    token_lifetime_seconds: int
    refresh_window_seconds: int
    replay_grace_seconds: int
    claim_ttl_seconds: int
    request_timeout_seconds: int
    timeout_seconds: int
    memory_mb: int
    reserved_concurrency: int
    tracing: bool
    schedule_minutes: int
    flexible_minutes: int
    schedule_enabled: bool
    log_level: str
    log_retention_days: int
    encrypt_logs: bool
    alarms: bool
    alarm_email: str | None
    alarm_topic: str | None
    dashboard: bool

    def __post_init__(self) -> None:
        if self.timeout_seconds >= self.claim_ttl_seconds:
            raise ParameterError(
                f"timeout_seconds: must be below claim_ttl_seconds ({self.claim_ttl_seconds}), so that no run outlives "
                f"its claim, is {self.timeout_seconds}"
            )
        if RUNS_IN_WINDOW * self.longest_gap_seconds > self.due_window_seconds:
            raise ParameterError(
                f"schedule_minutes: {self.schedule_minutes} with flexible_minutes {self.flexible_minutes} does not fit "
                f"{RUNS_IN_WINDOW} times into the {self.due_window_seconds} s in which a refresh is due (the smaller of "
                "refresh_window_seconds and a third of token_lifetime_seconds)"
            )
        if self.flexible_minutes >= self.schedule_minutes:
            raise ParameterError(
                f"flexible_minutes: must be below schedule_minutes ({self.schedule_minutes}), "
                f"is {self.flexible_minutes}"
            )
        if self.encrypt_logs and not self.kms_key:
            raise ParameterError(
                "encrypt_logs: needs kms_key: create, or the ARN of a key that CloudWatch Logs may use"
            )
        if self.alarm_topic and self.alarm_email:
            raise ParameterError("alarm_email: subscribes to the stack's own topic; leave it out with alarm_topic")
        if self.published_secret == CREATE and self.token_secret.startswith("arn:"):
            raise ParameterError("published_secret: create needs token_secret by name, since its own name follows it")
        for name in ("token_secret", "client_secret", "published_secret", "kms_key", "alarm_topic"):
            self._check_place(name, getattr(self, name))

    def _check_place(self, name: str, value: str | None) -> None:
        """Refuse what lies in another region, account or environment than this deployment's."""
        if value is None or value == CREATE:
            return
        other = [word for word in ENVIRONMENTS if word != self.environment and word in re.split(r"[:/]", value)]
        if other:
            raise ParameterError(
                f"{name}: {value} is of environment {other[0]}, and this deployment is {self.environment}"
            )
        if not value.startswith("arn:"):
            return
        region, account = value.split(":")[3:5]
        for what, here, there in (("region", self.region, region), ("account", self.account, account)):
            if here is None:
                raise ParameterError(f"{what}: is needed to check the ARN in {name} (cdk: -c {what}={there})")
            if here != there:
                raise ParameterError(f"{name}: {value} is in {what} {there}, and this deployment is in {here}")

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
    def stack_name(self) -> str:
        """Return a name that tells deployments in one account apart."""
        return "-".join(filter(None, ("token-refresh", self.app, self.environment)))

    @property
    def log_group_name(self) -> str:
        """Return the log group's name, known before it exists, so that the key's policy can name it."""
        return f"/aws/lambda/{self.stack_name}"

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
        return f"{self.token_secret_id}-published"

    @classmethod
    def from_context(cls, values: Mapping[str, Any]) -> "Parameters":
        """Read and check them.

        Raises:
            ParameterError: One is missing or wrong.
        """
        context = Context(values)
        context.refuse_misspelt([field.name for field in fields(cls)])
        part = {"pattern": r"[a-z0-9][a-z0-9-]{0,62}", "must_be": "lower case letters, digits and hyphens"}
        secret = {"pattern": _SECRET, "must_be": "the name or complete ARN of a secret"}
        return cls(
            environment=context.choice("environment", ENVIRONMENTS),
            account=context.text("account", pattern=r"\d{12}", must_be="the 12 digits of an account"),
            region=context.text("region", pattern=r"[a-z]{2}(-[a-z]+)+-\d", must_be="a region such as eu-central-1"),
            app=context.text("app", **part),
            service=context.text("service", **part) or "upwork-oauth-tokens",
            token_secret=context.text("token_secret", **secret) or CREATE,
            client_secret=context.text("client_secret", **secret),
            published_secret=context.text("published_secret", **secret),
            kms_key=context.text("kms_key", pattern=_KEY, must_be="create or the ARN of a key"),
            token_endpoint=context.text("token_endpoint", pattern=_ENDPOINT, must_be="an https URL"),
            token_endpoint_auth_method=context.choice(
                "token_endpoint_auth_method", AUTH_METHODS, default="client_secret_post"
            ),
            token_lifetime_seconds=context.whole("token_lifetime_seconds", 86400, low=60, high=12 * MONTH_SECONDS),
            refresh_window_seconds=context.whole("refresh_window_seconds", 28800, low=60, high=MONTH_SECONDS),
            replay_grace_seconds=context.whole("replay_grace_seconds", 86400, low=0, high=MONTH_SECONDS),
            claim_ttl_seconds=context.whole("claim_ttl_seconds", 120, low=1, high=3600),
            request_timeout_seconds=context.whole("request_timeout_seconds", 20, low=1, high=300),
            timeout_seconds=context.whole("timeout_seconds", 90, low=30, high=900),
            memory_mb=context.whole("memory_mb", 256, low=128, high=10240),
            reserved_concurrency=context.whole("reserved_concurrency", 0, low=0, high=1000),
            tracing=context.switch("tracing", default=False),
            schedule_minutes=context.whole("schedule_minutes", 30, low=1, high=720),
            flexible_minutes=context.whole("flexible_minutes", 10, low=0, high=719),
            schedule_enabled=context.switch("schedule_enabled", default=True),
            log_level=context.choice("log_level", LOG_LEVELS, default="INFO"),
            log_retention_days=int(context.choice("log_retention_days", RETENTION_DAYS, default="90")),
            encrypt_logs=context.switch("encrypt_logs", default=False),
            alarms=context.switch("alarms", default=True),
            alarm_email=context.text("alarm_email", pattern=r"[^\s@]+@[^\s@]+", must_be="an e-mail address"),
            alarm_topic=context.text("alarm_topic", pattern=_TOPIC, must_be="the ARN of an SNS topic"),
            dashboard=context.switch("dashboard", default=True),
        )

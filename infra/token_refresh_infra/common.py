"""The parameters that every mode has: where it is deployed, how it is encrypted, and who hears of its alarms."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from token_refresh.aws.arn import KMS_KEY
from token_refresh.errors import ConfigurationError
from token_refresh.reference import ReferenceScheme, parse_reference
from token_refresh_infra.context import ParameterError, Reader, choice, required, several, switch, text, whole
from token_refresh_worker.core.schedule import SETTLED, claim_time_to_live
from token_refresh_worker.providers.provider import Provider

ROOT = Path(__file__).resolve().parents[2]
CREATE = "create"
NONE = "none"
SHORTEST_TIMEOUT_SECONDS = 40
"""Of a run that may have to keep its tokens: `KEEP_RESERVE_SECONDS`, the token request, and the reads before them."""
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
RETENTION_DAYS = ("1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545", "731", "1827")

SHORTEST_FLAT_FAMILY = 3

_PART = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = r"[A-Za-z0-9/_+=.@-]{1,512}"
_SECRET = rf"{_NAME}|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{{12}}:secret:{_NAME}-[A-Za-z0-9]{{6}}"
_KEY = rf"create|{KMS_KEY}"
_TOPIC = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+"
_BOUNDARY = r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+"
_PROXY = r"https?://[a-z0-9.-]+(:\d{1,5})?"
_TAG = r"(?!(?i:aws:|token-refresh:|environment=))[\w .:/+@-]{1,128}=[\w .:/=+@-]{0,256}"
TAGS_LIMIT = 44
"""Of the 50 that AWS allows, the stack's own need up to six."""
_BUS = r"[A-Za-z0-9_./-]{1,256}"
_USUAL_ENVIRONMENTS = ("dev", "staging", "prod")
STACK_NAME_LIMIT = 64  # Lambda's for a function's name, and EventBridge Scheduler's for a schedule's


def part(*, default: str | None = None) -> Reader:
    """Read one part of a name."""
    return text(_PART, "lower case letters, digits and hyphens", default=default)


def secret(*, default: str | None = None) -> Reader:
    """Read which secret is meant."""
    return text(_SECRET, "the name or complete ARN of a secret", default=default)


def reference_to(*schemes: ReferenceScheme) -> Reader:
    """Read where a secret is, which may be in a `#field` of it; an ARN must be complete, or no grant would fit."""

    def read(name: str, value: Any) -> str | None:
        if value is None or value == "":
            return None
        problem = _reference_problem(value, schemes)
        if problem is not None:
            raise ParameterError(f"{name}: {problem}")
        return str(value)

    return read


def _reference_problem(value: Any, schemes: tuple[ReferenceScheme, ...]) -> str | None:
    """Say what is wrong with a reference; it is not quoted: it may be a secret."""
    must_be = "must be the name or complete ARN of a secret"
    must_be += ", or ssm:/path" if ReferenceScheme.PARAMETER in schemes else ""
    must_be += ", and may end in #field"
    try:
        reference = parse_reference(value)
    except ConfigurationError as error:
        return f"{must_be}; {error.what}"
    if reference.scheme not in schemes or (
        reference.name.startswith("arn:") and not re.fullmatch(_SECRET, reference.name)
    ):
        return must_be
    return None


def family() -> Reader:
    """Read the prefix of a family of secrets."""
    prefix = text(r"[^\n]*", "the prefix of secrets' names")

    def read(name: str, value: Any) -> str | None:
        found: str | None = prefix(name, value)
        if found is not None and (problem := family_problem(found)):
            raise ParameterError(f"{name}: must be a prefix of secrets' names: {problem}")
        return found

    return read


def families() -> Reader:
    """Read the prefixes of several."""
    prefixes, one = several(r"[^\n]*", "prefixes of secrets' names"), family()

    def read(name: str, value: Any) -> tuple[str, ...]:
        return tuple(one(name, prefix) for prefix in prefixes(name, value))

    return read


def family_problem(prefix: str) -> str | None:
    """Say why a prefix stands for no family of secrets: its names would not end where the prefix does."""
    name = prefix[:-1]
    if "*" in prefix or "?" in prefix:
        return f"{prefix!r} has a wildcard; give the beginning of the names alone, as in 'upwork-' or 'myapp/prod/'"
    if not name.strip("/-"):
        return f"{prefix!r} would reach every secret, or nearly; give the beginning of the names, as in 'upwork-'"
    if not re.fullmatch(_NAME, prefix):
        return f"{prefix!r} can't begin the name of a secret"
    if prefix[-1] not in "/-":
        return f"{prefix!r} must end in '/' or '-': {prefix}* also reaches {prefix}er-keys and {prefix}2/keys"
    if prefix[-1] == "-" and len(name) < SHORTEST_FLAT_FAMILY:
        return f"{prefix!r} must have {SHORTEST_FLAT_FAMILY} characters at least before '-': others may begin so, too"
    return None


def overlap(one: str, other: str) -> bool:
    """Whether a secret's name can begin with both prefixes."""
    return one.startswith(other) or other.startswith(one)


def kept_tokens_key() -> Reader:
    """Read which key encrypts tokens that a claim table keeps."""
    return text(f"{NONE}|{_KEY}", "create, none or the ARN of a key")


def check_claim_in_grace(provider: Provider, timeout_seconds: int, *, window: timedelta, gap: timedelta) -> None:
    """Refuse runs whose claims leave no time for a repeat; `gap` is how long after a claim the next run may start."""
    grace = provider.grace.duration
    claim = claim_time_to_live(timedelta(seconds=timeout_seconds), window, grace)
    if SETTLED < grace < claim + gap:
        raise ParameterError(
            f"timeout_seconds: the claim of a run that died lives {claim.total_seconds():.0f} s, and the next run may "
            f"start {gap.total_seconds():.0f} s later; {provider.name} accepts a refresh token again for "
            f"{grace.total_seconds():.0f} s, so a lost response could cost the grant. Lower it, is {timeout_seconds}"
        )


def own_tags() -> Reader:
    """Read tags; IAM takes no two whose names differ by case alone."""
    each = several(_TAG, "NAME=VALUE, not one of AWS or of this stack")

    def read(name: str, value: Any) -> tuple[str, ...]:
        found: tuple[str, ...] = each(name, value)
        if len({tag.partition("=")[0].lower() for tag in found}) < len(found) or len(found) > TAGS_LIMIT:
            raise ParameterError(f"{name}: must be at most {TAGS_LIMIT}, each name once, whatever its case")
        return found

    return read


def event_bus() -> Reader:
    """Read which event bus gets the events about grants."""
    return text(_BUS, "the name of an event bus of this account and region")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonParameters:
    """What each mode's parameters begin with. A subclass adds fields, `name_suffix` and `check`."""

    environment: Annotated[str, required(part(), example="prod")]
    """Any name: lower case letters, digits and hyphens. Default: the file's name."""
    account: Annotated[str | None, text(r"\d{12}", "the 12 digits of an account")]
    """AWS account to deploy into. Default: your credentials'."""
    region: Annotated[str | None, text(r"[a-z]{2}(-[a-z]+)+-\d", "a region such as eu-central-1")]
    """AWS region to deploy into. Default: your credentials'."""
    app: Annotated[str | None, part()]
    """First part of the names: `{app}/{environment}/{service}` (docs/deploy.md#environments)."""
    stack: Annotated[str | None, text(r"[A-Za-z][A-Za-z0-9-]*", "the name of a stack: letters, digits and hyphens")]
    """Name of the stack, if it is not the usual one (docs/deploy.md#names)."""
    provider_profiles: Annotated[str | None, text(r"[^\n]+", "a folder with profiles of providers, NAME.toml")]
    """Folder with profiles of your own, from the repository's root (docs/providers.md)."""
    kms_key: Annotated[str | None, text(_KEY, "create or the ARN of a key")]
    """`create`, or the ARN of the key that encrypts the secrets and the claim table. Default: AWS's own."""
    previous_kms_keys: Annotated[tuple[str, ...], several(KMS_KEY, "ARNs of keys")]
    """ARNs of the keys that `kms_key` replaces; they decrypt older versions (docs/deploy.md#change-the-key)."""
    encrypt_logs: Annotated[bool, switch(default=False)]
    """Encrypt the log with `kms_key`."""
    permissions_boundary: Annotated[str | None, text(_BOUNDARY, "the ARN of a managed policy")]
    """ARN of the policy that bounds each role of the stack."""
    vpc_subnets: Annotated[tuple[str, ...], several(r"subnet-[0-9a-f]{8,17}", "IDs of subnets, as in subnet-0a1b2c3d")]
    """IDs of the functions' subnets (docs/deploy.md#in-a-vpc)."""
    vpc_security_groups: Annotated[tuple[str, ...], several(r"sg-[0-9a-f]{8,17}", "IDs of groups, as in sg-0a1b2c3d")]
    """IDs of their security groups."""
    https_proxy: Annotated[str | None, text(_PROXY, "the URL of a proxy without a password, as http://10.0.0.7:3128")]
    """URL of the proxy that the functions' requests go through (docs/deploy.md#a-fixed-outgoing-address)."""
    tags: Annotated[tuple[str, ...], own_tags()]
    """Tags of all resources, as in `["team=growth", "cost-centre=12"]`."""
    python: Annotated[str, choice("3.13", "3.14", default="3.13")]
    """Version of Python that the function runs on; the machine that deploys should have the same (docs/deploy.md)."""
    log_level: Annotated[str, choice(*LOG_LEVELS, default="INFO")]
    """How much is logged. The last line of each run, which has its metrics, is always logged."""
    log_retention_days: Annotated[str, choice(*RETENTION_DAYS, default="90")]
    """How many days logs are kept."""
    tracing: Annotated[bool, switch(default=False)]
    """Trace with X-Ray."""
    memory_mb: Annotated[int, whole(256, low=128, high=10240)]
    """Memory of the function in MB. With more memory, it also gets more CPU."""
    reserved_concurrency: Annotated[int, whole(0, low=0, high=1000)]
    """How many runs at once Lambda reserves, and allows at most. 0 reserves none, and sets no limit.

    See docs/deploy.md#limit-the-cost-of-on-demand-runs. In mode `webhooks`, 0 switches the endpoint off.
    """
    alarms: Annotated[bool, switch(default=True)]
    """Whether there are alarms."""
    alarm_email: Annotated[str | None, text(r"[^\s@]+@[^\s@]+", "an e-mail address")]
    """Address that gets the alarms, once you have confirmed AWS's mail."""
    alarm_topic: Annotated[str | None, text(_TOPIC, "the ARN of an SNS topic")]
    """ARN of a topic that CloudWatch may publish to. Default: the stack's own."""

    def __post_init__(self) -> None:
        if len(self.stack_name) > self.stack_name_limit:
            raise ParameterError(
                f"environment: the stack's name {self.stack_name} has over {self.stack_name_limit} characters; "
                "shorten environment, app or service"
            )
        if self.encrypt_logs and not self.kms_key:
            raise ParameterError(
                "encrypt_logs: needs kms_key: create, or the ARN of a key that CloudWatch Logs may use"
            )
        if self.alarm_topic and self.alarm_email:
            raise ParameterError("alarm_email: subscribes to the stack's own topic; leave it out with alarm_topic")
        for name in ("alarm_email", "alarm_topic"):
            if getattr(self, name) and not self.alarms:
                raise ParameterError(f"{name}: nothing is sent to it with alarms=false; leave out one of the two")
        if bool(self.vpc_subnets) != bool(self.vpc_security_groups):
            raise ParameterError("vpc_subnets: goes with vpc_security_groups; set both or none")
        if self.permissions_boundary and "::aws:" not in self.permissions_boundary:
            self.check_account("permissions_boundary", self.permissions_boundary)
        self.check_place("kms_key", self.kms_key)
        for key in self.previous_kms_keys:
            self.check_place("previous_kms_keys", key)
            if key == self.kms_key:
                raise ParameterError(f"previous_kms_keys: {key} is kms_key, which may decrypt anyway; leave it out")
        self.check_place("alarm_topic", self.alarm_topic)
        self.check()

    def check(self) -> None:
        """Refuse what this mode's own parameters don't allow."""

    def check_beside(self, other: "CommonParameters", file: str) -> None:
        """Refuse what the deployment in another file, of the same account and region, doesn't allow."""

    def check_provider(self, provider: Provider) -> None:
        """Refuse a provider that has ended; a worker that is deployed goes on, and says so."""
        today = datetime.now(UTC).date()
        if provider.has_ended(today):
            raise ParameterError(
                f"provider: {provider.end_notice(today)} (docs/providers.md#what-changes-soon). To remove a stack that "
                f"is deployed: aws cloudformation delete-stack --stack-name {self.stack_name}"
            )

    def check_place(self, name: str, value: str | None) -> None:
        """Refuse what is in another region, account or environment than this deployment."""
        if value is None or value == CREATE:
            return
        if other := self._other_environment(value):
            raise ParameterError(
                f"{name}: {value} is of environment {other}, and this deployment is {self.environment}"
            )
        if not value.startswith("arn:"):
            return
        region, account = value.split(":")[3:5]
        for what, here, there in (("region", self.region, region), ("account", self.account, account)):
            if here is None:
                raise ParameterError(
                    f'{what}: is needed to check the ARN in {name}: write {what} = "{there}" into the deployment\'s '
                    f"file (cdk: -c {what}={there})"
                )
            if here != there:
                raise ParameterError(f"{name}: {value} is in {what} {there}, and this deployment is in {here}")

    def check_account(self, name: str, arn: str) -> None:
        """Refuse what IAM has in another account than this deployment, if that is known."""
        account = arn.split(":")[4]
        if self.account is not None and account != self.account:
            raise ParameterError(
                f"{name}: {arn} is in account {account}, and this deployment is in {self.account}, whose secrets "
                "refuse every other account; make a role in this account that it may assume, and name that one"
            )

    def check_kept_tokens_key(self, key: str | None, timeout_seconds: int) -> None:
        """Refuse a key for refused tokens that can't serve, and a timeout that leaves no time to use it."""
        if key is None:
            return
        self.check_place("kept_tokens_key", key)
        if key != CREATE and key in {self.kms_key, *self.previous_kms_keys}:
            raise ParameterError(
                "kept_tokens_key: must be another key than kms_key, which may be why Secrets Manager refuses tokens"
            )
        if timeout_seconds < SHORTEST_TIMEOUT_SECONDS:
            raise ParameterError(
                f"timeout_seconds: must be at least {SHORTEST_TIMEOUT_SECONDS}, so that a run has time to keep tokens "
                f'(kept_tokens_key = "none" keeps none), is {timeout_seconds}'
            )

    def _other_environment(self, value: str) -> str | None:
        """Return another environment that a name belongs to: by our convention, or by a usual word in it."""
        words = re.split(r"[:/#]", value)
        usual = [word for word in _USUAL_ENVIRONMENTS if word != self.environment and word in words]
        match value.partition("#")[0].rsplit(":", maxsplit=1)[-1].split("/"):
            case [self.app, environment, *_] if self.app and environment != self.environment:
                return environment
        return usual[0] if usual else None

    @property
    def stack_name_limit(self) -> int:
        """How long the stack's name may be: functions and schedules are named after it."""
        return STACK_NAME_LIMIT

    @property
    def name_suffix(self) -> str | None:
        """What tells stacks of one application and environment apart."""
        return None

    @property
    def own_profiles(self) -> str | None:
        """The folder with the deployment's own profiles; a relative one begins at the root of this repository."""
        return str(ROOT / self.provider_profiles) if self.provider_profiles else None

    @property
    def stack_name(self) -> str:
        """Return a name that tells deployments in one account apart; one that was given is kept."""
        return self.stack or "-".join(filter(None, ("token-refresh", self.app, self.environment, self.name_suffix)))

    @property
    def log_group_name(self) -> str:
        """Return the log group's name, known before it exists, so that the key's policy can name it."""
        return f"/aws/lambda/{self.stack_name}"

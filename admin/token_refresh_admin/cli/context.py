"""What a command acts on: the environment with its options applied, and the AWS clients made from that environment."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Final
from urllib.parse import urlsplit

from token_refresh.advice import Advice, Command
from token_refresh.aws.arn import name_same_secret
from token_refresh.aws.calls import call, call_action, nothing
from token_refresh.aws.causes import FailedCall
from token_refresh.aws.clients import CLIENTS, ClientLimits
from token_refresh.aws.request import AwsRequest
from token_refresh.errors import ConfigurationError, TokenRefreshError
from token_refresh_admin.changes.change import NullLog, fields_of, settings_in
from token_refresh_worker.adapters.calls import RUN_LIMITS
from token_refresh_worker.adapters.proxies import find_proxy
from token_refresh_worker.adapters.secrets_manager import SecretsManagerSecret
from token_refresh_worker.adapters.table import with_whereabouts
from token_refresh_worker.bootstrap import SystemClock, build_run, open_secret
from token_refresh_worker.core.versions import CURRENT
from token_refresh_worker.providers.variables import provider_named_in
from token_refresh_worker.run.events import Trigger
from token_refresh_worker.run.failures import SecretName
from token_refresh_worker.run.ports import Log
from token_refresh_worker.run.run import Run
from token_refresh_worker.run.settings import Settings, Variable, claim_store_problem, read_settings, token_secret_id
from token_refresh_worker.stored.origin import ORIGIN_KEY

TIME_LIMIT_SECONDS: Final = 60.0
"""How long the work on one secret may take."""

_PATIENT: Final = ClientLimits(connect_seconds=3, read_seconds=10, attempts=3, connections=32)
_AWS_DOMAINS: Final = ("amazonaws.com", "amazonaws.com.cn", "api.aws")
_SECRETS_MANAGER: Final = "secretsmanager"
_CLIENT_NAMES: Final = {"tag": "resourcegroupstaggingapi"}
"""The names of services that IAM shortens."""

_NOT_OF_A_RUN: Final = {Variable.FLEET_NAME, Variable.FLEET_QUEUE_URL, Variable.EVENT_BUS, Variable.LOG_LEVEL}
WORKER_VARIABLES: Final = tuple(name.value for name in Variable if name not in _NOT_OF_A_RUN)
"""The variables that decide what a run does."""


def variables_of(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables in the configuration of a function."""
    variables: dict[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return variables


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSource:
    """Where the settings of the worker are from; without a function and with nothing to prove, it is the shell."""

    function: str | None = None
    """The deployed function that refreshes the secret."""
    fleet: str | None = None
    """The fleet, if the function is its worker."""
    provider: str | None = None
    """In a fleet, the provider of documents that name none."""
    unproven: TokenRefreshError | None = None
    """Why the deployment is not known; then nothing is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The operator's environment. A command never changes the environment of its process.

    Whatever needs a client raises `ConfigurationError` if no region is set, or the AWS configuration can't be used.
    """

    environment: Mapping[str, str]
    function: str | None = None
    """The deployed function that `--function` names."""
    given: Mapping[str, str] = field(default_factory=dict)
    """The variables that options set."""
    repeated: tuple[tuple[str, str], ...] = ()
    """Options with their values, such as `--profile`, that a printed command has to repeat."""
    name: str = "status"
    """The command."""
    own: tuple[str, ...] = ()
    """The command's own options, as it was given them."""
    source: SettingsSource = SettingsSource()
    any_lifetime: bool = False
    """Whether tokens that live too short for the claim store are accepted, so that their claims can be moved."""

    @property
    def secret_id(self) -> str:
        """The token secret's name or ARN."""
        return token_secret_id(self.environment)

    @property
    def secret(self) -> SecretName:
        """Return the token secret as messages name it."""
        return SecretName(secret_id=self.secret_id, region=self.region)

    @property
    def region(self) -> str:
        """Return the region in which the secrets are."""
        return str(self.client(_SECRETS_MANAGER).meta.region_name)

    def settings(self, **variables: str) -> Settings:
        """Read the settings, with `variables` in place of the environment's."""
        settings = read_settings({**self.environment, **variables}, any_lifetime=True)
        problem = None if self.any_lifetime else claim_store_problem(settings)
        if problem is None:
            return settings
        if self.source.function is None:
            problem.fix += ("; then act with its settings: ", self.again("--function", "NAME"))
        raise problem

    def settings_for(self, fields: Mapping[str, object]) -> Settings:
        """Return the settings that apply to a token document, with its variables in the provider's endpoint."""
        settings = self.settings_named_in(fields)
        return replace(settings, provider=settings.provider.for_document(fields))

    def settings_named_in(self, fields: Mapping[str, object]) -> Settings:
        """Read the settings with what a token document names; its variables are not filled in.

        In a fleet, documents have precedence over the worker's provider.
        """
        named = settings_in(self.environment, fields, lambda: self.secret, is_deployed=self.source.function is not None)
        default = None if self.environment.get("PROVIDER") else self.source.provider
        settings = self.settings(**({"PROVIDER": default} if default else {}) | named)
        theirs, ours = provider_named_in(fields), settings.provider.name
        if theirs in {None, ours}:
            return settings
        # Without the options that may have named the wrong provider.
        plain = self.without("--provider", "--function")
        use = "To use the secret's provider: ", plain.command("status", "--provider", str(theirs)), ". "
        raise ConfigurationError(
            f"the tokens of secret {self.secret_id} in {self.region} belong to the provider {theirs}, and the settings "
            f"say {ours} (PROVIDER); nothing was sent",
            fix=(
                *(() if self.source.function else use),
                *("If those tokens were saved by mistake, bring the last good ones back: ", plain.command("restore")),
                *(f". To get tokens of {ours} instead: ", plain.command("authorize", "--provider", ours)),
            ),
        )

    def names_provider(self, fields: Mapping[str, object]) -> bool:
        """Whether the settings or the document name the provider, and Upwork is not just the default."""
        if self.source.function is not None:
            return True
        # `tokenRefresh` names the host that issued the tokens, and no other host gets them.
        named = any(self.environment.get(name) for name in ("PROVIDER", "TOKEN_ENDPOINT"))
        return named or bool(provider_named_in(fields) or fields.get(ORIGIN_KEY))

    def overlaid(self, variables: Mapping[str, str]) -> "Context":
        """Return the context with these variables in place of the environment's."""
        return replace(self, environment={**self.environment, **variables})

    def deployed(self, source: SettingsSource, variables: Mapping[str, str]) -> "Context":
        """Return the context with the worker's settings from this source alone.

        A fleet's documents name the provider.
        """
        kept = {name: value for name, value in self.environment.items() if name not in WORKER_VARIABLES}
        taken = {name: value for name in WORKER_VARIABLES if (value := variables.get(name))}
        if source.fleet:
            taken.pop(Variable.PROVIDER, None)
        if Variable.PROVIDER_PROFILES in taken:  # Nothing shows what is in the zip.
            folder = self.environment.get(Variable.PROVIDER_PROFILES)
            if not folder:
                raise ConfigurationError(
                    f"function {source.function} has provider profiles of its own, and PROVIDER_PROFILES is not set",
                    fix="set it to the folder that provider_profiles in the deployment's file names",
                )
            taken[Variable.PROVIDER_PROFILES] = folder
        acting = replace(
            self, source=source, environment={**kept, "TOKEN_SECRET_ID": self.secret_id, **self.given, **taken}
        )
        for name, value in self.given.items() if taken else ():
            theirs = taken.get(name, value)
            if name == Variable.PROVIDER and not source.fleet:
                theirs = read_settings({**kept, **taken}, any_lifetime=True).provider.name
            if not (theirs == value or name_same_secret(theirs, value)):
                raise ConfigurationError(
                    f"function {source.function} has {name}={theirs}, and you gave {value}",
                    fix="leave that out, or name the function of that secret with --function",
                )
        return acting if source.fleet or source.unproven else acting.without("--provider")

    def client(self, service: str, limits: ClientLimits = _PATIENT, *, region: str | None = None) -> Any:
        """Return a client of an AWS service, in the secrets' region if `region` is None."""
        client = CLIENTS.get(service, limits=limits, region=region, environment=self.environment)
        find_proxy(client.meta.endpoint_url)
        return client

    def run_client(self, service: str = _SECRETS_MANAGER, *, region: str | None = None) -> Any:
        """Return a client as a run uses it: one attempt a call, since the run itself repeats."""
        return self.client(service, RUN_LIMITS, region=region)

    def store(self, secret_id: str | None = None, *, setting: str | None = None) -> SecretsManagerSecret:
        """Open a secret, by default the token secret; `setting` is the variable that names another one."""
        opened = secret_id or self.secret_id
        return open_secret(self.run_client(), opened, time_left_seconds=TIME_LIMIT_SECONDS, setting=setting)

    def stored(self) -> dict[str, object]:
        """Read the keys of the token document; none where what is stored is not a JSON object."""
        return fields_of(self.store().read(label=CURRENT))

    def run(self, settings: Settings, trigger: Trigger | None = None, log: Log | None = None) -> Run:
        """Put a run on the token secret together; its parts are what a change acts with."""
        return build_run(
            settings,
            trigger or Trigger(name="cli"),
            clock=SystemClock(),
            log=log or NullLog(),
            time_left_seconds=TIME_LIMIT_SECONDS,
            client=self.run_client,
        )

    def call(self, action: str, secret_id: str, **members: Any) -> dict[str, Any]:
        """Carry out one action of Secrets Manager, as its API reference names it, on one secret; see `ask`."""
        return self.ask(f"{_SECRETS_MANAGER}:{action}", "secret", secret_id, SecretId=secret_id, **members)

    def arn_of(self, secret_id: str) -> str:
        """Return the complete ARN of a secret."""
        return str(self.call("DescribeSecret", secret_id)["ARN"])

    def create(self, secret_id: str, **members: Any) -> None:
        """Create a secret."""
        self.ask(f"{_SECRETS_MANAGER}:CreateSecret", "secret", secret_id, Name=secret_id, **members)

    def ask(  # noqa: PLR0913 - the last three by name
        self,
        action: str,
        kind: str,
        name: str = "",
        *,
        limits: ClientLimits = _PATIENT,
        region: str | None = None,
        expected: Callable[[FailedCall], bool] = nothing,
        **members: Any,
    ) -> dict[str, Any]:
        """Carry out one action of an AWS service, as IAM names it, with these members of the request.

        `kind` and `name` say in messages what it is about: `name` is empty if that is all of them. A failure that is
        `expected` is raised as `CallFailed`.
        """
        service, _, operation = action.partition(":")
        client = self.client(_CLIENT_NAMES.get(service, service), limits, region=region)
        response: dict[str, Any] = call(
            lambda: call_action(client, operation, **members),
            lambda: with_whereabouts(AwsRequest(action, name, client.meta.region_name, kind)),
            expected=expected,
        )
        return response

    def pages(
        self, action: str, kind: str, name: str = "", *, page_key: str = "NextToken", **members: Any
    ) -> Iterator[dict[str, Any]]:
        """Carry out an action whose response has pages, and yield them; `page_key` leads to the next."""
        more: dict[str, Any] = {}
        while True:
            page = self.ask(action, kind, name, **members, **more)
            yield page
            if not page.get(page_key):
                return
            more = {page_key: page[page_key]}

    @property
    def at_aws(self) -> bool:
        """Whether Secrets Manager is AWS's own, and not an emulator or a test server."""
        host = urlsplit(self.client(_SECRETS_MANAGER).meta.endpoint_url).hostname or ""
        return host.endswith(_AWS_DOMAINS)

    @property
    def has_all_of_aws(self) -> bool:
        """Whether the other AWS services can be asked, and not only Secrets Manager."""
        return self.at_aws or bool(self.environment.get("AWS_ENDPOINT_URL"))

    def command(self, name: str, *options: str, region: str | None = None) -> Command:
        """Return a complete command on this secret, ready to paste."""
        words = ("token-refresh", *name.split(), self.secret_id, *options, "--region", region or self.region)
        return self._completed(Command(words))

    def again(self, *options: str, region: str | None = None) -> Command:
        """Return the command itself again, with what it was given and these options."""
        added = (word for word in options if word not in self.own)
        return self.command(self.name, *added, *self.own, region=region)

    def without(self, *options: str) -> "Context":
        """Return the context whose commands don't repeat these options."""
        return replace(self, repeated=tuple(pair for pair in self.repeated if pair[0] not in options))

    def completed(self, advice: Advice) -> Advice:
        """Add to the commands in advice the options that they have to repeat: a run doesn't know them."""
        return tuple(self._completed(part) if isinstance(part, Command) else part for part in advice)

    def _completed(self, command: Command) -> Command:
        if command.is_complete:
            return command
        of_aws = [pair for pair in self.repeated if pair[0] == "--profile"]
        profile = self.environment.get("AWS_PROFILE") or self.environment.get("AWS_DEFAULT_PROFILE")
        if command.words[-1] == "login" and profile:  # The shell in which somebody signs in may be another.
            of_aws = [("--profile", profile)]
        ours = self.repeated
        if command.words[1] == "fleet":  # `add` alone has one more.
            known = {"--profile", "--provider"} if command.words[2] == "add" else {"--profile"}
            ours = tuple(pair for pair in ours if pair[0] in known)
        options = {"token-refresh": ours, "aws": of_aws}.get(command.words[0], ())
        return Command((*command.words, *chain.from_iterable(options)), is_complete=True)

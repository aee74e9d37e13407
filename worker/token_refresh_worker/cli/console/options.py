"""The options that commands share, each of which sets environment variables.

The worker's configuration is its environment. An option overlays a variable, so a command acts as the function would
with that variable. The environment of the process itself stays as it is.
"""

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from token_refresh_worker.cli.context import WORKER_VARIABLES, Context

_PANEL: Final = "Common options"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shared:
    """One shared option, and the variables that it sets."""

    name: str
    help: str
    variables: Sequence[str] = ()
    clears: Sequence[str] = ()
    """Variables that would have precedence over this option."""
    repeated: bool = False
    """Whether a printed command repeats it."""

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def parameter(self) -> inspect.Parameter:
        option = typer.Option(help=self.help, show_default=False, rich_help_panel=_PANEL)
        return _keyword(self.name, Annotated[str | None, option])


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_SECRET: Final = "TOKEN_SECRET_ID"  # noqa: S105 - the name of a variable
_OPTIONS: Final = (
    _Shared(
        name="secret_id",
        help=f"The same, as an option; default ${_SECRET}, then upwork-oauth-tokens.",
        variables=[_SECRET],
    ),
    _Shared(
        name="region",
        help="AWS region; default $AWS_REGION, then the profile's.",
        variables=["AWS_REGION", "AWS_DEFAULT_REGION"],  # The SDKs disagree about which of them counts.
    ),
    _Shared(
        name="profile",
        help="AWS profile; default $AWS_PROFILE, then the environment's credentials.",
        variables=["AWS_PROFILE"],
        # botocore prefers keys in the environment to any profile.
        clears=["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        repeated=True,
    ),
    _Shared(
        name="endpoint_url",
        help="Address of Secrets Manager, if it is not AWS's own.",
        variables=["AWS_ENDPOINT_URL_SECRETS_MANAGER"],
        repeated=True,
    ),
    _Shared(
        name="provider",
        help="Name of the provider's profile; default $PROVIDER, then the token document's.",
        variables=["PROVIDER"],
        repeated=True,
    ),
    _Shared(
        name="token_endpoint",
        help="The provider's token endpoint; default $TOKEN_ENDPOINT, then the profile's.",
        variables=["TOKEN_ENDPOINT"],
        repeated=True,
    ),
    _Shared(
        name="function",
        help="The deployed function: its settings apply.",
        repeated=True,
    ),
)
_ARGUMENT: Final = _keyword(
    "secret",
    Annotated[
        str | None,
        typer.Argument(metavar="SECRET_ID", help="Name or ARN of the token secret.", show_default=False),
    ],
)
_DEBUG: Final = _keyword(
    "debug",
    Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Print where an error was raised; never a secret.",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ],
    default=False,
)
SHARED: Final = {p.name: p for p in (_ARGUMENT, *(option.parameter for option in _OPTIONS), _DEBUG)}
"""The parameters by name, in the order in which `--help` lists them."""

OF_A_SECRET: Final = tuple(SHARED)
OF_A_FLEET: Final = ("region", "profile", "debug")


def context_of(given: Mapping[str, str | None]) -> Context:
    """Overlay the environment with the shared options that were given."""
    options = dict(given)
    argument = options.pop("secret", None)
    if argument is not None:
        if options.get("secret_id") not in {None, argument}:
            raise typer.BadParameter("SECRET_ID and --secret-id name two secrets; give one")
        options["secret_id"] = argument
    environment = dict(os.environ)
    variables: dict[str, str] = {}
    repeated: list[tuple[str, str]] = []
    for option in _OPTIONS:
        value = options.get(option.name)
        if value is None:
            continue
        for name in option.clears:
            environment.pop(name, None)
        variables |= dict.fromkeys(option.variables, value)
        repeated += [(option.flag, value)] if option.repeated else []
    return Context(
        environment=environment | variables,
        function=options.get("function"),
        given={name: value for name, value in variables.items() if name in WORKER_VARIABLES},
        repeated=tuple(repeated),
    )

"""The options that commands share, each of which sets environment variables.

The worker's configuration is its environment. An option overlays a variable, so a command acts as the function would
with that variable. The environment of the process itself stays as it is.
"""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

import typer

from token_refresh_worker.cli.context import WORKER_VARIABLES, Context
from token_refresh_worker.providers.loader import profile_names
from token_refresh_worker.run.settings import DEFAULT_SECRET_ID
from token_refresh_worker.run.variables import Variable

_PANEL: Final = "Common options"

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]


class _Shared(NamedTuple):
    """One shared option, and the variables that it sets."""

    name: str
    help: str
    variables: Sequence[str] = ()
    clears: Sequence[str] = ()
    """Variables that would have precedence over this option."""
    repeated: bool = True
    """Whether a printed command repeats it."""
    completes: Callable[[str], list[str]] | None = None
    """Gives the values that begin with a text, for the shell's completion."""

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"

    @property
    def parameter(self) -> inspect.Parameter:
        option = typer.Option(help=self.help, rich_help_panel=_PANEL, autocompletion=self.completes)
        return _keyword(self.name, Annotated[str | None, option])


def names_beginning(text: str) -> list[str]:
    """Give the names of providers that begin with a text."""
    return [name for name in profile_names() if name.startswith(text)]


def _keyword(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


# The SDKs disagree about which of them counts.
_REGION: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
# botocore prefers them to any profile.
_KEYS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_OPTIONS: Final = (
    # A printed command has the secret and its region anyway.
    _Shared(
        "secret_id",
        f"The same, as an option; default ${Variable.TOKEN_SECRET_ID}, then {DEFAULT_SECRET_ID}.",
        [Variable.TOKEN_SECRET_ID],
        repeated=False,
    ),
    _Shared("region", "AWS region; default $AWS_REGION, then the profile's.", _REGION, repeated=False),
    _Shared(
        "profile", "AWS profile; default $AWS_PROFILE, then the environment's credentials.", ["AWS_PROFILE"], _KEYS
    ),
    _Shared(
        "endpoint_url", "Address of Secrets Manager, if it is not AWS's own.", ["AWS_ENDPOINT_URL_SECRETS_MANAGER"]
    ),
    _Shared(
        "provider",
        "Name of the provider's profile; default $PROVIDER, then the token document's.",
        [Variable.PROVIDER],
        completes=names_beginning,
    ),
    _Shared(
        "token_endpoint",
        "The provider's token endpoint; default $TOKEN_ENDPOINT, then the profile's.",
        [Variable.TOKEN_ENDPOINT],
    ),
    _Shared("function", "The deployed function: its settings apply."),
)
_ARGUMENT: Final = _keyword(
    "secret",
    Annotated[str | None, typer.Argument(metavar="SECRET_ID", help="Name or ARN of the token secret.")],
)
_DEBUG_HELP: Final = "Print where an error was raised; never a secret."
_DEBUG: Final = _keyword(
    "debug", Annotated[bool, typer.Option("--debug", help=_DEBUG_HELP, rich_help_panel=_PANEL)], default=False
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
    chosen = [(option, value) for option in _OPTIONS if (value := options.get(option.name)) is not None]
    cleared = {name for option, _ in chosen for name in option.clears}
    variables = {name: value for option, value in chosen for name in option.variables}
    return Context(
        environment={name: value for name, value in os.environ.items() if name not in cleared} | variables,
        function=options.get("function"),
        given={name: value for name, value in variables.items() if name in WORKER_VARIABLES},
        repeated=tuple((option.flag, value) for option, value in chosen if option.repeated),
    )
